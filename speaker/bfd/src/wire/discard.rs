//! Why a packet is discarded, and how many were.

use std::fmt;

/// Why a packet does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(usize)]
pub enum Discard {
    /// Its TTL or hop limit is too low: RFC 5881 §5, RFC 5883 §5. The driver finds this.
    HopLimit,
    /// It is shorter than any control packet.
    Truncated,
    /// Not version 1.
    Version,
    /// Its length field is too small, or counts more than came.
    Length,
    /// Its detect multiplier is zero.
    DetectMult,
    /// Its multipoint bit is set.
    Multipoint,
    /// Its sender has no name for the session.
    MyDiscriminator,
    /// There is no such session.
    NoSession,
    /// Its sender does not know our name for the session, in a state in which it must.
    YourDiscriminator,
    /// It has an authentication section, and none was agreed on.
    Authentication,
    /// Our end is administratively down.
    AdminDown,
}

impl Discard {
    /// All there are, in the order of their checks.
    pub const ALL: [Self; 11] = [
        Self::HopLimit,
        Self::Truncated,
        Self::Version,
        Self::Length,
        Self::DetectMult,
        Self::Multipoint,
        Self::MyDiscriminator,
        Self::NoSession,
        Self::YourDiscriminator,
        Self::Authentication,
        Self::AdminDown,
    ];

    /// The value of the metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::HopLimit => "hop_limit",
            Self::Truncated => "truncated",
            Self::Version => "version",
            Self::Length => "length",
            Self::DetectMult => "detect_mult",
            Self::Multipoint => "multipoint",
            Self::MyDiscriminator => "my_discriminator",
            Self::NoSession => "no_session",
            Self::YourDiscriminator => "your_discriminator",
            Self::Authentication => "authentication",
            Self::AdminDown => "admin_down",
        }
    }
}

impl fmt::Display for Discard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HopLimit => "it came over more hops than are allowed",
            Self::Truncated => "it is shorter than a control packet",
            Self::Version => "it is not of version 1",
            Self::Length => "its length field is wrong",
            Self::DetectMult => "its detect multiplier is zero",
            Self::Multipoint => "its multipoint bit is set",
            Self::MyDiscriminator => "its sender's discriminator is zero",
            Self::NoSession => "there is no such session",
            Self::YourDiscriminator => "it lacks our discriminator",
            Self::Authentication => "it is authenticated, and authentication is not in use",
            Self::AdminDown => "the session is administratively down here",
        })
    }
}

/// How many packets were discarded for each reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Discards([u64; Discard::ALL.len()]);

impl Discards {
    /// One more.
    pub fn add(&mut self, reason: Discard) {
        if let Some(count) = self.0.get_mut(reason as usize) {
            *count += 1;
        }
    }

    /// How many for that reason.
    pub fn of(&self, reason: Discard) -> u64 {
        self.0.get(reason as usize).copied().unwrap_or(0)
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}
