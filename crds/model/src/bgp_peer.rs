//! BGP peers, parsed.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::{
    BfdProfile, GracefulRestart, GracefulShutdown, IpFamily, LabelSelector, Labels, PeerName,
    Remote, Uid,
};

/// A BGPPeer: a router that speakers tell routes to, and from which nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BgpPeer {
    /// Its name.
    pub name: PeerName,
    /// Its uid, for Events about it; none before it exists.
    pub uid: Option<Uid>,
    /// Our AS number towards it; never 0.
    pub my_asn: u32,
    /// Which AS number it may have.
    pub peer_asn: PeerAsn,
    /// Where it is.
    pub remote: Remote,
    /// The TCP port that it listens on.
    pub port: u16,
    /// The address to speak from; the kernel's choice without one.
    pub source_address: Option<IpAddr>,
    /// Our BGP Identifier (RFC 4271 §4.2) on this session; the node's own without one.
    pub router_id: Option<Ipv4Addr>,
    /// The nodes that speak to it; empty means all.
    pub node_selectors: Vec<LabelSelector>,
    /// The hold time to propose (RFC 4271 §4.2): zero, or three seconds and more.
    pub hold_time: Duration,
    /// How often to send KEEPALIVE; a third of the hold time without it.
    pub keepalive_time: Option<Duration>,
    /// How long to wait before another attempt to connect; the speaker's choice without it.
    pub connect_time: Option<Duration>,
    /// Whether an external peer may be more than one hop away.
    pub ebgp_multi_hop: bool,
    /// Whether only packets that crossed no router are accepted (RFC 5082).
    pub ttl_security: bool,
    /// Where the password for TCP-MD5 stands; none without it.
    pub password: Option<PasswordKey>,
    /// Our role in the session (RFC 9234); not announced without one.
    pub role: Option<Role>,
    /// How many prefixes it may tell us before the session is closed.
    pub max_prefixes: u32,
    /// The families that are exchanged; never empty once parsed.
    pub address_families: Vec<IpFamily>,
    /// Whether it connects to us and we never to it.
    pub passive: bool,
    /// How a dead path is noticed; only by the hold time without it.
    pub bfd: Option<BfdProfile>,
    /// Whether there is no session before BFD is up.
    pub bfd_strict: bool,
    /// What it does while the speaker restarts.
    pub graceful_restart: GracefulRestart,
    /// How it is led away from a node that leaves.
    pub graceful_shutdown: GracefulShutdown,
    /// The VRF in whose table the session runs; the main one without it.
    pub vrf: Option<String>,
    /// What a reader must know to honour this item. A speaker that meets an unknown word does not
    /// speak to the peer.
    pub requires: Vec<String>,
}

/// Which AS number a peer may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerAsn {
    /// This one.
    Exactly(u32),
    /// Ours: any peer of the same AS.
    Internal,
    /// Any but ours.
    External,
}

/// What we are to a peer (RFC 9234 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// We give it transit.
    Provider,
    /// We are a route server.
    RouteServer,
    /// We are a client of its route server.
    RouteServerClient,
    /// It gives us transit.
    Customer,
    /// Neither: each tells only its own and its customers' routes.
    Peer,
}

/// The key of the Secret `seamark-speaker` under which a peer's password stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PasswordKey(String);

/// A password. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Vec<u8>);

impl BgpPeer {
    /// Whether a node speaks to it.
    pub fn admits_node(&self, labels: &Labels) -> bool {
        let mut selectors = self.node_selectors.iter();
        self.node_selectors.is_empty() || selectors.any(|selector| selector.matches(labels))
    }

    /// Whether routes of a family are told to it.
    pub fn exchanges(&self, family: IpFamily) -> bool {
        self.address_families.contains(&family)
    }
}

impl PasswordKey {
    /// The key of the peer with this name: `peer.<name>`.
    pub fn of(peer: &PeerName) -> Self {
        Self(format!("peer.{peer}"))
    }

    /// Takes a key as it stands in SpeakerConfig.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The bare key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PasswordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Password {
    /// Takes the bytes as they are.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for the socket option alone.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Says only that there is one.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let password = Password::new("s3cret");
        assert_eq!(format!("{password:?}"), "Password(..)");
        assert_eq!(password.as_bytes(), b"s3cret");
    }

    #[test]
    fn a_passwords_key_names_its_peer() {
        let key = PasswordKey::of(&PeerName::new("tor-1"));
        assert_eq!(key.as_str(), "peer.tor-1");
        assert_eq!(PasswordKey::new("peer.tor-1"), key);
    }
}
