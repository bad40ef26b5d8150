//! Leaving a peer so that nothing is lost (RFC 8326): it is told all routes once more, as its last
//! choice; later they are withdrawn; and only then does the session end.
//!
//! ```text
//!  Drain ─▶ Telling ──all handed over──▶ Waiting ──the wait is over──▶ Withdrawing ─┐
//!    │         └──── a second at most ────▲                      handed over, or    │
//!    │                                              a second at most: Cease, close  │
//!    └── there is no session ───────────────────────────────────▶ Left ◀────────────┘
//!
//!  Resume: the routes are told as they were; from Left, the peer is dialled again
//! ```
//!
//! A session that ends meanwhile, by whatever fault, is not begun again. Routes that change are told
//! on, so that an endpoint that goes is withdrawn at once.

use std::time::{Duration, Instant};

use super::{Peer, Shutdown, State, Why};
use crate::RouteSet;
use crate::connection::Connection;

/// How long a peer may take to read what it is told before it is left all the same.
const TELLING: Duration = Duration::from_secs(1);

/// How a peer is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drain {
    /// How long it gets to find other ways, from when it was told that it should. Zero: it is not
    /// told.
    pub wait: Duration,
    /// Words for the peer's operator (RFC 9003).
    pub text: String,
}

/// How far a drain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DrainStage {
    /// The peer prefers others, or is being told to.
    Telling,
    /// The routes are being withdrawn.
    Withdrawing,
    /// There is no session any more, and none is tried.
    Left,
}

#[derive(Debug)]
pub(super) struct Draining {
    drain: Drain,
    stage: Stage,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Telling { until: Instant },
    Waiting { since: Instant },
    Withdrawing { until: Instant },
    Left,
}

impl Draining {
    pub(super) fn stage(&self) -> DrainStage {
        match self.stage {
            Stage::Telling { .. } | Stage::Waiting { .. } => DrainStage::Telling,
            Stage::Withdrawing { .. } => DrainStage::Withdrawing,
            Stage::Left => DrainStage::Left,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Telling { until } | Stage::Withdrawing { until } => Some(until),
            Stage::Waiting { since } => Some(since + self.drain.wait),
            Stage::Left => None,
        }
    }
}

impl Peer {
    /// Begins a drain, or goes on with the one under way by other settings.
    pub(super) fn drain(&mut self, drain: Drain, now: Instant) {
        if let Some(draining) = &mut self.draining {
            draining.drain = drain;
            return;
        }
        let wait = drain.wait;
        let stage = Stage::Telling {
            until: now + TELLING,
        };
        self.draining = Some(Draining { drain, stage });
        if !self.is_established() {
            self.leave(now);
        } else if wait.is_zero() {
            self.withdraw_all(now);
        } else {
            self.each_connection(|connection| connection.set_graceful_shutdown(true));
        }
    }

    /// Ends a drain: all is as it was before.
    pub(super) fn resume(&mut self, now: Instant) {
        let Some(draining) = self.draining.take() else {
            return;
        };
        self.each_connection(|connection| connection.set_graceful_shutdown(false));
        match draining.stage() {
            DrainStage::Telling => {}
            DrainStage::Withdrawing => {
                if let Some(desired) = self.desired.clone() {
                    self.set_desired(desired);
                }
            }
            DrainStage::Left if self.started => {
                self.backoff.reset();
                self.begin(Why::Resumed, now);
            }
            DrainStage::Left => {}
        }
    }

    /// Takes the next step of a drain, if it is due; says whether there is more to be told.
    pub(super) fn advance(&mut self, now: Instant) -> bool {
        let Some(draining) = &self.draining else {
            return false;
        };
        let due = draining.deadline().is_some_and(|due| due <= now);
        match draining.stage {
            Stage::Left => false,
            Stage::Telling { .. } | Stage::Waiting { .. } | Stage::Withdrawing { .. }
                if !self.is_established() =>
            {
                self.leave(now);
                false
            }
            Stage::Telling { .. } if due || self.is_told() => {
                self.enter(Stage::Waiting { since: now });
                true
            }
            Stage::Waiting { .. } if due => {
                self.withdraw_all(now);
                true
            }
            Stage::Withdrawing { .. } if due || self.is_told() => {
                self.leave(now);
                false
            }
            Stage::Telling { .. } | Stage::Waiting { .. } | Stage::Withdrawing { .. } => false,
        }
    }

    /// What the peer is to hold at this moment.
    pub(super) fn wanted(&self) -> Option<RouteSet> {
        match self.draining.as_ref().map(Draining::stage) {
            None | Some(DrainStage::Telling) => self.desired.clone(),
            Some(DrainStage::Withdrawing | DrainStage::Left) => Some(RouteSet::default()),
        }
    }

    /// Whether the peer is to have no session because of a drain.
    pub(super) fn has_left(&self) -> bool {
        let stage = self.draining.as_ref().map(Draining::stage);
        stage == Some(DrainStage::Left)
    }

    /// Whether the peer is to have a session.
    pub(super) fn is_wanted(&self) -> bool {
        self.started && !self.has_left()
    }

    fn withdraw_all(&mut self, now: Instant) {
        self.enter(Stage::Withdrawing {
            until: now + TELLING,
        });
        let nothing = RouteSet::default();
        self.each_connection(|connection| connection.set_desired(&nothing));
    }

    fn leave(&mut self, now: Instant) {
        self.enter(Stage::Left);
        if let Some(draining) = &self.draining {
            let shutdown = Shutdown::Administrative(draining.drain.text.clone());
            self.end_by(&shutdown, now);
        }
        self.note(Why::Drained, now);
    }

    fn enter(&mut self, stage: Stage) {
        if let Some(draining) = &mut self.draining {
            draining.stage = stage;
        }
    }

    fn is_established(&self) -> bool {
        self.present_state() == State::Established
    }

    /// Whether the socket has taken all that there is to say.
    fn is_told(&self) -> bool {
        self.connections.iter().all(Connection::is_told)
    }

    fn each_connection(&mut self, act: impl Fn(&mut Connection)) {
        self.connections.iter_mut().for_each(act);
    }
}
