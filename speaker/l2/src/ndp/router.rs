//! Router discovery, RFC 4861 §4.1 and §4.2, from the ICMPv6 type on: the kernel has checked the
//! checksum of what came, and writes that of what goes.
//!
//! Of an advertisement only its source is of use here. Ours say nothing but that we are there: with
//! a Router Lifetime of zero no host takes us for its default router, and without prefixes none
//! makes itself an address.

use std::fmt;
use std::net::Ipv6Addr;

use thiserror::Error;

use super::{HOP_LIMIT, LINK_LAYER_UNITS, SOURCE_LINK_LAYER};
use crate::Mac;
use crate::ethernet::Reader;

/// ICMPv6 types, §4.1 and §4.2.
const SOLICITATION: u8 = 133;
const ADVERTISEMENT: u8 = 134;

/// §6.1.1, §6.1.2: the octets of ICMPv6 that each has at the least.
const SOLICITATION_LENGTH: usize = 8;
const ADVERTISEMENT_LENGTH: usize = 16;

/// All nodes, and all routers, on the link (RFC 4291 §2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// An advertisement and its option.
const CAPACITY: usize = 24;

/// A message that arrived, valid by RFC 4861.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Somebody wants to be told at once which routers there are.
    Solicitation,
    /// A router is there.
    Advertisement,
}

/// Why octets are neither, RFC 4861 §6.1.1 and §6.1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ParseError {
    /// Valid or not, it is something else.
    #[error("neither a router solicitation nor an advertisement")]
    Other,
    /// Some router has forwarded it.
    #[error("hop limit {0} is not 255")]
    HopLimit(u8),
    /// ICMPv6 code other than 0.
    #[error("ICMPv6 code {0} is not 0")]
    Code(u8),
    /// Fewer octets than its type has.
    #[error("{0} octets are too short")]
    TooShort(usize),
    /// Routers advertise from link-local addresses, by which they are known.
    #[error("source {0} of an advertisement is not link-local")]
    Source(Ipv6Addr),
    /// An option of length zero, or one that does not fit.
    #[error("option of {0} units of eight octets is empty or overruns the message")]
    OptionLength(u8),
    /// From `::`, which has no link-layer address to speak of.
    #[error("source link-layer address option is not valid here")]
    SourceLinkLayer,
}

/// A message to send, of fixed size.
#[derive(Clone, PartialEq, Eq)]
pub struct Datagram {
    destination: Ipv6Addr,
    bytes: [u8; CAPACITY],
    length: usize,
}

/// Reads a message.
///
/// # Errors
/// `Other` for what is neither; else the first rule of RFC 4861 §6.1 that it breaks.
pub fn parse(source: Ipv6Addr, hop_limit: u8, message: &[u8]) -> Result<Message, ParseError> {
    let (kind, shortest) = match message.first() {
        Some(&SOLICITATION) => (Message::Solicitation, SOLICITATION_LENGTH),
        Some(&ADVERTISEMENT) => (Message::Advertisement, ADVERTISEMENT_LENGTH),
        Some(_) | None => return Err(ParseError::Other),
    };
    if hop_limit != HOP_LIMIT {
        return Err(ParseError::HopLimit(hop_limit));
    }
    let mut reader = Reader::new(message);
    let too_short = ParseError::TooShort(message.len());
    let [_kind, code] = reader.take().ok_or(too_short)?;
    reader.take_slice(shortest - 2).ok_or(too_short)?;
    if code != 0 {
        return Err(ParseError::Code(code));
    }
    if kind == Message::Advertisement && !source.is_unicast_link_local() {
        return Err(ParseError::Source(source));
    }
    let names_link_layer = walk_options(reader)?;
    if names_link_layer && source.is_unspecified() {
        return Err(ParseError::SourceLinkLayer);
    }
    Ok(kind)
}

/// Whether a source link-layer address is among the options. Unknown ones are skipped, a malformed
/// one spoils the whole (§6.1).
fn walk_options(mut reader: Reader<'_>) -> Result<bool, ParseError> {
    let mut found = false;
    while !reader.rest().is_empty() {
        let [kind, units] = reader.take().ok_or(ParseError::OptionLength(0))?;
        (usize::from(units) * 8)
            .checked_sub(2)
            .and_then(|length| reader.take_slice(length))
            .ok_or(ParseError::OptionLength(units))?;
        found |= kind == SOURCE_LINK_LAYER;
    }
    Ok(found)
}

/// §4.2: that a router is here, for everybody on the link, and that nobody is to take it for the
/// way out.
pub(crate) fn advertisement(mac: Mac) -> Datagram {
    // Cur Hop Limit, flags, Router Lifetime, Reachable Time and Retrans Timer: all unspecified.
    Datagram::new(ALL_NODES, ADVERTISEMENT, [0; 12].as_slice(), mac)
}

/// §4.1: who is a router here?
pub(crate) fn solicitation(mac: Mac) -> Datagram {
    Datagram::new(ALL_ROUTERS, SOLICITATION, [0; 4].as_slice(), mac)
}

impl Datagram {
    fn new(destination: Ipv6Addr, kind: u8, body: &[u8], mac: Mac) -> Self {
        let head = [kind, 0, 0, 0];
        let option = [SOURCE_LINK_LAYER, LINK_LAYER_UNITS];
        let parts: [&[u8]; 4] = [&head, body, &option, &mac.0];
        let mut datagram = Self {
            destination,
            bytes: [0; CAPACITY],
            length: 0,
        };
        let octets = parts.into_iter().flatten();
        for (slot, octet) in datagram.bytes.iter_mut().zip(octets) {
            *slot = *octet;
            datagram.length += 1;
        }
        datagram
    }

    /// To whom it goes.
    pub fn destination(&self) -> Ipv6Addr {
        self.destination
    }

    /// The octets from the ICMPv6 type on, with a checksum of zero.
    pub fn as_bytes(&self) -> &[u8] {
        let (used, _) = self.bytes.split_at(self.length);
        used
    }
}

impl fmt::Debug for Datagram {
    /// Hexadecimal, as it would be pasted into a dissector.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.destination)?;
        let mut octets = self.as_bytes().iter();
        octets.try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

    fn link_local() -> Ipv6Addr {
        "fe80::1".parse().unwrap()
    }

    fn parsed(message: &[u8]) -> Result<Message, ParseError> {
        parse(link_local(), 255, message)
    }

    /// RFC 4861 §4.2, by hand: type, code, checksum, hop limit, flags, lifetime, two timers, option.
    #[test]
    fn an_advertisement_says_that_we_are_there_and_no_default_router() {
        let sent = advertisement(MAC);
        assert_eq!(sent.destination().to_string(), "ff02::1");
        let expected = [
            134, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 1,
        ];
        assert_eq!(sent.as_bytes(), expected);
        assert_eq!(parsed(sent.as_bytes()), Ok(Message::Advertisement));
    }

    /// RFC 4861 §4.1.
    #[test]
    fn a_solicitation_goes_to_all_routers() {
        let sent = solicitation(MAC);
        assert_eq!(sent.destination().to_string(), "ff02::2");
        let expected = [133, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 1];
        assert_eq!(sent.as_bytes(), expected);
        assert_eq!(parsed(sent.as_bytes()), Ok(Message::Solicitation));
    }

    /// RFC 4861 §6.1.2, rule by rule.
    #[test]
    fn an_advertisement_that_breaks_a_rule_is_none() {
        let good = advertisement(MAC).as_bytes().to_vec();
        assert_eq!(
            parse(link_local(), 254, &good),
            Err(ParseError::HopLimit(254))
        );
        for source in ["fd99::1", "::", "ff02::1"] {
            let source = source.parse().unwrap();
            assert_eq!(parse(source, 255, &good), Err(ParseError::Source(source)));
        }
        let with = |at: usize, octet: u8| {
            let mut changed = good.clone();
            changed[at] = octet;
            parsed(&changed)
        };
        assert_eq!(with(0, 135), Err(ParseError::Other));
        assert_eq!(with(1, 1), Err(ParseError::Code(1)));
        assert_eq!(with(17, 0), Err(ParseError::OptionLength(0)));
        assert_eq!(with(17, 2), Err(ParseError::OptionLength(2)));
        for length in 1..16 {
            assert_eq!(parsed(&good[..length]), Err(ParseError::TooShort(length)));
        }
        assert_eq!(parsed(&good[..16]), Ok(Message::Advertisement));
        assert_eq!(parsed(&good[..17]), Err(ParseError::OptionLength(0)));
        assert_eq!(parsed(&[]), Err(ParseError::Other));
    }

    /// RFC 4861 §6.1.1.
    #[test]
    fn a_host_without_an_address_may_ask_but_not_say_where_it_is() {
        let asked = solicitation(MAC).as_bytes().to_vec();
        let nobody = Ipv6Addr::UNSPECIFIED;
        let refused = Err(ParseError::SourceLinkLayer);
        assert_eq!(parse(nobody, 255, &asked), refused);
        assert_eq!(parse(nobody, 255, &asked[..8]), Ok(Message::Solicitation));
        assert_eq!(parsed(&asked[..7]), Err(ParseError::TooShort(7)));
    }

    /// What is asked for is skipped, whatever it is: MTU, prefix information, and one of our own.
    #[test]
    fn options_that_are_not_known_are_passed_over() {
        let mut message = advertisement(MAC).as_bytes()[..16].to_vec();
        message.extend([5, 1, 0, 0, 0, 0, 5, 220]);
        message.extend([[3, 4].as_slice(), &[0; 30]].concat());
        message.extend([[253, 1].as_slice(), &[0xff; 6]].concat());
        assert_eq!(parsed(&message), Ok(Message::Advertisement));
    }
}
