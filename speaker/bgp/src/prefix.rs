//! Prefixes of both families.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;

use crate::Family;

/// An address block: host bits are zero, the length is within the family. 18 octets, ordered by
/// family, address, length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    family: Family,
    /// Network order; an IPv4 address fills the first four.
    octets: [u8; 16],
    length: u8,
}

/// Why there is no such prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PrefixError {
    /// More bits than an address of the family has.
    #[error("prefix length {length} is longer than {family} has bits")]
    Length {
        /// What was asked for.
        length: u8,
        /// The family of the address.
        family: Family,
    },
}

impl Prefix {
    /// The block of this length around an address; its host bits are dropped.
    ///
    /// # Errors
    /// A length that the family does not have.
    pub fn new(address: IpAddr, length: u8) -> Result<Self, PrefixError> {
        let family = Family::of(address);
        let octets = match address {
            IpAddr::V4(address) => widen(address),
            IpAddr::V6(address) => address.octets(),
        };
        Self::from_octets(family, octets, length).ok_or(PrefixError::Length { length, family })
    }

    /// The block of one address.
    pub fn host(address: IpAddr) -> Self {
        let (family, octets) = match address {
            IpAddr::V4(address) => (Family::Ipv4Unicast, widen(address)),
            IpAddr::V6(address) => (Family::Ipv6Unicast, address.octets()),
        };
        Self {
            family,
            octets,
            length: family.bits(),
        }
    }

    /// The block's first address.
    pub fn address(self) -> IpAddr {
        match self.family {
            Family::Ipv4Unicast => {
                let [a, b, c, d, ..] = self.octets;
                IpAddr::V4(Ipv4Addr::new(a, b, c, d))
            }
            Family::Ipv6Unicast => IpAddr::V6(Ipv6Addr::from(self.octets)),
        }
    }

    /// How many bits all its addresses share.
    pub fn length(self) -> u8 {
        self.length
    }

    /// The family of its addresses.
    pub fn family(self) -> Family {
        self.family
    }

    /// From network order with the host bits still in it; none if the length is out of range.
    pub(crate) fn from_octets(family: Family, octets: [u8; 16], length: u8) -> Option<Self> {
        if length > family.bits() {
            return None;
        }
        let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
        let octets = (u128::from_be_bytes(octets) & mask).to_be_bytes();
        Some(Self {
            family,
            octets,
            length,
        })
    }

    /// Network order; what lies behind the length is zero.
    pub(crate) fn octets(&self) -> &[u8; 16] {
        &self.octets
    }

    /// RFC 4271 §6.3: a group is no destination of a unicast route.
    pub(crate) fn is_multicast(self) -> bool {
        match self.family {
            Family::Ipv4Unicast => self.length >= 4 && self.octets[0] & 0xf0 == 0xe0,
            Family::Ipv6Unicast => self.length >= 8 && self.octets[0] == 0xff,
        }
    }
}

fn widen(address: Ipv4Addr) -> [u8; 16] {
    (u128::from(address.to_bits()) << 96).to_be_bytes()
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address(), self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        let (address, length) = text.split_once('/').unwrap();
        Prefix::new(address.parse().unwrap(), length.parse().unwrap()).unwrap()
    }

    #[test]
    fn host_bits_are_dropped_in_both_families() {
        assert_eq!(prefix("10.1.2.3/8").to_string(), "10.0.0.0/8");
        assert_eq!(prefix("10.1.2.3/31"), prefix("10.1.2.2/31"));
        assert_eq!(prefix("10.1.2.3/0").to_string(), "0.0.0.0/0");
        assert_eq!(
            prefix("2001:db8:ffff::1/33").to_string(),
            "2001:db8:8000::/33"
        );
        assert_eq!(prefix("2001:db8::1/0").to_string(), "::/0");
    }

    #[test]
    fn a_host_is_a_block_of_one_address() {
        for address in ["192.0.2.7", "2001:db8::7"] {
            let address: IpAddr = address.parse().unwrap();
            let host = Prefix::host(address);
            assert_eq!(host.address(), address);
            assert_eq!(host, Prefix::new(address, host.length()).unwrap());
        }
    }

    #[test]
    fn a_length_beyond_the_family_is_refused() {
        let refused = Prefix::new("10.0.0.0".parse().unwrap(), 33).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "prefix length 33 is longer than IPv4 unicast has bits"
        );
        assert!(Prefix::new("::".parse().unwrap(), 129).is_err());
    }

    #[test]
    fn prefixes_stay_small_and_sort_by_family_address_and_length() {
        assert!(size_of::<Prefix>() <= 18);
        let sorted = [
            "0.0.0.0/0",
            "10.0.0.0/8",
            "10.0.0.0/9",
            "10.128.0.0/9",
            "::/0",
            "2001::/16",
        ];
        let mut shuffled: Vec<Prefix> = sorted.iter().rev().map(|text| prefix(text)).collect();
        shuffled.sort();
        assert_eq!(
            shuffled.iter().map(ToString::to_string).collect::<Vec<_>>(),
            sorted
        );
    }

    #[test]
    fn groups_are_told_from_hosts() {
        for group in ["224.0.0.0/4", "239.1.1.1/32", "ff02::1/128", "ff00::/8"] {
            assert!(prefix(group).is_multicast(), "{group}");
        }
        for other in [
            "0.0.0.0/0",
            "192.0.0.0/2",
            "240.0.0.0/4",
            "::/0",
            "fe00::/7",
        ] {
            assert!(!prefix(other).is_multicast(), "{other}");
        }
    }
}
