//! What BFD (RFC 5882) does to a peer's sessions: it ends those that stand when the path fails, and
//! holds back those that are to come.
//!
//! ```text
//!   BFD says   │ OPEN and dial wait
//!   ───────────┼───────────────────────────────────────────────────────────────────────────
//!   Off        │ never: no BFD, or administratively down on either side (RFC 5882 §3.2)
//!   Listening  │ yes, as the far side may still have the session of the process before
//!   Replacing  │ for two seconds at most: what it has will go down, and would take us along
//!   Down       │ no; where BFD is strict, yes
//!   Up         │ no
//! ```
//!
//! Whoever waited for BFD dials no sooner than a moment after it is Up: the far side may wait for it
//! as well, and FRR takes its own attempt that fails just then for the end of the session that ours
//! has become.
//!
//! A connection that is held says nothing and hears nothing: what comes waits in its framer. A path
//! that is Down and comes Up ends nothing, however often; only [`Input::PathFailed`](crate::Input)
//! does, and only of sessions that are established then.

use std::time::{Duration, Instant};

use super::connections::Ending;
use super::{ConnectError, ConnectionId, Fault, Peer, State, Why};
use crate::connection::Connection;
use crate::wire::{Error, Notification};

/// How long to wait for a BFD session in place of another. Some routers create theirs only with BGP.
const REPLACING: Duration = Duration::from_secs(2);

/// How long at most until it is known whether there is a session to go on with.
const LISTENING: Duration = Duration::from_secs(5);

/// How long a far side whose BFD came up along with ours has to dial, and to be refused.
const FIRST: Duration = Duration::from_millis(250);

/// How long a strict session waits before that is a failure, which is told.
const PATIENCE: Duration = Duration::from_secs(10);

/// RFC 8654 §4: the longest OPEN.
const OPEN: usize = 4096;

/// What BFD is to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Nothing.
    None,
    /// A path that fails ends the session; there may be one without.
    Bfd,
    /// And there is no session before BFD is Up.
    StrictBfd,
}

/// What BFD says of the path to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// Nothing: there is no BFD, or either side holds it administratively down.
    Off,
    /// It finds out whether the far side kept the session of the process before.
    Listening,
    /// The far side has another session, which it will declare down.
    Replacing,
    /// It is not known to be good.
    Down,
    /// It is good.
    Up,
}

/// What there is to be known of BFD.
#[derive(Debug)]
pub(super) struct Watch {
    path: Path,
    /// Until when OPEN waits for what is being found out.
    until: Option<Instant>,
    /// Until when the far side may dial first.
    first: Option<Instant>,
    /// When a strict session has waited for long enough to say so.
    patience: Option<Instant>,
    /// Whether something was held back.
    held: bool,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            path: Path::Listening,
            until: None,
            first: None,
            patience: None,
            held: false,
        }
    }
}

impl Watch {
    pub(super) fn deadline(&self) -> Option<Instant> {
        let waits = [self.until, self.first, self.patience];
        waits.into_iter().flatten().min()
    }
}

impl Peer {
    /// The wait for BFD's first word begins.
    pub(super) fn watch_path(&mut self, now: Instant) {
        let protected = self.config.protection != Protection::None;
        if protected && self.watch.path == Path::Listening {
            self.watch.until = Some(now + LISTENING);
        }
    }

    pub(super) fn path_is(&mut self, path: Path, now: Instant) {
        if self.watch.path != path {
            let protected = self.config.protection != Protection::None;
            let before = std::mem::replace(&mut self.watch.path, path);
            let came_up = path == Path::Up && matches!(before, Path::Replacing | Path::Down);
            self.watch.first = (protected && came_up).then_some(now + FIRST);
            self.watch.until = match path {
                Path::Listening => Some(now + LISTENING),
                Path::Replacing => Some(now + REPLACING),
                Path::Off | Path::Down | Path::Up => None,
            };
        }
    }

    /// RFC 5882 §4.1, RFC 9384: the path has failed while BFD was Up.
    pub(super) fn path_failed(&mut self, now: Instant) {
        let ends = |one: &&Connection| match self.config.protection {
            Protection::None => false,
            Protection::Bfd => one.state() == State::Established,
            Protection::StrictBfd => true,
        };
        let failed: Vec<ConnectionId> =
            self.connections.iter().filter(ends).map(|o| o.id).collect();
        for id in failed {
            let fault = Fault::Sent(Notification::new(Error::BfdDown));
            self.fail(id, fault, Ending::Ours, now);
        }
    }

    /// Whether no session is to begin yet.
    pub(super) fn is_held(&self) -> bool {
        match (self.config.protection, self.watch.path) {
            (Protection::None, _) | (_, Path::Off | Path::Up) => false,
            (Protection::Bfd, Path::Down) => false,
            (Protection::Bfd, Path::Listening | Path::Replacing) => self.watch.until.is_some(),
            (Protection::StrictBfd, Path::Listening | Path::Replacing | Path::Down) => true,
        }
    }

    /// Whether we are not to dial yet, nor to go on with what we dialled.
    pub(super) fn holds_dial(&self) -> bool {
        self.is_held() || self.watch.first.is_some()
    }

    /// Whether the connection waits with its OPEN.
    pub(super) fn is_silent(&self, connection: &Connection) -> bool {
        let held = match connection.id {
            ConnectionId::Dialed(_) => self.holds_dial(),
            ConnectionId::Accepted(_) => self.is_held(),
        };
        held && connection.state() == State::OpenSent
    }

    /// Whether what came on the connection waits there. There can be an OPEN, and no more than that
    /// before ours.
    pub(super) fn keeps_waiting(&mut self, id: ConnectionId, now: Instant) -> bool {
        let silent = |one: &&Connection| one.id == id && self.is_silent(one);
        let Some(waiting) = self
            .connections
            .iter()
            .find(silent)
            .map(Connection::waiting)
        else {
            return false;
        };
        if waiting > OPEN {
            let fault = Fault::Sent(Notification::new(Error::UnexpectedInOpenSent));
            self.fail(id, fault, Ending::Ours, now);
        }
        true
    }

    /// Takes note that something is held back.
    pub(super) fn hold(&mut self, now: Instant) {
        self.watch.held = true;
        if self.config.protection == Protection::StrictBfd {
            self.watch.patience.get_or_insert(now + PATIENCE);
        }
    }

    /// Lets the waits expire, and goes on with what was held back once it need not be.
    pub(super) fn expire_hold(&mut self, now: Instant) {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.watch.until) {
            self.watch.until = None;
        }
        if is_due(self.watch.first) {
            self.watch.first = None;
        }
        if !self.is_held() {
            self.watch.patience = None;
            if std::mem::take(&mut self.watch.held) {
                self.let_go(now);
            }
        } else if is_due(self.watch.patience) {
            self.watch.patience = None;
            self.give_up_waiting(now);
        }
    }

    fn let_go(&mut self, now: Instant) {
        let ids: Vec<ConnectionId> = self.connections.iter().map(|one| one.id).collect();
        for id in ids {
            self.receive(id, &[], now);
        }
        if self.holds_dial() {
            // There is another time when that is over.
            self.watch.held = true;
        } else if self.is_wanted() && self.connections.is_empty() && self.attempt.is_none() {
            self.begin(Why::PathUp, now);
        }
    }

    /// Says that there is no session, and why; it is tried again as after any failure.
    fn give_up_waiting(&mut self, now: Instant) {
        if self.is_wanted() && self.connections.is_empty() && self.attempt.is_none() {
            let fault = Fault::NotConnected(ConnectError::BfdDown);
            self.record(&fault, now);
            self.idle(now);
            self.note(Why::Failed(fault), now);
        }
    }
}
