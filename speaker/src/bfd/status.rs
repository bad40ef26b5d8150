//! What there is to say of a session.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bfd::{Remote, Session, State, Why};
use k8s_openapi::jiff::Timestamp;

use super::Key;

/// All sessions that are wanted, as they stand.
pub type Statuses = BTreeMap<Key, Status>;

/// A session as others see it. It changes with the state and with what was negotiated, and not with
/// each packet. A reader that is slow misses none of the failures, as they are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub figures: Figures,
    /// Since when it is in its state.
    pub since: Timestamp,
    /// Why no packet can leave or arrive, and what to do about it.
    pub trouble: Option<String>,
}

/// The part of it that is compared after each packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    pub state: State,
    /// When it came into its state; `None` before anything happened.
    pub entered: Option<Instant>,
    pub why: Option<Why>,
    pub adoption: Adoption,
    /// How often it came Up.
    pub ups: u64,
    /// How often it was Up and the path failed.
    pub failures: u64,
    /// How long we wait for the far side.
    pub detection_time: Option<Duration>,
    /// How long the far side waits for us.
    pub remote_detection_time: Option<Duration>,
    /// How often we send, before jitter.
    pub transmit_interval: Option<Duration>,
    /// What the far side said last, unless it has been silent for the detection time.
    pub remote: Option<Remote>,
}

/// What has become of the session that the process before this one had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adoption {
    /// It is not known yet.
    Listening,
    /// The far side has another session than ours, which it is about to declare down.
    Replacing,
    /// We go on with it, or there was none, or it is replaced by now.
    Settled,
}

impl Figures {
    pub(super) fn of(session: &Session, adoption: Adoption) -> Self {
        let status = session.status();
        Self {
            state: status.state,
            entered: status.since,
            why: status.why,
            adoption,
            ups: status.counters.ups,
            failures: status.counters.failures,
            detection_time: status.detection_time,
            remote_detection_time: status.remote_detection_time,
            transmit_interval: status.transmit_interval,
            remote: status.remote,
        }
    }
}
