//! Routes that a BGP peer is to be told.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use model::{AddressRange, BgpAttributes, IpFamily};

/// A prefix with what it is told with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// What is reached here.
    pub prefix: RoutePrefix,
    /// What the route carries; shared with every other route that carries the same.
    pub attributes: Arc<BgpAttributes>,
}

/// A prefix that routes lead to; no bit is set behind its length. Prefixes are in the order of
/// their addresses, and of one address the wider comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoutePrefix {
    address: IpAddr,
    length: u8,
}

impl RoutePrefix {
    /// The prefix of a length that holds an address. A length that the family does not have is
    /// the address itself.
    pub fn around(address: IpAddr, length: u8) -> Self {
        let family = IpFamily::of(address);
        let length = length.min(bits(family));
        let host_bits = u32::from(bits(family) - length);
        // Shifting by all 128 bits leaves nothing, which is what is wanted.
        let mask = u128::MAX.checked_shl(host_bits).unwrap_or_default();
        let number = AddressRange::number(address) & mask;
        Self {
            address: AddressRange::address_at(family, number),
            length,
        }
    }

    /// The prefix that holds one address alone.
    pub fn host(address: IpAddr) -> Self {
        Self {
            address,
            length: bits(IpFamily::of(address)),
        }
    }

    /// Its first address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many leading bits its addresses share.
    pub fn length(&self) -> u8 {
        self.length
    }

    /// Whether `address` is inside, in the same family.
    pub fn contains(&self, address: IpAddr) -> bool {
        Self::around(address, self.length) == *self
    }
}

impl fmt::Display for RoutePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// The length of a family's addresses.
pub(crate) fn bits(family: IpFamily) -> u8 {
    match family {
        IpFamily::V4 => 32,
        IpFamily::V6 => 128,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_prefix_has_no_bits_behind_its_length() {
        for (address, length, expected) in [
            ("10.99.1.200", 24, "10.99.1.0/24"),
            ("10.99.1.200", 25, "10.99.1.128/25"),
            ("10.99.1.200", 32, "10.99.1.200/32"),
            ("10.99.1.200", 64, "10.99.1.200/32"),
            ("255.255.255.255", 0, "0.0.0.0/0"),
            ("fd99::1:2:3", 64, "fd99::/64"),
            ("fd99::1:2:3", 112, "fd99::1:2:0/112"),
            ("fd99::3", 128, "fd99::3/128"),
            ("fd99::3", 0, "::/0"),
        ] {
            let prefix = RoutePrefix::around(ip(address), length);
            assert_eq!(prefix.to_string(), expected);
            assert!(prefix.contains(ip(address)));
        }
    }

    #[test]
    fn a_prefix_holds_addresses_of_its_own_family_only() {
        let all = RoutePrefix::around(ip("0.0.0.0"), 0);
        assert!(all.contains(ip("10.99.1.200")));
        assert!(!all.contains(ip("::")));
        let host = RoutePrefix::host(ip("fd99::3"));
        assert_eq!(host, RoutePrefix::around(ip("fd99::3"), 128));
        assert!(!host.contains(ip("fd99::2")));
    }
}
