//! Who speaks: autonomous system numbers and BGP identifiers.

use std::fmt;
use std::net::Ipv4Addr;
use std::num::NonZeroU32;

/// An autonomous system number of four octets, RFC 6793.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asn(pub u32);

impl Asn {
    /// AS_TRANS: stands where two octets are too few (RFC 6793 §9). Nobody's own number.
    pub const TRANS: Self = Self(23456);

    /// The number for a neighbour that knows two octets only, if it fits.
    pub fn two_octets(self) -> Option<u16> {
        u16::try_from(self.0).ok()
    }

    /// RFC 7607: number 0 belongs to nobody and spoils what it stands in.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A BGP Identifier: four octets that are not all zero, unique within the AS (RFC 6286 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouterId(NonZeroU32);

impl RouterId {
    /// The identifier that is written like this address; 0.0.0.0 is none.
    pub fn from(address: Ipv4Addr) -> Option<Self> {
        NonZeroU32::new(address.to_bits()).map(Self)
    }

    /// The number that collisions compare (RFC 4271 §6.8).
    pub fn to_bits(self) -> u32 {
        self.0.get()
    }

    /// As it is written and sent.
    pub fn address(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.0.get())
    }
}

impl fmt::Display for RouterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_above_65535_has_no_two_octets() {
        assert_eq!(Asn(65_535).two_octets(), Some(65_535));
        assert_eq!(Asn(65_536).two_octets(), None);
        assert_eq!(Asn(4_200_000_000).to_string(), "4200000000");
    }

    /// RFC 6286 §2.1.
    #[test]
    fn a_router_id_is_anything_but_zero_and_reads_like_an_address() {
        assert_eq!(RouterId::from(Ipv4Addr::UNSPECIFIED), None);
        let id = RouterId::from(Ipv4Addr::new(10, 0, 0, 1)).unwrap();
        assert_eq!(
            (id.to_string().as_str(), id.to_bits()),
            ("10.0.0.1", 0x0a00_0001)
        );
        assert!(id < RouterId::from(Ipv4Addr::new(192, 0, 2, 1)).unwrap());
    }
}
