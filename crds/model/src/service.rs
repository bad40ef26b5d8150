//! What the allocator needs to know of a Service.

use std::net::IpAddr;

use thiserror::Error;

use crate::{IpFamily, Labels, PoolName, ServiceKey, Uid};

/// A Service of type LoadBalancer, as the allocator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceRequest {
    /// Namespace and name.
    pub service: ServiceKey,
    /// Its uid.
    pub uid: Uid,
    /// When it was created, in seconds since 1970: who has waited longest is served first.
    pub created: i64,
    /// Its labels, by which pools select.
    pub labels: Labels,
    /// `spec.ipFamilies`, in that order; empty until the API server has given it cluster IPs.
    pub families: Vec<IpFamily>,
    /// `spec.ipFamilyPolicy`.
    pub family_policy: IpFamilyPolicy,
    /// What it asks for by annotation or by `spec.loadBalancerIP`, or why that cannot be read.
    pub requested: Result<RequestedAddresses, InvalidRequest>,
    /// The addresses its status shows now.
    pub shown: Vec<IpAddr>,
}

/// `spec.ipFamilyPolicy` of a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpFamilyPolicy {
    /// One family.
    SingleStack,
    /// Both where possible.
    PreferDualStack,
    /// Both or nothing.
    RequireDualStack,
}

/// `spec.externalTrafficPolicy` of a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExternalTrafficPolicy {
    /// Any node serves, with the source translated.
    Cluster,
    /// Only nodes with an endpoint serve, and the client's address is kept.
    Local,
}

/// What a Service asks for. Both may be given; then the addresses must be of the pool.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestedAddresses {
    /// These addresses and no others in their families; empty means any.
    pub addresses: Vec<IpAddr>,
    /// From this pool and no other.
    pub pool: Option<PoolName>,
}

/// Why what a Service asks for cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidRequest {
    /// Some text is not an address.
    #[error(
        "{field} says {text:?}, which is not an IP address; write addresses separated by commas"
    )]
    NotAnAddress {
        /// The annotation or field.
        field: String,
        /// What stands there.
        text: String,
    },
    /// The same address is listed twice.
    #[error("{field} lists {address} twice; remove one")]
    Repeated {
        /// The annotation or field.
        field: String,
        /// The address.
        address: IpAddr,
    },
    /// More addresses than anybody can mean.
    #[error("{field} lists {count} addresses; {limit} are allowed")]
    TooMany {
        /// The annotation or field.
        field: String,
        /// How many it lists.
        count: usize,
        /// How many may be listed.
        limit: usize,
    },
    /// Two annotations or fields say different things.
    #[error("{first} and {second} ask for different things; keep one of them")]
    Conflicting {
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// The field is there but empty.
    #[error("{field} is empty; give it a value or remove it")]
    Empty {
        /// The annotation or field.
        field: String,
    },
}
