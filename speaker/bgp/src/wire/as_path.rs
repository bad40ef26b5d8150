//! AS_PATH and AS4_PATH, RFC 4271 §4.3 b and RFC 6793 §4.2.

use super::reader::Reader;
use crate::Asn;

/// The ASes that a route has passed, the latest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AsPath {
    /// As they came; none for a route of the sender's own AS.
    pub segments: Vec<Segment>,
}

/// A part of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// How to read it.
    pub kind: SegmentKind,
    /// Never empty in what was received; 255 at most on the wire.
    pub asns: Vec<Asn>,
}

/// The type of a path segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum SegmentKind {
    /// AS_SET: in no order.
    Set = 1,
    /// AS_SEQUENCE: in order.
    Sequence = 2,
    /// AS_CONFED_SEQUENCE, RFC 5065 §3.
    ConfedSequence = 3,
    /// AS_CONFED_SET, RFC 5065 §3.
    ConfedSet = 4,
}

impl SegmentKind {
    const ALL: [Self; 4] = [
        Self::Set,
        Self::Sequence,
        Self::ConfedSequence,
        Self::ConfedSet,
    ];

    fn is_confederation(self) -> bool {
        match self {
            Self::Set | Self::Sequence => false,
            Self::ConfedSequence | Self::ConfedSet => true,
        }
    }
}

/// How many octets an AS number has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    Two,
    Four,
}

impl Width {
    pub(super) fn read(self, reader: &mut Reader<'_>) -> Option<Asn> {
        match self {
            Self::Two => reader.u16().map(|number| Asn(number.into())),
            Self::Four => reader.u32().map(Asn),
        }
    }

    /// RFC 6793 §4.2.2: AS_TRANS where the number does not fit.
    pub(super) fn write(self, asn: Asn, out: &mut Vec<u8>) {
        match self {
            Self::Two => {
                let number = asn.two_octets().or(Asn::TRANS.two_octets());
                out.extend_from_slice(&number.unwrap_or_default().to_be_bytes());
            }
            Self::Four => out.extend_from_slice(&asn.0.to_be_bytes()),
        }
    }
}

impl AsPath {
    /// A path in order; none of these ASes makes an empty path.
    pub fn sequence(asns: Vec<Asn>) -> Self {
        let kind = SegmentKind::Sequence;
        let segments = (!asns.is_empty()).then_some(Segment { kind, asns });
        Self {
            segments: segments.into_iter().collect(),
        }
    }

    /// All numbers, from the latest AS on.
    pub fn asns(&self) -> impl Iterator<Item = Asn> {
        self.segments
            .iter()
            .flat_map(|segment| segment.asns.iter().copied())
    }

    /// RFC 7606 §7.2: none if a segment has an unknown type, is empty or overruns, and RFC 7607 §2
    /// if it holds AS 0.
    pub(super) fn parse(value: &[u8], width: Width) -> Option<Self> {
        let mut reader = Reader::new(value);
        let mut segments = Vec::new();
        while !reader.is_empty() {
            let [code, count] = reader.array()?;
            let kind = SegmentKind::ALL
                .into_iter()
                .find(|kind| *kind as u8 == code)?;
            let asns = (0..count)
                .map(|_| width.read(&mut reader).filter(|asn| !asn.is_zero()))
                .collect::<Option<Vec<Asn>>>()?;
            if asns.is_empty() {
                return None;
            }
            segments.push(Segment { kind, asns });
        }
        Some(Self { segments })
    }

    /// The value of the attribute; segments of more than 255 are split.
    pub(super) fn write(&self, width: Width, out: &mut Vec<u8>) {
        for segment in &self.segments {
            for asns in segment.asns.chunks(255) {
                out.extend_from_slice(&[
                    segment.kind as u8,
                    u8::try_from(asns.len()).unwrap_or(255),
                ]);
                asns.iter().for_each(|asn| width.write(*asn, out));
            }
        }
    }

    pub(super) fn has_confederation(&self) -> bool {
        self.segments
            .iter()
            .any(|segment| segment.kind.is_confederation())
    }

    /// RFC 6793 §4.2.2: whether two octets lose something.
    pub(super) fn needs_four_octets(&self) -> bool {
        self.asns().any(|asn| asn.two_octets().is_none())
    }

    /// RFC 6793 §3: AS4_PATH has no confederation segments; §6 drops those that are there.
    #[must_use]
    pub(super) fn without_confederation(mut self) -> Self {
        self.segments
            .retain(|segment| !segment.kind.is_confederation());
        self
    }

    /// RFC 6793 §4.2.3: the path that AS_PATH and AS4_PATH tell together. ASes in front that do not
    /// know AS4_PATH have put themselves into AS_PATH only. An AS4_PATH that is longer is not
    /// believed.
    #[must_use]
    pub(super) fn merged(self, as4: Self) -> Self {
        let Some(mut ahead) = self.count().checked_sub(as4.count()) else {
            return self;
        };
        let mut segments = Vec::new();
        for mut segment in self.segments {
            if !segment.kind.is_confederation() {
                if ahead == 0 {
                    break;
                }
                if segment.kind == SegmentKind::Sequence {
                    segment.asns.truncate(ahead);
                    ahead -= segment.asns.len();
                } else {
                    ahead -= 1;
                }
            }
            segments.push(segment);
        }
        segments.extend(as4.segments);
        Self { segments }
    }

    /// RFC 4271 §9.1.2.2 a and RFC 5065 §5.3: a set counts as one, a confederation not at all.
    fn count(&self) -> usize {
        let counts = self.segments.iter().map(|segment| match segment.kind {
            SegmentKind::Sequence => segment.asns.len(),
            SegmentKind::Set => 1,
            SegmentKind::ConfedSequence | SegmentKind::ConfedSet => 0,
        });
        counts.sum()
    }
}

#[cfg(test)]
mod tests;
