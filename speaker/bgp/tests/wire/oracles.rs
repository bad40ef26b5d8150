//! Two foreign decoders, `netgauze-bgp-pkt` and `bgpkit-parser`, read what we write as what we
//! meant. They know nothing of each other and nothing of us.

mod bgpkit;
mod netgauze;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp::wire::{
    Error, Message, NextHop, Notification, PathAttributes, RefreshSubtype, RouteRefresh, Session,
    announce, end_of_rib, withdraw,
};
use bgp::{Asn, Community, ExtendedCommunity, Family, Prefix};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::corpus::{attributes, full_open};
use crate::kit::{external, internal, prefix};
use crate::{any, packing};

/// An UPDATE in nobody's types.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Meaning {
    pub(crate) announced: Vec<String>,
    pub(crate) withdrawn: Vec<String>,
    pub(crate) igp: bool,
    pub(crate) as_path: Vec<u32>,
    pub(crate) as4_path: Vec<u32>,
    pub(crate) next_hops: Vec<IpAddr>,
    pub(crate) multi_exit_disc: Option<u32>,
    pub(crate) local_pref: Option<u32>,
    pub(crate) communities: Vec<u32>,
    pub(crate) route_targets: Vec<(u16, u32)>,
    pub(crate) large_communities: Vec<[u32; 3]>,
    pub(crate) only_to_customer: Option<u32>,
}

/// Reads an UPDATE of a session.
type Oracle = fn(&[u8], &Session) -> Meaning;

/// Both of them.
const ORACLES: [(&str, Oracle); 2] = [("netgauze", netgauze::update), ("bgpkit", bgpkit::update)];

/// What was meant with these attributes, but for the prefixes.
fn meant(attributes: &PathAttributes, session: &Session) -> Meaning {
    let plain = |asn: &Asn| u32::from(asn.two_octets().unwrap_or(23_456));
    let numbers = |path: &[Asn]| path.iter().map(|asn| asn.0).collect();
    let lossy = !session.four_octet_as && attributes.as_path.iter().any(|asn| asn.0 > 65_535);
    Meaning {
        igp: true,
        as_path: if session.four_octet_as {
            numbers(&attributes.as_path)
        } else {
            attributes.as_path.iter().map(plain).collect()
        },
        as4_path: if lossy {
            numbers(&attributes.as_path)
        } else {
            Vec::new()
        },
        next_hops: match attributes.next_hop {
            NextHop::V4(address) => vec![address.into()],
            NextHop::V6 { global, link_local } => [Some(global), link_local]
                .into_iter()
                .flatten()
                .map(IpAddr::V6)
                .collect(),
        },
        multi_exit_disc: attributes.multi_exit_disc,
        local_pref: (!session.ebgp).then_some(attributes.local_pref.unwrap_or(100)),
        communities: attributes.communities.iter().map(|one| one.0).collect(),
        route_targets: attributes
            .extended_communities
            .iter()
            .map(route_target)
            .collect(),
        large_communities: attributes
            .large_communities
            .iter()
            .map(|one| [one.global, one.local1, one.local2])
            .collect(),
        only_to_customer: session.only_to_customer().map(|asn| asn.0),
        ..Meaning::default()
    }
}

fn route_target(community: &ExtendedCommunity) -> (u16, u32) {
    let [_, _, a, b, c, d, e, f] = community.0;
    (u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f]))
}

/// The messages of a stream, cut by their lengths.
fn messages(mut octets: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while !octets.is_empty() {
        let length = usize::from(u16::from_be_bytes([octets[16], octets[17]]));
        let (message, rest) = octets.split_at(length);
        messages.push(message);
        octets = rest;
    }
    messages
}

/// Prefixes that one of the oracles does not take for multicast or broadcast.
fn ordinary(family: Family) -> BoxedStrategy<Vec<Prefix>> {
    let address = match family {
        Family::Ipv4Unicast => (1..=126_u32, any::<u32>())
            .prop_map(|(first, rest)| IpAddr::V4(Ipv4Addr::from(first << 24 | rest >> 8)))
            .boxed(),
        Family::Ipv6Unicast => (any::<u128>())
            .prop_map(|low| IpAddr::V6(Ipv6Addr::from(0x2 << 124 | low >> 4)))
            .boxed(),
    };
    let prefix = (address, 8..=family.bits())
        .prop_map(|(address, length)| Prefix::new(address, length).unwrap());
    vec(prefix, 1..600).boxed()
}

/// Attributes whose communities both oracles have a type for.
fn known_to_all(family: Family, session: &Session) -> BoxedStrategy<PathAttributes> {
    let target =
        any::<[u8; 6]>().prop_map(|[a, b, c, d, e, f]| ExtendedCommunity([0, 2, a, b, c, d, e, f]));
    let parts = (packing::attributes(family, session), vec(target, 0..4));
    parts
        .prop_map(|(attributes, extended_communities)| PathAttributes {
            extended_communities,
            ..attributes
        })
        .boxed()
}

fn case() -> impl Strategy<Value = (Session, Family, PathAttributes, Vec<Prefix>)> {
    (any::session(), any::family()).prop_flat_map(|(session, family)| {
        let attributes = known_to_all(family, &session);
        (Just(session), Just(family), attributes, ordinary(family))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn others_read_what_we_announce_as_what_we_meant(
        (session, family, attributes, prefixes) in case(),
    ) {
        let mut octets = Vec::new();
        announce(family, &attributes, &prefixes, &session, &mut octets).unwrap();
        let expected = meant(&attributes, &session);
        for (name, read) in ORACLES {
            let mut announced = Vec::new();
            for message in messages(&octets) {
                let mut meaning = read(message, &session);
                announced.append(&mut meaning.announced);
                prop_assert_eq!(&meaning, &expected, "{}", name);
            }
            let told: Vec<String> = prefixes.iter().map(ToString::to_string).collect();
            prop_assert_eq!(announced, told, "{}", name);
        }
    }

    #[test]
    fn others_read_what_we_withdraw_as_what_we_meant(
        (session, family, _, prefixes) in case(),
    ) {
        let mut octets = Vec::new();
        withdraw(family, &prefixes, &session, &mut octets);
        let told: Vec<String> = prefixes.iter().map(ToString::to_string).collect();
        for (name, read) in ORACLES {
            let mut withdrawn = Vec::new();
            for message in messages(&octets) {
                let mut meaning = read(message, &session);
                withdrawn.append(&mut meaning.withdrawn);
                prop_assert_eq!(meaning, Meaning::default(), "{}", name);
            }
            prop_assert_eq!(&withdrawn, &told, "{}", name);
        }
    }
}

#[test]
fn others_read_our_end_of_rib_as_nothing() {
    for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
        let mut octets = Vec::new();
        end_of_rib(family, &mut octets);
        for (name, read) in ORACLES {
            assert_eq!(read(&octets, &external()), Meaning::default(), "{name}");
        }
        assert!(netgauze::is_end_of_rib(&octets));
    }
}

#[test]
fn others_know_the_communities_that_have_names() {
    let attributes = PathAttributes {
        communities: Community::WELL_KNOWN.map(|(_, known)| known).to_vec(),
        ..attributes(NextHop::V4([192, 0, 2, 1].into()))
    };
    let mut octets = Vec::new();
    let routes = [prefix("192.0.2.7/32")];
    announce(
        Family::Ipv4Unicast,
        &attributes,
        routes,
        &internal(),
        &mut octets,
    )
    .unwrap();
    let expected: Vec<u32> = Community::WELL_KNOWN
        .iter()
        .map(|(_, known)| known.0)
        .collect();
    for (name, read) in ORACLES {
        assert_eq!(read(&octets, &internal()).communities, expected, "{name}");
    }
}

#[test]
fn others_read_our_open_with_its_capabilities() {
    let open = full_open();
    let mut octets = Vec::new();
    Message::Open(open.clone()).emit(None, &mut octets);
    netgauze::assert_open(&octets, &open);
    bgpkit::assert_open(&octets, &open);
}

#[test]
fn others_read_our_notifications() {
    for error in [
        Error::BadMessageLength,
        Error::UnacceptableHoldTime,
        Error::RoleMismatch,
        Error::MalformedAsPath,
        Error::HoldTimerExpired,
        Error::UnexpectedInOpenConfirm,
        Error::AdministrativeShutdown,
        Error::HardReset,
        Error::InvalidRouteRefreshLength,
    ] {
        let notification = Notification::new(error).with_data(&[1, 2, 3]);
        let mut octets = Vec::new();
        Message::Notification(notification.clone()).emit(None, &mut octets);
        assert_eq!(
            bgpkit::notification(&octets),
            (error.codes(), vec![1, 2, 3])
        );
        netgauze::assert_notification(&octets, error.codes().0);
    }
}

#[test]
fn others_read_our_route_refresh() {
    let refresh = RouteRefresh {
        family: Family::Ipv6Unicast.into(),
        subtype: RefreshSubtype::EndOfRib,
    };
    let mut octets = Vec::new();
    Message::RouteRefresh(refresh).emit(None, &mut octets);
    assert_eq!(bgpkit::route_refresh(&octets), (2, 2, 1));
    netgauze::assert_end_of_refresh_v6(&octets);
}
