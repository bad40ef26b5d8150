//! What is wrong with a configuration object, in words for the person who wrote it.

mod bgp;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use kube::Resource;
use model::{AddressRange, RangeError};
use thiserror::Error;

pub use bgp::{BfdProfileProblem, BgpProblem, PasswordProblem};

/// One problem of one object. Displayed as `Kind/name: field: what is wrong; what to do`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The object that causes it.
    pub object: ObjectRef,
    /// The field, as a path from the object's root: `spec.addresses[2]`.
    pub field: String,
    /// What is wrong with it.
    pub reason: Problem,
}

/// A configuration object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectRef {
    /// Its kind.
    pub kind: Cow<'static, str>,
    /// `metadata.name`.
    pub name: String,
}

/// What a problem does to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The object is in force; something about it is probably not meant so.
    Warning,
    /// The object is in force but for what the problem is about.
    Partial,
    /// The object is not in force.
    Rejected,
}

/// What can be wrong with a configuration object. The words say what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// A pool without addresses.
    #[error("no addresses; give at least one CIDR, range or address")]
    NoAddresses,
    /// Text that is no address.
    #[error(
        "{0:?} is not an IP address; write a CIDR (10.0.0.0/24), a range (10.0.0.1-10.0.0.9) or \
         one address, without leading zeros"
    )]
    NotAnAddress(String),
    /// The part of a CIDR behind the slash is no prefix length of its family.
    #[error(
        "{text:?} has no valid prefix length; write a number from 0 to {limit} after the slash"
    )]
    PrefixLength {
        /// The whole entry.
        text: String,
        /// The longest prefix of the family.
        limit: u8,
    },
    /// A CIDR that is not the first address of its network.
    #[error("{text} has host bits set; write {network}")]
    HostBits {
        /// The entry as written.
        text: String,
        /// The network that it is in.
        network: String,
    },
    /// Two ends that make no range.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// An IPv4 address in IPv6 clothes (RFC 4291 §2.5.5.2), which no neighbour would ask for.
    #[error("{0} is an IPv4 address written as IPv6; write it as IPv4")]
    Ipv4Mapped(IpAddr),
    /// Addresses that no Service can have.
    #[error("{entry} contains {special} addresses, which no Service can have; leave out {block}")]
    NotUnicast {
        /// The entry.
        entry: String,
        /// What kind of addresses they are.
        special: &'static str,
        /// Where they are.
        block: &'static str,
    },
    /// Two entries of one pool share addresses.
    #[error("{entry} overlaps {with}; remove one of them or make them meet without overlap")]
    OverlapsEntry {
        /// The later entry.
        entry: String,
        /// The earlier entry.
        with: String,
    },
    /// An exclusion that excludes nothing.
    #[error("{0} is outside the pool's addresses and excludes nothing; correct or remove it")]
    ExcludesNothing(AddressRange),
    /// A priority below zero or above 32 bits.
    #[error("priority {0} is out of range; write a number from 0 to 2147483647, lower is first")]
    PriorityOutOfRange(i64),
    /// A weight outside 1 to 100.
    #[error("weight {0} is out of range; write a number from 1 to 100")]
    WeightOutOfRange(i64),
    /// An operator that label selectors do not have.
    #[error("operator {operator:?} of {key} is unknown; write In, NotIn, Exists or DoesNotExist")]
    UnknownOperator {
        /// The label's key.
        key: String,
        /// What stands there.
        operator: String,
    },
    /// In or NotIn with nothing to compare with.
    #[error("operator {operator} of {key} needs values; give at least one")]
    ValuesMissing {
        /// The label's key.
        key: String,
        /// The operator.
        operator: String,
    },
    /// Exists or DoesNotExist with values.
    #[error("operator {operator} of {key} takes no values; remove them")]
    ValuesUnwanted {
        /// The label's key.
        key: String,
        /// The operator.
        operator: String,
    },
    /// A pattern that can match no interface.
    #[error(
        "{0:?} can match no interface; write a name or a glob (eth0, eth*) of 1 to 15 characters \
         without slash or space"
    )]
    InterfacePattern(String),
    /// An advertisement names a pool that does not exist.
    #[error("there is no IPAddressPool {0:?}; create it or correct the name")]
    UnknownPool(String),
    /// What is only of BGP.
    #[error(transparent)]
    Bgp(#[from] BgpProblem),
}

impl ObjectRef {
    /// The object of kind `K` with this name.
    pub fn of<K: Resource<DynamicType = ()>>(name: &str) -> Self {
        Self {
            kind: K::kind(&()),
            name: name.to_owned(),
        }
    }
}

impl Invalid {
    /// What it does to its object.
    pub fn severity(&self) -> Severity {
        self.reason.severity()
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.object, self.field, self.reason)
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl Problem {
    /// The word for a condition.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoAddresses => "NoAddresses",
            Self::NotAnAddress(_) => "NotAnAddress",
            Self::PrefixLength { .. } => "InvalidPrefixLength",
            Self::HostBits { .. } => "HostBitsSet",
            Self::Range(RangeError::MixedFamilies { .. }) => "MixedFamilies",
            Self::Range(RangeError::Reversed { .. }) => "ReversedRange",
            Self::Ipv4Mapped(_) => "IPv4Mapped",
            Self::NotUnicast { .. } => "NotUnicast",
            Self::OverlapsEntry { .. } => "OverlappingEntries",
            Self::ExcludesNothing(_) => "ExcludesNothing",
            Self::PriorityOutOfRange(_) => "PriorityOutOfRange",
            Self::WeightOutOfRange(_) => "WeightOutOfRange",
            Self::UnknownOperator { .. } => "UnknownOperator",
            Self::ValuesMissing { .. } => "ValuesMissing",
            Self::ValuesUnwanted { .. } => "ValuesUnwanted",
            Self::InterfacePattern(_) => "InvalidInterface",
            Self::UnknownPool(_) => "UnknownPool",
            Self::Bgp(problem) => problem.reason(),
        }
    }

    /// What it does to the object that has it.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Bgp(problem) => problem.severity(),
            Self::ExcludesNothing(_) | Self::UnknownPool(_) => Severity::Warning,
            Self::NoAddresses
            | Self::NotAnAddress(_)
            | Self::PrefixLength { .. }
            | Self::HostBits { .. }
            | Self::Range(_)
            | Self::Ipv4Mapped(_)
            | Self::NotUnicast { .. }
            | Self::OverlapsEntry { .. }
            | Self::PriorityOutOfRange(_)
            | Self::WeightOutOfRange(_)
            | Self::UnknownOperator { .. }
            | Self::ValuesMissing { .. }
            | Self::ValuesUnwanted { .. }
            | Self::InterfacePattern(_) => Severity::Rejected,
        }
    }
}
