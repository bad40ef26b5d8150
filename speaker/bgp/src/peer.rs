//! One configured peer: at most two connections to it, and when to make them (RFC 4271 §8).
//!
//! ```text
//!            Start                  dials             connected
//!   ┌──────┐ ─────▶ ┌────────┐ ───────────▶ ┌─────────┐ ─────────▶ ┌────────────────────────────┐
//!   │ Idle │        │ Active │              │ Connect │            │ OpenSent      a Connection │
//!   └──────┘ ◀───── └────────┘ ◀─────────── └─────────┘            │ OpenConfirm   each, two at │
//!     ▲      Stop    │   failed: 1, 2, 4 … s, up to                │ Established   the most     │
//!     │              │   connect_retry_time    accepted            └────────────────────────────┘
//!     │              └───────────────────────────────────────────────▶    │
//!     └───────────────────────────────────────────────────────────────────┘
//!        failed: stays idle and refuses connections for 1, 2, 4 … s, or for five
//!        minutes where the peer sent too many prefixes; then as at the start.
//!        Closed in OpenSent: to Active instead
//! ```
//!
//! The peer's state is that of its connection that is further. **Waits** double from failure to
//! failure and begin anew only after a session that stood for a minute, so that a peer that resets
//! every second is not dialled every second; each is shortened by up to a quarter at random.
//!
//! Of RFC 4271's optional attributes these are always on: `PassiveTcpEstablishment` where the mode
//! says so, `DampPeerOscillations` (the idle wait above), `AutomaticStart` (after a wait) and
//! `AutomaticStop` (prefix limit). Left out: `DelayOpen`, as there is nothing to be gained by
//! letting the other side speak first; `TrackTcpState`, which is the driver's; NOTIFICATION
//! without OPEN, as OPEN is the first thing said on every connection; and
//! `CollisionDetectEstablishedState`, of which graceful restart takes the place.
//!
//! **Restarts and drains.** Whoever comes back after [`Shutdown::Restarting`] is a new machine, that
//! says so in its OPENs until it has told the peer all once. A peer that is left for good is drained
//! first, see `drain.rs`. `bfd.rs` ends sessions whose path fails, and holds back those to come.

mod backoff;
mod bfd;
mod collision;
mod config;
mod connections;
mod drain;
mod event;
mod fault;
mod status;

use std::collections::VecDeque;
use std::mem;
use std::time::{Duration, Instant};

use self::backoff::Backoff;
use self::bfd::Watch;
pub use self::bfd::{Path, Protection};
pub use self::config::{Config, GracefulRestart, Mode, PeerAsn};
use self::connections::{Ending, find};
use self::drain::Draining;
pub use self::drain::{Drain, DrainStage};
pub use self::event::{ConnectionId, Input, Output, Shutdown, State, Why};
pub use self::fault::{CloseReason, ConnectError, Fault, LastError, Origin};
pub use self::status::{Counters, FamilyStatus, Negotiated, Status};
use crate::RouteSet;
use crate::connection::{Agreed, Connection, InitialUpdate};
use crate::jitter::Jitter;
use crate::per_family::PerFamily;
use crate::wire::{Error, Notification};

/// How long an attempt to connect may take. On a quiet path it takes milliseconds; this lets TCP
/// repeat its first segment four times.
const CONNECT_TIME: Duration = Duration::from_secs(20);

/// The most connections at a time, an attempt included: one from each side.
const CONNECTIONS: usize = 2;

/// The machine of one peer. Call [`handle`](Self::handle), then [`poll`](Self::poll) until there
/// is nothing left, then wait for the next input or the [`deadline`](Self::deadline).
#[derive(Debug)]
pub struct Peer {
    config: Config,
    started: bool,
    /// None until they are known.
    desired: Option<RouteSet>,
    connections: Vec<Connection>,
    attempt: Option<Attempt>,
    wait: Option<Wait>,
    watch: Watch,
    backoff: Backoff,
    jitter: Jitter,
    next_dial: u64,
    state: State,
    since: Option<Instant>,
    last_error: Option<LastError>,
    counters: Counters,
    established: u64,
    /// What was last reported as advertised on this session.
    advertised: Option<PerFamily<usize>>,
    initial: InitialUpdate,
    draining: Option<Draining>,
    outbox: VecDeque<Output>,
}

/// A connection that is being made.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    id: ConnectionId,
    deadline: Instant,
}

/// Until when nothing is tried.
#[derive(Debug, Clone, Copy)]
enum Wait {
    /// ConnectRetryTimer: meanwhile the peer may connect.
    Retry(Instant),
    /// IdleHoldTimer: meanwhile it is refused.
    Idle(Instant),
}

impl Peer {
    /// A peer that is not started. The same seed gives the same waits; each peer and node has its
    /// own.
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            config,
            started: false,
            desired: None,
            connections: Vec::with_capacity(CONNECTIONS),
            attempt: None,
            wait: None,
            watch: Watch::default(),
            backoff: Backoff::default(),
            jitter: Jitter::new(seed),
            next_dial: 0,
            state: State::Idle,
            since: None,
            last_error: None,
            counters: Counters::default(),
            established: 0,
            advertised: None,
            initial: InitialUpdate::Owed,
            draining: None,
            outbox: VecDeque::new(),
        }
    }

    /// Takes in what happened at `now`, which never runs backwards.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        match input {
            Input::Start => self.start(now),
            Input::Stop(shutdown) => self.stop(&shutdown, now),
            Input::Reconfigure(config) => self.reconfigure(config, now),
            Input::Desired(desired) => self.set_desired(desired),
            Input::Drain(drain) => self.drain(drain, now),
            Input::Resume => self.resume(now),
            Input::Connected {
                connection,
                local,
                remote,
            } => self.connected(connection, local, remote, now),
            Input::ConnectFailed { connection, error } => {
                self.connect_failed(connection, error, now);
            }
            Input::Accepted {
                connection,
                local,
                remote,
            } => self.accepted(connection, local, remote, now),
            Input::Received { connection, bytes } => self.receive(connection, bytes, now),
            Input::Sent { connection, queued } => {
                if let Some(connection) = find(&mut self.connections, connection) {
                    connection.sent(queued, now);
                }
            }
            Input::Closed { connection, reason } => self.closed(connection, reason, now),
            Input::Path(path) => self.path_is(path, now),
            Input::PathFailed => self.path_failed(now),
            Input::Timeout => {}
        }
        self.expire(now);
        self.tell(now);
        while self.advance(now) {
            self.tell(now);
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    /// When to call with [`Input::Timeout`]; `None` while there is nothing to wait for. Octets
    /// that have arrived by then are to be handed in first.
    pub fn deadline(&self) -> Option<Instant> {
        let wait = self.wait.map(|wait| match wait {
            Wait::Retry(until) | Wait::Idle(until) => until,
        });
        let attempt = self.attempt.map(|attempt| attempt.deadline);
        let connections = self.connections.iter().map(Connection::deadline);
        let hold = self.watch.deadline().filter(|_| self.holds_dial());
        let drain = self.draining.as_ref().and_then(Draining::deadline);
        let others = [wait, attempt, hold, drain];
        connections.chain(others).flatten().min()
    }

    /// Where the peer stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// How far the drain is that is under way.
    pub fn drain_stage(&self) -> Option<DrainStage> {
        self.draining.as_ref().map(Draining::stage)
    }

    /// What was received since the start, over all sessions.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What an operator is shown.
    pub fn status(&self) -> Status {
        let further = self.connections.iter().max_by_key(|one| one.state());
        Status {
            state: self.state,
            since: self.since,
            last_error: self.last_error.clone(),
            waits_for_bfd: self.is_wanted() && self.is_held(),
            next_attempt: self.wait.map(|wait| match wait {
                Wait::Retry(until) | Wait::Idle(until) => until,
            }),
            negotiated: further.and_then(status::negotiated),
            families: PerFamily::each(|family| {
                further.map_or_else(FamilyStatus::default, |one| status::family(one, family))
            }),
            counters: self.counters,
            established: self.established,
            drain: self.drain_stage(),
        }
    }

    fn start(&mut self, now: Instant) {
        if !self.started {
            self.started = true;
            self.backoff.reset();
            self.watch_path(now);
            self.begin(Why::Started, now);
        }
    }

    fn stop(&mut self, shutdown: &Shutdown, now: Instant) {
        self.started = false;
        self.end_by(shutdown, now);
        self.note(Why::Stopped, now);
    }

    /// Ends every session and attempt, each with what there is to say on it, and waits for nothing.
    fn end_by(&mut self, shutdown: &Shutdown, now: Instant) {
        self.end_each(|connection| last_word(shutdown, connection.agreed()), now);
    }

    /// Ends every session and attempt, and waits for nothing.
    fn end_all(&mut self, notification: &Notification, now: Instant) {
        self.end_each(|_| Some(notification.clone()), now);
    }

    fn end_each(&mut self, word: impl Fn(&Connection) -> Option<Notification>, now: Instant) {
        for mut connection in mem::take(&mut self.connections) {
            if let Some(notification) = word(&connection) {
                connection.notify(notification);
            }
            self.finish(connection, Ending::Ours, now);
        }
        self.give_up_attempt();
        self.wait = None;
        self.backoff.reset();
    }

    fn reconfigure(&mut self, config: Config, now: Instant) {
        if config == self.config {
            return;
        }
        self.config = config;
        if !self.config.mode.dials() {
            self.give_up_attempt();
        }
        let outdated = |one: &Connection| one.is_outdated(&self.config);
        if self.connections.iter().any(outdated) {
            self.end_all(&Error::OtherConfigurationChange.into(), now);
        }
        for connection in &mut self.connections {
            connection.reconfigure(&self.config);
        }
        // Whoever changes a configuration while nothing works wants to see whether it works now.
        if self.started && self.connections.is_empty() && self.attempt.is_none() {
            self.backoff.reset();
            self.begin(Why::Reconfigured, now);
        }
    }

    fn set_desired(&mut self, desired: RouteSet) {
        self.desired = Some(desired);
        if let Some(wanted) = self.wanted() {
            for connection in &mut self.connections {
                connection.set_desired(&wanted);
            }
        }
    }

    /// Dials, where the mode says so, and lets the peer connect.
    fn begin(&mut self, why: Why, now: Instant) {
        self.wait = None;
        if self.has_left() {
            self.note(why, now);
            return;
        }
        if self.holds_dial() {
            self.hold(now);
        } else if self.config.mode.dials() {
            let id = ConnectionId::Dialed(self.next_dial);
            self.next_dial += 1;
            self.outbox.push_back(Output::Connect(id));
            self.attempt = Some(Attempt {
                id,
                deadline: now + CONNECT_TIME,
            });
        }
        self.note(why, now);
    }

    fn give_up_attempt(&mut self) {
        if let Some(attempt) = self.attempt.take() {
            self.outbox.push_back(Output::Close(attempt.id));
        }
    }

    fn expire(&mut self, now: Instant) {
        self.expire_connections(now);
        if let Some(Attempt { id, deadline }) = self.attempt
            && deadline <= now
        {
            self.outbox.push_back(Output::Close(id));
            self.connect_failed(id, ConnectError::TimedOut, now);
        }
        match self.wait {
            Some(Wait::Retry(until) | Wait::Idle(until)) if until <= now => {
                self.begin(Why::RetryDue, now);
            }
            Some(Wait::Retry(_) | Wait::Idle(_)) | None => {}
        }
        self.expire_hold(now);
    }

    fn record(&mut self, fault: &Fault, now: Instant) {
        let fault = fault.clone();
        self.last_error = Some(LastError { at: now, fault });
    }

    /// Says so if the state is another one now.
    fn note(&mut self, why: Why, now: Instant) {
        let to = self.present_state();
        let from = mem::replace(&mut self.state, to);
        if from != to {
            self.since = Some(now);
            self.outbox
                .push_back(Output::StateChanged { from, to, why });
        }
    }

    fn present_state(&self) -> State {
        let furthest = self.connections.iter().map(Connection::state).max();
        match (furthest, self.attempt, self.wait) {
            (Some(state), _, _) => state,
            (None, Some(_), _) => State::Connect,
            (None, None, Some(Wait::Idle(_))) => State::Idle,
            (None, None, Some(Wait::Retry(_))) => State::Active,
            (None, None, None) if self.is_wanted() => State::Active,
            (None, None, None) => State::Idle,
        }
    }
}

/// RFC 4486, RFC 9003. Where the peer keeps routes after a NOTIFICATION as well, only a hard reset
/// says that we are not to be waited for (RFC 8538 §3); one that is begun again at once needs none.
fn last_word(shutdown: &Shutdown, agreed: Option<&Agreed>) -> Option<Notification> {
    let administrative =
        |text: &str| Notification::new(Error::AdministrativeShutdown).with_text(text);
    let for_good = |cease: Notification| {
        if agreed.is_some_and(|agreed| agreed.session.graceful_notification) {
            cease.into_hard_reset()
        } else {
            cease
        }
    };
    match shutdown {
        Shutdown::Administrative(text) => Some(for_good(administrative(text))),
        Shutdown::Deconfigured => Some(for_good(Notification::new(Error::PeerDeconfigured))),
        Shutdown::Reset(text) => {
            Some(Notification::new(Error::AdministrativeReset).with_text(text))
        }
        Shutdown::Restarting(_) if agreed.is_some_and(Agreed::keeps_routes) => None,
        Shutdown::Restarting(text) => Some(administrative(text)),
    }
}

#[cfg(test)]
mod tests;
