//! One TCP connection to a peer, from the moment it stands (RFC 4271 §8.2.2, its last three
//! states).
//!
//! ```text
//!   opened: OPEN ▶          ◀ OPEN, in order            ◀ KEEPALIVE
//!  ──────────▶ ┌──────────┐ ────────▶ ┌─────────────┐ ────────▶ ┌─────────────┐ ◀ UPDATE,
//!              │ OpenSent │ KEEPALIVE▶│ OpenConfirm │           │ Established │   KEEPALIVE,
//!              └──────────┘           └─────────────┘           └─────────────┘   ROUTE-REFRESH
//!   HoldTimer    240 s                  negotiated, or 240 s      negotiated
//!   KeepaliveTimer                      negotiated                negotiated, less a jitter
//!   SendHoldTimer                       while octets wait         while octets wait
//!
//!   anywhere: ◀ NOTIFICATION, a broken or unexpected message (NOTIFICATION ▶), a timer
//!             (NOTIFICATION ▶), Cease (NOTIFICATION ▶): the connection is over
//! ```
//!
//! What the peer is told lives in [`AdjRibOut`], what it tells us is counted in [`Received`]. New
//! UPDATEs are written only while little waits to be sent, so that a peer that does not read costs
//! what is waiting then and nothing more; while anything waits, no KEEPALIVE is added to it either,
//! as what waits will say as much.

mod messages;
mod open;
mod received;
mod timers;

use std::mem;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

pub(crate) use self::messages::Step;
pub(crate) use self::open::{Agreed, InitialUpdate};
pub(crate) use self::received::Received;
use self::timers::{KEEPALIVE_TIME, LARGE_HOLD_TIME, Timers, is_due, send_hold_time};
use crate::adj_rib_out::AdjRibOut;
use crate::jitter::Jitter;
use crate::per_family::PerFamily;
use crate::rules::Rules;
use crate::wire::{Error, Framer, Message, Notification, Open};
use crate::{Config, ConnectionId, Families, Fault, RouteSet, State};

/// UPDATEs are added while fewer octets than this wait to be sent: enough that a quick peer never
/// waits for us, little enough that many slow ones cost nothing.
const LOW_WATER: usize = 64 * 1024;

/// See the module.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    pub(crate) local: IpAddr,
    pub(crate) remote: IpAddr,
    /// When it came to be.
    pub(crate) opened: Instant,
    ours: Open,
    stage: Stage,
    framer: Framer,
    timers: Timers,
    /// Written and not yet handed to the driver.
    tx: Vec<u8>,
    /// Handed to the driver and not yet to the socket.
    queued: usize,
}

#[derive(Debug)]
enum Stage {
    OpenSent,
    OpenConfirm(Box<Agreed>),
    Established(Box<Established>),
}

/// A session.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) agreed: Agreed,
    pub(crate) since: Instant,
    pub(crate) rules: Rules,
    /// None until the desired routes are known.
    pub(crate) rib: Option<AdjRibOut>,
    pub(crate) received: Received,
}

impl Connection {
    /// Sends our OPEN.
    pub(crate) fn open(
        id: ConnectionId,
        local: IpAddr,
        remote: IpAddr,
        config: &Config,
        initial: InitialUpdate,
        now: Instant,
    ) -> Self {
        let ours = open::ours(config, local, initial);
        let mut framer = Framer::new();
        framer.set_extended();
        let mut tx = Vec::new();
        Message::Open(ours.clone()).emit(None, &mut tx);
        Self {
            id,
            local,
            remote,
            opened: now,
            ours,
            stage: Stage::OpenSent,
            framer,
            timers: Timers {
                hold: Some(now + LARGE_HOLD_TIME),
                ..Timers::default()
            },
            tx,
            queued: 0,
        }
    }

    pub(crate) fn state(&self) -> State {
        match &self.stage {
            Stage::OpenSent => State::OpenSent,
            Stage::OpenConfirm(_) => State::OpenConfirm,
            Stage::Established(_) => State::Established,
        }
    }

    /// What was settled with the peer, once its OPEN came.
    pub(crate) fn agreed(&self) -> Option<&Agreed> {
        match &self.stage {
            Stage::OpenSent => None,
            Stage::OpenConfirm(agreed) => Some(agreed),
            Stage::Established(session) => Some(&session.agreed),
        }
    }

    pub(crate) fn established(&self) -> Option<&Established> {
        match &self.stage {
            Stage::OpenSent | Stage::OpenConfirm(_) => None,
            Stage::Established(session) => Some(session),
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.timers.deadline()
    }

    /// Adds octets that came in; [`step`](Self::step) until it is drained.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.framer.push(bytes);
    }

    /// How many octets came in that nobody has looked at.
    pub(crate) fn waiting(&self) -> usize {
        self.framer.waiting()
    }

    /// This connection is kept: agrees to the peer's OPEN.
    pub(crate) fn confirm(&mut self, jitter: &mut Jitter, now: Instant) {
        Message::Keepalive.emit(None, &mut self.tx);
        // RFC 4271 starts no timer here if the hold time is zero. The large one goes on then, so
        // that a peer that stops in the middle does not hold us there for ever.
        if let Some(hold_time) = self.hold_time() {
            self.timers.hold = Some(now + hold_time);
            self.timers.keepalive = self.next_keepalive(jitter, now);
        }
    }

    /// Lets timers expire; says why the connection is over, if it is.
    pub(crate) fn expire(&mut self, jitter: &mut Jitter, now: Instant) -> Option<Fault> {
        if is_due(self.timers.hold, now) {
            return Some(Fault::Sent(Notification::new(Error::HoldTimerExpired)));
        }
        if is_due(self.timers.send_hold, now) {
            return Some(Fault::Sent(Notification::new(Error::SendHoldTimerExpired)));
        }
        if is_due(self.timers.keepalive, now) {
            if self.queued == 0 && self.tx.is_empty() {
                Message::Keepalive.emit(None, &mut self.tx);
            }
            self.timers.keepalive = self.next_keepalive(jitter, now);
        }
        None
    }

    /// The driver still holds so many octets.
    pub(crate) fn sent(&mut self, queued: usize, now: Instant) {
        if queued < self.queued {
            self.timers.send_hold = None;
        }
        self.queued = queued;
        self.watch_sending(now);
    }

    /// Sets what the peer is to hold.
    pub(crate) fn set_desired(&mut self, desired: &RouteSet) {
        if let Stage::Established(session) = &mut self.stage {
            match &mut session.rib {
                Some(rib) => rib.set_desired(desired.clone()),
                None => session.rib = Some(session.adj_rib_out(desired)),
            }
        }
    }

    /// Whether it cannot go on under another configuration: what our OPEN said of us is no longer
    /// true, or the peer is no longer the one that is meant.
    pub(crate) fn is_outdated(&self, config: &Config) -> bool {
        let admitted = self.agreed().is_none_or(|agreed| {
            let peer = agreed.theirs.asn;
            config.peer_asn.admits(peer, config.local_asn)
        });
        let new = open::ours(config, self.local, InitialUpdate::Told);
        !admitted || !open::is_still_true(&self.ours, &new)
    }

    /// Takes over what can change within a session.
    pub(crate) fn reconfigure(&mut self, config: &Config) {
        if let Stage::Established(session) = &mut self.stage {
            let mut rules = Rules::new(config, self.local, &session.agreed.session);
            rules.set_graceful_shutdown(session.rules.is_graceful_shutdown());
            let before = mem::replace(&mut session.rules, rules);
            if let Some(rib) = &mut session.rib {
                Families::BOTH
                    .iter()
                    .filter(|family| session.rules.differ(&before, *family))
                    .for_each(|family| rib.tell_again(family));
                rib.set_families(session.rules.families());
            }
            session.agreed.set_keepalive_time(config);
        }
    }

    /// Sets whether the peer is to prefer any other path (RFC 8326).
    pub(crate) fn set_graceful_shutdown(&mut self, leaving: bool) {
        if let Stage::Established(session) = &mut self.stage
            && session.rules.is_graceful_shutdown() != leaving
        {
            session.rules.set_graceful_shutdown(leaving);
            if let Some(rib) = &mut session.rib {
                Families::BOTH
                    .iter()
                    .for_each(|family| rib.tell_again(family));
            }
        }
    }

    /// Whether the socket has taken all that the peer is to be told.
    pub(crate) fn is_told(&self) -> bool {
        let rib = self.established().and_then(|session| session.rib.as_ref());
        let settled = rib.is_none_or(AdjRibOut::is_settled);
        settled && self.queued == 0 && self.tx.is_empty()
    }

    /// Writes what the peer is still to be told, as far as there is room.
    pub(crate) fn tell(&mut self) {
        let room = LOW_WATER.saturating_sub(self.queued);
        if let Stage::Established(session) = &mut self.stage
            && let Some(rib) = &mut session.rib
        {
            let wire_session = &session.agreed.session;
            rib.emit(wire_session, &session.rules, room, &mut self.tx);
        }
    }

    /// How many prefixes of each family the peer holds, once it has been told all.
    pub(crate) fn settled(&self) -> Option<PerFamily<usize>> {
        let rib = self.established()?.rib.as_ref()?;
        rib.is_settled().then(|| rib.count())
    }

    /// Writes the last message.
    pub(crate) fn notify(&mut self, notification: Notification) {
        Message::Notification(notification).emit(None, &mut self.tx);
    }

    /// What was written since the last time.
    pub(crate) fn take(&mut self, jitter: &mut Jitter, now: Instant) -> Option<Bytes> {
        if self.tx.is_empty() {
            return None;
        }
        self.queued += self.tx.len();
        self.watch_sending(now);
        // RFC 4271 §8.2.2: each KEEPALIVE and UPDATE restarts the KeepaliveTimer.
        self.timers.keepalive = self.next_keepalive(jitter, now);
        Some(Bytes::from(mem::take(&mut self.tx)))
    }

    /// What was agreed on, if that is not zero.
    fn hold_time(&self) -> Option<Duration> {
        let hold_time = self.agreed()?.hold_time;
        (!hold_time.is_zero()).then_some(hold_time)
    }

    /// RFC 4271 §4.4: at most one a second, however it is shortened.
    fn next_keepalive(&self, jitter: &mut Jitter, now: Instant) -> Option<Instant> {
        self.hold_time()?;
        let time = jitter.shorten(self.agreed()?.keepalive_time);
        Some(now + time.max(KEEPALIVE_TIME))
    }

    /// RFC 9687 §3: the SendHoldTimer runs while something waits, from the last progress on.
    fn watch_sending(&mut self, now: Instant) {
        let anew = self.hold_time().map(|time| now + send_hold_time(time));
        self.timers.send_hold = match self.queued {
            0 => None,
            _ => self.timers.send_hold.or(anew),
        };
    }
}

impl Established {
    fn adj_rib_out(&self, desired: &RouteSet) -> AdjRibOut {
        let negotiated = self.agreed.session.families;
        AdjRibOut::new(desired.clone(), negotiated, self.rules.families())
    }
}
