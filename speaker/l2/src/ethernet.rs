//! Ethernet II headers, and the reader with which all decoders take bytes.

use thiserror::Error;

use crate::Mac;

/// What a frame carries, as far as it concerns us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EtherType {
    Arp,
    Ipv6,
}

impl EtherType {
    /// The field as it stands on the wire.
    pub(crate) const fn octets(self) -> [u8; 2] {
        match self {
            Self::Arp => [0x08, 0x06],
            Self::Ipv6 => [0x86, 0xdd],
        }
    }
}

/// A frame's header, and the rest of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ethernet<'a> {
    pub(crate) destination: Mac,
    pub(crate) source: Mac,
    pub(crate) ethertype: EtherType,
    pub(crate) payload: &'a [u8],
}

/// Why a frame's Ethernet header is not for us.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum ParseEthernetError {
    #[error("ethernet header ends after {0} octets")]
    Truncated(usize),
    #[error("ethernet source {0} is not a station's address")]
    Source(Mac),
    /// Includes VLAN tags: a tagged frame belongs to the VLAN's own interface, where it arrives
    /// without its tag.
    #[error("ethertype {0:#06x} is neither ARP nor IPv6")]
    EtherType(u16),
}

/// Reads the header.
pub(crate) fn parse(frame: &[u8]) -> Result<Ethernet<'_>, ParseEthernetError> {
    let (destination, source, ethertype, payload) =
        split(frame).ok_or(ParseEthernetError::Truncated(frame.len()))?;
    let ethertype = [EtherType::Arp, EtherType::Ipv6]
        .into_iter()
        .find(|known| known.octets() == ethertype)
        .ok_or(ParseEthernetError::EtherType(u16::from_be_bytes(ethertype)))?;
    if !source.is_station() {
        return Err(ParseEthernetError::Source(source));
    }
    Ok(Ethernet {
        destination,
        source,
        ethertype,
        payload,
    })
}

fn split(frame: &[u8]) -> Option<(Mac, Mac, [u8; 2], &[u8])> {
    let mut reader = Reader::new(frame);
    Some((
        Mac(reader.take()?),
        Mac(reader.take()?),
        reader.take()?,
        reader.rest(),
    ))
}

/// Takes fixed-size fields from the front of a slice; past its end there is `None`, never a panic.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*field)
    }

    pub(crate) fn take_slice(&mut self, len: usize) -> Option<&'a [u8]> {
        let (field, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(field)
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: [u8; 14] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 0x08, 0x06,
    ];

    #[test]
    fn reads_destination_source_type_and_leaves_the_payload() {
        let mut frame = HEADER.to_vec();
        frame.push(0x2a);
        let expected = Ethernet {
            destination: Mac::BROADCAST,
            source: Mac([2, 0, 0, 0, 0, 9]),
            ethertype: EtherType::Arp,
            payload: &[0x2a],
        };
        assert_eq!(parse(&frame), Ok(expected));
    }

    #[test]
    fn refuses_every_shorter_header() {
        for len in 0..HEADER.len() {
            assert_eq!(
                parse(&HEADER[..len]),
                Err(ParseEthernetError::Truncated(len))
            );
        }
    }

    #[test]
    fn vlan_tagged_and_other_frames_are_not_ours() {
        for ethertype in [0x8100_u16, 0x88a8, 0x0800, 0x8035, 0x0000] {
            let mut frame = HEADER;
            frame[12..].copy_from_slice(&ethertype.to_be_bytes());
            assert_eq!(parse(&frame), Err(ParseEthernetError::EtherType(ethertype)));
        }
    }

    #[test]
    fn a_group_or_nobody_sends_no_frames() {
        for source in [Mac([3, 0, 0, 0, 0, 9]), Mac::BROADCAST, Mac::ZERO] {
            let mut frame = HEADER;
            frame[6..12].copy_from_slice(&source.0);
            assert_eq!(parse(&frame), Err(ParseEthernetError::Source(source)));
        }
    }
}
