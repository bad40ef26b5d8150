//! What can be set for one peer.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::bfd::Protection;
use crate::wire::{Forwarding, Role};
use crate::{Asn, Families, RouterId};

/// One configured peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Our AS.
    pub local_asn: Asn,
    /// The AS that the peer may come from.
    pub peer_asn: PeerAsn,
    /// Our BGP Identifier.
    pub router_id: RouterId,
    /// The hold time that we offer: zero for none, else at least 3 s (RFC 4271 §4.2), in whole
    /// seconds. The smaller of both sides' is used.
    pub hold_time: Duration,
    /// How often we say that we are alive; never less often than three times in the negotiated
    /// hold time, which is what stands for `None`.
    pub keepalive_time: Option<Duration>,
    /// The longest wait between two attempts: the wait begins at a second and doubles up to this.
    pub connect_retry_time: Duration,
    /// Who connects to whom.
    pub mode: Mode,
    /// The families that this peer is to be told.
    pub families: Families,
    /// IPv4 next hop; `None` for the connection's own address.
    pub next_hop_v4: Option<Ipv4Addr>,
    /// IPv6 next hop; `None` for the connection's own address.
    pub next_hop_v6: Option<Ipv6Addr>,
    /// How many prefixes, of both families together, the peer may send before the session ends.
    pub max_prefixes: u32,
    /// Our role towards an external peer (RFC 9234).
    pub role: Option<Role>,
    /// Whether the peer may be more than one hop away. The driver sets the TTL by it.
    pub ebgp_multihop: bool,
    /// What BFD is to the session.
    pub protection: Protection,
    /// This node's name, shown by the peer to its operator; none if empty.
    pub hostname: String,
    /// What the peer is asked to do when a session ends without a word; `None`: to forget us.
    pub graceful_restart: Option<GracefulRestart>,
}

/// Graceful restart as the restarting speaker (RFC 4724): the peer keeps our routes while we are
/// away. A change counts from the next OPEN on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GracefulRestart {
    /// For how long, in whole seconds; 4,095 at most.
    pub restart_time: Duration,
    /// Whether it is to do so after a NOTIFICATION as well (RFC 8538).
    pub notification: bool,
    /// Whether this node went on forwarding since the last session (F). Routes that the peer has
    /// kept are dropped as it hears that it did not.
    pub forwarding: Forwarding,
}

/// Which AS a peer may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerAsn {
    /// This one.
    Exactly(Asn),
    /// Ours: an iBGP session.
    Internal,
    /// Any but ours: an eBGP session.
    External,
}

/// Who connects to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// We do; incoming connections are refused.
    Dial,
    /// The peer does (`PassiveTcpEstablishment`).
    Passive,
    /// Whoever comes first.
    Both,
}

impl Mode {
    pub(crate) fn dials(self) -> bool {
        match self {
            Self::Dial | Self::Both => true,
            Self::Passive => false,
        }
    }

    pub(crate) fn accepts(self) -> bool {
        match self {
            Self::Passive | Self::Both => true,
            Self::Dial => false,
        }
    }
}

impl PeerAsn {
    /// Whether a peer of that AS is the one that is meant.
    pub(crate) fn admits(self, peer: Asn, local: Asn) -> bool {
        match self {
            Self::Exactly(asn) => peer == asn,
            Self::Internal => peer == local,
            Self::External => peer != local,
        }
    }

    /// Whether the session is an external one, whoever of the admitted it is with.
    pub(crate) fn is_external(self, local: Asn) -> bool {
        match self {
            Self::Exactly(asn) => asn != local,
            Self::Internal => false,
            Self::External => true,
        }
    }
}

impl GracefulRestart {
    /// As OPEN says it.
    pub(crate) fn seconds(&self) -> u16 {
        u16::try_from(self.restart_time.as_secs()).unwrap_or(u16::MAX)
    }
}

impl Config {
    /// The hold time as an OPEN carries it; one that no OPEN may carry is read as its nearest.
    pub(crate) fn hold_time_seconds(&self) -> u16 {
        match u16::try_from(self.hold_time.as_secs()).unwrap_or(u16::MAX) {
            0 => 0,
            seconds => seconds.max(3),
        }
    }
}
