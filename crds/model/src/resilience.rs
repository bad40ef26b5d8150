//! How sessions with a BGP peer fail, pause and end.

use std::num::NonZeroU8;
use std::time::Duration;

use crate::BfdProfileName;

/// A BFDProfile: how soon a dead path is noticed (RFC 5880).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BfdProfile {
    /// Its name.
    pub name: BfdProfileName,
    /// How often we can bear to be sent to.
    pub receive_interval: Duration,
    /// How often we would send.
    pub transmit_interval: Duration,
    /// How many packets of ours may be missed before the peer gives us up.
    pub detect_multiplier: NonZeroU8,
    /// The lowest TTL or hop limit that is accepted of a peer that is more than one hop away.
    pub minimum_ttl: u8,
    /// Whether the peer speaks first.
    pub passive: bool,
}

/// Graceful restart (RFC 4724): what a peer does while the speaker is away and comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GracefulRestart {
    /// Whether the peer is asked to keep our routes at all.
    pub enabled: bool,
    /// For how long: whole seconds, 4095 at most.
    pub restart_time: Duration,
    /// Whether it is to keep them after a NOTIFICATION as well (RFC 8538).
    pub notification: bool,
    /// How long BFD is made to bear a planned restart. Zero: BFD is taken down on purpose instead.
    pub bfd_budget: Duration,
}

/// How a peer is led away from a node that leaves (RFC 8326).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GracefulShutdown {
    /// Whether it is told before the routes go.
    pub enabled: bool,
    /// How long it gets to find other ways.
    pub wait: Duration,
}

impl Default for GracefulRestart {
    /// On, for half a minute, ten seconds of which BFD bears.
    fn default() -> Self {
        Self {
            enabled: true,
            restart_time: Duration::from_secs(30),
            notification: false,
            bfd_budget: Duration::from_secs(10),
        }
    }
}

impl Default for GracefulShutdown {
    /// On, with five seconds.
    fn default() -> Self {
        Self {
            enabled: true,
            wait: Duration::from_secs(5),
        }
    }
}
