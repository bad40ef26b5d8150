//! RFC 6793: AS numbers of four octets, with neighbours of either kind.

use std::net::Ipv4Addr;

use bgp::wire::{
    Aggregator, AttributeType, NextHop, PathAttributes, Session, Treatment, Update, announce,
};
use bgp::{Asn, Family};

use crate::kit::*;

/// With a neighbour that knows two octets.
fn old() -> Session {
    Session {
        four_octet_as: false,
        ..external()
    }
}

/// AS_PATH 64500 23456, of two octets.
const SHORT_PATH: &[u8] = &[0x40, 2, 6, 2, 2, 0xfb, 0xf4, 0x5b, 0xa0];
/// AS4_PATH 64500 4200000000.
const AS4_PATH: &[u8] = &[0xc0, 17, 10, 2, 2, 0, 0, 0xfb, 0xf4, 0xfa, 0x56, 0xea, 0x00];

fn short(more: &[&[u8]]) -> Vec<u8> {
    update(&[], &[&[ORIGIN, SHORT_PATH, NEXT_HOP], more].concat(), NLRI)
}

fn asns(update: &Update) -> Vec<u32> {
    let path = update.attributes.as_path.as_ref().unwrap();
    path.asns().map(|asn| asn.0).collect()
}

/// RFC 6793 §4.1: between speakers of four octets AS4_PATH and AS4_AGGREGATOR are discarded.
#[test]
fn as4_attributes_from_a_speaker_of_four_octets_are_discarded() {
    let aggregator = attribute(0xc0, 18, &[0, 1, 0, 0, 192, 0, 2, 1]);
    let read = read_update(&announcement(&[AS4_PATH, &aggregator]), &external()).unwrap();
    let discarded = [AttributeType::AS4_PATH, AttributeType::AS4_AGGREGATOR];
    assert_eq!(
        read.treatments,
        discarded.map(|kind| (kind, Treatment::Discard))
    );
    assert_eq!(
        (asns(&read), read.attributes.aggregator),
        (vec![64_500], None)
    );
}

/// RFC 6793 §4.2.3: AS_PATH and AS4_PATH together.
#[test]
fn the_path_is_that_of_both_attributes() {
    let read = read_update(&short(&[AS4_PATH]), &old()).unwrap();
    assert_eq!(
        (asns(&read), read.treatments.len()),
        (vec![64_500, 4_200_000_000], 0)
    );
    assert_eq!(
        asns(&read_update(&short(&[]), &old()).unwrap()),
        [64_500, 23_456]
    );
}

/// RFC 6793 §4.2.3: AS4_AGGREGATOR counts where AGGREGATOR shows AS_TRANS; else somebody of two
/// octets has aggregated later, and both AS4 attributes are stale.
#[test]
fn the_aggregator_is_that_of_both_attributes() {
    let address = Ipv4Addr::new(192, 0, 2, 1);
    let as4 = attribute(0xc0, 18, &[0xfa, 0x56, 0xea, 0, 192, 0, 2, 1]);
    let trans = attribute(0xc0, 7, &[0x5b, 0xa0, 192, 0, 2, 9]);
    let later = attribute(0xc0, 7, &[0, 7, 192, 0, 2, 1]);
    let aggregator = |asn| {
        Some(Aggregator {
            asn: Asn(asn),
            address,
        })
    };
    let read = read_update(&short(&[&trans, &as4, AS4_PATH]), &old()).unwrap();
    assert_eq!(read.attributes.aggregator, aggregator(4_200_000_000));
    assert_eq!(asns(&read), [64_500, 4_200_000_000]);
    let read = read_update(&short(&[&later, &as4, AS4_PATH]), &old()).unwrap();
    assert_eq!(read.attributes.aggregator, aggregator(7));
    assert_eq!(asns(&read), [64_500, 23_456]);
    let read = read_update(&short(&[&as4]), &old()).unwrap();
    assert_eq!(read.attributes.aggregator, None, "nothing to complete");
}

/// RFC 6793 §6: a malformed AS4_PATH or AS4_AGGREGATOR is discarded, and AS_PATH stands.
#[test]
fn malformed_as4_attributes_are_discarded() {
    let paths: [&[u8]; 6] = [
        &[],
        &[2, 1, 0, 0, 0],
        &[2, 0],
        &[7, 1, 0, 0, 0, 7],
        &[2, 2, 0, 0, 0, 7],
        &[2, 1, 0, 0, 0, 0],
    ];
    for value in paths {
        let read = read_update(&short(&[&attribute(0xc0, 17, value)]), &old()).unwrap();
        assert_eq!(
            read.treatments,
            [(AttributeType::AS4_PATH, Treatment::Discard)],
            "{value:?}"
        );
        assert_eq!(
            (asns(&read), read.announced.len()),
            (vec![64_500, 23_456], 1)
        );
    }
    for value in [&[0, 0, 0, 7, 1, 2, 3][..], &[0; 8], &[1; 9]] {
        let read = read_update(&short(&[&attribute(0xc0, 18, value)]), &old()).unwrap();
        let discarded = [(AttributeType::AS4_AGGREGATOR, Treatment::Discard)];
        assert_eq!(read.treatments, discarded, "{value:?}");
    }
}

/// RFC 6793 §6: confederation segments of AS4_PATH are dropped, the rest of it counts.
#[test]
fn confederations_in_as4_path_are_dropped() {
    let value = [&[3, 1, 0, 0, 0, 7][..], &AS4_PATH[3..]].concat();
    let read = read_update(&short(&[&attribute(0xc0, 17, &value)]), &old()).unwrap();
    assert_eq!(asns(&read), [64_500, 4_200_000_000]);
}

/// RFC 6793 §4.2.2: AS_TRANS and AS4_PATH are written where two octets lose something, and there
/// only.
#[test]
fn a_neighbour_of_two_octets_is_told_as_trans_and_as4_path() {
    let written = |as_path: Vec<Asn>, session: &Session| {
        let attributes = PathAttributes {
            as_path,
            next_hop: NextHop::V4(Ipv4Addr::new(192, 0, 2, 1)),
            multi_exit_disc: None,
            local_pref: None,
            communities: Vec::new(),
            extended_communities: Vec::new(),
            large_communities: Vec::new(),
        };
        let mut octets = Vec::new();
        let routes = [prefix("198.51.100.0/24")];
        announce(
            Family::Ipv4Unicast,
            &attributes,
            routes,
            session,
            &mut octets,
        )
        .unwrap();
        octets
    };
    let large = written(vec![Asn(64_500), Asn(4_200_000_000)], &old());
    assert_eq!(large, short(&[AS4_PATH]));
    let small = written(vec![Asn(64_500), Asn::TRANS], &old());
    assert_eq!(small, short(&[]));
    let four = written(vec![Asn(64_500)], &external());
    assert_eq!(four, announcement(&[]));
}
