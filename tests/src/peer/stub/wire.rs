//! The few messages of RFC 4271 that a stub sends, written by hand, and the cutting of what it
//! reads. Nothing of `speaker/bgp` is used: a mistake there must not hide here.

use std::net::IpAddr;

/// RFC 4271 §4.1.
const HEADER: usize = 19;
/// What every speaker takes.
const LONGEST: usize = 4096;
/// RFC 6793: stands for an ASN of four octets in a field of two.
const AS_TRANS: u16 = 23456;

pub(super) const OPEN: u8 = 1;
pub(super) const UPDATE: u8 = 2;
pub(super) const NOTIFICATION: u8 = 3;
pub(super) const KEEPALIVE: u8 = 4;
pub(super) const ROUTE_REFRESH: u8 = 5;

/// One message as it was read: its type and its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: u8,
    pub(super) body: Vec<u8>,
}

/// Take the first whole message from what was read; `None` until there is one.
pub(super) fn cut(buffer: &mut Vec<u8>) -> Option<Message> {
    let length = usize::from(u16::from_be_bytes([*buffer.get(16)?, *buffer.get(17)?]));
    let kind = *buffer.get(18)?;
    if buffer.len() < length.max(HEADER) {
        return None;
    }
    let message: Vec<u8> = buffer.drain(..length.max(HEADER)).collect();
    let body = message.get(HEADER..).unwrap_or_default().to_vec();
    Some(Message { kind, body })
}

/// An OPEN with both families, route refresh and four-octet ASNs.
pub(super) fn open(asn: u32, router_id: [u8; 4], hold_time: u16) -> Vec<u8> {
    let mut capabilities = vec![1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1, 2, 0, 65, 4];
    capabilities.extend(asn.to_be_bytes());
    let short = u16::try_from(asn).unwrap_or(AS_TRANS);
    let mut body = vec![4];
    body.extend(short.to_be_bytes());
    body.extend(hold_time.to_be_bytes());
    body.extend(router_id);
    // One optional parameter of type 2, capabilities (RFC 5492).
    body.extend([byte(capabilities.len() + 2), 2, byte(capabilities.len())]);
    body.extend(capabilities);
    message(OPEN, &body)
}

pub(super) fn keepalive() -> Vec<u8> {
    message(KEEPALIVE, &[])
}

/// An UPDATE that announces host routes from `first` on, as many as fit; how many that is. IPv4
/// ones count up from 20.0.0.0, IPv6 ones from 2001:db8::.
pub(super) fn announce(asn: u32, next_hop: IpAddr, first: u32, left: u32) -> (Vec<u8>, u32) {
    let mut attributes = vec![0x40, 1, 1, 0];
    attributes.extend([0x40, 2, 6, 2, 1]);
    attributes.extend(asn.to_be_bytes());
    let width = if next_hop.is_ipv4() { 5 } else { 17 };
    // Room for the header, both lengths, the attributes and the head of MP_REACH_NLRI.
    let fits = (LONGEST - HEADER - 4 - attributes.len() - 32) / width;
    let count = left.min(u32::try_from(fits).unwrap_or(1));
    let numbers = first..first + count;
    let mut nlri = Vec::new();
    match next_hop {
        IpAddr::V4(hop) => {
            attributes.extend([0x40, 3, 4]);
            attributes.extend(hop.octets());
            for number in numbers {
                nlri.push(32);
                nlri.extend((0x1400_0000 + number).to_be_bytes());
            }
        }
        IpAddr::V6(hop) => {
            let mut reach = vec![0, 2, 1, 16];
            reach.extend(hop.octets());
            reach.push(0);
            for number in numbers {
                reach.push(128);
                reach.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0]);
                reach.extend(number.to_be_bytes());
            }
            // Extended length, RFC 4271 §4.3.
            attributes.extend([0x90, 14]);
            attributes.extend(short(reach.len()));
            attributes.extend(reach);
        }
    }
    let mut body = vec![0, 0];
    body.extend(short(attributes.len()));
    body.extend(attributes);
    body.extend(nlri);
    (message(UPDATE, &body), count)
}

/// How many prefixes the body of an UPDATE tells, and how many it takes back. What cannot be read
/// counts for nothing.
pub(super) fn prefixes(body: &[u8]) -> (u64, u64) {
    counted(body).unwrap_or_default()
}

/// RFC 4271 §4.3; attributes 14 and 15 are those of RFC 4760.
fn counted(body: &[u8]) -> Option<(u64, u64)> {
    let (withdrawn, rest) = field(body)?;
    let (mut attributes, told) = field(rest)?;
    let (mut told, mut withdrawn) = (listed(told), listed(withdrawn));
    while let [flags, kind, rest @ ..] = attributes {
        let (value, rest) = if flags & 0x10 == 0 {
            let (length, rest) = rest.split_first()?;
            rest.split_at_checked(usize::from(*length))?
        } else {
            field(rest)?
        };
        match (*kind, value) {
            (14, [_, _, _, hop, rest @ ..]) => {
                told += listed(rest.get(usize::from(*hop) + 1..)?);
            }
            (15, [_, _, _, prefixes @ ..]) => withdrawn += listed(prefixes),
            _ => {}
        }
        attributes = rest;
    }
    Some((told, withdrawn))
}

/// What lies behind a length of two octets, and the rest.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// How many prefixes there are in a row.
fn listed(mut prefixes: &[u8]) -> u64 {
    let mut count = 0;
    while let [bits, rest @ ..] = prefixes {
        count += 1;
        prefixes = rest
            .get(usize::from(bits.div_ceil(8))..)
            .unwrap_or_default();
    }
    count
}

/// A message with its header.
pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xff; 16];
    bytes.extend(short(HEADER + body.len()));
    bytes.push(kind);
    bytes.extend(body);
    bytes
}

fn byte(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

fn short(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_whole_messages_only() {
        let two = [keepalive(), open(64512, [10, 0, 0, 1], 90)].concat();
        let (most, last) = two.split_at(two.len() - 1);
        let mut buffer = most.to_vec();
        let kinds = |buffer: &mut Vec<u8>| -> Vec<u8> {
            std::iter::from_fn(|| cut(buffer))
                .map(|message| message.kind)
                .collect()
        };
        assert_eq!(kinds(&mut buffer), [KEEPALIVE]);
        buffer.extend(last);
        assert_eq!(kinds(&mut buffer), [OPEN]);
        assert!(buffer.is_empty());
    }

    #[test]
    fn announcements_fill_a_message_and_no_more() {
        for hop in ["10.99.0.1", "fd99::1"] {
            let hop: IpAddr = hop.parse().unwrap();
            let (bytes, count) = announce(64512, hop, 0, u32::MAX);
            assert!(count > 200 && bytes.len() <= LONGEST, "{}", bytes.len());
            let width = if hop.is_ipv4() { 5 } else { 17 };
            assert!(bytes.len() + width + 40 > LONGEST, "{}", bytes.len());
            let told = u16::from_be_bytes([bytes[16], bytes[17]]);
            assert_eq!(usize::from(told), bytes.len());
            assert_eq!(announce(64512, hop, 0, 3).1, 3);
        }
    }

    #[test]
    fn counts_what_is_told_and_what_is_taken_back() {
        for hop in ["10.99.0.1", "fd99::1"] {
            let (bytes, count) = announce(64512, hop.parse().unwrap(), 0, u32::MAX);
            assert_eq!(prefixes(&bytes[HEADER..]), (count.into(), 0));
        }
        let v4 = [0, 8, 32, 10, 97, 0, 1, 16, 10, 97, 0, 0];
        assert_eq!(prefixes(&v4), (0, 2));
        let v6 = [0, 0, 0, 8, 0x80, 15, 5, 0, 2, 1, 8, 0xfd];
        assert_eq!(prefixes(&v6), (0, 1));
        let end_of_rib = [0, 0, 0, 6, 0x80, 15, 3, 0, 2, 1];
        assert_eq!(prefixes(&end_of_rib), (0, 0));
        assert_eq!(prefixes(&[0, 200, 1]), (0, 0));
    }
}
