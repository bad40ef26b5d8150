//! Ranges of addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;

use crate::IpFamily;

/// `first..=last`, both of one family, never reversed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

/// Why two addresses make no range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RangeError {
    /// One end is IPv4, the other IPv6.
    #[error("{first} and {last} are of different families; give both ends in one family")]
    MixedFamilies {
        /// The lower end as given.
        first: IpAddr,
        /// The upper end as given.
        last: IpAddr,
    },
    /// The lower end is above the upper one.
    #[error("{first} is above {last}; write the range as {last}-{first}")]
    Reversed {
        /// The lower end as given.
        first: IpAddr,
        /// The upper end as given.
        last: IpAddr,
    },
}

impl AddressRange {
    /// The range from `first` to `last`, both included.
    pub fn new(first: IpAddr, last: IpAddr) -> Result<Self, RangeError> {
        if IpFamily::of(first) != IpFamily::of(last) {
            return Err(RangeError::MixedFamilies { first, last });
        }
        if first > last {
            return Err(RangeError::Reversed { first, last });
        }
        Ok(Self { first, last })
    }

    /// The range that holds `address` alone.
    pub fn single(address: IpAddr) -> Self {
        Self {
            first: address,
            last: address,
        }
    }

    /// The lowest address.
    pub fn first(&self) -> IpAddr {
        self.first
    }

    /// The highest address.
    pub fn last(&self) -> IpAddr {
        self.last
    }

    /// The family of both ends.
    pub fn family(&self) -> IpFamily {
        IpFamily::of(self.first)
    }

    /// Whether `address` is inside.
    pub fn contains(&self, address: IpAddr) -> bool {
        IpFamily::of(address) == self.family() && self.first <= address && address <= self.last
    }

    /// The ends as numbers: 32 bits wide for IPv4, 128 for IPv6.
    pub fn bounds(&self) -> (u128, u128) {
        (number_of(self.first), number_of(self.last))
    }

    /// How many addresses it holds, `u128::MAX` for all of IPv6.
    pub fn count(&self) -> u128 {
        let (first, last) = self.bounds();
        (last - first).saturating_add(1)
    }

    /// The address of `family` with this number; the bits above an IPv4 address are dropped.
    pub fn address_at(family: IpFamily, number: u128) -> IpAddr {
        match family {
            #[expect(clippy::cast_possible_truncation, reason = "stated in the doc comment")]
            IpFamily::V4 => IpAddr::V4(Ipv4Addr::from(number as u32)),
            IpFamily::V6 => IpAddr::V6(Ipv6Addr::from(number)),
        }
    }

    /// The number of an address, as in [`Self::bounds`].
    pub fn number(address: IpAddr) -> u128 {
        number_of(address)
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

fn number_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_reversed_range_says_how_to_write_it() {
        let error = AddressRange::new(ip("10.0.0.9"), ip("10.0.0.1")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "10.0.0.9 is above 10.0.0.1; write the range as 10.0.0.1-10.0.0.9"
        );
    }

    #[test]
    fn a_range_has_one_family() {
        assert!(AddressRange::new(ip("10.0.0.9"), ip("fd00::1")).is_err());
        let range = AddressRange::new(ip("10.0.0.1"), ip("10.0.0.9")).unwrap();
        assert!(
            !range.contains(ip("::a00:5")),
            "the same number in the other family is outside"
        );
        assert!(range.contains(ip("10.0.0.5")));
    }

    #[test]
    fn counts_saturate_at_all_of_ipv6() {
        let all = AddressRange::new(ip("::"), ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
        assert_eq!(all.unwrap().count(), u128::MAX);
        assert_eq!(AddressRange::single(ip("10.0.0.1")).count(), 1);
    }

    #[test]
    fn numbers_go_back_to_their_address_in_both_families() {
        for address in ["255.255.255.255", "fd99::2:1"].map(ip) {
            let number = AddressRange::number(address);
            assert_eq!(
                AddressRange::address_at(IpFamily::of(address), number),
                address
            );
        }
    }
}
