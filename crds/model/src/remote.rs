//! Where a BGP peer is found.

use std::fmt;
use std::net::IpAddr;

use crate::{InterfaceName, IpFamily};

/// Where a BGP peer is found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Remote {
    /// At this address.
    Address(IpAddr),
    /// On the link of this interface, by whatever link-local address it has there.
    Interface(InterfaceName),
    /// Whoever connects to us from these addresses: each of them is a peer of its own.
    Range(Cidr),
}

/// The addresses that have their first bits in common; the bits behind those are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    address: IpAddr,
    length: u8,
}

impl Remote {
    /// The address of a peer that has a known one.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Interface(_) | Self::Range(_) => None,
        }
    }

    /// The family of the connection to it.
    pub fn family(&self) -> IpFamily {
        match self {
            Self::Address(address) => IpFamily::of(*address),
            Self::Interface(_) => IpFamily::V6,
            Self::Range(cidr) => IpFamily::of(cidr.address),
        }
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Interface(name) => name.fmt(f),
            Self::Range(cidr) => cidr.fmt(f),
        }
    }
}

impl Cidr {
    /// The addresses that share `length` bits with this one; `None` if an address has fewer bits.
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        let address = match address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32_u32.checked_sub(length.into())?);
                IpAddr::V4((v4.to_bits() & mask.unwrap_or(0)).into())
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128_u32.checked_sub(length.into())?);
                IpAddr::V6((v6.to_bits() & mask.unwrap_or(0)).into())
            }
        };
        Some(Self { address, length })
    }

    /// The first of the addresses.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// How many bits they share.
    pub fn length(self) -> u8 {
        self.length
    }

    /// Whether this is one of them.
    pub fn contains(self, address: IpAddr) -> bool {
        Self::new(address, self.length) == Some(self)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(address: &str, length: u8) -> Cidr {
        Cidr::new(address.parse().unwrap(), length).unwrap()
    }

    #[test]
    fn a_range_holds_the_addresses_that_share_its_bits() {
        let v4 = cidr("10.99.0.77", 24);
        assert_eq!(v4.to_string(), "10.99.0.0/24");
        assert!(v4.contains("10.99.0.255".parse().unwrap()));
        assert!(!v4.contains("10.99.1.0".parse().unwrap()));
        assert!(!v4.contains("::ffff:10.99.0.1".parse().unwrap()));
        let v6 = cidr("fd99::77", 64);
        assert_eq!(v6.to_string(), "fd99::/64");
        assert!(v6.contains("fd99::ffff".parse().unwrap()));
        assert!(!v6.contains("fd99:0:0:1::".parse().unwrap()));
    }

    #[test]
    fn the_longest_and_the_shortest_ranges_are_ranges() {
        assert!(cidr("0.0.0.0", 0).contains("203.0.113.1".parse().unwrap()));
        assert!(cidr("::", 0).contains("2001:db8::1".parse().unwrap()));
        assert!(!cidr("::", 0).contains("203.0.113.1".parse().unwrap()));
        assert!(cidr("10.0.0.1", 32).contains("10.0.0.1".parse().unwrap()));
        assert!(cidr("fd99::1", 128).contains("fd99::1".parse().unwrap()));
        assert_eq!(Cidr::new("10.0.0.1".parse().unwrap(), 33), None);
        assert_eq!(Cidr::new("fd99::1".parse().unwrap(), 129), None);
    }

    #[test]
    fn a_peer_on_a_link_is_reached_by_ipv6() {
        let on_link = Remote::Interface(InterfaceName::new("eth1"));
        assert_eq!(on_link.family(), IpFamily::V6);
        assert_eq!(on_link.address(), None);
        let range = Remote::Range(cidr("10.99.0.0", 24));
        assert_eq!(range.family(), IpFamily::V4);
        assert_eq!(range.to_string(), "10.99.0.0/24");
    }
}
