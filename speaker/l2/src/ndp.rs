//! Neighbor Discovery for IPv6, RFC 4861: solicitations in, advertisements out.
//!
//! A solicitation is answered to its source link-layer address option if it has one, else to the
//! frame's Ethernet source (a unicast solicitation may leave the option out, §4.3).

pub mod router;

use std::net::Ipv6Addr;

use thiserror::Error;

use crate::ethernet::{EtherType, Reader};
use crate::groups::solicited_node;
use crate::{Frame, Mac};

/// Next header: ICMPv6, directly after the IPv6 header; neighbor discovery has no use for
/// extension headers, and RFC 6980 forbids the one that would hide it from us.
const ICMPV6: u8 = 58;

/// §7.1.1: the hop limit that only a neighbour can send.
const HOP_LIMIT: u8 = 255;

/// ICMPv6 types, §4.3 and §4.4.
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

/// Option types, §4.6.1.
const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;

/// An Ethernet link-layer address option takes one unit of eight octets (RFC 2464 §6).
const LINK_LAYER_UNITS: u8 = 1;

/// All nodes on the link.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// §4.4 flags: S, the answer to a solicitation by a known asker.
const SOLICITED: u8 = 0x40;
/// §4.4 flags: O, replace what the neighbour cache holds; the owner always sets it. R stays clear:
/// nobody may take a VIP for a router.
const OVERRIDE: u8 = 0x20;

/// A valid neighbor solicitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solicitation {
    /// Who asks; `::` for duplicate address detection (RFC 4862 §5.4).
    pub source: Ipv6Addr,
    /// The target or its solicited-node group.
    pub destination: Ipv6Addr,
    /// The address in question; never multicast.
    pub target: Ipv6Addr,
    /// Where the asker wants its answer; always a station's address.
    pub source_link_layer: Option<Mac>,
}

/// Why bytes are not a neighbor solicitation, RFC 4861 §7.1.1.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ParseSolicitationError {
    /// Valid or not, it is something else: no ICMPv6, another type, or behind an extension header.
    #[error("not a neighbor solicitation")]
    Other,
    /// The IPv6 header is cut off.
    #[error("IPv6 header ends after {0} octets")]
    Truncated(usize),
    /// Not IPv6 in a frame that says so.
    #[error("IP version {0} in an IPv6 frame")]
    Version(u8),
    /// The header counts more octets than came.
    #[error("IPv6 payload length {claimed} with {available} octets left")]
    PayloadLength {
        /// What the header says.
        claimed: usize,
        /// What the frame holds.
        available: usize,
    },
    /// Some router has forwarded it.
    #[error("hop limit {0} is not 255")]
    HopLimit(u8),
    /// ICMPv6 code other than 0.
    #[error("ICMPv6 code {0} is not 0")]
    Code(u8),
    /// Less than 24 octets of ICMPv6.
    #[error("neighbor solicitation of {0} octets is shorter than 24")]
    TooShort(usize),
    /// The ICMPv6 checksum does not fit.
    #[error("ICMPv6 checksum is wrong")]
    Checksum,
    /// Asks for a multicast address.
    #[error("target {0} is multicast")]
    Target(Ipv6Addr),
    /// A multicast address claims to ask.
    #[error("source {0} is multicast")]
    Source(Ipv6Addr),
    /// §4.3: sent neither to the target nor to its group; from `::`, not to its group.
    #[error("destination {0} is neither the target nor its solicited-node group")]
    Destination(Ipv6Addr),
    /// An option of length zero, or one that does not fit into the payload.
    #[error("option of {0} units of eight octets is empty or overruns the payload")]
    OptionLength(u8),
    /// A source link-layer address that is no station's, of the wrong length, or sent from `::`.
    #[error("source link-layer address option is not valid here")]
    SourceLinkLayer,
}

/// Reads the payload of an Ethernet frame of type IPv6. Octets after the IPv6 payload (Ethernet's
/// padding) are ignored.
///
/// # Errors
/// `Other` for what is no solicitation at all; for a solicitation the first rule of RFC 4861
/// §7.1.1 that it breaks.
pub fn parse(packet: &[u8]) -> Result<Solicitation, ParseSolicitationError> {
    use ParseSolicitationError as Error;
    let ip = split_ip(packet).ok_or(Error::Truncated(packet.len()))?;
    if ip.version != 6 {
        return Err(Error::Version(ip.version));
    }
    let payload = ip
        .rest
        .get(..ip.payload_length)
        .ok_or(Error::PayloadLength {
            claimed: ip.payload_length,
            available: ip.rest.len(),
        })?;
    if ip.next_header != ICMPV6 || payload.first() != Some(&SOLICITATION) {
        return Err(Error::Other);
    }
    if ip.hop_limit != HOP_LIMIT {
        return Err(Error::HopLimit(ip.hop_limit));
    }
    let icmp = split_icmp(payload).ok_or(Error::TooShort(payload.len()))?;
    if icmp.code != 0 {
        return Err(Error::Code(icmp.code));
    }
    if checksum(ip.source, ip.destination, payload) != 0 {
        return Err(Error::Checksum);
    }
    if icmp.target.is_multicast() {
        return Err(Error::Target(icmp.target));
    }
    if ip.source.is_multicast() {
        return Err(Error::Source(ip.source));
    }
    let probe = ip.source.is_unspecified();
    let to_target = ip.destination == icmp.target && !probe;
    if !to_target && ip.destination != solicited_node(icmp.target) {
        return Err(Error::Destination(ip.destination));
    }
    let source_link_layer = parse_options(icmp.options)?;
    if probe && source_link_layer.is_some() {
        return Err(Error::SourceLinkLayer);
    }
    Ok(Solicitation {
        source: ip.source,
        destination: ip.destination,
        target: icmp.target,
        source_link_layer,
    })
}

/// Walks all options and gives the first source link-layer address; unknown ones are skipped
/// (§4.6), a malformed one spoils the whole (§7.1.1).
fn parse_options(options: &[u8]) -> Result<Option<Mac>, ParseSolicitationError> {
    use ParseSolicitationError as Error;
    let mut reader = Reader::new(options);
    let mut found = None;
    while !reader.rest().is_empty() {
        let [kind, units] = reader.take().ok_or(Error::OptionLength(0))?;
        let body = (usize::from(units) * 8)
            .checked_sub(2)
            .and_then(|len| reader.take_slice(len))
            .ok_or(Error::OptionLength(units))?;
        if kind == SOURCE_LINK_LAYER {
            let mac = <[u8; 6]>::try_from(body)
                .map(Mac)
                .ok()
                .filter(|mac| mac.is_station());
            found = found.or(Some(mac.ok_or(Error::SourceLinkLayer)?));
        }
    }
    Ok(found)
}

/// The IPv6 header's fields that are looked at.
struct Ip<'a> {
    version: u8,
    payload_length: usize,
    next_header: u8,
    hop_limit: u8,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    rest: &'a [u8],
}

fn split_ip(packet: &[u8]) -> Option<Ip<'_>> {
    let mut reader = Reader::new(packet);
    let [version_and_class, _, _, _] = reader.take()?;
    let payload_length = usize::from(u16::from_be_bytes(reader.take()?));
    let [next_header, hop_limit] = reader.take()?;
    Some(Ip {
        version: version_and_class >> 4,
        payload_length,
        next_header,
        hop_limit,
        source: Ipv6Addr::from(reader.take::<16>()?),
        destination: Ipv6Addr::from(reader.take::<16>()?),
        rest: reader.rest(),
    })
}

/// A solicitation's fields after its type.
struct Icmp<'a> {
    code: u8,
    target: Ipv6Addr,
    options: &'a [u8],
}

fn split_icmp(payload: &[u8]) -> Option<Icmp<'_>> {
    let mut reader = Reader::new(payload);
    let [_type, code, _checksum @ ..] = reader.take::<4>()?;
    let _reserved = reader.take::<4>()?;
    let target = Ipv6Addr::from(reader.take::<16>()?);
    Some(Icmp {
        code,
        target,
        options: reader.rest(),
    })
}

/// §7.2.4: the answer that `mac` has the VIP. A probe's sender cannot be spoken to yet, so that it
/// and all nodes hear it, with the Solicited flag clear.
pub(crate) fn answer(
    mac: Mac,
    vip: Ipv6Addr,
    ethernet_source: Mac,
    solicitation: &Solicitation,
) -> Frame {
    if solicitation.source.is_unspecified() {
        return unsolicited(mac, vip);
    }
    let asker = solicitation.source_link_layer.unwrap_or(ethernet_source);
    emit(asker, mac, solicitation.source, vip, SOLICITED | OVERRIDE)
}

/// §7.2.6: an advertisement that nobody asked for, to all nodes.
pub(crate) fn unsolicited(mac: Mac, vip: Ipv6Addr) -> Frame {
    emit(Mac::of_group(ALL_NODES), mac, ALL_NODES, vip, OVERRIDE)
}

/// The source is the VIP itself, an address of the interface as far as neighbours are concerned
/// (§4.4), so that no other address of this node is needed or shown.
fn emit(ethernet_destination: Mac, mac: Mac, to: Ipv6Addr, vip: Ipv6Addr, flags: u8) -> Frame {
    let message = |checksum: [u8; 2]| {
        Frame::concat(&[
            &[ADVERTISEMENT, 0],
            &checksum,
            &[flags, 0, 0, 0],
            &vip.octets(),
            &[TARGET_LINK_LAYER, LINK_LAYER_UNITS],
            &mac.0,
        ])
    };
    let sum = checksum(vip, to, message([0, 0]).as_bytes());
    Frame::concat(&[
        &ethernet_destination.0,
        &mac.0,
        &EtherType::Ipv6.octets(),
        &[0x60, 0, 0, 0],
        &[0, 32, ICMPV6, HOP_LIMIT],
        &vip.octets(),
        &to.octets(),
        message(sum.to_be_bytes()).as_bytes(),
    ])
}

/// RFC 4443 §2.3 over the pseudo-header of RFC 8200 §8.1: what belongs into a zero checksum field,
/// or 0 if the field in `payload` is right.
fn checksum(source: Ipv6Addr, destination: Ipv6Addr, payload: &[u8]) -> u16 {
    let words = |bytes: &[u8]| -> u64 {
        bytes
            .chunks(2)
            .flat_map(|pair| pair.iter().zip([8, 0]))
            .map(|(octet, shift)| u64::from(*octet) << shift)
            .sum()
    };
    let mut sum = words(&source.octets())
        + words(&destination.octets())
        + payload.len() as u64
        + u64::from(ICMPV6)
        + words(payload);
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    let [.., high, low] = sum.to_be_bytes();
    !u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests;
