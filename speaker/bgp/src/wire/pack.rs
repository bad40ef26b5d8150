//! Packing: the attributes of a set are encoded once, and prefixes stand behind them in as many
//! UPDATEs as the negotiated maximum asks for.
//!
//! RFC 7606 §5.1: an UPDATE of ours holds one of Withdrawn Routes, NLRI, MP_REACH_NLRI and
//! MP_UNREACH_NLRI, and one of the latter two comes first in its list.

use std::borrow::Borrow;

use thiserror::Error as ThisError;

use super::attribute::{AttributeType, EXTENDED_LENGTH, OPTIONAL};
use super::frame::{self, HEADER, MessageType};
use super::received::width;
use super::write::{AttributeList, write_family};
use super::{AsPath, NextHop, Origin, Session, nlri};
use crate::{Asn, Community, ExtendedCommunity, Family, LargeCommunity, Prefix};

/// RFC 4271 §5.1.5 wants a LOCAL_PREF towards internal neighbours; this is everybody's default.
const LOCAL_PREF: u32 = 100;

/// All that a route of ours carries to one neighbour. ORIGIN is IGP; OTC follows from the session
/// (RFC 9234 §5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathAttributes {
    /// One AS_SEQUENCE; empty towards internal neighbours. Where the neighbour knows two octets
    /// only, AS_TRANS and AS4_PATH are written (RFC 6793 §4.2.2).
    pub as_path: Vec<Asn>,
    /// Where traffic goes.
    pub next_hop: NextHop,
    /// MULTI_EXIT_DISC.
    pub multi_exit_disc: Option<u32>,
    /// LOCAL_PREF: never sent to external neighbours, always to internal ones, 100 if none is
    /// given (RFC 4271 §5.1.5).
    pub local_pref: Option<u32>,
    /// RFC 1997.
    pub communities: Vec<Community>,
    /// RFC 4360.
    pub extended_communities: Vec<ExtendedCommunity>,
    /// RFC 8092.
    pub large_communities: Vec<LargeCommunity>,
}

/// Why routes cannot be told. Nothing has been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ThisError)]
pub enum EmitError {
    /// The neighbour does not speak the family.
    #[error("{0} was not negotiated")]
    Family(Family),
    /// Routes of the family cannot have such a next hop here.
    #[error("{0} cannot have this next hop with this neighbour")]
    NextHop(Family),
    /// With one prefix at least it is longer than a message may be.
    #[error("UPDATE of {octets} octets is longer than {maximum}")]
    TooLong {
        /// How long it would be.
        octets: usize,
        /// How long it may be.
        maximum: usize,
    },
}

/// Appends UPDATEs that announce the prefixes of one family with these attributes, and gives their
/// number. Prefixes of another family are left out.
///
/// # Errors
/// The session does not carry such routes, or the attributes leave no room for a prefix.
pub fn announce<P: Borrow<Prefix>>(
    family: Family,
    attributes: &PathAttributes,
    prefixes: impl IntoIterator<Item = P>,
    session: &Session,
    out: &mut Vec<u8>,
) -> Result<usize, EmitError> {
    if !session.families.contains(family) {
        return Err(EmitError::Family(family));
    }
    if !attributes.next_hop.carries(family, session) {
        return Err(EmitError::NextHop(family));
    }
    let list = attributes.list(session);
    let shape = match attributes.next_hop {
        NextHop::V4(_) => Shape::nlri(&list),
        NextHop::V6 { .. } => Shape::reach(family, attributes.next_hop, list),
    };
    let octets = shape.before.len() + shape.after.len() + nlri::longest(family);
    let maximum = session.maximum();
    if octets > maximum {
        return Err(EmitError::TooLong { octets, maximum });
    }
    Ok(shape.pack(family, prefixes, maximum, out))
}

/// Appends UPDATEs that withdraw the prefixes of one family, and gives their number. Prefixes of
/// another family are left out, and so are all if the session does not speak the family.
pub fn withdraw<P: Borrow<Prefix>>(
    family: Family,
    prefixes: impl IntoIterator<Item = P>,
    session: &Session,
    out: &mut Vec<u8>,
) -> usize {
    if !session.families.contains(family) {
        return 0;
    }
    let shape = match family {
        Family::Ipv4Unicast => Shape::withdrawn(),
        Family::Ipv6Unicast => Shape::unreach(family),
    };
    shape.pack(family, prefixes, session.maximum(), out)
}

/// RFC 4724 §2: all routes of the family have been told.
pub fn end_of_rib(family: Family, out: &mut Vec<u8>) {
    frame::emit(MessageType::Update, out, |out| match family {
        Family::Ipv4Unicast => out.extend_from_slice(&[0, 0, 0, 0]),
        Family::Ipv6Unicast => {
            out.extend_from_slice(&[0, 0, 0, 6, OPTIONAL, AttributeType::MP_UNREACH_NLRI.0, 3]);
            write_family(family, out);
        }
    });
}

impl PathAttributes {
    /// All attributes but MP_REACH_NLRI, in the order of their types (RFC 4271 §5).
    fn list(&self, session: &Session) -> Vec<u8> {
        let path = AsPath::sequence(self.as_path.clone());
        let width = width(session);
        let mut list = AttributeList::default();
        list.origin(Origin::Igp);
        list.as_path(&path, width);
        match self.next_hop {
            NextHop::V4(address) => list.next_hop(address),
            NextHop::V6 { .. } => {}
        }
        list.multi_exit_disc(self.multi_exit_disc);
        if !session.ebgp {
            list.local_pref(self.local_pref.or(Some(LOCAL_PREF)));
        }
        list.communities(&self.communities);
        list.extended_communities(&self.extended_communities);
        list.as4_path(&path, width);
        list.large_communities(&self.large_communities);
        list.only_to_customer(session.only_to_customer());
        list.octets
    }
}

/// An UPDATE without its prefixes.
struct Shape {
    /// Everything up to the prefixes.
    before: Vec<u8>,
    /// Everything behind them.
    after: Vec<u8>,
    /// Length fields of two octets: where each stands, and by how much it is less than the length
    /// of the message.
    lengths: Vec<(usize, usize)>,
}

/// Where the fields of an UPDATE begin.
const LENGTH: usize = HEADER - 3;
const WITHDRAWN_LENGTH: usize = HEADER;
const ATTRIBUTES_LENGTH: usize = HEADER + 2;
/// Both lengths of an UPDATE that withdraws nothing in the old field.
const EMPTY: usize = HEADER + 4;
/// The length of a first attribute with two octets of it, behind flags and type.
const FIRST_LENGTH: usize = EMPTY + 2;

impl Shape {
    fn begin() -> Self {
        let mut before = Vec::new();
        frame::emit(MessageType::Update, &mut before, |out| {
            out.extend_from_slice(&[0, 0, 0, 0]);
        });
        Self {
            before,
            after: Vec::new(),
            lengths: vec![(LENGTH, 0)],
        }
    }

    /// IPv4 prefixes behind the list.
    fn nlri(list: &[u8]) -> Self {
        let mut shape = Self::begin();
        frame::patch(&mut shape.before, ATTRIBUTES_LENGTH, list.len());
        shape.before.extend_from_slice(list);
        shape
    }

    /// Prefixes in MP_REACH_NLRI before the list.
    fn reach(family: Family, next_hop: NextHop, list: Vec<u8>) -> Self {
        let mut shape = Self::begin();
        shape.first(AttributeType::MP_REACH_NLRI, list);
        write_family(family, &mut shape.before);
        next_hop.write(&mut shape.before);
        shape.before.push(0);
        shape
    }

    /// IPv4 prefixes in Withdrawn Routes.
    fn withdrawn() -> Self {
        let mut shape = Self::begin();
        shape.before.truncate(ATTRIBUTES_LENGTH);
        shape.after = vec![0, 0];
        shape.lengths.push((WITHDRAWN_LENGTH, EMPTY));
        shape
    }

    /// Prefixes in MP_UNREACH_NLRI.
    fn unreach(family: Family) -> Self {
        let mut shape = Self::begin();
        shape.first(AttributeType::MP_UNREACH_NLRI, Vec::new());
        write_family(family, &mut shape.before);
        shape
    }

    fn first(&mut self, kind: AttributeType, list: Vec<u8>) {
        let flags = OPTIONAL | EXTENDED_LENGTH;
        self.before.extend_from_slice(&[flags, kind.0, 0, 0]);
        self.lengths.push((ATTRIBUTES_LENGTH, EMPTY));
        self.lengths
            .push((FIRST_LENGTH, FIRST_LENGTH + 2 + list.len()));
        self.after = list;
    }

    /// As many messages as it takes; each holds one prefix at least, for which the caller has made
    /// sure that there is room.
    fn pack<P: Borrow<Prefix>>(
        &self,
        family: Family,
        prefixes: impl IntoIterator<Item = P>,
        maximum: usize,
        out: &mut Vec<u8>,
    ) -> usize {
        let mut messages = 0;
        let mut start = out.len();
        let end = maximum.saturating_sub(self.after.len());
        for prefix in prefixes {
            let prefix = *prefix.borrow();
            if prefix.family() != family {
                continue;
            }
            if messages == 0 || out.len() - start + nlri::encoded_len(prefix) > end {
                if messages > 0 {
                    self.finish(start, out);
                }
                start = out.len();
                out.extend_from_slice(&self.before);
                messages += 1;
            }
            nlri::emit(prefix, out);
        }
        if messages > 0 {
            self.finish(start, out);
        }
        messages
    }

    fn finish(&self, start: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.after);
        let length = out.len() - start;
        for (at, less) in &self.lengths {
            frame::patch(out, start + at, length - less);
        }
    }
}
