//! The frames on the wire, octet by octet, and as another decoder reads them.

mod frames;

use etherparse::icmpv6::NeighborAdvertisementHeader;
use etherparse::{Icmpv6Type, LinkSlice, NetSlice, SlicedPacket, TransportSlice};

use crate::frames::{announcing, answers, golden, start, transmitted};

#[track_caller]
fn answered(question: &str, answer: &str) {
    let now = start();
    let (mut segment, _) = announcing(now);
    assert_eq!(
        answers(&mut segment, &golden(question), now),
        [golden(answer)]
    );
}

/// RFC 826, packet reception.
#[test]
fn arp_request_is_answered_to_the_asker_alone() {
    answered("arp_request", "arp_reply");
}

/// RFC 5227 §2.1.1: a host that has the address replies to the probe.
#[test]
fn arp_probe_is_answered_to_the_prober_alone() {
    answered("arp_probe", "arp_probe_reply");
}

/// RFC 4861 §7.2.4.
#[test]
fn multicast_solicitation_is_answered_to_its_link_layer_option() {
    answered("ns_multicast", "na_solicited");
}

/// RFC 4861 §7.2.4 and §7.3.3: a neighbour that re-checks asks by unicast, maybe without options.
#[test]
fn unicast_solicitation_without_options_is_answered_to_its_ethernet_source() {
    answered("ns_unicast", "na_solicited");
}

/// RFC 4861 §7.2.4 and RFC 4862 §5.4.3: a probe from `::` is answered to all nodes.
#[test]
fn ipv6_probe_is_answered_to_all_nodes() {
    answered("ns_dad", "na_unsolicited");
}

/// RFC 5227 §2.3 in both forms, and RFC 4861 §7.2.6.
#[test]
fn new_vips_of_both_families_are_announced() {
    let (_, outputs) = announcing(start());
    let expected = [
        "arp_announcement_request",
        "arp_announcement_reply",
        "na_unsolicited",
    ];
    assert_eq!(transmitted(&outputs), expected.map(golden));
}

#[test]
fn another_decoder_reads_the_same_arp_fields() {
    for (name, operation, target_hardware, target) in [
        ("arp_reply", 2, [2, 0, 0x5e, 0, 0, 0x63], [10, 99, 0, 99]),
        ("arp_probe_reply", 2, [2, 0, 0x5e, 0, 0, 0x63], [0, 0, 0, 0]),
        ("arp_announcement_request", 1, [0; 6], [10, 99, 0, 200]),
        (
            "arp_announcement_reply",
            2,
            [2, 0, 0x5e, 0, 0, 0x0a],
            [10, 99, 0, 200],
        ),
    ] {
        let frame = golden(name);
        let packet = SlicedPacket::from_ethernet(&frame).unwrap();
        let Some(NetSlice::Arp(arp)) = packet.net else {
            panic!("{name} is not ARP")
        };
        let arp = arp.to_packet().try_eth_ipv4().unwrap();
        assert_eq!(arp.operation.0, operation, "{name}");
        assert_eq!(arp.sender_mac, [2, 0, 0x5e, 0, 0, 0x0a], "{name}");
        assert_eq!(arp.sender_ipv4, [10, 99, 0, 200], "{name}");
        assert_eq!(arp.target_mac, target_hardware, "{name}");
        assert_eq!(arp.target_ipv4, target, "{name}");
    }
}

#[test]
fn another_decoder_reads_the_same_advertisement_and_finds_its_checksum_right() {
    for (name, solicited, ethernet, destination) in [
        ("na_solicited", true, [2, 0, 0x5e, 0, 0, 0x63], "fd99::63"),
        ("na_unsolicited", false, [0x33, 0x33, 0, 0, 0, 1], "ff02::1"),
    ] {
        let frame = golden(name);
        let packet = SlicedPacket::from_ethernet(&frame).unwrap();
        let Some(LinkSlice::Ethernet2(link)) = packet.link else {
            panic!("{name}: link")
        };
        let Some(NetSlice::Ipv6(ip)) = packet.net else {
            panic!("{name}: not IPv6")
        };
        let Some(TransportSlice::Icmpv6(icmp)) = packet.transport else {
            panic!("{name}: ICMP")
        };
        let ip = ip.header();
        assert_eq!(link.destination(), ethernet, "{name}");
        assert_eq!(ip.hop_limit(), 255, "{name}");
        assert_eq!(ip.source_addr().to_string(), "fd99::200", "{name}");
        assert_eq!(ip.destination_addr().to_string(), destination, "{name}");
        assert!(
            icmp.is_checksum_valid(ip.source(), ip.destination()),
            "{name}"
        );
        let header = NeighborAdvertisementHeader {
            router: false,
            solicited,
            r#override: true,
        };
        assert_eq!(
            icmp.icmp_type(),
            Icmpv6Type::NeighborAdvertisement(header),
            "{name}"
        );
    }
}
