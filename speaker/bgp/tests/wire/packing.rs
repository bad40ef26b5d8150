//! What `announce` and `withdraw` write, read back.

use bgp::wire::{
    EmitError, Framer, Message, NextHop, Origin, PathAttributes, Session, Update, announce, decode,
    end_of_rib, withdraw,
};
use bgp::{Asn, Community, Families, Family, Prefix};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::any;
use crate::kit::{external, internal, prefix};

/// Any attributes that routes of the family can have in the session.
pub(crate) fn attributes(
    family: Family,
    session: &Session,
) -> impl Strategy<Value = PathAttributes> + use<> {
    let numbers = (option::of(any::<u32>()), option::of(any::<u32>()));
    let lists = (
        any::communities(),
        any::extended_communities(),
        any::large_communities(),
    );
    let path = prop_oneof![8 => vec(any::asn(), 0..6), 1 => vec(any::asn(), 250..300)];
    (path, any::next_hop(family, session), numbers, lists).prop_map(
        |(as_path, next_hop, (multi_exit_disc, local_pref), lists)| PathAttributes {
            as_path,
            next_hop,
            multi_exit_disc,
            local_pref,
            communities: lists.0,
            extended_communities: lists.1,
            large_communities: lists.2,
        },
    )
}

/// A session, attributes, and prefixes enough for several messages.
pub(crate) fn case() -> impl Strategy<Value = (Session, Family, PathAttributes, Vec<Prefix>)> {
    (any::session(), any::family()).prop_flat_map(|(session, family)| {
        let attributes = attributes(family, &session);
        let prefixes = any::prefixes(family, 2_000);
        (Just(session), Just(family), attributes, prefixes)
    })
}

/// All UPDATEs of a stream, with their lengths.
fn read_all(octets: &[u8], session: &Session) -> Vec<(usize, Update)> {
    let mut framer = Framer::new();
    if session.extended_message {
        framer.set_extended();
    }
    framer.push(octets);
    let mut updates = Vec::new();
    while let Some(frame) = framer.poll() {
        let frame = frame.unwrap();
        let length = 19 + frame.body.len();
        let Message::Update(update) = decode(&frame, Some(session)).unwrap() else {
            panic!("no UPDATE")
        };
        updates.push((length, update));
    }
    let total: usize = updates.iter().map(|(length, _)| length).sum();
    assert_eq!(total, octets.len(), "nothing but whole messages");
    updates
}

fn encoded_len(prefix: Prefix) -> usize {
    1 + usize::from(prefix.length()).div_ceil(8)
}

/// Every message but the last is so full that the first prefix of the next has no room.
fn assert_packed(lengths: &[usize], lists: &[Vec<Prefix>], session: &Session) {
    let maximum = if session.extended_message {
        65_535
    } else {
        4096
    };
    assert!(lengths.iter().all(|length| *length <= maximum));
    for (length, next) in lengths.iter().zip(lists.iter().skip(1)) {
        assert!(
            length + encoded_len(next[0]) > maximum,
            "{length} octets, and room left"
        );
    }
}

fn assert_means(update: &Update, meant: &PathAttributes, session: &Session) {
    let attributes = &update.attributes;
    let as_path = attributes.as_path.as_ref().unwrap();
    assert_eq!(update.treatments, []);
    assert_eq!(attributes.origin, Some(Origin::Igp));
    assert_eq!(as_path.asns().collect::<Vec<_>>(), meant.as_path);
    let next_hop = attributes
        .next_hop
        .map(NextHop::V4)
        .or(attributes.mp_next_hop);
    assert_eq!(next_hop, Some(meant.next_hop));
    assert_eq!(attributes.multi_exit_disc, meant.multi_exit_disc);
    let local_pref = (!session.ebgp).then_some(meant.local_pref.unwrap_or(100));
    assert_eq!(attributes.local_pref, local_pref);
    assert_eq!(attributes.communities, meant.communities);
    assert_eq!(attributes.extended_communities, meant.extended_communities);
    assert_eq!(attributes.large_communities, meant.large_communities);
    assert_eq!(attributes.only_to_customer, session.only_to_customer());
    assert_eq!(attributes.unknown, []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn announced_prefixes_arrive_in_order_with_their_attributes_in_full_messages(
        (session, family, meant, prefixes) in case(),
    ) {
        let mut octets = Vec::new();
        let messages = announce(family, &meant, &prefixes, &session, &mut octets).unwrap();
        let updates = read_all(&octets, &session);
        prop_assert_eq!(updates.len(), messages);
        updates.iter().for_each(|(_, update)| assert_means(update, &meant, &session));
        let lists: Vec<_> = updates.iter().map(|(_, update)| update.announced.clone()).collect();
        let lengths: Vec<_> = updates.iter().map(|(length, _)| *length).collect();
        prop_assert_eq!(lists.concat(), prefixes);
        assert_packed(&lengths, &lists, &session);
    }

    #[test]
    fn withdrawn_prefixes_arrive_in_order_in_full_messages(
        (session, family, _, prefixes) in case(),
    ) {
        let mut octets = Vec::new();
        let messages = withdraw(family, &prefixes, &session, &mut octets);
        let updates = read_all(&octets, &session);
        prop_assert_eq!(updates.len(), messages);
        let lists: Vec<_> = updates.iter().map(|(_, update)| update.withdrawn.clone()).collect();
        let lengths: Vec<_> = updates.iter().map(|(length, _)| *length).collect();
        prop_assert_eq!(lists.concat(), prefixes);
        assert_packed(&lengths, &lists, &session);
    }
}

fn plain(next_hop: &str) -> PathAttributes {
    let next_hop = match next_hop.parse().unwrap() {
        std::net::IpAddr::V4(address) => NextHop::V4(address),
        std::net::IpAddr::V6(global) => NextHop::V6 {
            global,
            link_local: None,
        },
    };
    PathAttributes {
        as_path: vec![Asn(64_512)],
        next_hop,
        multi_exit_disc: None,
        local_pref: None,
        communities: Vec::new(),
        extended_communities: Vec::new(),
        large_communities: Vec::new(),
    }
}

const V4: Family = Family::Ipv4Unicast;
const V6: Family = Family::Ipv6Unicast;

/// RFC 8654 §4: the same routes in 4096 octets or in 65,535, and never more.
#[test]
fn a_message_is_as_long_as_was_negotiated_and_no_longer() {
    let hosts: Vec<Prefix> = (0..20_000_u32)
        .map(|n| Prefix::host(std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).into()))
        .collect();
    for (extended_message, messages, longest) in [(false, 25, 4096), (true, 2, 65_535)] {
        let session = Session {
            extended_message,
            ..external()
        };
        let mut octets = Vec::new();
        assert_eq!(
            announce(V4, &plain("192.0.2.1"), &hosts, &session, &mut octets),
            Ok(messages)
        );
        let updates = read_all(&octets, &session);
        let (longest_sent, _) = updates.iter().max_by_key(|(length, _)| *length).unwrap();
        assert!(
            (longest - 5..=longest).contains(longest_sent),
            "{longest_sent}"
        );
    }
}

/// RFC 7606 §5.1: MP_REACH_NLRI and MP_UNREACH_NLRI come first, and nothing else holds prefixes.
#[test]
fn prefixes_stand_in_one_place_and_those_of_rfc_4760_come_first() {
    let mut octets = Vec::new();
    announce(
        V6,
        &plain("2001:db8::1"),
        [prefix("2001:db8:1::/48")],
        &external(),
        &mut octets,
    )
    .unwrap();
    assert_eq!(octets[19..21], [0, 0], "no Withdrawn Routes");
    assert_eq!(octets[23..25], [0x90, 14]);
    let attributes = usize::from(u16::from_be_bytes([octets[21], octets[22]]));
    assert_eq!(23 + attributes, octets.len(), "no NLRI");

    octets.clear();
    withdraw(V6, [prefix("2001:db8:1::/48")], &external(), &mut octets);
    assert_eq!(
        octets[19..],
        [
            0, 0, 0, 14, 0x90, 15, 0, 10, 0, 2, 1, 48, 0x20, 1, 0xd, 0xb8, 0, 1
        ]
    );

    octets.clear();
    withdraw(V4, [prefix("10.0.0.0/8")], &external(), &mut octets);
    assert_eq!(octets[19..], [0, 2, 8, 10, 0, 0]);
}

/// RFC 8950 §4: only where both said so.
#[test]
fn ipv4_routes_have_ipv6_next_hops_only_by_agreement() {
    let routes = [prefix("10.0.0.0/8")];
    let mut octets = Vec::new();
    let refused = announce(V4, &plain("2001:db8::1"), routes, &external(), &mut octets);
    assert_eq!(refused, Err(EmitError::NextHop(V4)));
    let refused = announce(
        V6,
        &plain("192.0.2.1"),
        [prefix("::/0")],
        &external(),
        &mut octets,
    );
    assert_eq!((refused, octets.len()), (Err(EmitError::NextHop(V6)), 0));

    let agreed = Session {
        extended_next_hop: true,
        ..external()
    };
    assert_eq!(
        announce(V4, &plain("2001:db8::1"), routes, &agreed, &mut octets),
        Ok(1)
    );
    let updates = read_all(&octets, &agreed);
    assert_eq!(
        (
            updates[0].1.announced.as_slice(),
            updates[0].1.attributes.next_hop
        ),
        (&routes[..], None)
    );
}

/// RFC 4760 §8: nothing of a family that was not negotiated.
#[test]
fn a_family_that_was_not_negotiated_is_not_told() {
    let v4_only = Session {
        families: [V4].into_iter().collect(),
        ..external()
    };
    let mut octets = Vec::new();
    let routes = [prefix("2001:db8::/32")];
    let refused = announce(V6, &plain("2001:db8::1"), routes, &v4_only, &mut octets);
    assert_eq!(refused, Err(EmitError::Family(V6)));
    assert_eq!(withdraw(V6, routes, &v4_only, &mut octets), 0);
    assert_eq!(
        (octets.len(), v4_only.families == Families::BOTH),
        (0, false)
    );
}

/// RFC 4271 §5.1.5: LOCAL_PREF towards internal neighbours always, towards others never.
#[test]
fn local_pref_is_for_internal_neighbours() {
    let routes = [prefix("10.0.0.0/8")];
    let given = PathAttributes {
        local_pref: Some(7),
        ..plain("192.0.2.1")
    };
    let told = |session: &Session, attributes: &PathAttributes| {
        let mut octets = Vec::new();
        announce(V4, attributes, routes, session, &mut octets).unwrap();
        read_all(&octets, session)[0].1.attributes.local_pref
    };
    assert_eq!(told(&internal(), &given), Some(7));
    assert_eq!(told(&internal(), &plain("192.0.2.1")), Some(100));
    let mut octets = Vec::new();
    announce(V4, &given, routes, &external(), &mut octets).unwrap();
    // Read as an internal neighbour would, so that it could be seen.
    assert_eq!(
        read_all(&octets, &internal())[0].1.attributes.local_pref,
        None
    );
}

/// RFC 9234 §5: a customer, a peer or a client of our route server must not pass it upwards.
#[test]
fn routes_for_customers_and_peers_carry_our_number_in_otc() {
    use bgp::wire::Role;
    let marked = [
        (Role::Provider, Some(Asn(64_512))),
        (Role::Peer, Some(Asn(64_512))),
        (Role::RouteServer, Some(Asn(64_512))),
        (Role::Customer, None),
        (Role::RouteServerClient, None),
    ];
    for (role, expected) in marked {
        let session = Session {
            role: Some(role),
            ..external()
        };
        let mut octets = Vec::new();
        announce(
            V4,
            &plain("192.0.2.1"),
            [prefix("10.0.0.0/8")],
            &session,
            &mut octets,
        )
        .unwrap();
        assert_eq!(
            read_all(&octets, &session)[0].1.attributes.only_to_customer,
            expected
        );
    }
}

/// RFC 4724 §2.
#[test]
fn end_of_rib_is_an_update_that_says_nothing_of_its_family() {
    for (family, length) in [(V4, 23), (V6, 29)] {
        let mut octets = Vec::new();
        end_of_rib(family, &mut octets);
        let told = Update {
            end_of_rib: Some(family),
            ..Update::default()
        };
        assert_eq!(read_all(&octets, &external()), [(length, told)]);
    }
}

#[test]
fn attributes_that_leave_no_room_are_refused_and_nothing_is_written() {
    let attributes = PathAttributes {
        communities: (0..1_020).map(Community).collect(),
        ..plain("192.0.2.1")
    };
    let mut octets = Vec::new();
    let refused = announce(
        V4,
        &attributes,
        [prefix("0.0.0.0/0")],
        &external(),
        &mut octets,
    );
    assert!(
        matches!(refused, Err(EmitError::TooLong { maximum: 4096, .. })),
        "{refused:?}"
    );
    assert_eq!(octets, []);
    let extended = Session {
        extended_message: true,
        ..external()
    };
    assert_eq!(
        announce(
            V4,
            &attributes,
            [prefix("0.0.0.0/0")],
            &extended,
            &mut octets
        ),
        Ok(1)
    );
}

#[test]
fn no_prefixes_are_no_messages_and_those_of_another_family_are_left_out() {
    let mut octets = Vec::new();
    let none: [Prefix; 0] = [];
    assert_eq!(
        announce(V4, &plain("192.0.2.1"), none, &external(), &mut octets),
        Ok(0)
    );
    let foreign = [prefix("2001:db8::/32")];
    assert_eq!(
        announce(V4, &plain("192.0.2.1"), foreign, &external(), &mut octets),
        Ok(0)
    );
    assert_eq!(withdraw(V4, foreign, &external(), &mut octets), 0);
    assert_eq!(octets, []);
}
