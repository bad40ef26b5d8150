//! Prefixes as they stand in an UPDATE, RFC 4271 §4.3 and RFC 4760 §5.

use super::reader::Reader;
use crate::{Family, Prefix};

/// All prefixes of a field. Host bits mean nothing (RFC 4271 §4.3) and are dropped; a group is left
/// out (RFC 4271 §6.3: semantically incorrect, to be ignored).
///
/// None if the field is syntactically incorrect, RFC 7606 §5.3: a length that the family does not
/// have, or one that overruns the field.
pub(super) fn parse(family: Family, field: &[u8]) -> Option<Vec<Prefix>> {
    let mut prefixes = Vec::new();
    let mut reader = Reader::new(field);
    while let Some(length) = reader.u8() {
        let taken = reader.take(octets(length))?;
        let mut address = [0; 16];
        address.get_mut(..taken.len())?.copy_from_slice(taken);
        let prefix = Prefix::from_octets(family, address, length)?;
        if !prefix.is_multicast() {
            prefixes.push(prefix);
        }
    }
    Some(prefixes)
}

/// How many octets of an address a prefix needs.
fn octets(length: u8) -> usize {
    usize::from(length).div_ceil(8)
}

/// The most that one prefix takes.
pub(super) fn longest(family: Family) -> usize {
    1 + octets(family.bits())
}

/// What this prefix takes.
pub(super) fn encoded_len(prefix: Prefix) -> usize {
    1 + octets(prefix.length())
}

pub(super) fn emit(prefix: Prefix, out: &mut Vec<u8>) {
    out.push(prefix.length());
    let address = prefix.octets();
    out.extend_from_slice(address.get(..octets(prefix.length())).unwrap_or(address));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4271 §4.3: trailing bits are irrelevant.
    #[test]
    fn host_bits_mean_nothing() {
        let dirty = parse(Family::Ipv4Unicast, &[9, 10, 0xff]).unwrap();
        assert_eq!(dirty, parse(Family::Ipv4Unicast, &[9, 10, 0x80]).unwrap());
    }

    /// RFC 7606 §5.3.
    #[test]
    fn a_length_out_of_range_or_beyond_the_field_is_no_prefix() {
        let v4 = [
            &[33, 1, 2, 3, 4, 5][..],
            &[24, 1, 2],
            &[8, 10, 32, 1, 2, 3],
            &[255],
            &[1],
        ];
        for field in v4 {
            assert_eq!(parse(Family::Ipv4Unicast, field), None, "{field:?}");
        }
        let v6 = [[129; 18].as_slice(), &[128; 16], &[0, 64, 1]];
        for field in v6 {
            assert_eq!(parse(Family::Ipv6Unicast, field), None, "{field:?}");
        }
    }

    /// RFC 4271 §6.3.
    #[test]
    fn groups_are_left_out_and_the_rest_stays() {
        let field = [32, 224, 0, 0, 1, 32, 192, 0, 2, 1];
        let prefixes = parse(Family::Ipv4Unicast, &field).unwrap();
        assert_eq!(prefixes, [Prefix::host("192.0.2.1".parse().unwrap())]);
    }
}
