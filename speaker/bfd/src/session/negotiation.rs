//! The intervals that both sides agree on, and how a change of ours comes into force, RFC 5880
//! §6.5, §6.8.3.
//!
//! ```text
//!            a change, of Up      sent with P           F             without F
//!   ┌──────┐ ──────────────▶ ┌─────┐ ──────▶ ┌──────┐ ─────▶ ┌───────┐ ──────▶ ┌──────┐
//!   │ Idle │                 │ Due │         │ Sent │        │ Ended │         │ Idle │
//!   └──────┘                 └─────┘         └──────┘        └───────┘         └──────┘
//! ```
//!
//! A change that comes before the sequence is Idle again waits for that, so that a Final never
//! answers another question than the last one: §6.8.3 offers this as one of three ways. Of a session
//! that is not Up changes come into force at once; nothing waits for a Final there, and no sequence
//! is begun.

use std::time::Duration;

use super::absence::Mode;
use super::config::Config;
use super::{Session, status::Remote};
use crate::timing::{SLOW_INTERVAL, Timers};
use crate::wire::State;

/// Where a poll sequence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Poll {
    /// Nothing is asked.
    Idle,
    /// The next periodic packet asks.
    Due,
    /// Packets ask until there is an answer.
    Sent,
    /// There was an answer; another to the same question may follow.
    Ended,
}

impl Poll {
    pub(super) fn is_active(self) -> bool {
        match self {
            Self::Due | Self::Sent => true,
            Self::Idle | Self::Ended => false,
        }
    }
}

/// What we go by while the far side may not know of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Effective {
    pub(super) desired_min_tx: Duration,
    pub(super) required_min_rx: Duration,
}

impl Effective {
    pub(super) fn of(timers: &Timers) -> Self {
        Self {
            desired_min_tx: timers.desired_min_tx,
            required_min_rx: timers.required_min_rx,
        }
    }

    /// RFC 5880 §6.8.3: until the sequence ends we send no more rarely than before, as the far side
    /// may not know that it has to wait longer, and wait no shorter than before, as it may not know
    /// that it has to send more often. The other directions come into force at once.
    fn cautious(self, to: &Timers) -> Self {
        Self {
            desired_min_tx: self.desired_min_tx.min(to.desired_min_tx),
            required_min_rx: self.required_min_rx.max(to.required_min_rx),
        }
    }
}

/// RFC 5880 §6.8.3: what is announced while the session is not Up.
pub(super) fn slow(config: &Config) -> Timers {
    Timers {
        desired_min_tx: config.desired_min_tx.max(SLOW_INTERVAL),
        ..fast(config)
    }
}

fn fast(config: &Config) -> Timers {
    Timers {
        desired_min_tx: config.desired_min_tx,
        required_min_rx: config.required_min_rx,
        detect_mult: config.detect_mult,
    }
}

impl Session {
    /// What ought to be announced.
    pub(super) fn desired_timers(&self) -> Timers {
        match (self.state, self.mode) {
            (State::Up, Mode::Holding { .. } | Mode::Silent) => self.announced,
            (State::Up, Mode::Stopped | Mode::Listening { .. } | Mode::Running) => {
                fast(&self.config)
            }
            (State::AdminDown | State::Down | State::Init, _) => slow(&self.config),
        }
    }

    /// Closes the difference between what is announced and what ought to be. A multiplier is sent
    /// with the next packet and asks nothing (RFC 5880 §6.8.12).
    pub(super) fn negotiate(&mut self) {
        let desired = self.desired_timers();
        if self.state != State::Up {
            self.announced = desired;
            self.effective = Effective::of(&desired);
            return;
        }
        self.announced.detect_mult = desired.detect_mult;
        if self.sequence == Poll::Idle && !self.announced.has_intervals_of(&desired) {
            self.announce(desired);
        }
    }

    /// RFC 5880 §6.8.3: a change is followed by a poll sequence.
    pub(super) fn announce(&mut self, timers: Timers) {
        self.announced = timers;
        self.effective = self.effective.cautious(&timers);
        self.sequence = Poll::Due;
    }

    /// RFC 5880 §6.5: the sequence ends with a Final, and the next begins after a packet without.
    pub(super) fn hear_final(&mut self, is_final: bool) {
        match (self.sequence, is_final) {
            (Poll::Sent, true) => {
                self.sequence = Poll::Ended;
                self.effective = Effective::of(&self.announced);
            }
            (Poll::Ended, false) => self.sequence = Poll::Idle,
            (Poll::Idle | Poll::Due, _) | (Poll::Sent, false) | (Poll::Ended, true) => {}
        }
    }

    /// bfd.RemoteMinRxInterval, which begins with a microsecond (RFC 5880 §6.8.1).
    pub(super) fn remote_min_rx(&self) -> Duration {
        self.remote
            .map_or(Duration::from_micros(1), |remote: Remote| {
                remote.required_min_rx
            })
    }
}
