//! Why a session changed its state, in the words of RFC 5880 §4.1.

use std::fmt;

/// RFC 5880 §4.1: the reason for a session's last change of state, as its end tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Diagnostic {
    /// Nothing to report.
    None,
    /// Nothing was heard for the detection time.
    ControlDetectionTimeExpired,
    /// Echo packets did not come back.
    EchoFunctionFailed,
    /// The other end said so.
    NeighborSignaledSessionDown,
    /// Its forwarding plane was reset.
    ForwardingPlaneReset,
    /// Something else says that the path is down.
    PathDown,
    /// The path beyond it is down.
    ConcatenatedPathDown,
    /// Held down on purpose.
    AdministrativelyDown,
    /// The path beyond it is down in the other direction.
    ReverseConcatenatedPathDown,
    /// A code of five bits that RFC 5880 gives no meaning.
    Reserved(u8),
}

impl Diagnostic {
    /// The five bits of the field.
    pub fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::ControlDetectionTimeExpired => 1,
            Self::EchoFunctionFailed => 2,
            Self::NeighborSignaledSessionDown => 3,
            Self::ForwardingPlaneReset => 4,
            Self::PathDown => 5,
            Self::ConcatenatedPathDown => 6,
            Self::AdministrativelyDown => 7,
            Self::ReverseConcatenatedPathDown => 8,
            Self::Reserved(code) => code & 0x1f,
        }
    }

    pub(super) fn from_code(code: u8) -> Self {
        match code {
            0 => Self::None,
            1 => Self::ControlDetectionTimeExpired,
            2 => Self::EchoFunctionFailed,
            3 => Self::NeighborSignaledSessionDown,
            4 => Self::ForwardingPlaneReset,
            5 => Self::PathDown,
            6 => Self::ConcatenatedPathDown,
            7 => Self::AdministrativelyDown,
            8 => Self::ReverseConcatenatedPathDown,
            9.. => Self::Reserved(code & 0x1f),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no diagnostic",
            Self::ControlDetectionTimeExpired => "control detection time expired",
            Self::EchoFunctionFailed => "echo function failed",
            Self::NeighborSignaledSessionDown => "neighbor signaled session down",
            Self::ForwardingPlaneReset => "forwarding plane reset",
            Self::PathDown => "path down",
            Self::ConcatenatedPathDown => "concatenated path down",
            Self::AdministrativelyDown => "administratively down",
            Self::ReverseConcatenatedPathDown => "reverse concatenated path down",
            Self::Reserved(code) => return write!(f, "diagnostic {code}"),
        })
    }
}
