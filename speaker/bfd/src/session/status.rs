//! What an operator is shown of a session.

use std::num::{NonZeroU8, NonZeroU32};
use std::time::{Duration, Instant};

use super::event::Why;
use crate::wire::{Diagnostic, Discards, Packet, State};

/// A session at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Where it stands.
    pub state: State,
    /// Since when; `None` before anything happened.
    pub since: Option<Instant>,
    /// What brought it there.
    pub why: Option<Why>,
    /// What our packets say about that.
    pub diagnostic: Diagnostic,
    /// Our name for the session.
    pub local_discriminator: NonZeroU32,
    /// What the far side said last, unless it has been silent for the detection time.
    pub remote: Option<Remote>,
    /// How many of our packets may be missed, as our packets say.
    pub detect_mult: NonZeroU8,
    /// How often we send, before jitter; `None` while nothing is sent of itself.
    pub transmit_interval: Option<Duration>,
    /// How long we wait for the far side; `None` while it is not heard.
    pub detection_time: Option<Duration>,
    /// How long the far side waits for us; `None` while it is not heard or expects nothing.
    pub remote_detection_time: Option<Duration>,
    /// Whether we have asked the far side to confirm a change, and wait for that.
    pub polling: bool,
    /// What was counted since the start.
    pub counters: Counters,
}

/// What the far side said last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remote {
    /// Its name for the session.
    pub discriminator: NonZeroU32,
    /// Where it stands.
    pub state: State,
    /// Why.
    pub diagnostic: Diagnostic,
    /// It sends no more often than this.
    pub desired_min_tx: Duration,
    /// It can bear no more than this; zero for no periodic packets at all.
    pub required_min_rx: Duration,
    /// How many of its packets may be missed.
    pub detect_mult: NonZeroU8,
    /// It wants no periodic packets while both are Up.
    pub demand: bool,
}

impl From<&Packet> for Remote {
    fn from(packet: &Packet) -> Self {
        Self {
            discriminator: packet.my_discriminator,
            state: packet.state,
            diagnostic: packet.diagnostic,
            desired_min_tx: packet.desired_min_tx,
            required_min_rx: packet.required_min_rx,
            detect_mult: packet.detect_mult,
            demand: packet.demand,
        }
    }
}

/// What was counted since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Packets sent.
    pub transmitted: u64,
    /// Packets received that counted.
    pub received: u64,
    /// Packets that did not.
    pub discarded: Discards,
    /// How often the session came Up.
    pub ups: u64,
    /// How often it was Up and the path failed.
    pub failures: u64,
}

impl Counters {
    pub(super) fn note(&mut self, from: State, to: State, why: Why) {
        self.ups += u64::from(to == State::Up);
        self.failures += u64::from(from == State::Up && why.is_failure());
    }
}
