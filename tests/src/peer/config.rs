//! What a router of the lab is to do, in words that FRR, BIRD and GoBGP have in common. Each
//! program renders it into its own text.

use std::net::{IpAddr, Ipv4Addr};

use super::bfd::{Bfd, GracefulRestart};

/// One router: one process of one program in one host.
#[derive(Debug, Clone)]
pub struct Config {
    pub(super) asn: u32,
    pub(super) router_id: Ipv4Addr,
    pub(super) peers: Vec<Peer>,
    pub(super) announced: Vec<Announced>,
    pub(super) imports: Imports,
    /// Tells its peers nothing.
    pub(super) is_silent: bool,
    pub(super) max_paths: u8,
    pub(super) graceful_restart: GracefulRestart,
}

/// A peer of the router.
#[derive(Debug, Clone)]
pub struct Peer {
    pub(super) remote: Remote,
    pub(super) asn: u32,
    pub(super) password: Option<String>,
    pub(super) distance: Distance,
    pub(super) hold_time: u16,
    pub(super) families: Families,
    pub(super) source: Option<IpAddr>,
    pub(super) max_prefixes: Option<u32>,
    pub(super) is_passive: bool,
    pub(super) speaks_four_octets: bool,
    pub(super) bfd: Option<Bfd>,
}

/// Which address a peer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remote {
    Address(IpAddr),
    /// Whoever dials from this prefix; the router waits.
    Range(String),
    /// Whoever is at the other end of this interface's link.
    Interface(String),
}

/// How far away a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distance {
    /// On the router's own link: an eBGP session has TTL 1.
    Direct,
    /// This many hops at most.
    Multihop(u8),
    /// RFC 5082, with this many hops at most.
    Secured(u8),
}

/// The address families of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Families {
    Both,
    Ipv4,
    Ipv6,
}

impl Families {
    /// The parts of the session: `(IPv4, IPv6)`.
    pub(super) fn parts(self) -> (bool, bool) {
        match self {
            Self::Both => (true, true),
            Self::Ipv4 => (true, false),
            Self::Ipv6 => (false, true),
        }
    }
}

/// What the router takes from its peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imports {
    /// Everything.
    All,
    /// What lies in these prefixes.
    Within(Vec<String>),
}

/// A prefix that the router itself announces to all its peers.
#[derive(Debug, Clone)]
pub struct Announced {
    pub(super) prefix: String,
    pub(super) next_hop: IpAddr,
    pub(super) communities: Vec<(u16, u16)>,
    pub(super) large_communities: Vec<(u32, u32, u32)>,
}

impl Config {
    /// A router without peers.
    pub fn new(asn: u32, router_id: Ipv4Addr) -> Self {
        Self {
            asn,
            router_id,
            peers: Vec::new(),
            announced: Vec::new(),
            imports: Imports::All,
            is_silent: false,
            max_paths: 16,
            graceful_restart: GracefulRestart::Helper,
        }
    }

    /// With one more peer.
    #[must_use]
    pub fn peer(mut self, peer: Peer) -> Self {
        self.peers.push(peer);
        self
    }

    /// With more peers.
    #[must_use]
    pub fn peers(mut self, peers: impl IntoIterator<Item = Peer>) -> Self {
        self.peers.extend(peers);
        self
    }

    /// With one more prefix of its own.
    #[must_use]
    pub fn announce(mut self, announced: Announced) -> Self {
        self.announced.push(announced);
        self
    }

    /// Taking only what lies in these prefixes.
    #[must_use]
    pub fn import_within(mut self, prefixes: &[&str]) -> Self {
        self.imports = Imports::Within(prefixes.iter().map(|one| (*one).to_owned()).collect());
        self
    }

    /// Telling its external peers nothing. FRR and BIRD can be told so.
    #[must_use]
    pub fn silent(mut self) -> Self {
        self.is_silent = true;
        self
    }

    /// With this many paths of equal rank in the kernel; 16 unless it is said.
    #[must_use]
    pub fn max_paths(mut self, paths: u8) -> Self {
        self.max_paths = paths;
        self
    }

    /// Doing this about graceful restart; a helper's part unless it is said.
    #[must_use]
    pub fn graceful_restart(mut self, what: GracefulRestart) -> Self {
        self.graceful_restart = what;
        self
    }

    /// The prefixes it announces in one family.
    pub(super) fn announced_in(&self, is_v4: bool) -> impl Iterator<Item = &Announced> {
        self.announced
            .iter()
            .filter(move |one| one.next_hop.is_ipv4() == is_v4)
    }
}

impl Peer {
    /// A peer on the same link, with both families, a hold time of nine seconds, no password.
    pub fn new(address: IpAddr, asn: u32) -> Self {
        Self::of(Remote::Address(address), asn)
    }

    /// Whoever dials from this prefix with this ASN.
    pub fn range(prefix: &str, asn: u32) -> Self {
        Self {
            is_passive: true,
            ..Self::of(Remote::Range(prefix.to_owned()), asn)
        }
    }

    /// Whoever is at the other end of this interface's link, by link-local addresses: the router
    /// advertises itself there and hears the peer do so.
    pub fn unnumbered(interface: &str, asn: u32) -> Self {
        Self::of(Remote::Interface(interface.to_owned()), asn)
    }

    fn of(remote: Remote, asn: u32) -> Self {
        Self {
            remote,
            asn,
            password: None,
            distance: Distance::Direct,
            hold_time: 9,
            families: Families::Both,
            source: None,
            max_prefixes: None,
            is_passive: false,
            speaks_four_octets: true,
            bfd: None,
        }
    }

    /// With TCP-MD5.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Further away, or held to be near.
    #[must_use]
    pub fn distance(mut self, distance: Distance) -> Self {
        self.distance = distance;
        self
    }

    /// With this hold time in seconds; KEEPALIVEs come in a third of it.
    #[must_use]
    pub fn hold_time(mut self, seconds: u16) -> Self {
        self.hold_time = seconds;
        self
    }

    /// With these families only.
    #[must_use]
    pub fn families(mut self, families: Families) -> Self {
        self.families = families;
        self
    }

    /// From this address of the router.
    #[must_use]
    pub fn source(mut self, address: IpAddr) -> Self {
        self.source = Some(address);
        self
    }

    /// Allowed to announce this many prefixes of a family.
    #[must_use]
    pub fn max_prefixes(mut self, prefixes: u32) -> Self {
        self.max_prefixes = Some(prefixes);
        self
    }

    /// The router waits to be dialled.
    #[must_use]
    pub fn passive(mut self) -> Self {
        self.is_passive = true;
        self
    }

    /// Like a router from before RFC 6793, as far as the peer sees. Only BIRD can play one, and takes
    /// a peer with whatever ASN of another AS where that has four octets.
    #[must_use]
    pub fn two_octet_asns(mut self) -> Self {
        self.speaks_four_octets = false;
        self
    }

    /// Watched by BFD. FRR and BIRD can do that.
    #[must_use]
    pub fn bfd(mut self, bfd: Bfd) -> Self {
        self.bfd = Some(bfd);
        self
    }

    /// KEEPALIVEs come in a third of the hold time.
    pub(super) fn keepalive_time(&self) -> u16 {
        self.hold_time / 3
    }
}

impl Announced {
    /// A prefix with its next hop, of one family both.
    pub fn new(prefix: &str, next_hop: IpAddr) -> Self {
        Self {
            prefix: prefix.to_owned(),
            next_hop,
            communities: Vec::new(),
            large_communities: Vec::new(),
        }
    }

    /// With a community (RFC 1997).
    #[must_use]
    pub fn community(mut self, asn: u16, value: u16) -> Self {
        self.communities.push((asn, value));
        self
    }

    /// With a large community (RFC 8092).
    #[must_use]
    pub fn large_community(mut self, global: u32, local1: u32, local2: u32) -> Self {
        self.large_communities.push((global, local1, local2));
        self
    }
}
