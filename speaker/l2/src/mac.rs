//! Ethernet addresses.

use std::fmt;
use std::net::Ipv6Addr;

/// A 48-bit Ethernet address, in the order in which it stands on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// All ones: every station on the segment.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// All zeros: "not known" in the target field of an ARP request.
    pub const ZERO: Self = Self([0; 6]);

    /// RFC 2464 §7: the Ethernet group behind an IPv6 multicast address, 33:33 and its last four
    /// octets.
    pub fn of_group(group: Ipv6Addr) -> Self {
        let [.., a, b, c, d] = group.octets();
        Self([0x33, 0x33, a, b, c, d])
    }

    /// Whether one station can have it: neither a group (broadcast is one) nor zero.
    pub fn is_station(self) -> bool {
        let [first, ..] = self.0;
        first & 1 == 0 && self != Self::ZERO
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_people_write_it() {
        assert_eq!(
            Mac([0x02, 0, 0, 0xab, 0xcd, 0x0f]).to_string(),
            "02:00:00:ab:cd:0f"
        );
    }

    #[test]
    fn only_unicast_addresses_belong_to_a_station() {
        assert!(Mac([0x02, 0, 0, 0, 0, 1]).is_station());
        assert!(!Mac([0x01, 0, 0x5e, 0, 0, 1]).is_station());
        assert!(!Mac::BROADCAST.is_station());
        assert!(!Mac::ZERO.is_station());
    }

    #[test]
    fn ipv6_group_maps_to_3333_and_its_last_four_octets() {
        let group = "ff02::1:ff00:2c8".parse().unwrap();
        assert_eq!(Mac::of_group(group), Mac([0x33, 0x33, 0xff, 0, 0x02, 0xc8]));
    }
}
