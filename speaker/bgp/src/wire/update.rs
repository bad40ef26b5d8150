//! UPDATE as received, RFC 4271 §4.3 and §6.3, judged by RFC 7606.

use super::attribute::{self, AttributeType, Overrun, Raw, TypeSet};
use super::multiprotocol::{Multiprotocol, parse_reach, parse_unreach};
use super::reader::Reader;
use super::received::{As4, Fault, check_flags};
use super::{Error, Notification, ReceivedAttributes, Session, Treatment, nlri};
use crate::{Family, Prefix};

/// What a neighbour tells, with all treatments already applied: what counts as withdrawn stands
/// in `withdrawn`, and nothing of a disabled family stands anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Update {
    /// Of either family, from wherever they stood.
    pub withdrawn: Vec<Prefix>,
    /// Of either family, from wherever they stood.
    pub announced: Vec<Prefix>,
    /// What is said of the announced ones.
    pub attributes: ReceivedAttributes,
    /// RFC 4724 §2: all of the family have been told.
    pub end_of_rib: Option<Family>,
    /// Attributes that were malformed, out of place or there twice, and what was done.
    pub treatments: Vec<(AttributeType, Treatment)>,
}

impl Update {
    /// RFC 7606 §3 h: the strongest treatment, if there was any.
    pub fn verdict(&self) -> Option<Treatment> {
        self.treatments
            .iter()
            .map(|(_, treatment)| *treatment)
            .max()
    }

    /// # Errors
    /// What RFC 7606 leaves of session resets.
    pub(super) fn parse(body: &[u8], session: &Session) -> Result<Self, Notification> {
        // RFC 4271 §6.3: lengths that do not fit into the message.
        let fields = Fields::split(body).ok_or(Error::MalformedAttributeList)?;
        // RFC 7606 §3 i, j: prefixes that cannot be read cannot be treated as withdrawn.
        let v4 = |field| nlri::parse(Family::Ipv4Unicast, field).ok_or(Error::InvalidNetworkField);
        let (mut withdrawn, mut announced) = (v4(fields.withdrawn)?, v4(fields.nlri)?);
        if !session.families.contains(Family::Ipv4Unicast) {
            withdrawn.clear();
            announced.clear();
        }
        let mut inspection = Inspection::new(session, !fields.nlri.is_empty());
        inspection.read(fields.attributes)?;
        inspection.miss();
        inspection.check_reachable()?;
        let bare = fields.withdrawn.is_empty() && fields.nlri.is_empty();
        let end_of_rib = match inspection.unreached {
            Some(family) => (inspection.seen.len() == 1).then_some(family),
            None => fields.attributes.is_empty().then_some(Family::Ipv4Unicast),
        };
        let end_of_rib = end_of_rib.filter(|family| bare && session.families.contains(*family));
        withdrawn.append(&mut inspection.withdrawn);
        announced.append(&mut inspection.announced);
        inspection.attributes.merge(inspection.as4);
        let mut update = Self {
            withdrawn,
            announced,
            attributes: inspection.attributes,
            end_of_rib,
            treatments: Vec::with_capacity(inspection.faults.len()),
        };
        for (raw, fault) in inspection.faults {
            update.apply(raw.kind, fault.treatment);
        }
        Ok(update)
    }

    fn apply(&mut self, kind: AttributeType, treatment: Treatment) {
        self.treatments.push((kind, treatment));
        match treatment {
            Treatment::Withdraw => self.withdrawn.append(&mut self.announced),
            Treatment::Disable(void) => {
                let stays = |prefix: &Prefix| Some(prefix.family()) != void.family();
                self.announced.retain(stays);
                self.withdrawn.retain(stays);
            }
            // A reset never gets here: it has become a NOTIFICATION.
            Treatment::Discard | Treatment::Reset => {}
        }
    }
}

/// The three fields of variable length.
struct Fields<'a> {
    withdrawn: &'a [u8],
    attributes: &'a [u8],
    nlri: &'a [u8],
}

impl<'a> Fields<'a> {
    fn split(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        Some(Self {
            withdrawn: reader.field16()?,
            attributes: reader.field16()?,
            nlri: reader.rest(),
        })
    }
}

/// One reading of an attribute list.
struct Inspection<'a> {
    session: &'a Session,
    /// The NLRI field is not empty.
    nlri: bool,
    seen: TypeSet,
    repeated: TypeSet,
    /// MP_REACH_NLRI holds prefixes, whether we can read them or not.
    reached: bool,
    /// The family of an MP_UNREACH_NLRI without prefixes.
    unreached: Option<Family>,
    withdrawn: Vec<Prefix>,
    announced: Vec<Prefix>,
    attributes: ReceivedAttributes,
    as4: As4,
    faults: Vec<(Raw<'a>, Fault)>,
}

impl<'a> Inspection<'a> {
    fn new(session: &'a Session, nlri: bool) -> Self {
        Self {
            session,
            nlri,
            seen: TypeSet::default(),
            repeated: TypeSet::default(),
            reached: false,
            unreached: None,
            withdrawn: Vec::new(),
            announced: Vec::new(),
            attributes: ReceivedAttributes::default(),
            as4: As4::default(),
            faults: Vec::new(),
        }
    }

    fn read(&mut self, list: &'a [u8]) -> Result<(), Notification> {
        let mut list = Reader::new(list);
        while !list.is_empty() {
            match attribute::next(&mut list) {
                Ok(raw) => self.take(raw)?,
                Err(overrun) => return self.overrun(overrun),
            }
        }
        Ok(())
    }

    fn take(&mut self, raw: Raw<'a>) -> Result<(), Notification> {
        if !self.seen.insert(raw.kind) {
            return self.repeat(raw);
        }
        let read = match raw.kind {
            AttributeType::MP_REACH_NLRI => self.reach(&raw),
            AttributeType::MP_UNREACH_NLRI => self.unreach(&raw),
            _ => self.attributes.read(&raw, &mut self.as4, self.session),
        };
        read.or_else(|fault| self.find(raw, fault))
    }

    /// Notes a fault; a reset is the end.
    fn find(&mut self, raw: Raw<'a>, fault: Fault) -> Result<(), Notification> {
        if fault.treatment == Treatment::Reset {
            return Err(Notification::new(fault.error).with_data(raw.whole));
        }
        self.faults.push((raw, fault));
        Ok(())
    }

    /// RFC 7606 §3 g: what comes twice is discarded, but for RFC 4760's attributes.
    fn repeat(&mut self, raw: Raw<'a>) -> Result<(), Notification> {
        let multiprotocol = [AttributeType::MP_REACH_NLRI, AttributeType::MP_UNREACH_NLRI];
        if multiprotocol.contains(&raw.kind) {
            return Err(Error::MalformedAttributeList.into());
        }
        if self.repeated.insert(raw.kind) {
            let treatment = Treatment::Discard;
            let error = Error::MalformedAttributeList;
            self.faults.push((raw, Fault { treatment, error }));
        }
        Ok(())
    }

    /// RFC 7606 §4: the list is cut inside an attribute; what follows the list is still found. If
    /// it was cut inside one that holds prefixes, they cannot be found (§3 j).
    fn overrun(&mut self, overrun: Overrun<'a>) -> Result<(), Notification> {
        let Overrun { kind, rest } = overrun;
        let holds_nlri = [AttributeType::MP_REACH_NLRI, AttributeType::MP_UNREACH_NLRI];
        let fault = Fault {
            treatment: if holds_nlri.contains(&kind) {
                Treatment::Reset
            } else {
                Treatment::Withdraw
            },
            error: Error::AttributeLength,
        };
        self.seen.insert(kind);
        let raw = Raw {
            flags: 0,
            kind,
            value: &[],
            whole: rest,
        };
        self.find(raw, fault)
    }

    fn reach(&mut self, raw: &Raw<'a>) -> Result<(), Fault> {
        match parse_reach(raw.value, self.session) {
            Multiprotocol::Spoken(reach) => {
                self.reached = reach.holds_nlri;
                self.announced = reach.prefixes;
                self.attributes.mp_next_hop = Some(reach.next_hop);
                check_flags(raw)?;
                if reach.next_hop.is_host() {
                    Ok(())
                } else {
                    Err(fault(Treatment::Withdraw, Error::InvalidNextHop))
                }
            }
            Multiprotocol::Foreign => {
                self.reached = true;
                Err(fault(Treatment::Discard, Error::OptionalAttribute))
            }
            Multiprotocol::Malformed(family) => {
                self.reached = true;
                Err(fault(Treatment::Disable(family), Error::OptionalAttribute))
            }
            Multiprotocol::Nameless => Err(fault(Treatment::Reset, Error::OptionalAttribute)),
        }
    }

    fn unreach(&mut self, raw: &Raw<'a>) -> Result<(), Fault> {
        match parse_unreach(raw.value, self.session) {
            Multiprotocol::Spoken(unreach) => {
                if !unreach.holds_nlri {
                    self.unreached = Some(unreach.family);
                }
                self.withdrawn = unreach.prefixes;
                check_flags(raw)
            }
            Multiprotocol::Foreign => Err(fault(Treatment::Discard, Error::OptionalAttribute)),
            Multiprotocol::Malformed(family) => {
                Err(fault(Treatment::Disable(family), Error::OptionalAttribute))
            }
            Multiprotocol::Nameless => Err(fault(Treatment::Reset, Error::OptionalAttribute)),
        }
    }

    /// RFC 7606 §3 d: a route without its well-known attributes is treated as withdrawn. NEXT_HOP
    /// belongs to the NLRI field alone (RFC 4760 §3), LOCAL_PREF to internal neighbours
    /// (RFC 4271 §5.1.5).
    fn miss(&mut self) {
        let needed = [
            (AttributeType::ORIGIN, self.nlri || self.reached),
            (AttributeType::AS_PATH, self.nlri || self.reached),
            (AttributeType::NEXT_HOP, self.nlri),
            (
                AttributeType::LOCAL_PREF,
                (self.nlri || self.reached) && !self.session.ebgp,
            ),
        ];
        for (kind, needed) in needed {
            if needed && !self.seen.contains(kind) {
                let raw = Raw {
                    flags: 0,
                    kind,
                    value: &[],
                    whole: &[],
                };
                let fault = fault(Treatment::Withdraw, Error::MissingWellKnownAttribute);
                self.faults.push((raw, fault));
            }
        }
    }

    /// RFC 7606 §5.2: a message with attributes and nothing that is reachable may have lost its
    /// prefixes, so that a fault beyond attribute discard is a reset.
    fn check_reachable(&self) -> Result<(), Notification> {
        let unreach_alone =
            self.seen.len() == 1 && self.seen.contains(AttributeType::MP_UNREACH_NLRI);
        if self.nlri || self.reached || unreach_alone {
            return Ok(());
        }
        let worst = self
            .faults
            .iter()
            .find(|(_, fault)| fault.treatment > Treatment::Discard);
        worst.map_or(Ok(()), |(raw, fault)| {
            Err(Notification::new(fault.error).with_data(raw.whole))
        })
    }
}

fn fault(treatment: Treatment, error: Error) -> Fault {
    Fault { treatment, error }
}
