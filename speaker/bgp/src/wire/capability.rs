//! Capabilities, RFC 5492: what the sender of an OPEN can do.

use bytes::Bytes;

use super::reader::Reader;
use super::{Error, Role};
use crate::{AfiSafi, Asn};

/// One capability. Those that we do not know, and informative ones that cannot be read, are kept as
/// they came and mean nothing (RFC 5492 §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capability {
    /// Code 1, RFC 4760 §8.
    Multiprotocol(AfiSafi),
    /// Code 2, RFC 2918 §2.
    RouteRefresh,
    /// Code 5, RFC 8950 §4: families that may have next hops of another.
    ExtendedNextHop(Vec<NextHopEncoding>),
    /// Code 6, RFC 8654 §3.
    ExtendedMessage,
    /// Code 9, RFC 9234 §4.1.
    Role(Role),
    /// Code 64, RFC 4724 §3.
    GracefulRestart(GracefulRestart),
    /// Code 65, RFC 6793 §3: the real AS number.
    FourOctetAs(Asn),
    /// Code 70, RFC 7313 §3.1.
    EnhancedRouteRefresh,
    /// Code 73, draft-walton-bgp-hostname: who it is, for people.
    Fqdn {
        /// Host name, 64 octets at most by the draft. What does not fit is cut off.
        host: String,
        /// Domain name, the same.
        domain: String,
    },
    /// Anything else.
    Unknown {
        /// Its code.
        code: u8,
        /// 255 octets at most.
        value: Bytes,
    },
}

/// RFC 8950 §4: routes of a family may come with next hops of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextHopEncoding {
    /// The family of the routes. SAFI has two octets here and nowhere else.
    pub afi: u16,
    /// See `afi`.
    pub safi: u16,
    /// The family of their next hops.
    pub next_hop_afi: u16,
}

impl NextHopEncoding {
    /// IPv4 unicast over IPv6.
    pub const IPV4_OVER_IPV6: Self = Self {
        afi: 1,
        safi: 1,
        next_hop_afi: 2,
    };
}

/// RFC 4724 §3, RFC 8538 §2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GracefulRestart {
    /// R: the sender has just restarted.
    pub restarting: bool,
    /// N: keeps routes after a NOTIFICATION too.
    pub notification: bool,
    /// Seconds until the sender should be back, 4095 at most.
    pub restart_time: u16,
    /// What is kept, and whether forwarding went on meanwhile (F).
    pub families: Vec<(AfiSafi, Forwarding)>,
}

/// RFC 4724 §3, the F bit: what became of forwarding while the sender restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarding {
    /// It went on.
    Preserved,
    /// It did not, or nobody knows.
    Lost,
}

/// The longest restart time, twelve bits.
const RESTART_TIME: u16 = 0x0fff;
const RESTARTING: u16 = 0x8000;
const NOTIFICATION: u16 = 0x4000;
const FORWARDING: u8 = 0x80;

/// The longest value: its length is one octet.
const VALUE: usize = 255;

impl Capability {
    /// All capabilities of one optional parameter.
    ///
    /// # Errors
    /// RFC 4271 §6.2: one that is known and malformed, or a length beyond the parameter.
    pub(super) fn parse_all(parameter: &[u8], into: &mut Vec<Self>) -> Result<(), Error> {
        let mut reader = Reader::new(parameter);
        while !reader.is_empty() {
            let code = reader.u8().ok_or(Error::MalformedOpen)?;
            let value = reader.field8().ok_or(Error::MalformedOpen)?;
            into.push(Self::parse(code, value).ok_or(Error::MalformedOpen)?);
        }
        Ok(())
    }

    fn parse(code: u8, value: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(value);
        let unknown = || Self::Unknown {
            code,
            value: Bytes::copy_from_slice(value),
        };
        let capability = match code {
            1 => {
                let (afi, _reserved, safi) = (reader.u16()?, reader.u8()?, reader.u8()?);
                Self::Multiprotocol(AfiSafi { afi, safi })
            }
            2 => Self::RouteRefresh,
            5 => Self::ExtendedNextHop(parse_encodings(&mut reader)?),
            6 => Self::ExtendedMessage,
            // A role without a number is some later document's; it matches none of ours.
            9 => {
                let code = reader.u8()?;
                Role::from_code(code).map_or_else(unknown, Self::Role)
            }
            64 => Self::GracefulRestart(GracefulRestart::parse(&mut reader)?),
            65 => Self::FourOctetAs(Asn(reader.u32()?)),
            70 => Self::EnhancedRouteRefresh,
            73 => return Some(parse_fqdn(value).unwrap_or_else(unknown)),
            _ => return Some(unknown()),
        };
        reader.is_empty().then_some(capability)
    }

    /// Its number in IANA's registry.
    pub fn code(&self) -> u8 {
        match self {
            Self::Multiprotocol(_) => 1,
            Self::RouteRefresh => 2,
            Self::ExtendedNextHop(_) => 5,
            Self::ExtendedMessage => 6,
            Self::Role(_) => 9,
            Self::GracefulRestart(_) => 64,
            Self::FourOctetAs(_) => 65,
            Self::EnhancedRouteRefresh => 70,
            Self::Fqdn { .. } => 73,
            Self::Unknown { code, .. } => *code,
        }
    }

    /// Code, length and value. What a value of 255 octets cannot hold is left out.
    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.push(self.code());
        let value = self.value();
        let value = value.get(..VALUE).unwrap_or(&value);
        out.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(value);
    }

    fn value(&self) -> Vec<u8> {
        match self {
            Self::RouteRefresh | Self::ExtendedMessage | Self::EnhancedRouteRefresh => Vec::new(),
            Self::Multiprotocol(AfiSafi { afi, safi }) => {
                let [high, low] = afi.to_be_bytes();
                vec![high, low, 0, *safi]
            }
            Self::ExtendedNextHop(encodings) => {
                let octets = |encoding: &NextHopEncoding| {
                    [encoding.afi, encoding.safi, encoding.next_hop_afi].map(u16::to_be_bytes)
                };
                // 42 of six octets are what fits.
                encodings
                    .iter()
                    .take(VALUE / 6)
                    .flat_map(octets)
                    .flatten()
                    .collect()
            }
            Self::Role(role) => vec![*role as u8],
            Self::GracefulRestart(restart) => restart.value(),
            Self::FourOctetAs(Asn(number)) => number.to_be_bytes().to_vec(),
            Self::Fqdn { host, domain } => names(host, domain),
            Self::Unknown { value, .. } => value.to_vec(),
        }
    }
}

fn parse_encodings(reader: &mut Reader<'_>) -> Option<Vec<NextHopEncoding>> {
    let mut encodings = Vec::new();
    while !reader.is_empty() {
        encodings.push(NextHopEncoding {
            afi: reader.u16()?,
            safi: reader.u16()?,
            next_hop_afi: reader.u16()?,
        });
    }
    Some(encodings)
}

fn parse_fqdn(value: &[u8]) -> Option<Capability> {
    let mut reader = Reader::new(value);
    let host = str::from_utf8(reader.field8()?).ok()?.to_owned();
    let domain = str::from_utf8(reader.field8()?).ok()?.to_owned();
    reader
        .is_empty()
        .then_some(Capability::Fqdn { host, domain })
}

/// Two names, each behind its length. If both do not fit into one value, each is cut to its half.
fn names(host: &str, domain: &str) -> Vec<u8> {
    const BOTH: usize = VALUE - 2;
    let half = if host.len() + domain.len() > BOTH {
        BOTH / 2
    } else {
        BOTH
    };
    let mut value = Vec::new();
    for name in [host, domain] {
        let name = name.get(..name.floor_char_boundary(half)).unwrap_or(name);
        value.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        value.extend_from_slice(name.as_bytes());
    }
    value
}

impl GracefulRestart {
    fn parse(reader: &mut Reader<'_>) -> Option<Self> {
        let head = reader.u16()?;
        let mut families = Vec::new();
        while !reader.is_empty() {
            let (afi, safi, flags) = (reader.u16()?, reader.u8()?, reader.u8()?);
            let forwarding = if flags & FORWARDING == 0 {
                Forwarding::Lost
            } else {
                Forwarding::Preserved
            };
            families.push((AfiSafi { afi, safi }, forwarding));
        }
        Some(Self {
            restarting: head & RESTARTING != 0,
            notification: head & NOTIFICATION != 0,
            restart_time: head & RESTART_TIME,
            families,
        })
    }

    fn value(&self) -> Vec<u8> {
        let mut head = self.restart_time.min(RESTART_TIME);
        if self.restarting {
            head |= RESTARTING;
        }
        if self.notification {
            head |= NOTIFICATION;
        }
        let mut value = head.to_be_bytes().to_vec();
        // 63 of four octets fit behind the first two.
        for (AfiSafi { afi, safi }, forwarding) in self.families.iter().take((VALUE - 2) / 4) {
            let flags = match forwarding {
                Forwarding::Preserved => FORWARDING,
                Forwarding::Lost => 0,
            };
            value.extend_from_slice(&afi.to_be_bytes());
            value.extend_from_slice(&[*safi, flags]);
        }
        value
    }
}
