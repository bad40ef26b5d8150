//! The attribute list of an UPDATE: types, flags and lengths, RFC 4271 §4.3.

use std::fmt;

use super::reader::Reader;

/// The type code of a path attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeType(pub u8);

impl AttributeType {
    /// Reserved: stands for an attribute whose type could not be read.
    pub const RESERVED: Self = Self(0);
    /// RFC 4271 §5.1.1.
    pub const ORIGIN: Self = Self(1);
    /// RFC 4271 §5.1.2.
    pub const AS_PATH: Self = Self(2);
    /// RFC 4271 §5.1.3.
    pub const NEXT_HOP: Self = Self(3);
    /// RFC 4271 §5.1.4.
    pub const MULTI_EXIT_DISC: Self = Self(4);
    /// RFC 4271 §5.1.5.
    pub const LOCAL_PREF: Self = Self(5);
    /// RFC 4271 §5.1.6.
    pub const ATOMIC_AGGREGATE: Self = Self(6);
    /// RFC 4271 §5.1.7.
    pub const AGGREGATOR: Self = Self(7);
    /// RFC 1997.
    pub const COMMUNITIES: Self = Self(8);
    /// RFC 4456 §8.
    pub const ORIGINATOR_ID: Self = Self(9);
    /// RFC 4456 §8.
    pub const CLUSTER_LIST: Self = Self(10);
    /// RFC 4760 §3.
    pub const MP_REACH_NLRI: Self = Self(14);
    /// RFC 4760 §4.
    pub const MP_UNREACH_NLRI: Self = Self(15);
    /// RFC 4360.
    pub const EXTENDED_COMMUNITIES: Self = Self(16);
    /// RFC 6793 §3.
    pub const AS4_PATH: Self = Self(17);
    /// RFC 6793 §3.
    pub const AS4_AGGREGATOR: Self = Self(18);
    /// RFC 5701.
    pub const IPV6_EXTENDED_COMMUNITIES: Self = Self(25);
    /// RFC 8092 §3.
    pub const LARGE_COMMUNITIES: Self = Self(32);
    /// RFC 9234 §5.
    pub const ONLY_TO_CUSTOMER: Self = Self(35);

    const NAMES: [(Self, &'static str); 18] = [
        (Self::ORIGIN, "ORIGIN"),
        (Self::AS_PATH, "AS_PATH"),
        (Self::NEXT_HOP, "NEXT_HOP"),
        (Self::MULTI_EXIT_DISC, "MULTI_EXIT_DISC"),
        (Self::LOCAL_PREF, "LOCAL_PREF"),
        (Self::ATOMIC_AGGREGATE, "ATOMIC_AGGREGATE"),
        (Self::AGGREGATOR, "AGGREGATOR"),
        (Self::COMMUNITIES, "COMMUNITIES"),
        (Self::ORIGINATOR_ID, "ORIGINATOR_ID"),
        (Self::CLUSTER_LIST, "CLUSTER_LIST"),
        (Self::MP_REACH_NLRI, "MP_REACH_NLRI"),
        (Self::MP_UNREACH_NLRI, "MP_UNREACH_NLRI"),
        (Self::EXTENDED_COMMUNITIES, "EXTENDED_COMMUNITIES"),
        (Self::AS4_PATH, "AS4_PATH"),
        (Self::AS4_AGGREGATOR, "AS4_AGGREGATOR"),
        (Self::IPV6_EXTENDED_COMMUNITIES, "IPV6_EXTENDED_COMMUNITIES"),
        (Self::LARGE_COMMUNITIES, "LARGE_COMMUNITIES"),
        (Self::ONLY_TO_CUSTOMER, "ONLY_TO_CUSTOMER"),
    ];

    /// The Optional and Transitive flags that an attribute of this type has to carry; none for
    /// types that we do not know.
    pub(super) fn flags(self) -> Option<u8> {
        match self {
            Self::ORIGIN
            | Self::AS_PATH
            | Self::NEXT_HOP
            | Self::LOCAL_PREF
            | Self::ATOMIC_AGGREGATE => Some(TRANSITIVE),
            Self::MULTI_EXIT_DISC
            | Self::ORIGINATOR_ID
            | Self::CLUSTER_LIST
            | Self::MP_REACH_NLRI
            | Self::MP_UNREACH_NLRI => Some(OPTIONAL),
            Self::AGGREGATOR
            | Self::COMMUNITIES
            | Self::EXTENDED_COMMUNITIES
            | Self::AS4_PATH
            | Self::AS4_AGGREGATOR
            | Self::IPV6_EXTENDED_COMMUNITIES
            | Self::LARGE_COMMUNITIES
            | Self::ONLY_TO_CUSTOMER => Some(OPTIONAL | TRANSITIVE),
            _ => None,
        }
    }
}

impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMES.iter().find(|(kind, _)| kind == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "attribute {}", self.0),
        }
    }
}

/// Attribute flags, RFC 4271 §4.3.
pub(super) const OPTIONAL: u8 = 0x80;
/// See [`OPTIONAL`].
pub(super) const TRANSITIVE: u8 = 0x40;
/// See [`OPTIONAL`]: the length has two octets.
pub(super) const EXTENDED_LENGTH: u8 = 0x10;

/// One attribute of a list, not looked into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw<'a> {
    pub(super) flags: u8,
    pub(super) kind: AttributeType,
    pub(super) value: &'a [u8],
    /// Flags, type, length and value: what a NOTIFICATION shows.
    pub(super) whole: &'a [u8],
}

/// RFC 7606 §4: the list does not end where an attribute ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Overrun<'a> {
    pub(super) kind: AttributeType,
    /// From the attribute's flags on.
    pub(super) rest: &'a [u8],
}

/// The next attribute of a list that is not at its end.
pub(super) fn next<'a>(list: &mut Reader<'a>) -> Result<Raw<'a>, Overrun<'a>> {
    let rest = list.rest();
    let raw = split(list, rest);
    raw.ok_or_else(|| Overrun {
        kind: AttributeType(rest.get(1).copied().unwrap_or_default()),
        rest,
    })
}

fn split<'a>(list: &mut Reader<'a>, rest: &'a [u8]) -> Option<Raw<'a>> {
    let [flags, kind] = list.array()?;
    let value = if flags & EXTENDED_LENGTH == 0 {
        list.field8()?
    } else {
        list.field16()?
    };
    Some(Raw {
        flags,
        kind: AttributeType(kind),
        value,
        whole: rest.get(..rest.len() - list.rest().len())?,
    })
}

/// Which types have been seen in a message.
#[derive(Debug, Default)]
pub(super) struct TypeSet {
    low: u128,
    high: u128,
}

impl TypeSet {
    /// Whether it is new.
    pub(super) fn insert(&mut self, kind: AttributeType) -> bool {
        let is_new = !self.contains(kind);
        let half = if kind.0 < 128 {
            &mut self.low
        } else {
            &mut self.high
        };
        *half |= 1 << (kind.0 % 128);
        is_new
    }

    pub(super) fn contains(&self, kind: AttributeType) -> bool {
        let half = if kind.0 < 128 { self.low } else { self.high };
        half >> (kind.0 % 128) & 1 == 1
    }

    pub(super) fn len(&self) -> u32 {
        self.low.count_ones() + self.high.count_ones()
    }
}
