//! MP_REACH_NLRI and MP_UNREACH_NLRI, RFC 4760 §3 and §4.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::reader::Reader;
use super::{Session, nlri};
use crate::{AfiSafi, Family, Prefix};

/// Where traffic goes. Which attribute tells it follows from it and from the prefixes' family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NextHop {
    /// In NEXT_HOP, for IPv4 prefixes.
    V4(Ipv4Addr),
    /// In MP_REACH_NLRI, for IPv6 prefixes, and for IPv4 ones where RFC 8950 was agreed on.
    V6 {
        /// Alone it may be a link-local one.
        global: Ipv6Addr,
        /// RFC 2545 §3: besides, for neighbours on the link.
        link_local: Option<Ipv6Addr>,
    },
}

impl NextHop {
    fn parse(octets: &[u8]) -> Option<Self> {
        let v6 = |octets: &[u8]| <[u8; 16]>::try_from(octets).ok().map(Ipv6Addr::from);
        match octets.len() {
            4 => <[u8; 4]>::try_from(octets)
                .ok()
                .map(|v4| Self::V4(v4.into())),
            16 => Some(Self::V6 {
                global: v6(octets)?,
                link_local: None,
            }),
            32 => {
                let (global, link_local) = octets.split_at_checked(16)?;
                Some(Self::V6 {
                    global: v6(global)?,
                    link_local: Some(v6(link_local)?),
                })
            }
            _ => None,
        }
    }

    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::V4(address) => {
                out.push(4);
                out.extend_from_slice(&address.octets());
            }
            Self::V6 { global, link_local } => {
                out.push(if link_local.is_some() { 32 } else { 16 });
                out.extend_from_slice(&global.octets());
                let second = link_local.map(|address| address.octets());
                second
                    .iter()
                    .for_each(|octets| out.extend_from_slice(octets));
            }
        }
    }

    /// RFC 4760 §3, RFC 2545 §3, RFC 8950 §3: whether routes of the family may have it.
    pub(super) fn carries(self, family: Family, session: &Session) -> bool {
        match (family, self) {
            (Family::Ipv4Unicast, Self::V4(_)) | (Family::Ipv6Unicast, Self::V6 { .. }) => true,
            (Family::Ipv4Unicast, Self::V6 { .. }) => session.extended_next_hop,
            (Family::Ipv6Unicast, Self::V4(_)) => false,
        }
    }

    /// RFC 4271 §6.3 asks for the address of a host; the same is asked of an IPv6 one.
    pub(super) fn is_host(self) -> bool {
        match self {
            Self::V4(address) => {
                let [first, ..] = address.octets();
                !matches!(first, 0 | 127 | 224..)
            }
            Self::V6 { global, link_local } => [Some(global), link_local]
                .into_iter()
                .flatten()
                .all(|address| !address.is_multicast() && !address.is_loopback()),
        }
    }
}

/// What one of the two attributes turned out to hold.
#[derive(Debug)]
pub(super) enum Multiprotocol<T> {
    /// A family of this session.
    Spoken(T),
    /// Another family. It could not be read; whether it holds anything at all can be told.
    Foreign,
    /// RFC 7606 §5.3, §7.11: a family of this session, and malformed.
    Malformed(AfiSafi),
    /// Too short to name a family.
    Nameless,
}

/// What MP_REACH_NLRI says.
#[derive(Debug)]
pub(super) struct Reach {
    pub(super) next_hop: NextHop,
    pub(super) prefixes: Vec<Prefix>,
    /// Whether the field had anything in it, left out or not.
    pub(super) holds_nlri: bool,
}

/// What MP_UNREACH_NLRI says.
#[derive(Debug)]
pub(super) struct Unreach {
    pub(super) family: Family,
    pub(super) prefixes: Vec<Prefix>,
    /// See [`Reach`]; if not, it may be an End-of-RIB marker (RFC 4724 §2).
    pub(super) holds_nlri: bool,
}

/// The family that begins either attribute, if this session speaks it.
fn family<T>(reader: &mut Reader<'_>, session: &Session) -> Result<Family, Multiprotocol<T>> {
    let (Some(afi), Some(safi)) = (reader.u16(), reader.u8()) else {
        return Err(Multiprotocol::Nameless);
    };
    let family = AfiSafi { afi, safi }.family();
    family
        .filter(|family| session.families.contains(*family))
        .ok_or(Multiprotocol::Foreign)
}

/// RFC 4760 §3. The reserved octet is ignored.
pub(super) fn parse_reach(value: &[u8], session: &Session) -> Multiprotocol<Reach> {
    let mut reader = Reader::new(value);
    match family(&mut reader, session) {
        Ok(family) => reach(family, &mut reader, session).map_or_else(
            || Multiprotocol::Malformed(family.into()),
            Multiprotocol::Spoken,
        ),
        Err(other) => other,
    }
}

fn reach(family: Family, reader: &mut Reader<'_>, session: &Session) -> Option<Reach> {
    let next_hop = NextHop::parse(reader.field8()?)?;
    let _reserved = reader.u8()?;
    let holds_nlri = !reader.is_empty();
    next_hop.carries(family, session).then_some(())?;
    Some(Reach {
        next_hop,
        prefixes: nlri::parse(family, reader.rest())?,
        holds_nlri,
    })
}

/// RFC 4760 §4.
pub(super) fn parse_unreach(value: &[u8], session: &Session) -> Multiprotocol<Unreach> {
    let mut reader = Reader::new(value);
    match family(&mut reader, session) {
        Ok(family) => match nlri::parse(family, reader.rest()) {
            Some(prefixes) => Multiprotocol::Spoken(Unreach {
                family,
                prefixes,
                holds_nlri: !reader.is_empty(),
            }),
            None => Multiprotocol::Malformed(family.into()),
        },
        Err(other) => other,
    }
}
