//! Which frames are answered; the answers' octets are held by the golden tests.

use super::*;

/// What a segment with the golden frames' VIPs says to a frame: how many frames, and the cause if
/// none.
fn outcome(frame: &[u8]) -> (usize, Vec<DropCause>) {
    let now = start();
    let mut segment = announcing(&["10.99.0.200", "fd99::200"], now);
    let answers = handle(&mut segment, Input::Frame(frame), now).len();
    let causes = DropCause::ALL
        .into_iter()
        .filter(|cause| segment.dropped(*cause) > 0);
    (answers, causes.collect())
}

fn changed(name: &str, offset: usize, octets: &[u8]) -> Vec<u8> {
    let mut frame = golden(name);
    frame[offset..offset + octets.len()].copy_from_slice(octets);
    frame
}

#[test]
fn valid_questions_are_answered_once() {
    for name in [
        "arp_request",
        "arp_probe",
        "ns_multicast",
        "ns_unicast",
        "ns_dad",
    ] {
        assert_eq!(outcome(&golden(name)), (1, vec![]), "{name}");
    }
}

/// Neighbours re-check by unicast.
#[test]
fn unicast_arp_request_is_answered() {
    assert_eq!(outcome(&changed("arp_request", 0, &OURS.0)), (1, vec![]));
}

/// RFC 6085: an IPv6 multicast packet may come to the station's own Ethernet address.
#[test]
fn solicitation_to_the_group_may_come_by_ethernet_unicast() {
    assert_eq!(outcome(&changed("ns_multicast", 0, &OURS.0)), (1, vec![]));
}

/// In promiscuous mode (somebody runs a capture) questions to others reach us too.
#[test]
fn questions_to_other_stations_and_groups_are_not_answered() {
    let stranger = [2, 0, 0x5e, 0, 0, 0x77];
    let multicast = [0x33, 0x33, 0xff, 0, 2, 1];
    for name in [
        "arp_request",
        "arp_probe",
        "ns_multicast",
        "ns_unicast",
        "ns_dad",
    ] {
        for destination in [stranger, multicast] {
            let frame = changed(name, 0, &destination);
            assert_eq!(
                outcome(&frame),
                (0, vec![DropCause::OtherDestination]),
                "{name}"
            );
        }
    }
    let group_of_a_unicast_address = changed("ns_unicast", 0, &[0x33, 0x33, 0, 0, 2, 0]);
    let other = (0, vec![DropCause::OtherDestination]);
    assert_eq!(outcome(&group_of_a_unicast_address), other);
    for name in ["ns_multicast", "ns_unicast", "ns_dad"] {
        let broadcast = changed(name, 0, &Mac::BROADCAST.0);
        assert_eq!(
            outcome(&broadcast),
            (0, vec![DropCause::OtherDestination]),
            "{name}"
        );
    }
}

#[test]
fn frames_of_our_own_are_not_answered() {
    for name in [
        "arp_request",
        "arp_probe",
        "ns_multicast",
        "ns_unicast",
        "ns_dad",
    ] {
        let frame = changed(name, 6, &OURS.0);
        assert_eq!(outcome(&frame), (0, vec![DropCause::OwnFrame]), "{name}");
    }
    let spoofed_arp = changed("arp_request", 22, &OURS.0);
    let mut spoofed_ns = changed("ns_multicast", 80, &OURS.0);
    spoofed_ns[58..60].copy_from_slice(&(0x63_u16 - 0x0a).to_be_bytes());
    for spoofed in [spoofed_arp, spoofed_ns] {
        assert_eq!(outcome(&spoofed), (0, vec![DropCause::OwnFrame]));
    }
}

/// The reserved field, which is ignored, keeps the checksum right where a test changes others.
#[test]
fn an_asker_that_uses_the_vip_as_its_own_address_is_not_answered() {
    let mut frame = changed("ns_multicast", 36, &[0x02, 0x00]);
    frame[58..60].copy_from_slice(&(!(0x200_u16 - 0x63)).to_be_bytes());
    assert_eq!(outcome(&frame), (0, vec![DropCause::NoQuestion]));
}

/// They tell, they do not ask.
#[test]
fn replies_announcements_and_advertisements_of_strangers_are_not_answered() {
    let reply = changed("arp_request", 21, &[2]);
    let announcement = changed("arp_request", 28, &[10, 99, 0, 200]);
    let advertisement = changed("na_unsolicited", 6, &[2, 0, 0x5e, 0, 0, 0x63]);
    for frame in [reply, announcement, advertisement] {
        assert_eq!(outcome(&frame), (0, vec![DropCause::NoQuestion]));
    }
}

/// The node's own addresses are the kernel's business.
#[test]
fn addresses_that_are_no_vip_are_not_answered() {
    for target in [
        [10, 99, 0, 1],
        [10, 99, 0, 201],
        [0, 0, 0, 0],
        [255, 255, 255, 255],
    ] {
        let frame = changed("arp_request", 38, &target);
        assert_eq!(
            outcome(&frame),
            (0, vec![DropCause::OtherAddress]),
            "{target:?}"
        );
    }
    let now = start();
    let mut segment = announcing(&["10.99.0.200", "fd99::201"], now);
    for name in ["ns_multicast", "ns_unicast", "ns_dad"] {
        assert_eq!(
            handle(&mut segment, Input::Frame(&golden(name)), now),
            [],
            "{name}"
        );
    }
    assert_eq!(segment.dropped(DropCause::OtherAddress), 3);
}

#[test]
fn invalid_frames_are_counted_by_what_they_pretend_to_be() {
    for (frame, cause) in [
        (vec![], DropCause::Ethernet),
        (
            changed("arp_request", 12, &[0x81, 0x00]),
            DropCause::Ethernet,
        ),
        (changed("arp_request", 6, &[3]), DropCause::Ethernet),
        (changed("arp_request", 18, &[8]), DropCause::InvalidArp),
        (changed("arp_request", 22, &[3]), DropCause::InvalidArp),
        (
            changed("ns_multicast", 21, &[254]),
            DropCause::InvalidSolicitation,
        ),
        (
            changed("ns_multicast", 79, &[0]),
            DropCause::InvalidSolicitation,
        ),
        (changed("ns_multicast", 20, &[17]), DropCause::NoQuestion),
    ] {
        assert_eq!(outcome(&frame), (0, vec![cause]));
    }
}

/// RFC 826 answers to the hardware address in the packet; bridges rewrite the Ethernet source.
#[test]
fn asker_behind_another_ethernet_source_is_answered_at_its_own_address() {
    let now = start();
    let mut segment = announcing(&["10.99.0.200", "fd99::200"], now);
    let bridged = |name| changed(name, 6, &[2, 0, 0x5e, 0, 0, 0x77]);
    let plain = |segment: &mut Segment, name| handle(segment, Input::Frame(&golden(name)), now);
    for name in ["arp_request", "ns_multicast"] {
        let expected = plain(&mut segment, name);
        assert_eq!(
            handle(&mut segment, Input::Frame(&bridged(name)), now),
            expected,
            "{name}"
        );
    }
}
