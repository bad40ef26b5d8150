//! Classic BPF programs that run in the kernel before a frame is copied to us, so that a node's
//! load-balanced traffic never is.
//!
//! Each falls through its tests and jumps to the last instruction, which drops, at the first that
//! fails; a load beyond the end of the frame drops it as well. The cheapest test that most frames
//! fail comes first.

use libc::sock_filter;

use crate::Protocol;

/// What is kept of an ARP frame: 42 bytes matter, padding makes them 60.
const ARP_SNAP_LENGTH: u32 = 128;
/// What is kept of a neighbor solicitation: 78 bytes matter, and as many options as are credible.
const NS_SNAP_LENGTH: u32 = 512;

/// `SKF_AD_OFF + SKF_AD_PKTTYPE`: to whom the frame was addressed.
const PACKET_TYPE: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_PKTTYPE).cast_unsigned();
/// `SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT`: 1 if the frame belongs to a VLAN that this interface
/// does not strip, and so to another segment. Tags of VLAN 0, which are priority marks only, are
/// gone by then.
const VLAN_TAG_PRESENT: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_VLAN_TAG_PRESENT).cast_unsigned();
/// Addressed to us, to all, to a group: 0, 1, 2. Above are frames for other hosts, which another
/// process's promiscuous mode lets in, and our own.
const PACKET_MULTICAST: u32 = 2;

const ETHERTYPE_IPV4: u32 = 0x0800;
const HARDWARE_ETHERNET: u32 = 1;
const ARP_REQUEST: u32 = 1;
const NEXT_HEADER_ICMPV6: u32 = 58;
const NEIGHBOR_SOLICITATION: u32 = 135;

/// RFC 826: an Ethernet and IPv4 ARP request. Probes and announcements are requests too; of
/// replies nothing is to be learnt here.
const ARP: [sock_filter; 14] = [
    load_half(20), // operation
    equal_or_drop(ARP_REQUEST, 11),
    load_half(14), // hardware type
    equal_or_drop(HARDWARE_ETHERNET, 9),
    load_half(16), // protocol type
    equal_or_drop(ETHERTYPE_IPV4, 7),
    load_half(18), // hardware and protocol length
    equal_or_drop(0x0604, 5),
    load_word(VLAN_TAG_PRESENT),
    equal_or_drop(0, 3),
    load_word(PACKET_TYPE),
    above_drops(PACKET_MULTICAST, 1),
    keep(ARP_SNAP_LENGTH),
    keep(0),
];

/// RFC 4861 §4.3: an ICMPv6 neighbor solicitation right behind the IPv6 header; one behind an
/// extension header is not answered, as hosts do not send it so.
const NS: [sock_filter; 10] = [
    load_byte(14 + 6), // next header
    equal_or_drop(NEXT_HEADER_ICMPV6, 7),
    load_byte(14 + 40), // ICMPv6 type
    equal_or_drop(NEIGHBOR_SOLICITATION, 5),
    load_word(VLAN_TAG_PRESENT),
    equal_or_drop(0, 3),
    load_word(PACKET_TYPE),
    above_drops(PACKET_MULTICAST, 1),
    keep(NS_SNAP_LENGTH),
    keep(0),
];

/// The program for a protocol.
pub(crate) fn program(protocol: Protocol) -> &'static [sock_filter] {
    match protocol {
        Protocol::Arp => &ARP,
        Protocol::NeighborSolicitation => &NS,
    }
}

const fn load_byte(offset: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0, offset)
}

const fn load_half(offset: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, 0, 0, offset)
}

const fn load_word(offset: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
}

/// Goes on if the loaded value is this one, else over `to_drop` instructions.
const fn equal_or_drop(value: u32, to_drop: u8) -> sock_filter {
    instruction(
        libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
        0,
        to_drop,
        value,
    )
}

/// Goes on if the loaded value is at most this one, else over `to_drop` instructions.
const fn above_drops(value: u32, to_drop: u8) -> sock_filter {
    instruction(
        libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K,
        to_drop,
        0,
        value,
    )
}

/// Ends the program: the frame is passed on, cut to this length; 0 drops it.
const fn keep(length: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, 0, 0, length)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "every operation code fits into 16 bits; `as` is the only conversion in a const fn"
)]
const fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}

#[cfg(test)]
mod tests;
