//! What can be set for one session.

use std::num::NonZeroU8;
use std::time::Duration;

use crate::timing::{MAX_INTERVAL, MIN_INTERVAL};

/// One profile. Intervals are taken between [`MIN_INTERVAL`] and [`MAX_INTERVAL`]; what lies beyond
/// is read as its nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How often we would send while Up; the far side may ask for less.
    pub desired_min_tx: Duration,
    /// How often we can bear to be sent to.
    pub required_min_rx: Duration,
    /// How many of our packets may be missed before the far side gives us up.
    pub detect_mult: NonZeroU8,
    /// Who speaks first.
    pub role: Role,
}

/// RFC 5880 §6.1: who speaks first. One side at least has to be active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// We do.
    Active,
    /// The far side does; nothing is sent before it is heard.
    Passive,
}

impl Config {
    pub(super) fn bounded(self) -> Self {
        let bounded = |interval: Duration| interval.clamp(MIN_INTERVAL, MAX_INTERVAL);
        Self {
            desired_min_tx: bounded(self.desired_min_tx),
            required_min_rx: bounded(self.required_min_rx),
            ..self
        }
    }
}
