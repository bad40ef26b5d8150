//! RFC 7606: a malformed attribute has one of four consequences, and the session mostly lives.

use bgp::wire::{AttributeType, Error, Origin, Session, Treatment, Update};
use bgp::{AfiSafi, Family};

use crate::kit::*;

const V6: AfiSafi = AfiSafi { afi: 2, safi: 1 };

/// The attribute alone in its fault, in a message that is fine but for it.
#[track_caller]
fn assert_treated(octets: &[u8], session: &Session, kind: u8, treatment: Treatment) -> Update {
    let read = read_update(octets, session).expect("the session lives");
    assert_eq!(
        read.treatments,
        [(AttributeType(kind), treatment)],
        "{octets:02x?}"
    );
    assert_eq!(read.verdict(), Some(treatment));
    let announced = [prefix("198.51.100.0/24")];
    match treatment {
        Treatment::Withdraw => {
            assert_eq!(
                (read.announced.len(), read.withdrawn.as_slice()),
                (0, &announced[..])
            );
        }
        Treatment::Discard | Treatment::Disable(_) | Treatment::Reset => {
            assert_eq!(
                (read.announced.as_slice(), read.withdrawn.len()),
                (&announced[..], 0)
            );
        }
    }
    read
}

/// An announcement in which one attribute stands in the place of the good one of its type.
fn with(bad: &[u8]) -> Vec<u8> {
    let mut attributes: Vec<&[u8]> = vec![ORIGIN, AS_PATH, NEXT_HOP, LOCAL_PREF];
    attributes.retain(|good| good[1] != bad[1]);
    attributes.push(bad);
    update(&[], &attributes, NLRI)
}

/// RFC 7606 §3 c: Optional and Transitive have to be as the type has them; Partial and the rest are
/// not looked at.
#[test]
fn flags_that_contradict_the_type_make_the_routes_withdrawn() {
    let values: [(u8, u8, &[u8]); 9] = [
        (0x40, 1, &[0]),
        (0x40, 2, &[]),
        (0x40, 3, &[192, 0, 2, 1]),
        (0x80, 4, &[0; 4]),
        (0x40, 6, &[]),
        (0xc0, 8, &[0; 4]),
        (0xc0, 16, &[0; 8]),
        (0xc0, 32, &[0; 12]),
        (0xc0, 35, &[0, 0, 0, 7]),
    ];
    for (right, kind, value) in values {
        for wrong in [0x00, 0x40, 0x80, 0xc0]
            .into_iter()
            .filter(|flags| *flags != right)
        {
            let octets = with(&attribute(wrong, kind, value));
            assert_treated(&octets, &internal(), kind, Treatment::Withdraw);
        }
        let odd = with(&attribute(right | 0x2f, kind, value));
        assert_eq!(
            read_update(&odd, &internal()).unwrap().treatments,
            [],
            "type {kind}"
        );
    }
}

/// RFC 7606 §3 d.
#[test]
fn routes_without_a_mandatory_attribute_are_withdrawn() {
    let all = [ORIGIN, AS_PATH, NEXT_HOP, LOCAL_PREF];
    for missing in [1, 2, 3, 5] {
        let rest: Vec<&[u8]> = all.into_iter().filter(|one| one[1] != missing).collect();
        let octets = update(&[], &rest, NLRI);
        assert_treated(&octets, &internal(), missing, Treatment::Withdraw);
    }
    let read = read_update(&update(&[], &all[..3], NLRI), &external()).unwrap();
    assert_eq!(
        read.treatments,
        [],
        "external neighbours send no LOCAL_PREF"
    );
}

/// RFC 7606 §3 g: only the first counts, and of RFC 4760's there may be one.
#[test]
fn an_attribute_that_comes_twice_counts_once() {
    let egp = attribute(0x40, 1, &[1]);
    let read = assert_treated(
        &announcement(&[&egp, &egp]),
        &external(),
        1,
        Treatment::Discard,
    );
    assert_eq!(read.attributes.origin, Some(Origin::Igp));
    let unknown = attribute(0xc0, 99, &[1]);
    let twice = announcement(&[&unknown, &attribute(0xc0, 99, &[2])]);
    let read = assert_treated(&twice, &external(), 99, Treatment::Discard);
    assert_eq!(read.attributes.unknown[0].value.as_ref(), [1]);
    for double in [REACH_V6, UNREACH_V6] {
        let refused = read_update(&announcement(&[double, double]), &external()).unwrap_err();
        assert_eq!(refused.error(), Some(Error::MalformedAttributeList));
    }
}

/// RFC 7606 §3 h.
#[test]
fn of_several_faults_the_strongest_counts() {
    let discarded = attribute(0xc0, 7, &[1]);
    let withdrawn = attribute(0x80, 4, &[1]);
    let read = read_update(&announcement(&[&discarded, &withdrawn]), &external()).unwrap();
    assert_eq!(read.verdict(), Some(Treatment::Withdraw));
    assert_eq!(
        (
            read.announced.len(),
            read.withdrawn.len(),
            read.treatments.len()
        ),
        (0, 1, 2)
    );
    let disabled = attribute(0x80, 14, &[0, 2, 1, 3, 0, 0, 0, 0]);
    let read = read_update(&announcement(&[&disabled, &withdrawn]), &external()).unwrap();
    assert_eq!(read.verdict(), Some(Treatment::Disable(V6)));
    assert_eq!((read.announced.len(), read.withdrawn.len()), (0, 1));
    let reset = attribute(0x40, 99, &[]);
    let refused = read_update(&announcement(&[&withdrawn, &reset]), &external());
    assert_eq!(codes(refused), (3, 2));
    assert!(
        Treatment::Discard < Treatment::Withdraw && Treatment::Withdraw < Treatment::Disable(V6)
    );
    assert!(Treatment::Disable(V6) < Treatment::Reset);
}

/// RFC 7606 §3 i, j: prefixes that cannot be read cannot be withdrawn.
#[test]
fn prefixes_that_cannot_be_read_end_the_session_whatever_else_is_wrong() {
    let bad_origin = attribute(0x40, 1, &[9]);
    let octets = update(&[], &[&bad_origin, AS_PATH, NEXT_HOP], &[24, 1]);
    assert_eq!(codes(read_update(&octets, &external())), (3, 10));
    let octets = update(&[40, 1, 2, 3, 4, 5], &[ORIGIN, AS_PATH, NEXT_HOP], NLRI);
    assert_eq!(codes(read_update(&octets, &external())), (3, 10));
}

/// RFC 7606 §4: the total length is believed, so that what follows the list is still found.
#[test]
fn a_list_that_is_cut_inside_an_attribute_makes_the_routes_withdrawn() {
    let cut: [(&[u8], u8); 5] = [
        (&[0xc0, 8, 200, 0, 0], 8),
        (&[0xc0], 0),
        (&[0xc0, 32], 32),
        (&[0xd0, 16, 0], 16),
        (&[0xd0, 99, 0xff, 0xff], 99),
    ];
    for (rest, kind) in cut {
        assert_treated(
            &announcement(&[rest]),
            &external(),
            kind,
            Treatment::Withdraw,
        );
    }
}

/// RFC 7606 §4, §3 j: but if it was cut inside the prefixes, they are lost.
#[test]
fn a_list_that_is_cut_inside_prefixes_ends_the_session() {
    for kind in [14, 15] {
        let refused = read_update(&announcement(&[&[0x80, kind, 200, 0, 2, 1]]), &external());
        assert_eq!(codes(refused), (3, 5));
    }
}

/// RFC 7606 §4: nothing may be empty but AS_PATH and ATOMIC_AGGREGATE.
#[test]
fn an_attribute_without_a_value_is_malformed_but_for_two() {
    let empty = |kind: u8, flags: u8| with(&attribute(flags, kind, &[]));
    for (kind, flags) in [
        (1, 0x40),
        (3, 0x40),
        (4, 0x80),
        (5, 0x40),
        (8, 0xc0),
        (9, 0x80),
    ] {
        assert_treated(&empty(kind, flags), &internal(), kind, Treatment::Withdraw);
    }
    for (kind, flags) in [(10, 0x80), (16, 0xc0), (25, 0xc0), (32, 0xc0), (35, 0xc0)] {
        assert_treated(&empty(kind, flags), &internal(), kind, Treatment::Withdraw);
    }
    for (kind, flags) in [(2, 0x40), (6, 0x40)] {
        assert_eq!(
            read_update(&empty(kind, flags), &internal())
                .unwrap()
                .treatments,
            []
        );
    }
}

/// RFC 7606 §5.1: whatever stands together and wherever, it is read.
#[test]
fn all_four_places_of_prefixes_are_read_together() {
    let attributes = [ORIGIN, UNREACH_V6, AS_PATH, NEXT_HOP, REACH_V6];
    let read = read_update(&update(&[8, 10], &attributes, NLRI), &external()).unwrap();
    assert_eq!(
        read.announced,
        [prefix("198.51.100.0/24"), prefix("2001:db8:1::/48")]
    );
    assert_eq!(
        read.withdrawn,
        [prefix("10.0.0.0/8"), prefix("2001:db8:2::/48")]
    );
    assert_eq!((read.treatments.len(), read.end_of_rib), (0, None));
}

/// RFC 7606 §5.2: with nothing reachable in it, a message with such a fault may have lost prefixes.
#[test]
fn a_fault_in_a_message_without_reachable_prefixes_ends_the_session() {
    let bad_origin = attribute(0x40, 1, &[9]);
    let bad_aggregator = attribute(0xc0, 7, &[1]);
    for octets in [
        update(&[], &[&bad_origin], &[]),
        update(NLRI, &[&bad_origin, AS_PATH], &[]),
        update(&[], &[&bad_origin, UNREACH_V6], &[]),
    ] {
        let refused = read_update(&octets, &external()).unwrap_err();
        assert_eq!(refused.error(), Some(Error::InvalidOrigin));
        assert_eq!(refused.data(), bad_origin);
    }
    let read = read_update(&update(&[], &[ORIGIN, &bad_aggregator], &[]), &external()).unwrap();
    assert_eq!(read.verdict(), Some(Treatment::Discard));
    let alone = attribute(0x80, 15, &[0, 2, 1, 129]);
    let read = read_update(&update(&[], &[&alone], &[]), &external()).unwrap();
    assert_eq!(read.verdict(), Some(Treatment::Disable(V6)));
}

/// RFC 7606 §5.3, §7.12: prefixes in RFC 4760's attributes that cannot be read cost the family.
#[test]
fn multiprotocol_prefixes_that_cannot_be_read_cost_their_family() {
    let mut reach = REACH_V6.to_vec();
    for length in [129, 255] {
        reach[24] = length;
        assert_treated(
            &announcement(&[&reach]),
            &external(),
            14,
            Treatment::Disable(V6),
        );
    }
    for field in [&[129, 0][..], &[48, 1, 2, 3], &[64]] {
        let unreach = attribute(0x80, 15, &[&[0, 2, 1], field].concat());
        assert_treated(
            &announcement(&[&unreach]),
            &external(),
            15,
            Treatment::Disable(V6),
        );
    }
}

/// RFC 7606 §7.1.
#[test]
fn a_malformed_origin_makes_the_routes_withdrawn() {
    for value in [&[][..], &[3], &[255], &[0, 0]] {
        assert_treated(
            &with(&attribute(0x40, 1, value)),
            &internal(),
            1,
            Treatment::Withdraw,
        );
    }
}

/// RFC 7606 §7.2.
#[test]
fn a_malformed_as_path_makes_the_routes_withdrawn() {
    let values: [&[u8]; 6] = [
        &[9, 1, 0, 0, 0, 7],
        &[2, 2, 0, 0, 0, 7],
        &[2, 1, 0, 0, 0, 7, 2],
        &[2, 0],
        &[2, 1, 0, 0, 0],
        &[2, 1, 0, 0, 0, 0],
    ];
    for value in values {
        assert_treated(
            &with(&attribute(0x40, 2, value)),
            &internal(),
            2,
            Treatment::Withdraw,
        );
    }
    // RFC 5065 §5: a confederation is nobody else's business.
    let confederation = with(&attribute(0x40, 2, &[3, 1, 0, 0, 0xfd, 0xe8]));
    assert_eq!(
        read_update(&confederation, &internal()).unwrap().treatments,
        []
    );
    let octets = update(
        &[],
        &[
            ORIGIN,
            &attribute(0x40, 2, &[3, 1, 0, 0, 0xfd, 0xe8]),
            NEXT_HOP,
        ],
        NLRI,
    );
    assert_treated(&octets, &external(), 2, Treatment::Withdraw);
}

/// RFC 7606 §7.3, §7.4: four octets, no more and no less.
#[test]
fn a_malformed_next_hop_or_med_makes_the_routes_withdrawn() {
    for value in [&[192, 0, 2][..], &[192, 0, 2, 1, 0], &[0x20; 16]] {
        assert_treated(
            &with(&attribute(0x40, 3, value)),
            &internal(),
            3,
            Treatment::Withdraw,
        );
        assert_treated(
            &with(&attribute(0x80, 4, value)),
            &internal(),
            4,
            Treatment::Withdraw,
        );
    }
}

/// RFC 7606 §7.5, §7.9, §7.10: from an external neighbour they are discarded, malformed or not;
/// from an internal one a malformed one makes the routes withdrawn.
#[test]
fn attributes_for_internal_neighbours_only_are_judged_by_the_neighbour() {
    for (kind, flags, good) in [
        (5, 0x40, &[0; 4]),
        (9, 0x80, &[10; 4]),
        (10, 0x80, &[10; 4]),
    ] {
        for value in [&good[..], &[1, 2, 3], &[]] {
            let octets = announcement(&[&attribute(flags, kind, value)]);
            assert_treated(&octets, &external(), kind, Treatment::Discard);
        }
        assert_eq!(
            read_update(&with(&attribute(flags, kind, good)), &internal())
                .unwrap()
                .treatments,
            []
        );
        for value in [&[1, 2, 3][..], &[1; 5], &[]] {
            let octets = with(&attribute(flags, kind, value));
            assert_treated(&octets, &internal(), kind, Treatment::Withdraw);
        }
    }
}

/// RFC 7606 §7.6, §7.7.
#[test]
fn a_malformed_aggregate_mark_is_discarded() {
    assert_treated(
        &announcement(&[&attribute(0x40, 6, &[0])]),
        &external(),
        6,
        Treatment::Discard,
    );
    for length in [0, 6, 7, 9] {
        let octets = announcement(&[&attribute(0xc0, 7, &vec![1; length])]);
        assert_treated(&octets, &external(), 7, Treatment::Discard);
    }
    let two = Session {
        four_octet_as: false,
        ..external()
    };
    let path = attribute(0x40, 2, &[2, 1, 0xfb, 0xf4]);
    let octets = update(
        &[],
        &[ORIGIN, &path, NEXT_HOP, &attribute(0xc0, 7, &[1; 8])],
        NLRI,
    );
    assert_treated(&octets, &two, 7, Treatment::Discard);
}

/// RFC 7607 §2: AS 0 in AGGREGATOR spoils that attribute alone.
#[test]
fn an_aggregator_of_as_zero_is_discarded() {
    let octets = announcement(&[&attribute(0xc0, 7, &[0, 0, 0, 0, 192, 0, 2, 1])]);
    assert_treated(&octets, &external(), 7, Treatment::Discard);
}

/// RFC 7606 §7.8, §7.14, §7.15, RFC 8092 §6: whole items, and one at least.
#[test]
fn malformed_communities_make_the_routes_withdrawn() {
    for (kind, size) in [(8, 4), (16, 8), (25, 20), (32, 12)] {
        for length in [0, 1, size - 1, size + 1, 2 * size + 1] {
            let octets = announcement(&[&attribute(0xc0, kind, &vec![1; length])]);
            assert_treated(&octets, &external(), kind, Treatment::Withdraw);
        }
        for items in [1, 2, 10] {
            let octets = announcement(&[&attribute(0xc0, kind, &vec![1; items * size])]);
            assert_eq!(read_update(&octets, &external()).unwrap().treatments, []);
        }
    }
}

/// RFC 7606 §7.11: a next hop of the wrong length hides where the prefixes begin.
#[test]
fn a_multiprotocol_next_hop_of_the_wrong_length_costs_the_family() {
    for length in [0, 4, 15, 17, 24, 48, 255] {
        let mut reach = REACH_V6.to_vec();
        reach[6] = length;
        assert_treated(
            &announcement(&[&reach]),
            &external(),
            14,
            Treatment::Disable(V6),
        );
    }
    let v4_over_v6 = attribute(
        0x80,
        14,
        &[&[0, 1, 1, 16][..], &[0x20; 16], &[0, 8, 10]].concat(),
    );
    let read = read_update(&announcement(&[&v4_over_v6]), &external()).unwrap();
    let v4 = Family::Ipv4Unicast.into();
    assert_eq!(
        read.verdict(),
        Some(Treatment::Disable(v4)),
        "RFC 8950 was not agreed on"
    );
    assert_eq!((read.announced.len(), read.withdrawn.len()), (0, 0));
}

/// RFC 9234 §5: OTC has four octets.
#[test]
fn a_malformed_otc_makes_the_routes_withdrawn() {
    for value in [&[][..], &[0, 0, 1], &[0; 5]] {
        let octets = announcement(&[&attribute(0xc0, 35, value)]);
        assert_treated(&octets, &external(), 35, Treatment::Withdraw);
    }
}

/// RFC 7606 §2, §8: optional attributes that mean nothing to us are let be, whatever is in them.
#[test]
fn unknown_optional_attributes_are_no_fault() {
    for (flags, kind) in [(0x80, 99), (0xc0, 23), (0xe0, 40), (0xc0, 128), (0xc0, 26)] {
        let octets = announcement(&[&attribute(flags, kind, &[0xff; 9])]);
        let read = read_update(&octets, &external()).unwrap();
        assert_eq!((read.treatments.len(), read.announced.len()), (0, 1));
        assert_eq!(read.attributes.unknown[0].kind, AttributeType(kind));
    }
}
