//! ARP for IPv4 over Ethernet: RFC 826, and RFC 5227 for probes and announcements.
//!
//! A request whose `sender_hardware` differs from the frame's Ethernet source is answered to
//! `sender_hardware`, as RFC 826 says and as Linux does (bridges and bonds rewrite the Ethernet
//! source). That can mislead nobody: the reply states where the VIP is, whoever reads it.

use std::net::Ipv4Addr;

use thiserror::Error;

use crate::ethernet::{EtherType, Reader};
use crate::{Frame, Mac};

/// Hardware type Ethernet, protocol type IPv4, and the length of an address of each.
const ETHERNET_IPV4: [u8; 6] = [0x00, 0x01, 0x08, 0x00, 6, 4];

/// A valid ARP packet. Its `target_hardware` is left out: a request leaves it undefined, and
/// nothing is decided by a reply's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arp {
    /// Request or reply.
    pub operation: Operation,
    /// Who speaks; always a station's address.
    pub sender_hardware: Mac,
    /// The speaker's own address; 0.0.0.0 in a probe (RFC 5227 §2.1.1).
    pub sender_protocol: Ipv4Addr,
    /// The address in question.
    pub target_protocol: Ipv4Addr,
}

/// What an ARP packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// ar$op 1.
    Request,
    /// ar$op 2.
    Reply,
}

/// Why bytes are not an ARP packet for IPv4 over Ethernet.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseArpError {
    /// Less than 28 octets.
    #[error("ARP packet ends after {0} octets")]
    Truncated(usize),
    /// ar$hrd is not Ethernet.
    #[error("ARP hardware type {0} is not Ethernet")]
    HardwareType(u16),
    /// ar$pro is not IPv4.
    #[error("ARP protocol type {0:#06x} is not IPv4")]
    ProtocolType(u16),
    /// ar$hln is not 6.
    #[error("ARP hardware address length {0} is not 6")]
    HardwareLength(u8),
    /// ar$pln is not 4.
    #[error("ARP protocol address length {0} is not 4")]
    ProtocolLength(u8),
    /// ar$op is neither request nor reply.
    #[error("ARP operation {0} is neither request nor reply")]
    Operation(u16),
    /// A group or nobody claims to speak.
    #[error("ARP sender hardware address {0} is not a station's")]
    SenderHardware(Mac),
    /// A group claims to speak.
    #[error("ARP sender protocol address {0} is not a host's")]
    SenderProtocol(Ipv4Addr),
}

/// Reads the payload of an Ethernet frame of type ARP; padding after 28 octets is ignored.
///
/// # Errors
/// What is not ARP for IPv4 over Ethernet, or comes from an address that no host can have.
pub fn parse(payload: &[u8]) -> Result<Arp, ParseArpError> {
    let fields = split(payload).ok_or(ParseArpError::Truncated(payload.len()))?;
    let ([h0, h1, p0, p1, hardware_length, protocol_length, o0, o1], sender, target) = fields;
    let (hardware_type, protocol_type) =
        (u16::from_be_bytes([h0, h1]), u16::from_be_bytes([p0, p1]));
    if hardware_type != 1 {
        return Err(ParseArpError::HardwareType(hardware_type));
    }
    if protocol_type != 0x0800 {
        return Err(ParseArpError::ProtocolType(protocol_type));
    }
    if hardware_length != 6 {
        return Err(ParseArpError::HardwareLength(hardware_length));
    }
    if protocol_length != 4 {
        return Err(ParseArpError::ProtocolLength(protocol_length));
    }
    let operation = match u16::from_be_bytes([o0, o1]) {
        1 => Operation::Request,
        2 => Operation::Reply,
        other => return Err(ParseArpError::Operation(other)),
    };
    let ((sender_hardware, sender_protocol), (_, target_protocol)) = (sender, target);
    if !sender_hardware.is_station() {
        return Err(ParseArpError::SenderHardware(sender_hardware));
    }
    if sender_protocol.is_multicast() || sender_protocol.is_broadcast() {
        return Err(ParseArpError::SenderProtocol(sender_protocol));
    }
    Ok(Arp {
        operation,
        sender_hardware,
        sender_protocol,
        target_protocol,
    })
}

/// A hardware address and the protocol address that goes with it.
type Addresses = (Mac, Ipv4Addr);

/// The fixed eight octets, then the sender's and the target's addresses.
fn split(payload: &[u8]) -> Option<([u8; 8], Addresses, Addresses)> {
    let mut reader = Reader::new(payload);
    let fixed = reader.take()?;
    let sender = (Mac(reader.take()?), Ipv4Addr::from(reader.take::<4>()?));
    let target = (Mac(reader.take()?), Ipv4Addr::from(reader.take::<4>()?));
    Some((fixed, sender, target))
}

/// The answer to a request or a probe: the VIP is at `mac`, told to the asker alone.
pub(crate) fn reply(mac: Mac, vip: Ipv4Addr, request: &Arp) -> Frame {
    let asker = request.sender_hardware;
    emit(
        asker,
        mac,
        Operation::Reply,
        vip,
        asker,
        request.sender_protocol,
    )
}

/// RFC 5227 §2.3: an announcement in request form, sender and target protocol address the VIP.
pub(crate) fn announcement_as_request(mac: Mac, vip: Ipv4Addr) -> Frame {
    emit(Mac::BROADCAST, mac, Operation::Request, vip, Mac::ZERO, vip)
}

/// An announcement in reply form, for neighbours that learn from replies only. The target is the
/// sender itself: Linux neighbours refuse many that carry the broadcast address there.
pub(crate) fn announcement_as_reply(mac: Mac, vip: Ipv4Addr) -> Frame {
    emit(Mac::BROADCAST, mac, Operation::Reply, vip, mac, vip)
}

/// All our ARP frames come from `mac` and state `mac` as the sender's.
fn emit(
    destination: Mac,
    mac: Mac,
    operation: Operation,
    sender_protocol: Ipv4Addr,
    target_hardware: Mac,
    target_protocol: Ipv4Addr,
) -> Frame {
    let operation: [u8; 2] = match operation {
        Operation::Request => [0, 1],
        Operation::Reply => [0, 2],
    };
    Frame::concat(&[
        &destination.0,
        &mac.0,
        &EtherType::Arp.octets(),
        &ETHERNET_IPV4,
        &operation,
        &mac.0,
        &sender_protocol.octets(),
        &target_hardware.0,
        &target_protocol.octets(),
    ])
}

#[cfg(test)]
mod tests;
