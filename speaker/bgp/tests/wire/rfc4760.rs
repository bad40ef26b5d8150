//! RFC 4760 and what builds on it: RFC 2545, 4724, 8950.

use std::net::Ipv6Addr;

use bgp::Family;
use bgp::wire::{AttributeType, Error, NextHop, Session, Treatment, Update};

use crate::kit::*;

fn v6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

/// RFC 4760 §3: with MP_REACH_NLRI alone there needs to be no NEXT_HOP.
#[test]
fn ipv6_routes_need_no_next_hop_attribute() {
    let read = read_update(&update(&[], &[REACH_V6, ORIGIN, AS_PATH], &[]), &external()).unwrap();
    let next_hop = NextHop::V6 {
        global: v6("2001:db8::1"),
        link_local: None,
    };
    assert_eq!(read.treatments, []);
    assert_eq!(read.announced, [prefix("2001:db8:1::/48")]);
    assert_eq!(read.attributes.mp_next_hop, Some(next_hop));
}

/// RFC 4760 §3: the reserved octet is ignored.
#[test]
fn the_reserved_octet_means_nothing() {
    let mut reach = REACH_V6.to_vec();
    reach[23] = 0xff;
    let read = read_update(&update(&[], &[&reach, ORIGIN, AS_PATH], &[]), &external());
    assert_eq!(
        read,
        read_update(&update(&[], &[REACH_V6, ORIGIN, AS_PATH], &[]), &external())
    );
}

/// RFC 4760 §7: routes of an incorrect attribute's family are void.
#[test]
fn nothing_of_a_family_is_left_in_a_message_that_spoils_it() {
    let unreach = attribute(0x80, 15, &[0, 2, 1, 129]);
    let octets = update(&[], &[REACH_V6, &unreach, ORIGIN, AS_PATH, NEXT_HOP], NLRI);
    let read = read_update(&octets, &external()).unwrap();
    assert_eq!(
        read.verdict(),
        Some(Treatment::Disable(Family::Ipv6Unicast.into()))
    );
    assert_eq!(
        (read.announced, read.withdrawn.len()),
        (vec![prefix("198.51.100.0/24")], 0)
    );
}

/// RFC 4760 §7, RFC 7606 §5.3: an attribute too short to name its family.
#[test]
fn a_multiprotocol_attribute_without_a_family_ends_the_session() {
    for kind in [14, 15] {
        for value in [&[][..], &[0], &[0, 2]] {
            let attribute = attribute(0x80, kind, value);
            let refused = read_update(&announcement(&[&attribute]), &external()).unwrap_err();
            assert_eq!(refused.error(), Some(Error::OptionalAttribute));
            assert_eq!(refused.data(), attribute);
        }
    }
}

/// RFC 4760 §8: families that were not agreed on are not read, whatever they hold.
#[test]
fn a_family_that_was_not_negotiated_is_let_be() {
    let v4_only = Session {
        families: [Family::Ipv4Unicast].into_iter().collect(),
        ..external()
    };
    for (kind, value) in [
        (14, &[0, 25, 70, 0][..]),
        (15, &[0, 1, 133, 0]),
        (14, &[0, 2, 1]),
    ] {
        let read = read_update(&announcement(&[&attribute(0x80, kind, value)]), &v4_only).unwrap();
        assert_eq!(read.treatments, [(AttributeType(kind), Treatment::Discard)]);
        assert_eq!(read.announced, [prefix("198.51.100.0/24")]);
    }
}

/// RFC 7606 §3 c: RFC 4760's attributes with wrong flags still give their prefixes.
#[test]
fn multiprotocol_attributes_with_wrong_flags_make_their_routes_withdrawn() {
    let mut reach = REACH_V6.to_vec();
    reach[0] = 0xc0;
    let read = read_update(&update(&[], &[&reach, ORIGIN, AS_PATH], &[]), &external()).unwrap();
    assert_eq!(
        read.treatments,
        [(AttributeType::MP_REACH_NLRI, Treatment::Withdraw)]
    );
    assert_eq!(
        (read.announced.len(), read.withdrawn),
        (0, vec![prefix("2001:db8:1::/48")])
    );
}

/// RFC 2545 §3: sixteen octets or thirty-two.
#[test]
fn an_ipv6_next_hop_may_have_a_link_local_address_besides() {
    let next_hops = [v6("2001:db8::1").octets(), v6("fe80::1").octets()].concat();
    let value = [&[0, 2, 1, 32][..], &next_hops, &[0, 32, 0x20, 1, 0xd, 0xb8]].concat();
    let octets = update(&[], &[&attribute(0x80, 14, &value), ORIGIN, AS_PATH], &[]);
    let read = read_update(&octets, &external()).unwrap();
    let next_hop = NextHop::V6 {
        global: v6("2001:db8::1"),
        link_local: Some(v6("fe80::1")),
    };
    assert_eq!(read.attributes.mp_next_hop, Some(next_hop));
    assert_eq!(read.announced, [prefix("2001:db8::/32")]);
}

/// RFC 8950 §3: IPv4 prefixes by IPv6 next hops of one or two addresses, or by IPv4 ones.
#[test]
fn ipv4_routes_come_in_mp_reach_with_any_next_hop_that_was_agreed_on() {
    let agreed = Session {
        extended_next_hop: true,
        ..external()
    };
    let link_local = v6("fe80::1").octets();
    let next_hops = [
        vec![192, 0, 2, 1],
        link_local.to_vec(),
        [link_local, link_local].concat(),
    ];
    for next_hop in next_hops {
        let length = u8::try_from(next_hop.len()).unwrap();
        let value = [&[0, 1, 1, length][..], &next_hop, &[0, 8, 10]].concat();
        let octets = update(&[], &[&attribute(0x80, 14, &value), ORIGIN, AS_PATH], &[]);
        let read = read_update(&octets, &agreed).unwrap();
        assert_eq!(
            (read.treatments.len(), read.announced),
            (0, vec![prefix("10.0.0.0/8")])
        );
    }
}

#[test]
fn a_multiprotocol_next_hop_that_is_a_group_makes_its_routes_withdrawn() {
    let mut reach = REACH_V6.to_vec();
    reach[7..9].copy_from_slice(&[0xff, 2]);
    let read = read_update(&update(&[], &[&reach, ORIGIN, AS_PATH], &[]), &external()).unwrap();
    assert_eq!(
        read.treatments,
        [(AttributeType::MP_REACH_NLRI, Treatment::Withdraw)]
    );
    assert_eq!(read.withdrawn, [prefix("2001:db8:1::/48")]);
}

/// RFC 4724 §2: an UPDATE that says nothing, in either encoding, and nothing else.
#[test]
fn the_end_of_rib_is_an_empty_message_of_its_family() {
    let marker = |octets: &[u8]| read_update(octets, &external()).unwrap();
    let end = |family| Update {
        end_of_rib: Some(family),
        ..Update::default()
    };
    let empty = |afi| attribute(0x80, 15, &[0, afi, 1]);
    assert_eq!(marker(&update(&[], &[], &[])), end(Family::Ipv4Unicast));
    assert_eq!(
        marker(&update(&[], &[&empty(1)], &[])),
        end(Family::Ipv4Unicast)
    );
    assert_eq!(
        marker(&update(&[], &[&empty(2)], &[])),
        end(Family::Ipv6Unicast)
    );
    for none in [
        update(NLRI, &[&empty(2)], &[]),
        update(&[], &[&empty(2), ORIGIN], &[]),
        update(&[], &[ORIGIN, AS_PATH, NEXT_HOP, &empty(2)], NLRI),
        update(&[], &[UNREACH_V6], &[]),
        update(&[], &[&attribute(0x80, 15, &[0, 25, 70])], &[]),
    ] {
        assert_eq!(marker(&none).end_of_rib, None, "{none:02x?}");
    }
}
