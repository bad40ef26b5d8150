//! BGP communities and how they are written.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use thiserror::Error;

/// A community of any kind. Its order is that of the kinds, then of the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Community {
    /// RFC 1997; written `64512:1`, or by its well-known name.
    Standard(u32),
    /// RFC 8092; written `large:64512:1:2`.
    Large(u32, u32, u32),
    /// RFC 4360, as it stands on the wire. Route targets are written `rt:64512:1`, route origins
    /// `ro:64512:1`, with an AS number or an IPv4 address in the middle; any other is written
    /// `extended:` with its eight octets in hexadecimal.
    Extended([u8; 8]),
}

/// Why a text is no community.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CommunityError {
    /// It has none of the forms.
    #[error(
        "{text:?} is no community; write 64512:1, large:64512:1:2, rt:64512:1, or a well-known name such as no-export"
    )]
    UnknownForm {
        /// What stands there.
        text: String,
    },
    /// A number does not fit where it stands.
    #[error("{number} in {text:?} is above {limit}; larger numbers fit in large:64512:1:2")]
    TooLarge {
        /// The whole text.
        text: String,
        /// The number.
        number: String,
        /// The largest that fits.
        limit: u32,
    },
}

/// Names of IANA's registry "BGP Well-known Communities".
const WELL_KNOWN: [(&str, u32); 9] = [
    ("graceful-shutdown", 0xffff_0000),   // RFC 8326
    ("accept-own", 0xffff_0001),          // RFC 7611
    ("llgr-stale", 0xffff_0006),          // RFC 9494
    ("no-llgr", 0xffff_0007),             // RFC 9494
    ("blackhole", 0xffff_029a),           // RFC 7999
    ("no-export", 0xffff_ff01),           // RFC 1997
    ("no-advertise", 0xffff_ff02),        // RFC 1997
    ("no-export-subconfed", 0xffff_ff03), // RFC 1997
    ("no-peer", 0xffff_ff04),             // RFC 3765
];

/// RFC 4360 §4 and §5: the sub-types of a route target and of a route origin.
const SUBTYPES: [(&str, u8); 2] = [("rt", 0x02), ("ro", 0x03)];

/// RFC 4360 §3.1: two octets of AS number and four of value.
const TWO_OCTET_AS: u8 = 0x00;
/// RFC 4360 §3.2: an IPv4 address and two octets of value.
const IPV4_ADDRESS: u8 = 0x01;
/// RFC 5668 §2: four octets of AS number and two of value.
const FOUR_OCTET_AS: u8 = 0x02;

const U16_MAX: u32 = 0xffff;

impl FromStr for Community {
    type Err = CommunityError;

    fn from_str(text: &str) -> Result<Self, CommunityError> {
        let read = Reading { text };
        let parts: Vec<&str> = text.split(':').collect();
        match parts.as_slice() {
            [name] => read.well_known(name),
            ["extended", octets] => read.octets(octets),
            [high, low] => {
                let (high, low) = (read.number(high, U16_MAX)?, read.number(low, U16_MAX)?);
                Ok(Self::Standard(high << 16 | low))
            }
            ["large", global, first, second] => {
                let number = |part| read.number(part, u32::MAX);
                Ok(Self::Large(
                    number(global)?,
                    number(first)?,
                    number(second)?,
                ))
            }
            [kind, administrator, value] => read.extended(kind, administrator, value),
            _ => Err(read.unknown_form()),
        }
    }
}

/// A text that is being read, for the errors.
struct Reading<'a> {
    text: &'a str,
}

impl Reading<'_> {
    fn well_known(&self, name: &str) -> Result<Community, CommunityError> {
        let name = name.to_ascii_lowercase().replace('_', "-");
        let mut known = WELL_KNOWN.iter();
        let known = known.find(|(known, _)| *known == name);
        let (_, value) = known.ok_or_else(|| self.unknown_form())?;
        Ok(Community::Standard(*value))
    }

    fn octets(&self, digits: &str) -> Result<Community, CommunityError> {
        let hexadecimal = digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let value = u64::from_str_radix(digits, 16).ok();
        let value = value.filter(|_| hexadecimal);
        let value = value.ok_or_else(|| self.unknown_form())?;
        Ok(Community::Extended(value.to_be_bytes()))
    }

    fn extended(
        &self,
        kind: &str,
        administrator: &str,
        value: &str,
    ) -> Result<Community, CommunityError> {
        let mut subtypes = SUBTYPES.iter();
        let subtype = subtypes.find(|(name, _)| *name == kind);
        let &(_, subtype) = subtype.ok_or_else(|| self.unknown_form())?;
        if let Ok(address) = administrator.parse::<Ipv4Addr>() {
            let low = self.number(value, U16_MAX)?;
            return Ok(wide(IPV4_ADDRESS, subtype, u32::from(address), low));
        }
        let asn = self.number(administrator, u32::MAX)?;
        if asn > U16_MAX {
            let low = self.number(value, U16_MAX)?;
            return Ok(wide(FOUR_OCTET_AS, subtype, asn, low));
        }
        let [_, _, high, low] = asn.to_be_bytes();
        let [a, b, c, d] = self.number(value, u32::MAX)?.to_be_bytes();
        let octets = [TWO_OCTET_AS, subtype, high, low, a, b, c, d];
        Ok(Community::Extended(octets))
    }

    /// A plain decimal number: no sign, no blanks.
    fn number(&self, part: &str, limit: u32) -> Result<u32, CommunityError> {
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
            return Err(self.unknown_form());
        }
        let number = part.parse::<u32>().ok().filter(|number| *number <= limit);
        number.ok_or_else(|| CommunityError::TooLarge {
            text: self.text.to_owned(),
            number: part.to_owned(),
            limit,
        })
    }

    fn unknown_form(&self) -> CommunityError {
        CommunityError::UnknownForm {
            text: self.text.to_owned(),
        }
    }
}

/// Four octets of administrator and two of value.
fn wide(kind: u8, subtype: u8, administrator: u32, value: u32) -> Community {
    let [a, b, c, d] = administrator.to_be_bytes();
    let [_, _, high, low] = value.to_be_bytes();
    Community::Extended([kind, subtype, a, b, c, d, high, low])
}

/// Always in numbers, so that what is printed is what is on the wire. It reads back as the same.
impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Standard(value) => write!(f, "{}:{}", value >> 16, value & U16_MAX),
            Self::Large(global, first, second) => write!(f, "large:{global}:{first}:{second}"),
            Self::Extended(octets) => show_extended(octets, f),
        }
    }
}

fn show_extended(octets: [u8; 8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let [kind, subtype, a, b, c, d, high, low] = octets;
    let mut subtypes = SUBTYPES.iter();
    let name = subtypes.find(|(_, known)| *known == subtype);
    let administrator = u32::from_be_bytes([a, b, c, d]);
    let value = u16::from_be_bytes([high, low]);
    match (name, kind) {
        (Some((name, _)), TWO_OCTET_AS) => {
            let asn = u16::from_be_bytes([a, b]);
            let value = u32::from_be_bytes([c, d, high, low]);
            write!(f, "{name}:{asn}:{value}")
        }
        (Some((name, _)), IPV4_ADDRESS) => {
            write!(f, "{name}:{}:{value}", Ipv4Addr::from(administrator))
        }
        // A short AS number in the long form would read back as the short form.
        (Some((name, _)), FOUR_OCTET_AS) if administrator > U16_MAX => {
            write!(f, "{name}:{administrator}:{value}")
        }
        _ => write!(f, "extended:{:016x}", u64::from_be_bytes(octets)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_printed_as_numbers() {
        for (text, community, printed) in [
            ("64512:1", Community::Standard(0xfc00_0001), "64512:1"),
            ("0:65535", Community::Standard(0xffff), "0:65535"),
            ("no-export", Community::Standard(0xffff_ff01), "65535:65281"),
            ("NO_EXPORT", Community::Standard(0xffff_ff01), "65535:65281"),
            (
                "graceful-shutdown",
                Community::Standard(0xffff_0000),
                "65535:0",
            ),
            (
                "large:4200000000:0:4294967295",
                Community::Large(4_200_000_000, 0, u32::MAX),
                "large:4200000000:0:4294967295",
            ),
            (
                "rt:64512:70000",
                Community::Extended([0, 2, 0xfc, 0, 0, 1, 0x11, 0x70]),
                "rt:64512:70000",
            ),
            (
                "ro:70000:9",
                Community::Extended([2, 3, 0, 1, 0x11, 0x70, 0, 9]),
                "ro:70000:9",
            ),
            (
                "rt:192.0.2.1:7",
                Community::Extended([1, 2, 192, 0, 2, 1, 0, 7]),
                "rt:192.0.2.1:7",
            ),
            (
                "extended:4304000000000001",
                Community::Extended([0x43, 4, 0, 0, 0, 0, 0, 1]),
                "extended:4304000000000001",
            ),
        ] {
            assert_eq!(text.parse(), Ok(community), "{text}");
            assert_eq!(community.to_string(), printed);
            assert_eq!(printed.parse(), Ok(community), "{printed}");
        }
    }

    #[test]
    fn octets_that_another_form_would_change_are_printed_as_octets() {
        let short_in_the_long_form = Community::Extended([2, 2, 0, 0, 0xfc, 0, 0, 1]);
        let printed = short_in_the_long_form.to_string();
        assert_eq!(printed, "extended:02020000fc000001");
        assert_eq!(printed.parse(), Ok(short_in_the_long_form));
    }

    #[test]
    fn what_is_no_community_says_what_to_write() {
        for text in [
            "",
            "64512",
            ":",
            "64512:",
            "+1:2",
            "1:2:3",
            " 1:2",
            "1:-2",
            "large:1:2",
            "large:1:2:3:4",
            "rt:a:1",
            "rt:1.2.3:1",
            "extended:12",
            "extended:+304000000000001",
            "no export",
        ] {
            let error = text.parse::<Community>().unwrap_err();
            let unknown = CommunityError::UnknownForm {
                text: text.to_owned(),
            };
            assert_eq!(error, unknown);
            assert!(error.to_string().contains("large:64512:1:2"), "{error}");
        }
    }

    #[test]
    fn a_number_that_does_not_fit_is_named() {
        for (text, number, limit) in [
            ("65536:1", "65536", 65_535),
            ("1:4294967296", "4294967296", 65_535),
            ("large:1:2:4294967296", "4294967296", u32::MAX),
            ("rt:70000:65536", "65536", 65_535),
            ("rt:192.0.2.1:65536", "65536", 65_535),
            ("rt:1:99999999999", "99999999999", u32::MAX),
        ] {
            let too_large = CommunityError::TooLarge {
                text: text.to_owned(),
                number: number.to_owned(),
                limit,
            };
            assert_eq!(text.parse::<Community>(), Err(too_large));
        }
    }
}
