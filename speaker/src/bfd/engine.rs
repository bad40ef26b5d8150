//! The thread's loop.
//!
//! ```text
//!   wait (ppoll) ─▶ orders ─▶ now ─▶ every datagram that is there ─▶ timers due by now ─▶ tell
//!    ▲                                                                                     │
//!    └─────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! The order is the point: the time is taken before the datagrams are, so that what had arrived by
//! then is known when a timer expires. However late the loop is, no session ends for a silence that
//! was ours. For which waits datagrams end the wait is told by [`Arrivals`].

use std::hash::{BuildHasher, RandomState};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, TryRecvError};
use std::time::{Duration, Instant, SystemTime};

use bfd::{Begin, Discard, Lookup, Packet, Role};
use sys::udp::{self, Datagram, Poll};
use tokio::sync::{mpsc as channel, oneshot, watch};

use super::arrivals::Arrivals;
use super::control::{Absence, Absences};
use super::link::Link;
use super::metrics::Metrics;
use super::ports::{Port, Ports};
use super::wanted::Wanted;
use super::{Ground, Statuses};

/// Room for any control packet; its length field counts no more.
const BUFFER: usize = 256;

/// As many datagrams as a receive queue holds and more: who floods one does not keep the loop from
/// its timers, and what had arrived before the flood is read all the same.
const BATCH: usize = 1024;

/// A far side that is told that we leave is told no longer than this.
const LINGER: Duration = Duration::from_secs(10);

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Order {
    Want(Wanted),
    HoldOn(oneshot::Sender<Absences>),
    Leave(oneshot::Sender<()>),
}

/// What it has to say besides the statuses.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Report {
    PortFailed { error: String },
    PortOpen { port: u16 },
    PollFailed { error: String },
}

/// Where orders are given. Dropping it ends the thread.
pub(super) struct Orders {
    queue: mpsc::Sender<Order>,
    wake: PipeWriter,
    /// Whether an octet is in the pipe: one is enough, and it never fills.
    woken: Arc<AtomicBool>,
}

/// Where they arrive.
pub(super) struct Inlet {
    queue: mpsc::Receiver<Order>,
    wake: PipeReader,
    woken: Arc<AtomicBool>,
}

pub(super) fn orders() -> io::Result<(Orders, Inlet)> {
    let (reader, writer) = io::pipe()?;
    let (sender, receiver) = mpsc::channel();
    let woken = Arc::new(AtomicBool::new(false));
    let orders = Orders {
        queue: sender,
        wake: writer,
        woken: Arc::clone(&woken),
    };
    let inlet = Inlet {
        queue: receiver,
        wake: reader,
        woken,
    };
    Ok((orders, inlet))
}

impl Orders {
    pub(super) fn send(&self, order: Order) {
        // A thread that is over is seen by its reports, and a pipe without a reader likewise.
        let _ = self.queue.send(order);
        if !self.woken.swap(true, Ordering::AcqRel) {
            let _ = (&self.wake).write(&[0]);
        }
    }
}

/// See the module's text.
pub(super) struct Engine {
    ground: Ground,
    inlet: Inlet,
    statuses: watch::Sender<Statuses>,
    reports: channel::UnboundedSender<Report>,
    metrics: Metrics,
    seeds: RandomState,
    poll: Poll,
    arrivals: Arrivals,
    ports: Ports,
    links: Vec<Link>,
    /// We part from the far sides, and wish for nothing any more.
    parting: bool,
    holding: Option<oneshot::Sender<Absences>>,
    leaving: Option<oneshot::Sender<()>>,
}

impl Engine {
    pub(super) fn new(
        ground: Ground,
        inlet: Inlet,
        statuses: watch::Sender<Statuses>,
        reports: channel::UnboundedSender<Report>,
        metrics: Metrics,
    ) -> Self {
        Self {
            ports: Ports::new(ground.receive_on),
            ground,
            inlet,
            statuses,
            reports,
            metrics,
            seeds: RandomState::new(),
            poll: Poll::default(),
            arrivals: Arrivals::new(Instant::now()),
            links: Vec::new(),
            parting: false,
            holding: None,
            leaving: None,
        }
    }

    /// Runs until nobody can give orders any more.
    pub(super) fn run(mut self) {
        // Without these timers are later, which costs little where the node has little to do.
        let _ = udp::sharpen_timers();
        let _ = udp::shorten_slices();
        let mut buffer = [0; BUFFER];
        loop {
            self.wait();
            if self.poll.is_ready(0) && !self.take_orders() {
                return;
            }
            let now = Instant::now();
            self.receive(&mut buffer, now);
            self.expire(now);
            self.tell();
        }
    }

    fn wait(&mut self) {
        let now = Instant::now();
        let deadline = self.deadline();
        let timeout = deadline.map(|at| at.saturating_duration_since(now));
        let all_steady = self.links.iter().all(Link::is_steady);
        self.arrivals.choose(all_steady, deadline, now);
        let wake = std::iter::once(self.inlet.wake.as_fd());
        let watched = self.ports.open().filter(|_| !self.arrivals.has_slept());
        let sockets = watched.map(|port| port.receiver.as_fd());
        if let Err(error) = self.poll.wait(wake.chain(sockets), timeout) {
            let error = error.to_string();
            let _ = self.reports.send(Report::PollFailed { error });
            // Memory is short; whatever is there is read all the same.
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let links = self.links.iter().filter_map(Link::deadline);
        links.chain(self.ports.deadline()).min()
    }

    /// Whether there may be more to come.
    fn take_orders(&mut self) -> bool {
        let mut octets = [0; 16];
        // That it is closed is seen by the queue.
        let _ = self.inlet.wake.read(&mut octets);
        // Taken before the queue is read, so that whatever finds it taken writes another octet.
        self.inlet.woken.swap(false, Ordering::AcqRel);
        loop {
            match self.inlet.queue.try_recv() {
                Ok(order) => {
                    let now = Instant::now();
                    self.arrivals.interrupted(now);
                    self.take(order, now);
                }
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn take(&mut self, order: Order, now: Instant) {
        match order {
            Order::Want(_) if self.parting => {}
            Order::Want(wanted) => self.reconcile(wanted, now),
            Order::HoldOn(answer) => {
                self.parting = true;
                self.links.iter_mut().for_each(|link| link.hold_on(now));
                self.holding = Some(answer);
            }
            Order::Leave(answer) => {
                self.parting = true;
                for link in &mut self.links {
                    link.leave(now, LINGER);
                }
                self.leaving = Some(answer);
            }
        }
    }

    /// A session for each path that is wanted; the others are told that they are not.
    fn reconcile(&mut self, mut wanted: Wanted, now: Instant) {
        for link in &mut self.links {
            match wanted.remove(&link.key) {
                Some(settings) if link.goes_on_as(&settings) => {
                    let counters = self.metrics.of(&settings.name);
                    link.set(settings, counters, now);
                }
                // From another address: another session, of which the far side knows nothing.
                Some(settings) => {
                    link.leave(now, Duration::ZERO);
                    wanted.insert(link.key.clone(), settings);
                }
                None => link.leave(now, LINGER),
            }
        }
        self.links.retain(|link| !link.is_gone(now));
        for (key, settings) in wanted {
            let name = key.to_string();
            let node = self.ground.node.as_str();
            let taken = |number| self.links.iter().any(|link| link.discriminator == number);
            let mut numbers = (0..=u32::MAX).map(|n| bfd::local_discriminator(node, &name, n));
            let Some(discriminator) = numbers.find(|number| !taken(*number)) else {
                continue;
            };
            let begin = match settings.config.role {
                Role::Active => Begin::Adopt,
                Role::Passive => Begin::Anew,
            };
            let seed = self.seeds.hash_one(&name);
            let counters = self.metrics.of(&settings.name);
            let mut link = Link::new(key, settings, discriminator, seed, counters);
            link.start(node, begin, now);
            self.links.push(link);
        }
        self.ports.want(&self.links);
        self.ports.open_due(now, &self.reports);
        let forgotten = |key: &super::Key| !self.links.iter().any(|link| link.is_of(key));
        self.statuses.send_if_modified(|statuses| {
            let before = statuses.len();
            statuses.retain(|key, _| !forgotten(key));
            statuses.len() != before
        });
        let names = self.links.iter().map(|link| &link.settings.name);
        self.metrics.retain(names);
    }

    /// Hands in what has arrived: of the sockets that have something, and of all that were not
    /// watched, or if a timer is due, as that something came after the wait.
    fn receive(&mut self, buffer: &mut [u8; BUFFER], now: Instant) {
        let any = self.arrivals.has_slept() || self.deadline().is_some_and(|at| at <= now);
        let wall = SystemTime::now();
        let mut datagrams = 0;
        for (place, port) in self.ports.open().enumerate() {
            if !any && !self.poll.is_ready(place + 1) {
                continue;
            }
            for _ in 0..BATCH {
                match port.receiver.receive(buffer) {
                    Ok(Some(datagram)) => {
                        datagrams += 1;
                        let payload = buffer.get(..datagram.length).unwrap_or_default();
                        let came = self.arrivals.came(datagram.noted, wall, now);
                        let handed_in = hand_in(&mut self.links, port, &datagram, payload, came);
                        if let Err(reason) = handed_in {
                            self.metrics.discarded(reason);
                        }
                    }
                    Ok(None) => break,
                    Err(_) => {
                        self.metrics.receive_failed();
                        break;
                    }
                }
            }
        }
        self.arrivals.were_read(datagrams, self.links.len(), now);
    }

    fn expire(&mut self, now: Instant) {
        let node = self.ground.node.as_str();
        let any_due = self.links.iter().any(|link| link.is_due(now));
        for link in &mut self.links {
            link.expire(node, now);
            if any_due {
                link.awake(now);
            }
        }
        if self.links.iter().any(|link| link.is_gone(now)) {
            self.links.retain(|link| !link.is_gone(now));
            self.ports.want(&self.links);
        }
        self.ports.open_due(now, &self.reports);
    }

    /// Says what has changed, and answers what has been carried out.
    fn tell(&mut self) {
        let ports = &self.ports;
        for link in &mut self.links {
            let trouble = ports.trouble(&link.key);
            if let Some(status) = link.news(trouble) {
                self.statuses.send_modify(|statuses| {
                    statuses.insert(link.key.clone(), status);
                });
            }
        }
        if self.holding.is_some() && self.links.iter().all(Link::has_held_on) {
            let held = self.links.iter().filter_map(|link| {
                let absence: Absence = link.absence?;
                Some((link.key.clone(), absence))
            });
            let held = held.collect();
            if let Some(answer) = self.holding.take() {
                // Who has not waited knows what that means.
                let _ = answer.send(held);
            }
        }
        // What is left then is silent.
        let is_silent = |link: &Link| link.absence.is_some();
        if self.leaving.is_some()
            && self.links.iter().all(is_silent)
            && let Some(answer) = self.leaving.take()
        {
            let _ = answer.send(());
        }
    }
}

/// RFC 5880 §6.8.6, RFC 5881 §3 and §5, RFC 5883 §4 and §5: finds the session and hands it in.
fn hand_in(
    links: &mut [Link],
    port: &Port,
    datagram: &Datagram,
    payload: &[u8],
    now: Instant,
) -> Result<(), Discard> {
    if !port.admits(datagram.hop_limit) {
        return Err(Discard::HopLimit);
    }
    let packet = Packet::decode(payload)?;
    let by_name = match packet.lookup() {
        Lookup::Discriminator(name) => links.iter().position(|link| {
            link.discriminator == name && port.serves(&link.key) && link.may_be_from(datagram)
        }),
        Lookup::Source => None,
    };
    // One with a name that nobody has is discarded by the session of its source, which learns from
    // it that the far side has another.
    let by_source = || {
        links
            .iter()
            .position(|link| port.serves(&link.key) && link.is_from(datagram))
    };
    let found = by_name.or_else(by_source).ok_or(Discard::NoSession)?;
    let link = links.get_mut(found).ok_or(Discard::NoSession)?;
    if !link.settings.path.admits(datagram.hop_limit) {
        return Err(Discard::HopLimit);
    }
    link.hear(payload, now)
}
