//! RFC 7606: what becomes of an UPDATE with an attribute that is malformed.

use std::fmt;

use crate::AfiSafi;

/// RFC 7606 §2, from the gentlest to the strongest; where several apply the strongest counts
/// (§3 h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Treatment {
    /// Attribute discard: the rest of the message stands.
    Discard,
    /// Treat-as-withdraw: its prefixes count as withdrawn.
    Withdraw,
    /// AFI/SAFI disable: what was received of the family is void for the rest of the session.
    Disable(AfiSafi),
    /// Session reset. Of an UPDATE that was read there is none: it is a NOTIFICATION instead.
    Reset,
}

impl fmt::Display for Treatment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discard => f.write_str("attribute discarded"),
            Self::Withdraw => f.write_str("treated as withdrawn"),
            Self::Disable(family) => write!(f, "{family} disabled"),
            Self::Reset => f.write_str("session reset"),
        }
    }
}
