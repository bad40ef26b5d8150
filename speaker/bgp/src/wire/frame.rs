//! Framing: a stream of octets into messages, RFC 4271 §4.1 and §6.1.

use bytes::{Buf, Bytes, BytesMut};

use super::{Error, Notification};

/// RFC 4271 §4.1: sixteen octets of ones begin every message.
pub(super) const MARKER: [u8; 16] = [0xff; 16];
/// Marker, length and type.
pub(super) const HEADER: usize = 19;
/// RFC 4271 §4.1: the longest message.
pub(super) const MAXIMUM: usize = 4096;
/// RFC 8654 §3: the longest message where both sides said so.
pub(super) const EXTENDED_MAXIMUM: usize = 65_535;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum MessageType {
    /// RFC 4271 §4.2.
    Open = 1,
    /// RFC 4271 §4.3.
    Update = 2,
    /// RFC 4271 §4.5.
    Notification = 3,
    /// RFC 4271 §4.4.
    Keepalive = 4,
    /// RFC 2918.
    RouteRefresh = 5,
}

impl MessageType {
    const ALL: [Self; 5] = [
        Self::Open,
        Self::Update,
        Self::Notification,
        Self::Keepalive,
        Self::RouteRefresh,
    ];

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == code)
    }

    /// RFC 4271 §6.1: the shortest message of the type, and the longest. RFC 8654 §4: neither OPEN
    /// nor KEEPALIVE may be extended.
    fn lengths(self, maximum: usize) -> (usize, usize) {
        match self {
            Self::Open => (29, MAXIMUM),
            Self::Update => (23, maximum),
            Self::Notification => (21, maximum),
            Self::Keepalive => (HEADER, HEADER),
            Self::RouteRefresh => (23, maximum),
        }
    }
}

/// One message as it came, its header checked and taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The header's type.
    pub kind: MessageType,
    /// Everything behind the header.
    pub body: Bytes,
}

/// Cuts a stream into messages. A header is checked as soon as its octets are there, its body is
/// not waited for first. Between `poll`s that gave `None` it holds less than one message.
#[derive(Debug)]
pub struct Framer {
    buffer: BytesMut,
    maximum: usize,
    failed: bool,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new()
    }
}

impl Framer {
    /// At the start of a connection: messages of 4096 octets at most.
    pub fn new() -> Self {
        Self {
            buffer: BytesMut::new(),
            maximum: MAXIMUM,
            failed: false,
        }
    }

    /// From here on messages of 65,535 octets are taken (RFC 8654 §4: whoever has advertised the
    /// capability must).
    pub fn set_extended(&mut self) {
        self.maximum = EXTENDED_MAXIMUM;
    }

    /// Adds what was received. After an error there is no way to find the next message, so that
    /// everything later is dropped.
    pub fn push(&mut self, octets: &[u8]) {
        if !self.failed {
            self.buffer.extend_from_slice(octets);
        }
    }

    /// How many octets wait to be cut.
    pub fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// The next whole message, or once the NOTIFICATION that a wrong header deserves.
    pub fn poll(&mut self) -> Option<Result<Frame, Notification>> {
        match self.header() {
            Ok(None) => None,
            Ok(Some((kind, length))) => self.cut(kind, length).map(Ok),
            Err(notification) => {
                self.failed = true;
                self.buffer = BytesMut::new();
                Some(Err(notification))
            }
        }
    }

    fn cut(&mut self, kind: MessageType, length: usize) -> Option<Frame> {
        if self.buffer.len() < length {
            return None;
        }
        let mut message = self.buffer.split_to(length);
        message.advance(HEADER);
        Some(Frame {
            kind,
            body: message.freeze(),
        })
    }

    /// RFC 4271 §6.1, in its order: marker, length, type, the type's length. As much of the marker
    /// as is there has to be right already.
    fn header(&self) -> Result<Option<(MessageType, usize)>, Notification> {
        let buffer = &self.buffer;
        if buffer.iter().take(MARKER.len()).any(|octet| *octet != 0xff) {
            return Err(Notification::new(Error::ConnectionNotSynchronized));
        }
        let Some([.., high, low, code]) = buffer.first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let bad_length = || Notification::new(Error::BadMessageLength).with_data(&[*high, *low]);
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if !(HEADER..=self.maximum).contains(&length) {
            return Err(bad_length());
        }
        let Some(kind) = MessageType::from_code(*code) else {
            return Err(Notification::new(Error::BadMessageType).with_data(&[*code]));
        };
        let (shortest, longest) = kind.lengths(self.maximum);
        if !(shortest..=longest).contains(&length) {
            return Err(bad_length());
        }
        Ok(Some((kind, length)))
    }
}

/// Writes a header, the body, and then the length that both have.
pub(super) fn emit(kind: MessageType, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&MARKER);
    out.extend_from_slice(&[0, 0, kind as u8]);
    body(out);
    let length = out.len() - start;
    patch(out, start + MARKER.len(), length);
}

/// Puts a length of two octets where room was left for it. Callers have kept to the maximum, so
/// that every length fits.
pub(super) fn patch(out: &mut [u8], at: usize, length: usize) {
    let length = u16::try_from(length).unwrap_or(u16::MAX);
    if let Some(field) = out.get_mut(at..at + 2) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}

#[cfg(test)]
mod tests;
