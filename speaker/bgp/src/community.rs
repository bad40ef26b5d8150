//! Communities: standard, extended and large.

use std::fmt;

/// A community of four octets, RFC 1997.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Community(pub u32);

impl Community {
    /// RFC 8326: the sender is about to leave, prefer another path.
    pub const GRACEFUL_SHUTDOWN: Self = Self(0xffff_0000);
    /// RFC 7999: discard traffic to this prefix.
    pub const BLACKHOLE: Self = Self(0xffff_029a);
    /// RFC 1997: not outside the confederation.
    pub const NO_EXPORT: Self = Self(0xffff_ff01);
    /// RFC 1997: to nobody.
    pub const NO_ADVERTISE: Self = Self(0xffff_ff02);
    /// RFC 1997: not outside the member AS.
    pub const NO_EXPORT_SUBCONFED: Self = Self(0xffff_ff03);
    /// RFC 3765: not to bilateral peers.
    pub const NO_PEER: Self = Self(0xffff_ff04);

    /// The values that have a name, by that name as operators write it.
    pub const WELL_KNOWN: [(&'static str, Self); 6] = [
        ("graceful-shutdown", Self::GRACEFUL_SHUTDOWN),
        ("blackhole", Self::BLACKHOLE),
        ("no-export", Self::NO_EXPORT),
        ("no-advertise", Self::NO_ADVERTISE),
        ("no-export-subconfed", Self::NO_EXPORT_SUBCONFED),
        ("no-peer", Self::NO_PEER),
    ];

    /// An AS and a number that it gives a meaning.
    pub fn new(asn: u16, value: u16) -> Self {
        Self(u32::from(asn) << 16 | u32::from(value))
    }
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::WELL_KNOWN.iter().find(|(_, known)| known == self) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{}:{}", self.0 >> 16, self.0 & 0xffff),
        }
    }
}

/// A community of three times four octets, RFC 8092.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LargeCommunity {
    /// Global Administrator: the AS that gives it a meaning.
    pub global: u32,
    /// Local Data Part 1.
    pub local1: u32,
    /// Local Data Part 2.
    pub local2: u32,
}

impl fmt::Display for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.global, self.local1, self.local2)
    }
}

/// A community of eight octets whose first two say how to read the rest, RFC 4360.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtendedCommunity(pub [u8; 8]);

impl fmt::Display for ExtendedCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#018x}", u64::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_communities_have_their_registered_numbers_and_read_as_names() {
        let numbers = Community::WELL_KNOWN.map(|(name, known)| (name, known.0));
        let registered = [
            ("graceful-shutdown", 0xffff_0000),
            ("blackhole", 0xffff_029a),
            ("no-export", 0xffff_ff01),
            ("no-advertise", 0xffff_ff02),
            ("no-export-subconfed", 0xffff_ff03),
            ("no-peer", 0xffff_ff04),
        ];
        assert_eq!(numbers, registered);
        assert_eq!(Community::NO_EXPORT.to_string(), "no-export");
    }

    #[test]
    fn other_communities_read_as_their_parts() {
        assert_eq!(Community::new(64_512, 7).to_string(), "64512:7");
        let large = LargeCommunity {
            global: 4_200_000_000,
            local1: 0,
            local2: 2,
        };
        assert_eq!(large.to_string(), "4200000000:0:2");
        let extended = ExtendedCommunity([0, 2, 0xfc, 0, 0, 0, 0, 1]);
        assert_eq!(extended.to_string(), "0x0002fc0000000001");
    }
}
