//! Path attributes as received, and RFC 7606 §7's judgement of each.

use std::net::Ipv4Addr;

use bytes::Bytes;

use super::as_path::{AsPath, Width};
use super::attribute::{AttributeType, OPTIONAL, Raw, TRANSITIVE};
use super::reader::Reader;
use super::{Error, NextHop, Session, Treatment};
use crate::{Asn, Community, ExtendedCommunity, LargeCommunity};

/// What stood in the attribute list of an UPDATE and was not malformed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReceivedAttributes {
    /// RFC 4271 §5.1.1.
    pub origin: Option<Origin>,
    /// RFC 4271 §5.1.2, with AS4_PATH worked in (RFC 6793 §4.2.3).
    pub as_path: Option<AsPath>,
    /// NEXT_HOP, of the IPv4 prefixes outside MP_REACH_NLRI.
    pub next_hop: Option<Ipv4Addr>,
    /// The next hop in MP_REACH_NLRI.
    pub mp_next_hop: Option<NextHop>,
    /// RFC 4271 §5.1.4.
    pub multi_exit_disc: Option<u32>,
    /// RFC 4271 §5.1.5; from internal neighbours only.
    pub local_pref: Option<u32>,
    /// RFC 4271 §5.1.6.
    pub atomic_aggregate: bool,
    /// RFC 4271 §5.1.7, with AS4_AGGREGATOR worked in.
    pub aggregator: Option<Aggregator>,
    /// RFC 1997.
    pub communities: Vec<Community>,
    /// RFC 4456 §8; from internal neighbours only.
    pub originator_id: Option<Ipv4Addr>,
    /// RFC 4456 §8; from internal neighbours only.
    pub cluster_list: Vec<Ipv4Addr>,
    /// RFC 4360.
    pub extended_communities: Vec<ExtendedCommunity>,
    /// RFC 8092.
    pub large_communities: Vec<LargeCommunity>,
    /// RFC 9234 §5.
    pub only_to_customer: Option<Asn>,
    /// Optional ones that mean nothing to us.
    pub unknown: Vec<UnknownAttribute>,
}

/// RFC 4271 §5.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Origin {
    /// Interior to the AS.
    Igp = 0,
    /// By EGP.
    Egp = 1,
    /// Neither.
    Incomplete = 2,
}

/// RFC 4271 §5.1.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aggregator {
    /// The AS that formed the aggregate.
    pub asn: Asn,
    /// The speaker that did.
    pub address: Ipv4Addr,
}

/// An attribute that is kept as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownAttribute {
    /// Optional, Transitive and Partial.
    pub flags: u8,
    /// Its type.
    pub kind: AttributeType,
    /// Its value.
    pub value: Bytes,
}

/// The flags of an unknown attribute that mean something.
pub(super) const KEPT_FLAGS: u8 = 0xe0;

/// A malformed attribute: what to do, and what to tell if it must end the session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub(super) treatment: Treatment,
    pub(super) error: Error,
}

const fn withdraw(error: Error) -> Fault {
    Fault {
        treatment: Treatment::Withdraw,
        error,
    }
}

const fn discard(error: Error) -> Fault {
    Fault {
        treatment: Treatment::Discard,
        error,
    }
}

/// RFC 6793's attributes, until the whole list has been read.
#[derive(Debug, Default)]
pub(super) struct As4 {
    pub(super) path: Option<AsPath>,
    pub(super) aggregator: Option<Aggregator>,
}

impl Aggregator {
    fn parse(value: &[u8], width: Width) -> Option<Self> {
        let mut reader = Reader::new(value);
        let asn = width.read(&mut reader)?;
        let address = Ipv4Addr::from(reader.array::<4>()?);
        let valid = reader.is_empty() && !asn.is_zero();
        valid.then_some(Self { asn, address })
    }

    pub(super) fn write(self, width: Width, out: &mut Vec<u8>) {
        width.write(self.asn, out);
        out.extend_from_slice(&self.address.octets());
    }
}

/// The width of AS numbers in AS_PATH and AGGREGATOR.
pub(super) fn width(session: &Session) -> Width {
    if session.four_octet_as {
        Width::Four
    } else {
        Width::Two
    }
}

impl ReceivedAttributes {
    /// Reads any attribute but the two of RFC 4760. What is malformed leaves no trace here.
    pub(super) fn read(
        &mut self,
        raw: &Raw<'_>,
        as4: &mut As4,
        session: &Session,
    ) -> Result<(), Fault> {
        if is_discarded(raw.kind, session) {
            return Err(discard(Error::OptionalAttribute));
        }
        check_flags(raw)?;
        let value = raw.value;
        match raw.kind {
            AttributeType::ORIGIN => self.origin = Some(origin(value)?),
            AttributeType::AS_PATH => self.as_path = Some(as_path(value, session)?),
            AttributeType::NEXT_HOP => self.next_hop = Some(next_hop(value)?),
            AttributeType::MULTI_EXIT_DISC => self.multi_exit_disc = Some(number(value)?),
            AttributeType::LOCAL_PREF => self.local_pref = Some(number(value)?),
            AttributeType::ATOMIC_AGGREGATE => {
                empty(value)?;
                self.atomic_aggregate = true;
            }
            AttributeType::AGGREGATOR => {
                self.aggregator = Some(aggregator(value, width(session))?);
            }
            AttributeType::COMMUNITIES => {
                self.communities = list(value, |octets| Community(u32::from_be_bytes(octets)))?;
            }
            AttributeType::ORIGINATOR_ID => {
                self.originator_id = Some(Ipv4Addr::from_bits(number(value)?));
            }
            AttributeType::CLUSTER_LIST => {
                self.cluster_list = list(value, |octets: [u8; 4]| Ipv4Addr::from(octets))?;
            }
            AttributeType::EXTENDED_COMMUNITIES => {
                self.extended_communities = list(value, ExtendedCommunity)?;
            }
            AttributeType::AS4_PATH => as4.path = Some(as4_path(value)?),
            AttributeType::AS4_AGGREGATOR => {
                as4.aggregator = Some(aggregator(value, Width::Four)?);
            }
            AttributeType::LARGE_COMMUNITIES => self.large_communities = list(value, large)?,
            AttributeType::ONLY_TO_CUSTOMER => {
                self.only_to_customer = Some(Asn(number(value)?));
            }
            AttributeType::IPV6_EXTENDED_COMMUNITIES => {
                list(value, |_: [u8; 20]| ())?;
                self.unknown.push(unknown(raw));
            }
            _ => self.unknown.push(unknown(raw)),
        }
        Ok(())
    }

    /// RFC 6793 §4.2.3: what a neighbour of two octets and the ASes before it tell together.
    pub(super) fn merge(&mut self, as4: As4) {
        let As4 { path, aggregator } = as4;
        if let (Some(aggregated), Some(as4)) = (self.aggregator, aggregator) {
            if aggregated.asn != Asn::TRANS {
                // A speaker of two octets has aggregated since: both AS4 attributes are stale.
                return;
            }
            self.aggregator = Some(as4);
        }
        if let (Some(short), Some(path)) = (self.as_path.take_if(|_| path.is_some()), path) {
            self.as_path = Some(short.merged(path.without_confederation()));
        }
    }
}

/// RFC 7606 §7.5, §7.9, §7.10: not for other ASes' ears; RFC 6793 §4.1: not between speakers of
/// four octets.
fn is_discarded(kind: AttributeType, session: &Session) -> bool {
    match kind {
        AttributeType::LOCAL_PREF | AttributeType::ORIGINATOR_ID | AttributeType::CLUSTER_LIST => {
            session.ebgp
        }
        AttributeType::AS4_PATH | AttributeType::AS4_AGGREGATOR => session.four_octet_as,
        _ => false,
    }
}

/// RFC 7606 §3 c for types that we know; RFC 4271 §6.3 for others that claim to be well-known.
pub(super) fn check_flags(raw: &Raw<'_>) -> Result<(), Fault> {
    match raw.kind.flags() {
        Some(flags) if raw.flags & (OPTIONAL | TRANSITIVE) != flags => {
            Err(withdraw(Error::AttributeFlags))
        }
        None if raw.flags & OPTIONAL == 0 => Err(Fault {
            treatment: Treatment::Reset,
            error: Error::UnrecognizedWellKnownAttribute,
        }),
        Some(_) | None => Ok(()),
    }
}

/// RFC 7606 §7.1.
fn origin(value: &[u8]) -> Result<Origin, Fault> {
    match value {
        [0] => Ok(Origin::Igp),
        [1] => Ok(Origin::Egp),
        [2] => Ok(Origin::Incomplete),
        [_] => Err(withdraw(Error::InvalidOrigin)),
        _ => Err(withdraw(Error::AttributeLength)),
    }
}

/// RFC 7606 §7.2; RFC 5065 §5: an external neighbour shows nobody's confederation.
fn as_path(value: &[u8], session: &Session) -> Result<AsPath, Fault> {
    AsPath::parse(value, width(session))
        .filter(|path| !(session.ebgp && path.has_confederation()))
        .ok_or(withdraw(Error::MalformedAsPath))
}

/// RFC 7606 §7.3; RFC 4271 §6.3: the address of a host.
fn next_hop(value: &[u8]) -> Result<Ipv4Addr, Fault> {
    let octets: [u8; 4] = value
        .try_into()
        .map_err(|_| withdraw(Error::AttributeLength))?;
    let address = Ipv4Addr::from(octets);
    if NextHop::V4(address).is_host() {
        Ok(address)
    } else {
        Err(withdraw(Error::InvalidNextHop))
    }
}

/// RFC 7606 §7.4, §7.5, §7.9; RFC 9234 §5.
fn number(value: &[u8]) -> Result<u32, Fault> {
    let octets = value.try_into();
    octets
        .map(u32::from_be_bytes)
        .map_err(|_| withdraw(Error::AttributeLength))
}

/// RFC 7606 §7.6.
fn empty(value: &[u8]) -> Result<(), Fault> {
    if value.is_empty() {
        Ok(())
    } else {
        Err(discard(Error::AttributeLength))
    }
}

/// RFC 7606 §7.7; RFC 6793 §6 for AS4_AGGREGATOR; RFC 7607 §2.
fn aggregator(value: &[u8], width: Width) -> Result<Aggregator, Fault> {
    Aggregator::parse(value, width).ok_or(discard(Error::OptionalAttribute))
}

/// RFC 6793 §6.
fn as4_path(value: &[u8]) -> Result<AsPath, Fault> {
    AsPath::parse(value, Width::Four)
        .filter(|path| !path.segments.is_empty())
        .ok_or(discard(Error::OptionalAttribute))
}

/// RFC 7606 §7.8, §7.10, §7.14, §7.15, RFC 8092 §6: as many items as the length says, one at least.
fn list<const N: usize, T>(value: &[u8], item: impl Fn([u8; N]) -> T) -> Result<Vec<T>, Fault> {
    let (items, rest) = value.as_chunks::<N>();
    if items.is_empty() || !rest.is_empty() {
        return Err(withdraw(Error::AttributeLength));
    }
    Ok(items.iter().copied().map(item).collect())
}

fn large(octets: [u8; 12]) -> LargeCommunity {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = octets;
    LargeCommunity {
        global: u32::from_be_bytes([a, b, c, d]),
        local1: u32::from_be_bytes([e, f, g, h]),
        local2: u32::from_be_bytes([i, j, k, l]),
    }
}

fn unknown(raw: &Raw<'_>) -> UnknownAttribute {
    UnknownAttribute {
        flags: raw.flags & KEPT_FLAGS,
        kind: raw.kind,
        value: Bytes::copy_from_slice(raw.value),
    }
}
