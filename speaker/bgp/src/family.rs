//! Address families: the two that we speak, and any that a neighbour may name.

use std::fmt;
use std::net::IpAddr;

/// An address family that we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// AFI 1, SAFI 1.
    Ipv4Unicast,
    /// AFI 2, SAFI 1.
    Ipv6Unicast,
}

impl Family {
    /// The unicast family of an address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4Unicast,
            IpAddr::V6(_) => Self::Ipv6Unicast,
        }
    }

    /// Address Family Identifier, RFC 4760 §3.
    pub fn afi(self) -> u16 {
        match self {
            Self::Ipv4Unicast => 1,
            Self::Ipv6Unicast => 2,
        }
    }

    /// Subsequent Address Family Identifier, RFC 4760 §6: unicast.
    pub fn safi(self) -> u8 {
        1
    }

    /// The longest prefix, in bits.
    pub fn bits(self) -> u8 {
        match self {
            Self::Ipv4Unicast => 32,
            Self::Ipv6Unicast => 128,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4Unicast => "IPv4 unicast",
            Self::Ipv6Unicast => "IPv6 unicast",
        })
    }
}

/// A set of families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Families {
    v4: bool,
    v6: bool,
}

impl Families {
    /// All that we speak.
    pub const BOTH: Self = Self { v4: true, v6: true };

    /// Whether the family is in the set.
    pub fn contains(self, family: Family) -> bool {
        match family {
            Family::Ipv4Unicast => self.v4,
            Family::Ipv6Unicast => self.v6,
        }
    }

    /// Puts a family into the set.
    pub fn insert(&mut self, family: Family) {
        match family {
            Family::Ipv4Unicast => self.v4 = true,
            Family::Ipv6Unicast => self.v6 = true,
        }
    }

    /// What both sets have.
    #[must_use]
    pub fn intersect(self, other: Self) -> Self {
        Self {
            v4: self.v4 && other.v4,
            v6: self.v6 && other.v6,
        }
    }

    /// IPv4 first.
    pub fn iter(self) -> impl Iterator<Item = Family> {
        [Family::Ipv4Unicast, Family::Ipv6Unicast]
            .into_iter()
            .filter(move |family| self.contains(*family))
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl FromIterator<Family> for Families {
    fn from_iter<I: IntoIterator<Item = Family>>(families: I) -> Self {
        let mut set = Self::default();
        families.into_iter().for_each(|family| set.insert(family));
        set
    }
}

/// A family as a neighbour names it, known or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AfiSafi {
    /// Address Family Identifier.
    pub afi: u16,
    /// Subsequent Address Family Identifier.
    pub safi: u8,
}

impl AfiSafi {
    /// The family, if it is one that we speak.
    pub fn family(self) -> Option<Family> {
        [Family::Ipv4Unicast, Family::Ipv6Unicast]
            .into_iter()
            .find(|family| Self::from(*family) == self)
    }
}

impl From<Family> for AfiSafi {
    fn from(family: Family) -> Self {
        Self {
            afi: family.afi(),
            safi: family.safi(),
        }
    }
}

impl fmt::Display for AfiSafi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.family() {
            Some(family) => family.fmt(f),
            None => write!(f, "AFI {} SAFI {}", self.afi, self.safi),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_families_holds_what_was_put_in() {
        let mut set = Families::default();
        assert!(set.is_empty());
        set.insert(Family::Ipv6Unicast);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Family::Ipv6Unicast]);
        assert_eq!(set.intersect(Families::BOTH), set);
        assert_eq!(set, [Family::Ipv6Unicast].into_iter().collect());
        assert!(!set.contains(Family::Ipv4Unicast));
    }

    #[test]
    fn a_family_is_found_by_its_numbers_and_others_are_only_named() {
        for family in Families::BOTH.iter() {
            assert_eq!(AfiSafi::from(family).family(), Some(family));
        }
        let evpn = AfiSafi { afi: 25, safi: 70 };
        assert_eq!(
            (evpn.family(), evpn.to_string().as_str()),
            (None, "AFI 25 SAFI 70")
        );
    }
}
