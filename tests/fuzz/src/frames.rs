//! Frames around fuzzed packets, and questions that are valid.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::OURS;

/// The Ethernet source of all fuzzed packets.
const ASKER: [u8; 6] = [0x02, 0x00, 0x5e, 0x00, 0x00, 0x63];

const ASKER_V6: Ipv6Addr = Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 0x63);

/// An ARP packet, broadcast.
pub fn arp(packet: &[u8]) -> Vec<u8> {
    [&[0xff; 6][..], &ASKER, &[0x08, 0x06], packet].concat()
}

/// An IPv6 packet to our own Ethernet address.
pub fn ipv6(packet: &[u8]) -> Vec<u8> {
    [&OURS.0[..], &ASKER, &[0x86, 0xdd], packet].concat()
}

/// An IPv6 packet to the Ethernet group of its destination.
pub fn ipv6_to_its_group(packet: &[u8]) -> Vec<u8> {
    let group = packet.get(36..40).unwrap_or(&[0; 4]);
    [&[0x33, 0x33], group, &ASKER, &[0x86, 0xdd], packet].concat()
}

/// A question for an address: plain, or a probe whether it is in use.
pub fn question(address: IpAddr, probe: bool) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => arp_question(address, probe),
        IpAddr::V6(address) => solicitation(address, probe),
    }
}

fn arp_question(address: Ipv4Addr, probe: bool) -> Vec<u8> {
    let sender = if probe { [0; 4] } else { [10, 99, 0, 99] };
    let fixed = [0, 1, 8, 0, 6, 4, 0, 1];
    arp(&[&fixed[..], &ASKER, &sender, &[0; 6], &address.octets()].concat())
}

fn solicitation(address: Ipv6Addr, probe: bool) -> Vec<u8> {
    let source = if probe {
        Ipv6Addr::UNSPECIFIED
    } else {
        ASKER_V6
    };
    let [.., a, b, c] = address.octets();
    let group = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c];
    let header = [0x60, 0, 0, 0, 0, 24, 58, 255];
    let message = [135, 0, 0, 0, 0, 0, 0, 0];
    let mut packet = [
        &header[..],
        &source.octets(),
        &group,
        &message,
        &address.octets(),
    ]
    .concat();
    put_checksum_right(&mut packet);
    ipv6_to_its_group(&packet)
}

/// Writes the ICMPv6 checksum that fits the rest of the packet, so that the fuzzer gets past it.
pub fn put_checksum_right(packet: &mut [u8]) {
    if packet.len() < 44 {
        return;
    }
    packet[42..44].fill(0);
    let sum = !ones_complement_sum(packet);
    packet[42..44].copy_from_slice(&sum.to_be_bytes());
}

/// RFC 1071 over an IPv6 packet's pseudo-header and as much payload as its header counts.
pub fn ones_complement_sum(packet: &[u8]) -> u16 {
    let len = usize::from(packet[4]) << 8 | usize::from(packet[5]);
    let end = packet.len().min(40 + len);
    let pseudo = [&packet[8..40], &[0, 0, packet[4], packet[5], 0, 0, 0, 58]].concat();
    let octets = pseudo.iter().chain(packet.get(40..end).unwrap_or(&[]));
    let sum: u32 = octets
        .enumerate()
        .map(|(at, octet)| u32::from(*octet) << (8 * (1 - at % 2)))
        .sum();
    let folded = (sum >> 16) + (sum & 0xffff);
    u16::try_from((folded >> 16) + (folded & 0xffff)).expect("folded twice")
}
