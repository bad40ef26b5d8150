//! Path attributes into octets.

use std::net::Ipv4Addr;

use super::as_path::Width;
use super::attribute::{AttributeType, EXTENDED_LENGTH, OPTIONAL, TRANSITIVE};
use super::frame::{self, EXTENDED_MAXIMUM};
use super::received::{KEPT_FLAGS, ReceivedAttributes, width};
use super::{AsPath, EmitError, MessageType, NextHop, Origin, Session, Update, nlri};
use crate::{Asn, Community, ExtendedCommunity, Family, LargeCommunity, Prefix};

/// A list of attributes that is being written.
#[derive(Debug, Default)]
pub(super) struct AttributeList {
    pub(super) octets: Vec<u8>,
}

impl AttributeList {
    /// One attribute of a type that we know, whose flags follow from it.
    fn put(&mut self, kind: AttributeType, value: impl FnOnce(&mut Vec<u8>)) {
        let flags = kind.flags().unwrap_or(OPTIONAL | TRANSITIVE);
        self.put_flagged(flags, kind, value);
    }

    fn put_flagged(&mut self, flags: u8, kind: AttributeType, value: impl FnOnce(&mut Vec<u8>)) {
        let out = &mut self.octets;
        let start = out.len();
        out.extend_from_slice(&[flags, kind.0, 0]);
        value(out);
        let length = out.len() - start - 3;
        if let Ok(short) = u8::try_from(length) {
            out.splice(start + 2..start + 3, [short]);
        } else {
            // RFC 4271 §4.3: two octets only where one is too few.
            let long = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
            out.splice(
                start..start + 3,
                [flags | EXTENDED_LENGTH, kind.0, long[0], long[1]],
            );
        }
    }

    pub(super) fn origin(&mut self, origin: Origin) {
        self.put(AttributeType::ORIGIN, |out| out.push(origin as u8));
    }

    pub(super) fn as_path(&mut self, path: &AsPath, width: Width) {
        self.put(AttributeType::AS_PATH, |out| path.write(width, out));
    }

    /// RFC 6793 §4.2.2: beside an AS_PATH of two octets that has lost something.
    pub(super) fn as4_path(&mut self, path: &AsPath, width: Width) {
        if width == Width::Two && path.needs_four_octets() {
            let path = path.clone().without_confederation();
            self.put(AttributeType::AS4_PATH, |out| path.write(Width::Four, out));
        }
    }

    pub(super) fn next_hop(&mut self, address: Ipv4Addr) {
        self.put(AttributeType::NEXT_HOP, |out| {
            out.extend_from_slice(&address.octets())
        });
    }

    pub(super) fn multi_exit_disc(&mut self, value: Option<u32>) {
        self.number(AttributeType::MULTI_EXIT_DISC, value);
    }

    pub(super) fn local_pref(&mut self, value: Option<u32>) {
        self.number(AttributeType::LOCAL_PREF, value);
    }

    pub(super) fn only_to_customer(&mut self, asn: Option<Asn>) {
        self.number(
            AttributeType::ONLY_TO_CUSTOMER,
            asn.map(|Asn(number)| number),
        );
    }

    fn number(&mut self, kind: AttributeType, value: Option<u32>) {
        if let Some(value) = value {
            self.put(kind, |out| out.extend_from_slice(&value.to_be_bytes()));
        }
    }

    pub(super) fn communities(&mut self, communities: &[Community]) {
        self.list(AttributeType::COMMUNITIES, communities, |one| {
            one.0.to_be_bytes()
        });
    }

    pub(super) fn extended_communities(&mut self, communities: &[ExtendedCommunity]) {
        self.list(AttributeType::EXTENDED_COMMUNITIES, communities, |one| {
            one.0
        });
    }

    pub(super) fn large_communities(&mut self, communities: &[LargeCommunity]) {
        self.put_unless_empty(AttributeType::LARGE_COMMUNITIES, communities, |one, out| {
            for part in [one.global, one.local1, one.local2] {
                out.extend_from_slice(&part.to_be_bytes());
            }
        });
    }

    fn list<const N: usize, T>(
        &mut self,
        kind: AttributeType,
        items: &[T],
        octets: impl Fn(&T) -> [u8; N],
    ) {
        self.put_unless_empty(kind, items, |item, out| {
            out.extend_from_slice(&octets(item))
        });
    }

    /// RFC 7606 §4: a list without items would be malformed.
    fn put_unless_empty<T>(
        &mut self,
        kind: AttributeType,
        items: &[T],
        write: impl Fn(&T, &mut Vec<u8>),
    ) {
        if !items.is_empty() {
            self.put(kind, |out| items.iter().for_each(|item| write(item, out)));
        }
    }

    fn reach(&mut self, family: Family, next_hop: NextHop, prefixes: &[Prefix]) {
        self.put(AttributeType::MP_REACH_NLRI, |out| {
            write_family(family, out);
            next_hop.write(out);
            out.push(0);
            prefixes.iter().for_each(|prefix| nlri::emit(*prefix, out));
        });
    }

    fn unreach(&mut self, family: Family, prefixes: &[Prefix]) {
        self.put(AttributeType::MP_UNREACH_NLRI, |out| {
            write_family(family, out);
            prefixes.iter().for_each(|prefix| nlri::emit(*prefix, out));
        });
    }

    /// All but RFC 4760's, in the order of their types (RFC 4271 §5).
    fn received(&mut self, attributes: &ReceivedAttributes, session: &Session) {
        let width = width(session);
        attributes
            .origin
            .into_iter()
            .for_each(|origin| self.origin(origin));
        attributes
            .as_path
            .iter()
            .for_each(|path| self.as_path(path, width));
        attributes
            .next_hop
            .into_iter()
            .for_each(|address| self.next_hop(address));
        self.multi_exit_disc(attributes.multi_exit_disc);
        self.local_pref(attributes.local_pref);
        if attributes.atomic_aggregate {
            self.put(AttributeType::ATOMIC_AGGREGATE, |_| {});
        }
        if let Some(aggregator) = attributes.aggregator {
            self.put(AttributeType::AGGREGATOR, |out| {
                aggregator.write(width, out)
            });
        }
        self.communities(&attributes.communities);
        self.number(
            AttributeType::ORIGINATOR_ID,
            attributes.originator_id.map(Ipv4Addr::to_bits),
        );
        self.list(
            AttributeType::CLUSTER_LIST,
            &attributes.cluster_list,
            Ipv4Addr::octets,
        );
        self.extended_communities(&attributes.extended_communities);
        attributes
            .as_path
            .iter()
            .for_each(|path| self.as4_path(path, width));
        if let Some(aggregator) = attributes.aggregator
            && width == Width::Two
            && aggregator.asn.two_octets().is_none()
        {
            self.put(AttributeType::AS4_AGGREGATOR, |out| {
                aggregator.write(Width::Four, out)
            });
        }
        self.large_communities(&attributes.large_communities);
        self.only_to_customer(attributes.only_to_customer);
        for unknown in &attributes.unknown {
            self.put_flagged(unknown.flags & KEPT_FLAGS, unknown.kind, |out| {
                out.extend_from_slice(&unknown.value);
            });
        }
    }
}

pub(super) fn write_family(family: Family, out: &mut Vec<u8>) {
    out.extend_from_slice(&family.afi().to_be_bytes());
    out.push(family.safi());
}

impl Update {
    /// Writes the message again as it may have been received: IPv4 prefixes stand outside
    /// MP_REACH_NLRI if there is a NEXT_HOP. Not how routes of our own are told; see
    /// [`announce`](super::announce).
    ///
    /// # Errors
    /// It does not fit into one message of the session.
    pub fn emit(&self, session: &Session, out: &mut Vec<u8>) -> Result<(), EmitError> {
        let of = |prefixes: &[Prefix], family| -> Vec<Prefix> {
            let prefixes = prefixes.iter().copied();
            prefixes
                .filter(|prefix| prefix.family() == family)
                .collect()
        };
        let (v4, v6) = (Family::Ipv4Unicast, Family::Ipv6Unicast);
        let plain_v4 = self.attributes.next_hop.is_some();
        let reached = if plain_v4 || !of(&self.announced, v6).is_empty() {
            v6
        } else {
            v4
        };
        let mut list = AttributeList::default();
        if let Some(next_hop) = self.attributes.mp_next_hop {
            list.reach(reached, next_hop, &of(&self.announced, reached));
        }
        let unreached = of(&self.withdrawn, v6);
        if !unreached.is_empty() || self.end_of_rib == Some(v6) {
            list.unreach(v6, &unreached);
        }
        list.received(&self.attributes, session);

        let mut body = Vec::new();
        field16(&mut body, |out| {
            of(&self.withdrawn, v4)
                .iter()
                .for_each(|prefix| nlri::emit(*prefix, out));
        });
        field16(&mut body, |out| out.extend_from_slice(&list.octets));
        if plain_v4 {
            of(&self.announced, v4)
                .iter()
                .for_each(|prefix| nlri::emit(*prefix, &mut body));
        }
        let octets = frame::HEADER + body.len();
        let maximum = session.maximum().min(EXTENDED_MAXIMUM);
        if octets > maximum {
            return Err(EmitError::TooLong { octets, maximum });
        }
        frame::emit(MessageType::Update, out, |out| out.extend_from_slice(&body));
        Ok(())
    }
}

/// A field behind its length.
fn field16(out: &mut Vec<u8>, field: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0, 0]);
    field(out);
    let length = out.len() - start - 2;
    frame::patch(out, start, length);
}
