//! A frame to transmit, of fixed size, so that nothing is allocated per packet.

use std::fmt;

/// The longest frame that we send: Ethernet 14, IPv6 40, neighbor advertisement 24, option 8.
const CAPACITY: usize = 86;

/// One whole Ethernet frame without its check sequence. Frames shorter than Ethernet's minimum are
/// padded by the network card.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    bytes: [u8; CAPACITY],
    len: u8,
}

impl Frame {
    /// The bytes from the Ethernet destination on.
    pub fn as_bytes(&self) -> &[u8] {
        let (frame, _) = self.bytes.split_at(usize::from(self.len));
        frame
    }

    /// Joins the fields in the order in which they go out.
    pub(crate) fn concat(parts: &[&[u8]]) -> Self {
        let mut frame = Self {
            bytes: [0; CAPACITY],
            len: 0,
        };
        for (slot, byte) in frame.bytes.iter_mut().zip(parts.iter().copied().flatten()) {
            *slot = *byte;
            frame.len += 1;
        }
        debug_assert_eq!(
            parts.concat().len(),
            usize::from(frame.len),
            "the frame is too short"
        );
        frame
    }
}

impl fmt::Debug for Frame {
    /// Hexadecimal, as it would be pasted into a dissector.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
