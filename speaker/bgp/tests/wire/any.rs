//! Strategies: any message that a neighbour may send and that loses nothing when it is read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp::wire::{
    Aggregator, AsPath, AttributeType, Capability, Forwarding, GracefulRestart, NextHop,
    NextHopEncoding, Open, Origin, ReceivedAttributes, RefreshSubtype, Role, RouteRefresh, Segment,
    SegmentKind, Session, UnknownAttribute, Update,
};
use bgp::{
    AfiSafi, Asn, Community, ExtendedCommunity, Families, Family, LargeCommunity, Prefix, RouterId,
};
use bytes::Bytes;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// Any AS number but 0, small ones as often as large ones.
pub(crate) fn asn() -> impl Strategy<Value = Asn> {
    prop_oneof![1..=65_535_u32, 1..=u32::MAX].prop_map(Asn)
}

pub(crate) fn family() -> impl Strategy<Value = Family> {
    select(vec![Family::Ipv4Unicast, Family::Ipv6Unicast])
}

pub(crate) fn prefix(family: Family) -> impl Strategy<Value = Prefix> {
    let address = match family {
        Family::Ipv4Unicast => any::<Ipv4Addr>().prop_map(IpAddr::V4).boxed(),
        Family::Ipv6Unicast => any::<Ipv6Addr>().prop_map(IpAddr::V6).boxed(),
    };
    (address, 0..=family.bits())
        .prop_filter("groups are not read", |(address, _)| {
            !address.is_multicast()
        })
        .prop_map(|(address, length)| Prefix::new(address, length).unwrap())
}

pub(crate) fn prefixes(family: Family, most: usize) -> impl Strategy<Value = Vec<Prefix>> {
    vec(prefix(family), 1..most)
}

fn host_v4() -> impl Strategy<Value = Ipv4Addr> {
    (1..=223_u8, any::<[u8; 3]>())
        .prop_filter("loopback", |(first, _)| *first != 127)
        .prop_map(|(a, [b, c, d])| Ipv4Addr::new(a, b, c, d))
}

/// A next hop of IPv6 addresses.
pub(crate) fn next_hop_v6() -> impl Strategy<Value = NextHop> {
    let global =
        any::<u64>().prop_map(|low| Ipv6Addr::from(0x2001_0db8_u128 << 96 | u128::from(low)));
    let local = any::<u64>().prop_map(|low| Ipv6Addr::from(0xfe80_u128 << 112 | u128::from(low)));
    (global, option::of(local)).prop_map(|(global, link_local)| NextHop::V6 { global, link_local })
}

/// A next hop that routes of the family can have in this session.
pub(crate) fn next_hop(family: Family, session: &Session) -> BoxedStrategy<NextHop> {
    match family {
        Family::Ipv6Unicast => next_hop_v6().boxed(),
        Family::Ipv4Unicast if session.extended_next_hop => {
            prop_oneof![host_v4().prop_map(NextHop::V4), next_hop_v6()].boxed()
        }
        Family::Ipv4Unicast => host_v4().prop_map(NextHop::V4).boxed(),
    }
}

/// Both families; everything else as two OPENs may settle it.
pub(crate) fn session() -> impl Strategy<Value = Session> {
    let role = option::of(select(vec![Role::Provider, Role::Customer, Role::Peer]));
    (any::<[bool; 5]>(), role).prop_map(
        |(
            [
                ebgp,
                four_octet_as,
                extended_message,
                extended_next_hop,
                enhanced,
            ],
            role,
        )| Session {
            local_asn: Asn(4_200_000_001),
            remote_asn: if ebgp {
                Asn(64_500)
            } else {
                Asn(4_200_000_001)
            },
            ebgp,
            families: Families::BOTH,
            four_octet_as,
            extended_message,
            extended_next_hop,
            route_refresh: true,
            enhanced_route_refresh: enhanced,
            role,
            ..Session::default()
        },
    )
}

fn as_path(session: &Session) -> impl Strategy<Value = AsPath> + use<> {
    let mut kinds = vec![SegmentKind::Sequence, SegmentKind::Set];
    if !session.ebgp && session.four_octet_as {
        kinds.extend([SegmentKind::ConfedSequence, SegmentKind::ConfedSet]);
    }
    let segment = (select(kinds), vec(asn(), 1..8)).prop_map(|(kind, asns)| Segment { kind, asns });
    vec(segment, 0..4).prop_map(|segments| AsPath { segments })
}

pub(crate) fn communities() -> impl Strategy<Value = Vec<Community>> {
    vec(any::<u32>().prop_map(Community), 0..5)
}

pub(crate) fn extended_communities() -> impl Strategy<Value = Vec<ExtendedCommunity>> {
    vec(any::<[u8; 8]>().prop_map(ExtendedCommunity), 0..5)
}

pub(crate) fn large_communities() -> impl Strategy<Value = Vec<LargeCommunity>> {
    let large = any::<[u32; 3]>().prop_map(|[global, local1, local2]| LargeCommunity {
        global,
        local1,
        local2,
    });
    vec(large, 0..5)
}

/// Optional attributes of types that mean nothing to us, in the order of their types, some of them
/// longer than one octet can say.
fn unknown() -> impl Strategy<Value = Vec<UnknownAttribute>> {
    let kinds = select(vec![11_u8, 19, 22, 23, 26, 29, 33, 40, 128, 129, 255]);
    let flags = select(vec![0x80_u8, 0xc0, 0xe0]);
    let value = prop_oneof![vec(any::<u8>(), 0..12), vec(any::<u8>(), 250..300)];
    btree_map(kinds, (flags, value), 0..3).prop_map(|attributes| {
        let attributes = attributes
            .into_iter()
            .map(|(kind, (flags, value))| UnknownAttribute {
                flags,
                kind: AttributeType(kind),
                value: Bytes::from(value),
            });
        attributes.collect()
    })
}

fn origin() -> impl Strategy<Value = Origin> {
    select(vec![Origin::Igp, Origin::Egp, Origin::Incomplete])
}

/// All attributes but next hops, as this session may carry them.
fn attributes(session: &Session) -> impl Strategy<Value = ReceivedAttributes> + use<> {
    let ebgp = session.ebgp;
    let aggregator = (asn(), any::<Ipv4Addr>());
    let internal = (
        any::<u32>(),
        option::of(any::<Ipv4Addr>()),
        vec(any::<Ipv4Addr>(), 0..3),
    );
    let plain = (
        origin(),
        as_path(session),
        option::of(any::<u32>()),
        any::<bool>(),
    );
    let lists = (communities(), extended_communities(), large_communities());
    let others = (
        option::of(aggregator),
        option::of(any::<u32>().prop_map(Asn)),
        unknown(),
    );
    (plain, lists, others, internal).prop_map(move |(plain, lists, others, internal)| {
        let (local_pref, originator_id, cluster_list) = internal;
        ReceivedAttributes {
            origin: Some(plain.0),
            as_path: Some(plain.1),
            multi_exit_disc: plain.2,
            atomic_aggregate: plain.3,
            communities: lists.0,
            extended_communities: lists.1,
            large_communities: lists.2,
            aggregator: others.0.map(|(asn, address)| Aggregator { asn, address }),
            only_to_customer: others.1,
            unknown: others.2,
            local_pref: (!ebgp).then_some(local_pref),
            originator_id: originator_id.filter(|_| !ebgp),
            cluster_list: if ebgp { Vec::new() } else { cluster_list },
            ..ReceivedAttributes::default()
        }
    })
}

/// Any UPDATE of one of the forms that RFC 7606 §5.1 lets a speaker send.
pub(crate) fn update(session: &Session) -> BoxedStrategy<Update> {
    let (v4, v6) = (Family::Ipv4Unicast, Family::Ipv6Unicast);
    let announced = |family| {
        let parts = (
            attributes(session),
            next_hop(family, session),
            prefixes(family, 20),
        );
        parts.prop_map(|(mut attributes, next_hop, announced)| {
            match next_hop {
                NextHop::V4(address) => attributes.next_hop = Some(address),
                NextHop::V6 { .. } => attributes.mp_next_hop = Some(next_hop),
            }
            Update {
                announced,
                attributes,
                ..Update::default()
            }
        })
    };
    let withdrawn = |family| {
        prefixes(family, 20).prop_map(|withdrawn| Update {
            withdrawn,
            ..Update::default()
        })
    };
    let end_of_rib = family().prop_map(|family| Update {
        end_of_rib: Some(family),
        ..Update::default()
    });
    prop_oneof![
        4 => announced(v4),
        4 => announced(v6),
        1 => withdrawn(v4),
        1 => withdrawn(v6),
        1 => end_of_rib,
    ]
    .boxed()
}

fn afi_safi() -> impl Strategy<Value = AfiSafi> {
    prop_oneof![
        family().prop_map(AfiSafi::from),
        any::<(u16, u8)>().prop_map(|(afi, safi)| AfiSafi { afi, safi }),
    ]
}

pub(crate) fn route_refresh() -> impl Strategy<Value = RouteRefresh> {
    let subtype = prop_oneof![
        Just(RefreshSubtype::Request),
        Just(RefreshSubtype::BeginningOfRib),
        Just(RefreshSubtype::EndOfRib),
        (3..=255_u8).prop_map(RefreshSubtype::Other),
    ];
    (afi_safi(), subtype).prop_map(|(family, subtype)| RouteRefresh { family, subtype })
}

fn graceful_restart() -> impl Strategy<Value = GracefulRestart> {
    let forwarding = select(vec![Forwarding::Preserved, Forwarding::Lost]);
    let families = vec((afi_safi(), forwarding), 0..6);
    (any::<(bool, bool)>(), 0..=4095_u16, families).prop_map(
        |((restarting, notification), restart_time, families)| GracefulRestart {
            restarting,
            notification,
            restart_time,
            families,
        },
    )
}

/// Any capability but the AS number's.
fn capability() -> impl Strategy<Value = Capability> {
    let encoding = any::<[u16; 3]>().prop_map(|[afi, safi, next_hop_afi]| NextHopEncoding {
        afi,
        safi,
        next_hop_afi,
    });
    let roles = vec![
        Role::Provider,
        Role::RouteServer,
        Role::RouteServerClient,
        Role::Customer,
        Role::Peer,
    ];
    let unknown = (
        select(vec![0_u8, 4, 7, 69, 71, 75, 128, 255]),
        vec(any::<u8>(), 0..=255),
    );
    prop_oneof![
        afi_safi().prop_map(Capability::Multiprotocol),
        Just(Capability::RouteRefresh),
        vec(encoding, 0..5).prop_map(Capability::ExtendedNextHop),
        Just(Capability::ExtendedMessage),
        select(roles).prop_map(Capability::Role),
        graceful_restart().prop_map(Capability::GracefulRestart),
        Just(Capability::EnhancedRouteRefresh),
        ("\\PC{0,30}", "[a-z.]{0,120}")
            .prop_map(|(host, domain)| Capability::Fqdn { host, domain }),
        unknown.prop_map(|(code, value)| Capability::Unknown {
            code,
            value: value.into(),
        }),
    ]
}

/// Any OPEN, with capability 65 or an AS that needs none.
pub(crate) fn open() -> impl Strategy<Value = Open> {
    let hold_time = prop_oneof![Just(0_u16), 3..=u16::MAX];
    let router_id = (1..=u32::MAX).prop_map(|id| RouterId::from(Ipv4Addr::from(id)).unwrap());
    let parts = (
        asn(),
        hold_time,
        router_id,
        vec(capability(), 0..12),
        any::<bool>(),
    );
    parts.prop_map(|(asn, hold_time, router_id, mut capabilities, named)| {
        if named || asn.two_octets().is_none() {
            capabilities.insert(capabilities.len() / 2, Capability::FourOctetAs(asn));
        }
        Open {
            asn,
            hold_time,
            router_id,
            capabilities,
        }
    })
}
