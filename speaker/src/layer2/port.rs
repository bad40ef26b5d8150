//! One interface that is served: its sockets and the machine behind them.

use std::io;
use std::time::Instant;

use l2::{Config, DropCause, Frame, Input, Output, Segment};
use model::{InterfaceName, IpFamily};
use sys::{OpenPacketSocketError, PacketSocket, Protocol, ReceiveError, SendError};
use thiserror::Error;
use tokio::sync::watch;

use super::directive::{Attachment, Directive};
use super::membership::Memberships;
use super::metrics::{Metrics, PortCounters};
use super::report::{Report, Reporter};
use crate::due::due;

/// Frames read before the other sockets, timers and interfaces have their turn.
const BATCH: usize = 64;

/// As much of a frame as the sockets' filters keep.
const FRAME: usize = 512;

/// Two packet sockets, memberships and the segment that they speak for.
#[derive(Debug)]
pub(super) struct Port {
    interface: InterfaceName,
    attachment: Attachment,
    arp: PacketSocket,
    ns: PacketSocket,
    memberships: Memberships,
    segment: Segment,
    counters: [PortCounters; 2],
    counted: [u64; DropCause::ALL.len()],
    metrics: Metrics,
    reporter: Reporter,
}

/// Why a port cannot go on; another may be opened.
#[derive(Debug, Error)]
pub(super) enum PortError {
    #[error(transparent)]
    Open(#[from] OpenPacketSocketError),
    #[error("failed to wait for frames")]
    Wait(#[source] io::Error),
    #[error(transparent)]
    Receive(#[from] ReceiveError),
}

/// What a port wakes up for.
enum Event {
    Directive,
    Frames(IpFamily),
    Deadline,
}

/// Whether a socket has been emptied.
#[derive(PartialEq, Eq)]
enum Backlog {
    Empty,
    More,
}

impl Port {
    pub(super) fn open(
        interface: InterfaceName,
        attachment: Attachment,
        metrics: Metrics,
        reporter: Reporter,
    ) -> Result<Self, PortError> {
        let index = attachment.index;
        Ok(Self {
            arp: PacketSocket::open(index, Protocol::Arp)?,
            ns: PacketSocket::open(index, Protocol::NeighborSolicitation)?,
            memberships: Memberships::new(interface.clone(), index, reporter.clone()),
            segment: Segment::new(Config::default(), attachment.link),
            counters: IpFamily::ALL.map(|family| metrics.port(family, &interface)),
            counted: [0; DropCause::ALL.len()],
            interface,
            attachment,
            metrics,
            reporter,
        })
    }

    /// Serves the interface until a directive says otherwise (no VIPs, another interface of the
    /// name, or no more directives) or the sockets fail. Leaves nothing announced.
    pub(super) async fn serve(
        mut self,
        directives: &mut watch::Receiver<Directive>,
    ) -> Result<(), PortError> {
        let served = self.serve_while_wanted(directives).await;
        self.handle(Input::Announce(&Default::default()));
        served
    }

    async fn serve_while_wanted(
        &mut self,
        directives: &mut watch::Receiver<Directive>,
    ) -> Result<(), PortError> {
        let directive = directives.borrow().clone();
        self.handle(Input::Announce(&directive.vips));
        loop {
            match self.next(directives).await? {
                Event::Directive => {
                    let directive = directives.borrow_and_update().clone();
                    if directives.has_changed().is_err() || !self.follow(&directive) {
                        return Ok(());
                    }
                }
                Event::Frames(family) => {
                    if self.receive(family)? == Backlog::More {
                        tokio::task::yield_now().await;
                    }
                }
                Event::Deadline => {
                    self.handle(Input::Timeout);
                    let now = Instant::now();
                    if self.memberships.deadline().is_some_and(|at| at <= now) {
                        self.memberships.retry(now);
                    }
                }
            }
            self.count_drops();
        }
    }

    async fn next(&self, directives: &mut watch::Receiver<Directive>) -> Result<Event, PortError> {
        let deadlines = [self.segment.deadline(), self.memberships.deadline()];
        let deadline = deadlines.into_iter().flatten().min();
        let event = tokio::select! {
            _ = directives.changed() => Event::Directive,
            ready = self.arp.readable() => {
                ready.map_err(PortError::Wait)?;
                Event::Frames(IpFamily::V4)
            }
            ready = self.ns.readable() => {
                ready.map_err(PortError::Wait)?;
                Event::Frames(IpFamily::V6)
            }
            () = due(deadline.map(Into::into)) => Event::Deadline,
        };
        Ok(event)
    }

    /// Brings the segment to a new directive; false if that asks for another port or for none.
    fn follow(&mut self, directive: &Directive) -> bool {
        let attachment = match directive.attachment() {
            Ok(attachment) if attachment.index == self.attachment.index => attachment,
            Ok(_) | Err(_) => return false,
        };
        if directive.vips.is_empty() {
            return false;
        }
        let before = std::mem::replace(&mut self.attachment, attachment);
        if before != self.attachment {
            self.memberships.retry(Instant::now());
        }
        self.handle(Input::Link(self.attachment.link));
        if before.prefixes != self.attachment.prefixes {
            self.handle(Input::Reannounce);
        }
        self.handle(Input::Announce(&directive.vips));
        true
    }

    fn receive(&mut self, family: IpFamily) -> Result<Backlog, ReceiveError> {
        let mut buffer = [0; FRAME];
        for _ in 0..BATCH {
            match self.socket(family).try_receive(&mut buffer) {
                Ok(Some(frame)) => self.answer(frame, family),
                Ok(None) => return Ok(Backlog::Empty),
                // Said once; the socket goes on when the link is back, which netlink tells.
                Err(ReceiveError::LinkDown) => {}
                Err(error @ ReceiveError::Failed(_)) => return Err(error),
            }
        }
        Ok(Backlog::More)
    }

    /// Hands a frame to the segment. Unless that counts it as dropped, what it sends first is the
    /// answer; all else are announcements that were due.
    fn answer(&mut self, frame: &[u8], family: IpFamily) {
        self.counters(family).requests.inc();
        let (now, dropped) = (Instant::now(), self.dropped());
        self.segment.handle(Input::Frame(frame), now);
        if self.dropped() == dropped
            && let Some(output) = self.segment.poll()
        {
            match &output {
                Output::Transmit(answer) => {
                    if self.transmit(answer) {
                        self.counters(family).replies.inc();
                    }
                }
                Output::JoinGroup(_)
                | Output::LeaveGroup(_)
                | Output::Announcing(_)
                | Output::Withdrawn(_) => self.perform(output, now),
            }
        }
        self.drain(now);
    }

    fn handle(&mut self, input: Input<'_>) {
        let now = Instant::now();
        self.segment.handle(input, now);
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.segment.poll() {
            self.perform(output, now);
        }
    }

    fn perform(&mut self, output: Output, now: Instant) {
        let interface = self.interface.clone();
        match output {
            Output::Transmit(announcement) => {
                if self.transmit(&announcement) {
                    self.counters(family_of(&announcement)).announcements.inc();
                }
            }
            Output::JoinGroup(group) => self.memberships.join(group, &self.ns, now),
            Output::LeaveGroup(group) => self.memberships.leave(group, &self.ns),
            Output::Announcing(vip) => self.reporter.report(Report::Announcing { interface, vip }),
            Output::Withdrawn(vip) => self.reporter.report(Report::Withdrawn { interface, vip }),
        }
    }

    /// Whether the frame was sent. One that was not is not repeated: the asker asks again, and
    /// announcements have a schedule.
    fn transmit(&self, frame: &Frame) -> bool {
        let sent = self.socket(family_of(frame)).send(frame.as_bytes());
        let Err(error) = sent else {
            return true;
        };
        self.metrics.dropped(match error {
            SendError::LinkDown => "send_link_down",
            SendError::Gone => "send_interface_gone",
            SendError::QueueFull => "send_queue_full",
            SendError::Failed(_) => "send_failed",
        });
        false
    }

    fn socket(&self, family: IpFamily) -> &PacketSocket {
        match family {
            IpFamily::V4 => &self.arp,
            IpFamily::V6 => &self.ns,
        }
    }

    fn counters(&self, family: IpFamily) -> &PortCounters {
        let [v4, v6] = &self.counters;
        match family {
            IpFamily::V4 => v4,
            IpFamily::V6 => v6,
        }
    }

    fn dropped(&self) -> u64 {
        DropCause::ALL
            .iter()
            .map(|cause| self.segment.dropped(*cause))
            .sum()
    }

    /// Adds what the segment has dropped since to the metrics, once for many frames.
    fn count_drops(&mut self) {
        for (cause, counted) in DropCause::ALL.into_iter().zip(&mut self.counted) {
            let dropped = self.segment.dropped(cause);
            self.metrics.dropped_by(cause.reason(), dropped - *counted);
            *counted = dropped;
        }
    }
}

/// By which socket a frame leaves.
fn family_of(frame: &Frame) -> IpFamily {
    match Protocol::of(frame.as_bytes()) {
        Some(Protocol::Arp) | None => IpFamily::V4,
        Some(Protocol::NeighborSolicitation) => IpFamily::V6,
    }
}
