//! Nouns that the tests share: two speakers, their routes, their messages.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use bgp::{
    Asn, Attributes, Config, Families, Family, Mode, PeerAsn, Prefix, Route, RouteSet, RouterId,
};

pub(crate) const V4: Family = Family::Ipv4Unicast;
pub(crate) const V6: Family = Family::Ipv6Unicast;

pub(crate) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn router_id(last: u8) -> RouterId {
    RouterId::from(Ipv4Addr::new(10, 0, 0, last)).unwrap()
}

/// The speaker with that number, of AS 65,000 and it, that takes any external peer.
pub(crate) fn config(speaker: u8) -> Config {
    Config {
        local_asn: Asn(65_000 + u32::from(speaker)),
        peer_asn: PeerAsn::External,
        router_id: router_id(speaker),
        hold_time: s(90),
        keepalive_time: None,
        connect_retry_time: s(60),
        mode: Mode::Both,
        families: Families::BOTH,
        next_hop_v4: None,
        next_hop_v6: Some(Ipv6Addr::from_bits(0xfd00 << 112 | u128::from(speaker))),
        max_prefixes: 1_000,
        role: None,
        ebgp_multihop: false,
        protection: bgp::Protection::None,
        hostname: format!("node-{speaker}"),
        graceful_restart: None,
    }
}

/// The IPv4 address of the speaker with that number.
pub(crate) fn address(speaker: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, speaker).into()
}

pub(crate) fn v4(n: u32) -> Prefix {
    Prefix::host(Ipv4Addr::from_bits(0x0a00_0000 + n).into())
}

pub(crate) fn v6(n: u32) -> Prefix {
    let first = 0xfd99_u128 << 112;
    Prefix::host(Ipv6Addr::from_bits(first + u128::from(n)).into())
}

pub(crate) fn with_med(med: u32) -> Arc<Attributes> {
    Arc::new(Attributes {
        multi_exit_disc: Some(med),
        ..Attributes::default()
    })
}

pub(crate) fn routes(prefixes: impl IntoIterator<Item = Prefix>, med: u32) -> RouteSet {
    let attributes = with_med(med);
    let routes = prefixes.into_iter().map(|prefix| Route {
        prefix,
        attributes: Arc::clone(&attributes),
    });
    RouteSet::build(routes, &RouteSet::default())
}
