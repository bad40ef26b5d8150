//! What has broken other speakers. One test for each class of message behind a published CVE of
//! FRR, Quagga, BIRD or GoBGP; the octets are our own, made after the public descriptions.
//!
//! Not applicable, for we have no such decoder: CVE-2025-43970 (GoBGP, MRT files), CVE-2025-43973
//! and CVE-2025-7464 (GoBGP, RTR), CVE-2024-27913, CVE-2024-31950, CVE-2024-31951 and
//! CVE-2024-34088 (FRR, OSPF), CVE-2016-4049 (Quagga, dumps), CVE-2021-26928 (BIRD, a missing
//! password). Where the class is a feature that we do not have, the test shows that such a message
//! is let be or refused.

use bgp::Family;
use bgp::wire::{AttributeType, Capability, Error, Message, Session, Treatment};

use crate::kit::*;

#[track_caller]
fn assert_refused(octets: &[u8], error: Error) {
    assert_eq!(
        read(octets, &external()).map_err(|refused| refused.error()),
        Err(Some(error))
    );
}

/// The message is let be: its route counts, and whatever the attribute holds does not.
#[track_caller]
fn assert_let_be(attribute: &[u8]) {
    let read = read_update(&announcement(&[attribute]), &external()).unwrap();
    assert_eq!((read.treatments.len(), read.announced.len()), (0, 1));
}

/// FRR: type 255 of RFC 9072 with its lengths cut off.
#[test]
fn cve_2022_40302_extended_parameters_without_room_for_their_length() {
    for parameters in [&[1, 255][..], &[2, 255, 0], &[255, 255], &[3, 255, 0, 9]] {
        assert_refused(&open(parameters), Error::MalformedOpen);
    }
}

/// FRR: with type 255 a parameter's header has three octets, not two.
#[test]
fn cve_2022_40318_an_extended_parameter_without_room_for_its_header() {
    for parameters in [
        &[255, 255, 0, 2, 2, 0][..],
        &[255, 255, 0, 1, 2],
        &[255, 255, 0, 4, 2, 0, 1],
    ] {
        assert_refused(&open(parameters), Error::MalformedOpen);
    }
}

/// FRR: the OPEN ends with a parameter's type, or in its length.
#[test]
fn cve_2022_43681_an_open_that_ends_in_an_option() {
    for parameters in [&[1, 2][..], &[3, 2, 0, 2], &[255, 255, 0, 4, 2, 0, 0, 2]] {
        assert_refused(&open(parameters), Error::MalformedOpen);
    }
}

/// FRR: an OPEN whose options begin well and end in the middle of capability 65.
#[test]
fn cve_2022_36440_capability_65_cut_off() {
    for capabilities in [
        &[65][..],
        &[65, 4],
        &[65, 4, 0, 1],
        &[65, 0],
        &[65, 2, 0, 7],
    ] {
        assert_refused(&open_with(capabilities), Error::MalformedOpen);
    }
}

/// FRR: message type 6, dynamic capabilities, whose length was believed. It does not exist here.
#[test]
fn cve_2022_37032_cve_2024_31949_a_dynamic_capability_message() {
    for body in [&[0][..], &[0, 64, 255], &[0, 1, 4, 0, 1]] {
        assert_refused(&message(6, body), Error::BadMessageType);
    }
}

/// FRR: long-lived graceful restart, capability 71, with half a family. Unknown here.
#[test]
fn cve_2023_31489_capability_71_cut_off() {
    let octets = open_with(&[71, 3, 0, 1, 1]);
    let Ok(Message::Open(open)) = read(&octets, &external()) else {
        panic!("let be")
    };
    assert!(matches!(
        &open.capabilities[..],
        [Capability::Unknown { code: 71, .. }]
    ));
    assert_refused(&open_with(&[71, 9, 0, 1, 1]), Error::MalformedOpen);
}

/// FRR: Prefix-SID, attribute 40, with sub-lengths beyond its end.
#[test]
fn cve_2023_31490_cve_2024_31948_a_prefix_sid_that_overruns() {
    for value in [
        &[1, 0, 200, 0][..],
        &[3, 0, 6],
        &[5, 0xff, 0xff, 1],
        &[4, 0, 0],
        &[1],
    ] {
        assert_let_be(&attribute(0xc0, 40, value));
    }
}

/// FRR: a FlowSpec NLRI of length zero. The family is not spoken here.
#[test]
fn cve_2023_38406_a_flowspec_of_length_zero() {
    for value in [&[0, 1, 133, 0, 0, 0][..], &[0, 1, 133, 0, 0, 0xf0, 0]] {
        let octets = announcement(&[&attribute(0x80, 14, value)]);
        let read = read_update(&octets, &external()).unwrap();
        assert_eq!(
            read.treatments,
            [(AttributeType::MP_REACH_NLRI, Treatment::Discard)]
        );
    }
}

/// FRR: labeled unicast whose label runs past the end. The family is not spoken here.
#[test]
fn cve_2023_38407_a_label_beyond_the_end() {
    let value = [&[0, 1, 4, 4, 192, 0, 2, 1, 0][..], &[255, 0]].concat();
    let octets = announcement(&[&attribute(0x80, 14, &value)]);
    let read = read_update(&octets, &external()).unwrap();
    assert_eq!(
        read.treatments,
        [(AttributeType::MP_REACH_NLRI, Treatment::Discard)]
    );
}

/// FRR and others: Tunnel Encapsulation, attribute 23, malformed, took whole sessions down.
#[test]
fn cve_2023_38802_cve_2024_44070_a_malformed_tunnel_encapsulation() {
    for value in [
        &[][..],
        &[0, 1, 0],
        &[0, 1, 0, 200, 1],
        &[0xff; 7],
        &[0, 8, 0, 2, 128, 255],
    ] {
        assert_let_be(&attribute(0xc0, 23, value));
    }
}

/// FRR: NLRI in a message whose attribute list is empty.
#[test]
fn cve_2023_41358_prefixes_without_attributes() {
    let read = read_update(&update(&[], &[], NLRI), &external()).unwrap();
    assert_eq!(
        (read.verdict(), read.announced.len()),
        (Some(Treatment::Withdraw), 0)
    );
    assert_eq!(read.withdrawn, [prefix("198.51.100.0/24")]);
}

/// FRR: AIGP, attribute 26, read beyond its end.
#[test]
fn cve_2023_41359_an_aigp_cut_off() {
    for value in [&[1][..], &[1, 0], &[1, 0, 11, 0, 0], &[1, 0, 2]] {
        assert_let_be(&attribute(0x80, 26, value));
    }
}

/// FRR, Quagga: outbound route filters in a ROUTE-REFRESH, cut off. They are not looked at.
#[test]
fn cve_2023_41360_cve_2010_2948_a_route_refresh_with_a_filter_cut_off() {
    for filter in [
        &[1][..],
        &[1, 64],
        &[1, 64, 0xff, 0xff],
        &[2, 128, 0, 9, 0x80],
    ] {
        let octets = message(5, &[&[0, 1, 0, 1], filter].concat());
        assert!(matches!(
            read(&octets, &external()),
            Ok(Message::RouteRefresh(_))
        ));
    }
    assert_refused(&message(5, &[0, 1, 0]), Error::BadMessageLength);
}

/// FRR, GoBGP: software version, capability 75, whose inner length exceeds it, or is zero.
#[test]
fn cve_2023_41361_cve_2025_43971_a_software_version_of_any_length() {
    for value in [&[][..], &[0], &[200, b'x'], &[255], &[1, b'x', b'y']] {
        let length = u8::try_from(value.len()).unwrap();
        let octets = open_with(&[&[75, length], value].concat());
        let Ok(Message::Open(open)) = read(&octets, &external()) else {
            panic!("let be")
        };
        assert_eq!(open.capabilities.len(), 1);
    }
}

/// FRR: FlowSpec without any other attribute.
#[test]
fn cve_2023_41909_a_flowspec_without_attributes() {
    let octets = update(
        &[],
        &[&attribute(0x80, 14, &[0, 1, 133, 0, 0, 3, 1, 8, 10])],
        &[],
    );
    let read = read_update(&octets, &external()).unwrap();
    assert_eq!((read.announced.len(), read.withdrawn.len()), (0, 0));
}

/// FRR: MP_REACH_NLRI malformed in every way.
#[test]
fn cve_2023_46752_a_malformed_mp_reach() {
    let disabled = Some(Treatment::Disable(Family::Ipv6Unicast.into()));
    for value in [
        &[0, 2, 1][..],
        &[0, 2, 1, 16],
        &[0, 2, 1, 0],
        &[0, 2, 1, 255, 1, 2, 3],
    ] {
        let octets = update(&[], &[&attribute(0x80, 14, value), ORIGIN, AS_PATH], &[]);
        let read = read_update(&octets, &external()).unwrap();
        assert_eq!((read.verdict(), read.announced.len()), (disabled, 0));
    }
    assert_refused(
        &update(&[], &[&attribute(0x80, 14, &[0, 2])], &[]),
        Error::OptionalAttribute,
    );
}

/// FRR: an UPDATE without mandatory attributes, with an unknown transitive one alone.
#[test]
fn cve_2023_46753_an_unknown_attribute_alone() {
    let unknown = attribute(0xc0, 99, &[1]);
    let nothing = read_update(&update(&[], &[&unknown], &[]), &external()).unwrap();
    assert_eq!((nothing.announced.len(), nothing.end_of_rib), (0, None));
    let read = read_update(&update(&[], &[&unknown], NLRI), &external()).unwrap();
    assert_eq!(
        (read.verdict(), read.announced.len()),
        (Some(Treatment::Withdraw), 0)
    );
}

/// FRR: MP_UNREACH_NLRI and prefixes to announce, without their mandatory attributes.
#[test]
fn cve_2023_47234_mp_unreach_with_prefixes_that_lack_attributes() {
    let read = read_update(&update(&[], &[UNREACH_V6], NLRI), &external()).unwrap();
    assert_eq!(
        (read.verdict(), read.announced.len()),
        (Some(Treatment::Withdraw), 0)
    );
    assert_eq!(
        read.withdrawn,
        [prefix("2001:db8:2::/48"), prefix("198.51.100.0/24")]
    );
}

/// FRR: what looks like an End-of-RIB marker, with malformed attributes beside it.
#[test]
fn cve_2023_47235_an_end_of_rib_with_more_in_it() {
    let empty = attribute(0x80, 15, &[0, 2, 1]);
    let bad_origin = attribute(0x40, 1, &[9]);
    assert_refused(
        &update(&[], &[&empty, &bad_origin], &[]),
        Error::InvalidOrigin,
    );
    let read = read_update(&update(&[], &[&empty, &bad_origin], NLRI), &external()).unwrap();
    assert_eq!((read.end_of_rib, read.announced.len()), (None, 0));
    assert_eq!(read.verdict(), Some(Treatment::Withdraw));
}

/// FRR: attribute 255 reset every session that it passed through.
#[test]
fn cve_2019_5892_an_attribute_for_experiments() {
    assert_let_be(&attribute(0xc0, 255, &[0xff; 3]));
}

/// GoBGP: a FlowSpec shorter than its length says.
#[test]
fn cve_2025_43972_a_flowspec_cut_off() {
    for nlri in [&[200][..], &[0xf0], &[5, 1, 8]] {
        let value = [&[0, 1, 133, 0, 0], nlri].concat();
        let read = read_update(&announcement(&[&attribute(0x80, 14, &value)]), &external());
        assert_eq!(read.unwrap().verdict(), Some(Treatment::Discard));
    }
}

/// Quagga: the NOTIFICATION for an attribute with a wrong length echoed memory behind it.
#[test]
fn cve_2018_5378_what_is_echoed_is_the_attribute_and_no_more() {
    let list: &[u8] = &[0x40, 1, 200, 7];
    let refused = read(&update(&[], &[list], &[]), &external()).unwrap_err();
    assert_eq!(refused.data(), list);
    let huge = [&[0x50, 99, 0x0f, 0x00][..], &[7; 0x0f00]].concat();
    let refused = read(&update(&[], &[&huge], &[]), &external()).unwrap_err();
    assert_eq!(refused.data(), huge);
}

/// Quagga: CLUSTER_LIST and unknown attributes, twice, were freed twice.
#[test]
fn cve_2018_5379_cluster_list_and_unknown_attributes_twice() {
    let (cluster, unknown) = (
        attribute(0x80, 10, &[10, 0, 0, 1]),
        attribute(0xc0, 99, &[1]),
    );
    let octets = announcement(&[LOCAL_PREF, &cluster, &cluster, &unknown, &unknown, &unknown]);
    let read = read_update(&octets, &internal()).unwrap();
    let discarded = |kind| (AttributeType(kind), Treatment::Discard);
    assert_eq!(read.treatments, [discarded(10), discarded(99)]);
    assert_eq!(
        (
            read.attributes.cluster_list.len(),
            read.attributes.unknown.len()
        ),
        (1, 1)
    );
}

/// Quagga: codes beyond the tables of their names.
#[test]
fn cve_2018_5380_codes_without_a_name_have_words() {
    for code in 0..=255 {
        for subcode in [0, 5, 11, 12, 255] {
            let Ok(Message::Notification(read)) = read(&message(3, &[code, subcode]), &external())
            else {
                panic!("a NOTIFICATION")
            };
            assert!(!read.to_string().is_empty());
        }
        assert!(!AttributeType(code).to_string().is_empty());
    }
}

/// Quagga: a multiprotocol capability of a family that nobody knows never came to an end.
#[test]
fn cve_2018_5381_a_multiprotocol_capability_of_an_unknown_family() {
    let octets = open_with(&[1, 4, 0xff, 0xff, 0, 0xff, 1, 4, 0, 0, 0, 0]);
    let Ok(Message::Open(open)) = read(&octets, &external()) else {
        panic!("let be")
    };
    assert_eq!(open.capabilities.len(), 2);
    for capabilities in [&[1, 0][..], &[1, 3, 0, 1, 0], &[1, 5, 0, 1, 0, 1, 0]] {
        assert_refused(&open_with(capabilities), Error::MalformedOpen);
    }
}

/// Quagga: long AS paths, and those that grew when they were written with four octets.
#[test]
fn cve_2017_16227_cve_2009_1572_long_as_paths() {
    let session = Session {
        four_octet_as: false,
        ..external()
    };
    let segment = [&[2, 255][..], &[0xfb; 510]].concat();
    let value = segment.repeat(7);
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    let path = [&[0x50, 2], &length[..], &value].concat();
    let read = read_update(&update(&[], &[ORIGIN, &path, NEXT_HOP], NLRI), &session).unwrap();
    let asns = read.attributes.as_path.as_ref().unwrap().asns().count();
    assert_eq!((asns, read.announced.len()), (7 * 255, 1));
    let four = read_update(&update(&[], &[ORIGIN, &path, NEXT_HOP], NLRI), &external()).unwrap();
    assert_eq!(four.verdict(), Some(Treatment::Withdraw));
}

/// Quagga: a VPNv4 prefix longer than the room for it. The family is not spoken here.
#[test]
fn cve_2016_2342_a_vpn_prefix_that_is_too_long() {
    let value = [&[0, 1, 128, 12][..], &[0; 13], &[255], &[1; 31]].concat();
    let read = read_update(&announcement(&[&attribute(0x80, 14, &value)]), &external());
    assert_eq!(read.unwrap().verdict(), Some(Treatment::Discard));
}

/// Quagga: capability 3, route filters, with a length that does not fit its entries.
#[test]
fn cve_2012_1820_cve_2012_0255_capabilities_that_lie_about_their_length() {
    let octets = open_with(&[3, 5, 0, 1, 0, 1, 200]);
    assert!(matches!(read(&octets, &external()), Ok(Message::Open(_))));
    assert_refused(&open_with(&[3, 200, 0, 1]), Error::MalformedOpen);
    assert_refused(&open_with(&[65, 3, 0, 1, 0]), Error::MalformedOpen);
}

/// Quagga: extended communities of odd types and lengths.
#[test]
fn cve_2010_1674_cve_2011_3327_malformed_extended_communities() {
    for value in [&[][..], &[0xff], &[0xff; 7], &[0xff; 9]] {
        let read = read_update(&announcement(&[&attribute(0xc0, 16, value)]), &external()).unwrap();
        assert_eq!(read.verdict(), Some(Treatment::Withdraw));
    }
    assert_let_be(&attribute(0xc0, 16, &[0xff; 16]));
}

/// Quagga: a path segment of a type that there is not.
#[test]
fn cve_2010_2949_an_as_path_of_an_unknown_segment() {
    let path = attribute(0x40, 2, &[99, 1, 0, 0, 0, 7]);
    let read = read_update(&update(&[], &[ORIGIN, &path, NEXT_HOP], NLRI), &external()).unwrap();
    assert_eq!(
        read.treatments,
        [(AttributeType::AS_PATH, Treatment::Withdraw)]
    );
}

/// BIRD: the length of a shutdown text was checked wrongly before it was copied.
#[test]
fn cve_2019_16159_a_shutdown_text_of_any_length() {
    for (length, text) in [
        (255, 10),
        (128, 128),
        (129, 129),
        (0, 50),
        (1, 0),
        (255, 255),
    ] {
        let body = [&[6, 2, length][..], &vec![b'x'; text]].concat();
        let Ok(Message::Notification(read)) = read(&message(3, &body), &external()) else {
            panic!("a NOTIFICATION")
        };
        let told = read.shutdown_text().ok().flatten().map(str::len);
        let expected = Some(usize::from(length)).filter(|told| (1..=text).contains(told));
        assert_eq!(told, expected, "{length} of {text} octets");
        assert!(read.to_string().len() < 400);
    }
}
