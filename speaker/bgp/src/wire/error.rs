//! What a NOTIFICATION can say: error codes and subcodes by name.

use std::fmt;

/// An error code with its subcode. All that we send, and all that we can put into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Error {
    /// RFC 4271 §6.1: the marker is not all ones.
    ConnectionNotSynchronized,
    /// RFC 4271 §6.1; data: the length field.
    BadMessageLength,
    /// RFC 4271 §6.1; data: the type field.
    BadMessageType,
    /// RFC 4271 §6.2, Unspecific: a known optional parameter is malformed.
    MalformedOpen,
    /// RFC 4271 §6.2; data: the version that we speak.
    UnsupportedVersionNumber,
    /// RFC 4271 §6.2; RFC 7607 for AS 0.
    BadPeerAs,
    /// RFC 4271 §6.2, RFC 6286 §2.2.
    BadBgpIdentifier,
    /// RFC 4271 §6.2.
    UnsupportedOptionalParameter,
    /// RFC 4271 §6.2: one or two seconds, or more or less than we accept.
    UnacceptableHoldTime,
    /// RFC 5492 §5; data: the capabilities that are missed.
    UnsupportedCapability,
    /// RFC 9234 §4.2.
    RoleMismatch,
    /// RFC 4271 §6.3.
    MalformedAttributeList,
    /// RFC 4271 §6.3; data: the attribute.
    UnrecognizedWellKnownAttribute,
    /// RFC 4271 §6.3; data: the type of what is missing.
    MissingWellKnownAttribute,
    /// RFC 4271 §6.3; data: the attribute.
    AttributeFlags,
    /// RFC 4271 §6.3; data: the attribute.
    AttributeLength,
    /// RFC 4271 §6.3; data: the attribute.
    InvalidOrigin,
    /// RFC 4271 §6.3; data: the attribute.
    InvalidNextHop,
    /// RFC 4271 §6.3; data: the attribute.
    OptionalAttribute,
    /// RFC 4271 §6.3.
    InvalidNetworkField,
    /// RFC 4271 §6.3.
    MalformedAsPath,
    /// RFC 4271 §6.5.
    HoldTimerExpired,
    /// RFC 4271 §6.6, in a state that RFC 6608 does not number.
    UnexpectedMessage,
    /// RFC 6608 §3.
    UnexpectedInOpenSent,
    /// RFC 6608 §3.
    UnexpectedInOpenConfirm,
    /// RFC 6608 §3.
    UnexpectedInEstablished,
    /// RFC 4271 §6.7 without a reason.
    Cease,
    /// RFC 4486 §4; data: family and limit.
    MaximumPrefixes,
    /// RFC 4486 §4; data: RFC 9003's text.
    AdministrativeShutdown,
    /// RFC 4486 §4.
    PeerDeconfigured,
    /// RFC 4486 §4; data: RFC 9003's text.
    AdministrativeReset,
    /// RFC 4486 §4.
    ConnectionRejected,
    /// RFC 4486 §4.
    OtherConfigurationChange,
    /// RFC 4486 §4, RFC 4271 §6.8.
    ConnectionCollisionResolution,
    /// RFC 4486 §4.
    OutOfResources,
    /// RFC 8538 §3; data: the error that it carries.
    HardReset,
    /// RFC 9384 §3.
    BfdDown,
    /// RFC 7313 §5; data: the message.
    InvalidRouteRefreshLength,
    /// RFC 9687 §3.
    SendHoldTimerExpired,
}

impl Error {
    const ALL: [Self; 39] = [
        Self::ConnectionNotSynchronized,
        Self::BadMessageLength,
        Self::BadMessageType,
        Self::MalformedOpen,
        Self::UnsupportedVersionNumber,
        Self::BadPeerAs,
        Self::BadBgpIdentifier,
        Self::UnsupportedOptionalParameter,
        Self::UnacceptableHoldTime,
        Self::UnsupportedCapability,
        Self::RoleMismatch,
        Self::MalformedAttributeList,
        Self::UnrecognizedWellKnownAttribute,
        Self::MissingWellKnownAttribute,
        Self::AttributeFlags,
        Self::AttributeLength,
        Self::InvalidOrigin,
        Self::InvalidNextHop,
        Self::OptionalAttribute,
        Self::InvalidNetworkField,
        Self::MalformedAsPath,
        Self::HoldTimerExpired,
        Self::UnexpectedMessage,
        Self::UnexpectedInOpenSent,
        Self::UnexpectedInOpenConfirm,
        Self::UnexpectedInEstablished,
        Self::Cease,
        Self::MaximumPrefixes,
        Self::AdministrativeShutdown,
        Self::PeerDeconfigured,
        Self::AdministrativeReset,
        Self::ConnectionRejected,
        Self::OtherConfigurationChange,
        Self::ConnectionCollisionResolution,
        Self::OutOfResources,
        Self::HardReset,
        Self::BfdDown,
        Self::InvalidRouteRefreshLength,
        Self::SendHoldTimerExpired,
    ];

    /// The error with these numbers, if they have a name.
    pub(super) fn from_codes(code: u8, subcode: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|error| error.codes() == (code, subcode))
    }

    /// Error code and subcode, as IANA's registries number them.
    pub fn codes(self) -> (u8, u8) {
        match self {
            Self::ConnectionNotSynchronized => (1, 1),
            Self::BadMessageLength => (1, 2),
            Self::BadMessageType => (1, 3),
            Self::MalformedOpen => (2, 0),
            Self::UnsupportedVersionNumber => (2, 1),
            Self::BadPeerAs => (2, 2),
            Self::BadBgpIdentifier => (2, 3),
            Self::UnsupportedOptionalParameter => (2, 4),
            Self::UnacceptableHoldTime => (2, 6),
            Self::UnsupportedCapability => (2, 7),
            Self::RoleMismatch => (2, 11),
            Self::MalformedAttributeList => (3, 1),
            Self::UnrecognizedWellKnownAttribute => (3, 2),
            Self::MissingWellKnownAttribute => (3, 3),
            Self::AttributeFlags => (3, 4),
            Self::AttributeLength => (3, 5),
            Self::InvalidOrigin => (3, 6),
            Self::InvalidNextHop => (3, 8),
            Self::OptionalAttribute => (3, 9),
            Self::InvalidNetworkField => (3, 10),
            Self::MalformedAsPath => (3, 11),
            Self::HoldTimerExpired => (4, 0),
            Self::UnexpectedMessage => (5, 0),
            Self::UnexpectedInOpenSent => (5, 1),
            Self::UnexpectedInOpenConfirm => (5, 2),
            Self::UnexpectedInEstablished => (5, 3),
            Self::Cease => (6, 0),
            Self::MaximumPrefixes => (6, 1),
            Self::AdministrativeShutdown => (6, 2),
            Self::PeerDeconfigured => (6, 3),
            Self::AdministrativeReset => (6, 4),
            Self::ConnectionRejected => (6, 5),
            Self::OtherConfigurationChange => (6, 6),
            Self::ConnectionCollisionResolution => (6, 7),
            Self::OutOfResources => (6, 8),
            Self::HardReset => (6, 9),
            Self::BfdDown => (6, 10),
            Self::InvalidRouteRefreshLength => (7, 1),
            Self::SendHoldTimerExpired => (8, 0),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::ConnectionNotSynchronized => "connection not synchronized",
            Self::BadMessageLength => "bad message length",
            Self::BadMessageType => "bad message type",
            Self::MalformedOpen => "malformed OPEN",
            Self::UnsupportedVersionNumber => "unsupported version number",
            Self::BadPeerAs => "bad peer AS",
            Self::BadBgpIdentifier => "bad BGP identifier",
            Self::UnsupportedOptionalParameter => "unsupported optional parameter",
            Self::UnacceptableHoldTime => "unacceptable hold time",
            Self::UnsupportedCapability => "unsupported capability",
            Self::RoleMismatch => "role mismatch",
            Self::MalformedAttributeList => "malformed attribute list",
            Self::UnrecognizedWellKnownAttribute => "unrecognized well-known attribute",
            Self::MissingWellKnownAttribute => "missing well-known attribute",
            Self::AttributeFlags => "attribute flags error",
            Self::AttributeLength => "attribute length error",
            Self::InvalidOrigin => "invalid ORIGIN",
            Self::InvalidNextHop => "invalid NEXT_HOP",
            Self::OptionalAttribute => "optional attribute error",
            Self::InvalidNetworkField => "invalid network field",
            Self::MalformedAsPath => "malformed AS_PATH",
            Self::HoldTimerExpired => "hold timer expired",
            Self::UnexpectedMessage => "unexpected message",
            Self::UnexpectedInOpenSent => "unexpected message in OpenSent",
            Self::UnexpectedInOpenConfirm => "unexpected message in OpenConfirm",
            Self::UnexpectedInEstablished => "unexpected message in Established",
            Self::Cease => "cease",
            Self::MaximumPrefixes => "maximum number of prefixes reached",
            Self::AdministrativeShutdown => "administrative shutdown",
            Self::PeerDeconfigured => "peer de-configured",
            Self::AdministrativeReset => "administrative reset",
            Self::ConnectionRejected => "connection rejected",
            Self::OtherConfigurationChange => "other configuration change",
            Self::ConnectionCollisionResolution => "connection collision resolution",
            Self::OutOfResources => "out of resources",
            Self::HardReset => "hard reset",
            Self::BfdDown => "BFD down",
            Self::InvalidRouteRefreshLength => "invalid ROUTE-REFRESH length",
            Self::SendHoldTimerExpired => "send hold timer expired",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_error_has_numbers_and_words_of_its_own() {
        let numbers: BTreeSet<_> = Error::ALL.iter().map(|error| error.codes()).collect();
        let words: BTreeSet<_> = Error::ALL.iter().map(ToString::to_string).collect();
        assert_eq!(
            (numbers.len(), words.len()),
            (Error::ALL.len(), Error::ALL.len())
        );
        for error in Error::ALL {
            let (code, subcode) = error.codes();
            assert_eq!(Error::from_codes(code, subcode), Some(error));
        }
    }

    #[test]
    fn numbers_without_a_name_are_no_error_of_ours() {
        for (code, subcode) in [(0, 0), (2, 5), (3, 7), (6, 11), (9, 0), (255, 255)] {
            assert_eq!(Error::from_codes(code, subcode), None);
        }
    }
}
