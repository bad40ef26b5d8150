//! BFD as routers are told to speak it, and as they show it.

use std::time::Duration;

/// How a router watches a peer by BFD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bfd {
    pub(super) interval: Duration,
    pub(super) multiplier: u8,
    pub(super) waits_for_control_plane: bool,
}

impl Bfd {
    /// The same interval for sending and for being sent to.
    pub fn new(interval_ms: u64, multiplier: u8) -> Self {
        Self {
            interval: Duration::from_millis(interval_ms),
            multiplier,
            waits_for_control_plane: false,
        }
    }

    /// With the setting by which a router takes BFD's word only for what its control plane sees
    /// too: FRR's `check-control-plane-failure`, BIRD's `bfd graceful`.
    #[must_use]
    pub fn graceful(mut self) -> Self {
        self.waits_for_control_plane = true;
        self
    }

    /// The interval in milliseconds, as FRR's and BIRD's configurations have it.
    pub(super) fn milliseconds(self) -> u128 {
        self.interval.as_millis()
    }

    /// How FRR's configuration names it.
    pub(super) fn profile(self) -> String {
        format!("p{}x{}", self.milliseconds(), self.multiplier)
    }
}

/// What a router does about graceful restart (RFC 4724).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GracefulRestart {
    /// Not even as the helper of one that restarts.
    Off,
    /// It keeps the routes of peers that restart: what FRR and BIRD do of themselves.
    Helper,
    /// It asks its peers to keep its own routes as well.
    Full,
}

/// A BFD session as a router shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BfdSession {
    /// RFC 5880 §6.2, in the router's own spelling: `Up`, `up` …
    pub state: String,
    /// How often the router sends.
    pub interval: Duration,
    /// How long the router waits for us.
    pub detection_time: Duration,
}

impl BfdSession {
    pub fn is_up(&self) -> bool {
        self.state.eq_ignore_ascii_case("up")
    }
}
