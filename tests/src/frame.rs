//! The kit's own small frame code, for asking who has an address. It shares nothing with the
//! product's codec, so that a mistake made there cannot hide by being made here as well.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use anyhow::{Context, Result};

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Mac {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let bytes: Result<Vec<u8>, _> = text
            .split(':')
            .map(|part| u8::from_str_radix(part, 16))
            .collect();
        let bytes = bytes.with_context(|| format!("{text} is no MAC address"))?;
        let bytes = bytes
            .try_into()
            .ok()
            .with_context(|| format!("{text} is no MAC address"))?;
        Ok(Self(bytes))
    }
}

/// All stations.
pub const BROADCAST: Mac = Mac([0xff; 6]);

/// Who asks: the addresses that stand in the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// Its MAC address.
    pub mac: Mac,
    /// Its IPv4 address on the segment.
    pub v4: Ipv4Addr,
    /// Its IPv6 address on the segment.
    pub v6: Ipv6Addr,
}

/// The question for an address: an ARP request to all, or a neighbor solicitation to the address's
/// solicited-node group.
pub fn question(asker: &Asker, wanted: IpAddr) -> Vec<u8> {
    match wanted {
        IpAddr::V4(wanted) => arp_request(asker, wanted),
        IpAddr::V6(wanted) => neighbor_solicitation(asker, wanted),
    }
}

/// The same question to one station only, as a neighbour asks that checks what it knows.
pub fn unicast_question(asker: &Asker, to: Mac, wanted: IpAddr) -> Vec<u8> {
    match wanted {
        IpAddr::V4(wanted) => arp(asker.mac, asker.v4, to, wanted),
        IpAddr::V6(wanted) => solicitation(asker.mac, asker.v6, (to, wanted), wanted),
    }
}

/// Does anybody use this address? So asks a host that wants it for its own and has no address yet:
/// RFC 5227 §2.1.1, RFC 4862 §5.4.2.
pub fn duplicate_probe(mac: Mac, wanted: IpAddr) -> Vec<u8> {
    match wanted {
        IpAddr::V4(wanted) => arp(mac, Ipv4Addr::UNSPECIFIED, BROADCAST, wanted),
        IpAddr::V6(wanted) => {
            solicitation(mac, Ipv6Addr::UNSPECIFIED, solicited_node(wanted), wanted)
        }
    }
}

/// RFC 826: an ARP request, broadcast.
pub fn arp_request(asker: &Asker, wanted: Ipv4Addr) -> Vec<u8> {
    arp(asker.mac, asker.v4, BROADCAST, wanted)
}

fn arp(mac: Mac, sender: Ipv4Addr, to: Mac, wanted: Ipv4Addr) -> Vec<u8> {
    let mut frame = Vec::with_capacity(42);
    frame.extend(to.0);
    frame.extend(mac.0);
    frame.extend([0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1]);
    frame.extend(mac.0);
    frame.extend(sender.octets());
    frame.extend([0; 6]);
    frame.extend(wanted.octets());
    frame
}

/// RFC 4861 §4.3: a neighbor solicitation with the source link-layer address option.
pub fn neighbor_solicitation(asker: &Asker, wanted: Ipv6Addr) -> Vec<u8> {
    solicitation(asker.mac, asker.v6, solicited_node(wanted), wanted)
}

/// RFC 4291 §2.7.1: the solicited-node group of an address, as Ethernet and IPv6 know it.
pub fn solicited_node(address: Ipv6Addr) -> (Mac, Ipv6Addr) {
    let [.., x, y, z] = address.octets();
    let (high, low) = (0xff00 | u16::from(x), u16::from_be_bytes([y, z]));
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, high, low);
    (Mac([0x33, 0x33, 0xff, x, y, z]), group)
}

/// Without a source address there is no source link-layer address either.
fn solicitation(mac: Mac, source: Ipv6Addr, to: (Mac, Ipv6Addr), wanted: Ipv6Addr) -> Vec<u8> {
    let mut message = vec![135, 0, 0, 0, 0, 0, 0, 0];
    message.extend(wanted.octets());
    if !source.is_unspecified() {
        message.extend([1, 1]);
        message.extend(mac.0);
    }
    let (station, destination) = to;
    let sum = checksum(source, destination, &message);
    message.splice(2..4, sum.to_be_bytes());

    let length = if source.is_unspecified() { 24 } else { 32 };
    let mut frame = station.0.to_vec();
    frame.extend(mac.0);
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, length, 58, 255]);
    frame.extend(source.octets());
    frame.extend(destination.octets());
    frame.extend(message);
    frame
}

/// The address and MAC that a received frame answers for: from an ARP reply its sender, from a
/// neighbor advertisement its target and target link-layer address. Anything else is no answer.
pub fn answer(frame: &[u8]) -> Option<(IpAddr, Mac)> {
    match frame.get(12..14)? {
        [0x08, 0x06] => arp_reply(frame.get(14..)?),
        [0x86, 0xdd] => neighbor_advertisement(frame.get(14..)?),
        _ => None,
    }
}

fn arp_reply(packet: &[u8]) -> Option<(IpAddr, Mac)> {
    if packet.get(..8)? != [0, 1, 8, 0, 6, 4, 0, 2] {
        return None;
    }
    let mac: [u8; 6] = packet.get(8..14)?.try_into().ok()?;
    let address: [u8; 4] = packet.get(14..18)?.try_into().ok()?;
    Some((IpAddr::from(address), Mac(mac)))
}

fn neighbor_advertisement(packet: &[u8]) -> Option<(IpAddr, Mac)> {
    if packet.get(6..8)? != [58, 255] {
        return None;
    }
    let message = packet.get(40..)?;
    if *message.first()? != 136 {
        return None;
    }
    let target: [u8; 16] = message.get(8..24)?.try_into().ok()?;
    let mut options = message.get(24..)?;
    while let [kind, length, ..] = *options {
        let option = options
            .get(..usize::from(length) * 8)
            .filter(|option| !option.is_empty())?;
        if kind == 2 {
            let mac: [u8; 6] = option.get(2..8)?.try_into().ok()?;
            return Some((IpAddr::from(target), Mac(mac)));
        }
        options = options.get(option.len()..)?;
    }
    None
}

/// RFC 4443 §2.3: over the pseudo-header and the message.
pub fn checksum(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> u16 {
    let length = u32::try_from(message.len())
        .unwrap_or(u32::MAX)
        .to_be_bytes();
    let mut bytes: Vec<u8> = Vec::with_capacity(message.len() + 40);
    bytes.extend(source.octets());
    bytes.extend(destination.octets());
    bytes.extend(length);
    bytes.extend([0, 0, 0, 58]);
    bytes.extend(message);
    let mut sum: u32 = 0;
    for pair in bytes.chunks(2) {
        let word = [
            pair.first().copied().unwrap_or(0),
            pair.get(1).copied().unwrap_or(0),
        ];
        sum += u32::from(u16::from_be_bytes(word));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKER: Asker = Asker {
        mac: Mac([2, 0, 0, 0, 0, 1]),
        v4: Ipv4Addr::new(10, 99, 0, 100),
        v6: Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 0x100),
    };

    #[test]
    fn a_question_is_no_answer() {
        for wanted in ["10.99.0.200", "fd99::200"] {
            assert_eq!(answer(&question(&ASKER, wanted.parse().unwrap())), None);
        }
    }

    #[test]
    fn an_arp_reply_answers_for_its_sender() {
        let mut frame = arp_request(&ASKER, Ipv4Addr::new(10, 99, 0, 200));
        frame[21] = 2;
        assert_eq!(answer(&frame), Some((IpAddr::V4(ASKER.v4), ASKER.mac)));
    }

    #[test]
    fn a_neighbor_advertisement_answers_for_its_target() {
        let wanted: Ipv6Addr = "fd99::200".parse().unwrap();
        let mut frame = neighbor_solicitation(&ASKER, wanted);
        frame[54] = 136;
        frame[78] = 2;
        assert_eq!(answer(&frame), Some((IpAddr::V6(wanted), ASKER.mac)));
    }

    #[test]
    fn a_right_checksum_sums_up_to_nothing() {
        let wanted: Ipv6Addr = "fd99::200".parse().unwrap();
        let frame = neighbor_solicitation(&ASKER, wanted);
        let group: [u8; 16] = frame[38..54].try_into().unwrap();
        assert_eq!(checksum(ASKER.v6, Ipv6Addr::from(group), &frame[54..]), 0);
        assert_eq!(
            Ipv6Addr::from(group),
            "ff02::1:ff00:200".parse::<Ipv6Addr>().unwrap()
        );
    }

    #[test]
    fn a_mac_address_reads_as_it_is_written() {
        assert_eq!(ASKER.mac.to_string().parse::<Mac>().unwrap(), ASKER.mac);
        assert!("02:00".parse::<Mac>().is_err());
    }
}
