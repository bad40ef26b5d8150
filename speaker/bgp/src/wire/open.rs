//! OPEN, RFC 4271 §4.2 and §6.2.

use std::net::Ipv4Addr;

use super::frame::{self, MAXIMUM, MessageType};
use super::reader::Reader;
use super::{Capability, Error, Notification, Role};
use crate::{Asn, RouterId};

/// The version of BGP that there is.
const VERSION: u8 = 4;

/// RFC 5492 §4: the optional parameter that holds capabilities. No other is left in use.
const CAPABILITIES: u8 = 2;

/// RFC 9072 §2: in the place of the first parameter's type it says that the lengths which follow
/// have two octets.
const EXTENDED: u8 = 255;

/// The first message of each side: who it is and what it can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The sender's AS: that of capability 65 if it is there, else the field of two octets.
    pub asn: Asn,
    /// Seconds; zero, or three at least.
    pub hold_time: u16,
    /// BGP Identifier.
    pub router_id: RouterId,
    /// In the order in which they came.
    pub capabilities: Vec<Capability>,
}

impl Open {
    /// # Errors
    /// RFC 4271 §6.2, what can be judged without knowing whom we expect.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Notification> {
        let fixed = Fixed::split(body).ok_or(Error::MalformedOpen)?;
        if fixed.version != VERSION {
            let spoken = u16::from(VERSION).to_be_bytes();
            return Err(Notification::new(Error::UnsupportedVersionNumber).with_data(&spoken));
        }
        if matches!(fixed.hold_time, 1 | 2) {
            return Err(Error::UnacceptableHoldTime.into());
        }
        let router_id = RouterId::from(fixed.router_id).ok_or(Error::BadBgpIdentifier)?;
        let capabilities = parse_parameters(fixed.parameters)?;
        let real = capabilities.iter().find_map(|capability| match capability {
            Capability::FourOctetAs(asn) => Some(*asn),
            Capability::Multiprotocol(_)
            | Capability::RouteRefresh
            | Capability::ExtendedNextHop(_)
            | Capability::ExtendedMessage
            | Capability::Role(_)
            | Capability::GracefulRestart(_)
            | Capability::EnhancedRouteRefresh
            | Capability::Fqdn { .. }
            | Capability::Unknown { .. } => None,
        });
        let asn = real.unwrap_or(Asn(fixed.asn.into()));
        if asn.is_zero() || fixed.asn == 0 {
            return Err(Error::BadPeerAs.into());
        }
        Ok(Self {
            asn,
            hold_time: fixed.hold_time,
            router_id,
            capabilities,
        })
    }

    /// The role that is claimed.
    ///
    /// # Errors
    /// RFC 9234 §4.2: several that are not the same, or one that has no number yet.
    pub fn role(&self) -> Result<Option<Role>, Notification> {
        let mut found = None;
        for capability in self.capabilities.iter().filter(|one| one.code() == 9) {
            let Capability::Role(role) = capability else {
                return Err(Error::RoleMismatch.into());
            };
            if *found.get_or_insert(*role) != *role {
                return Err(Error::RoleMismatch.into());
            }
        }
        Ok(found)
    }

    /// RFC 5492 §4: one parameter for all capabilities. Above 255 octets it is written as RFC 9072
    /// §2 says; capabilities that no longer fit into 4096 octets are left out.
    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        frame::emit(MessageType::Open, out, |out| {
            let asn = self.asn.two_octets().or(Asn::TRANS.two_octets());
            out.push(VERSION);
            out.extend_from_slice(&asn.unwrap_or_default().to_be_bytes());
            out.extend_from_slice(&self.hold_time.to_be_bytes());
            out.extend_from_slice(&self.router_id.address().octets());
            emit_parameters(&self.capabilities, out);
        });
    }
}

struct Fixed<'a> {
    version: u8,
    asn: u16,
    hold_time: u16,
    router_id: Ipv4Addr,
    /// From their length on.
    parameters: Reader<'a>,
}

impl<'a> Fixed<'a> {
    fn split(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        Some(Self {
            version: reader.u8()?,
            asn: reader.u16()?,
            hold_time: reader.u16()?,
            router_id: Ipv4Addr::from(reader.array::<4>()?),
            parameters: reader,
        })
    }
}

/// How wide the lengths of optional parameters are.
#[derive(Clone, Copy)]
enum Lengths {
    One,
    Two,
}

/// RFC 4271 §4.2, or RFC 9072 §2 if the first type is 255. Nothing may stand behind the parameters.
fn parse_parameters(mut reader: Reader<'_>) -> Result<Vec<Capability>, Notification> {
    let length = reader.u8().ok_or(Error::MalformedOpen)?;
    let mut ahead = reader;
    let (all, lengths) = if length != 0 && ahead.u8() == Some(EXTENDED) {
        let length = ahead.u16().ok_or(Error::MalformedOpen)?;
        reader = ahead;
        (usize::from(length), Lengths::Two)
    } else {
        (usize::from(length), Lengths::One)
    };
    if reader.rest().len() != all {
        return Err(Error::MalformedOpen.into());
    }
    let mut capabilities = Vec::new();
    while !reader.is_empty() {
        let kind = reader.u8();
        let parameter = match lengths {
            Lengths::One => reader.field8(),
            Lengths::Two => reader.field16(),
        };
        let parameter = parameter.ok_or(Error::MalformedOpen)?;
        if kind != Some(CAPABILITIES) {
            return Err(Error::UnsupportedOptionalParameter.into());
        }
        Capability::parse_all(parameter, &mut capabilities)?;
    }
    Ok(capabilities)
}

fn emit_parameters(capabilities: &[Capability], out: &mut Vec<u8>) {
    /// What the header, the fixed part and the extended lengths leave.
    const ROOM: usize = MAXIMUM - 29 - 3 - 3;
    let mut parameter = Vec::new();
    for capability in capabilities {
        let before = parameter.len();
        capability.emit(&mut parameter);
        if parameter.len() > ROOM {
            parameter.truncate(before);
        }
    }
    let length = parameter.len();
    if length == 0 {
        out.push(0);
    } else if let Ok(all) = u8::try_from(length + 2) {
        out.extend_from_slice(&[all, CAPABILITIES, all - 2]);
    } else {
        let inner = u16::try_from(length).unwrap_or(u16::MAX);
        out.extend_from_slice(&[EXTENDED, EXTENDED]);
        out.extend_from_slice(&inner.saturating_add(3).to_be_bytes());
        out.push(CAPABILITIES);
        out.extend_from_slice(&inner.to_be_bytes());
    }
    out.extend_from_slice(&parameter);
}

#[cfg(test)]
mod tests;
