//! Why a Service does not get what it wants, in its user's and operator's words.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use model::{InvalidRequest, IpFamily, PoolName, ServiceKey};
use thiserror::Error;

use crate::Allocator;

/// How many items of a list a message names, and how many bytes of them: with its frame around
/// it, a message stays below the 1,024 bytes that a Kubernetes Event may carry.
const LISTED: usize = 5;
const LISTED_BYTES: usize = 120;

/// Why an address is not given. `Display` says what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// There is no pool.
    #[error("there is no address pool; create an IPAddressPool")]
    NoPool,
    /// Pools exist, but none may serve this Service.
    #[error(
        "no pool may give this Service an {family} address: {}; change a pool or name one in the \
         annotation seamark.io/address-pool",
        listed(skipped)
    )]
    NoPoolAdmits {
        /// What is missing.
        family: IpFamily,
        /// Every pool, in the order in which they are tried, with its reason.
        skipped: Vec<SkippedPool>,
    },
    /// The pool that the Service asks for does not exist.
    #[error("the requested pool {pool} does not exist; create it or ask for another one")]
    UnknownPool {
        /// Its name.
        pool: PoolName,
    },
    /// The pool that the Service asks for, or that has the address it asks for, may not serve it.
    #[error("pool {pool} does not admit this Service: {why}; change the pool or the request")]
    PoolDoesNotAdmit {
        /// The pool.
        pool: PoolName,
        /// Why.
        why: SkipReason,
    },
    /// Every pool that may serve it is fully taken in this family.
    #[error(
        "{} no free {family} address; add addresses to {} or delete Services that no longer need \
         theirs",
        has(pools),
        if pools.len() == 1 { "it" } else { "one" }
    )]
    PoolExhausted {
        /// The pools, in the order in which they were tried.
        pools: Vec<PoolName>,
        /// The family.
        family: IpFamily,
    },
    /// The requested address is in no pool.
    #[error("the requested address {address} is in no pool; add it to one or ask for another one")]
    AddressOutsidePools {
        /// The address.
        address: IpAddr,
    },
    /// The requested address is not in the pool that is requested with it.
    #[error(
        "the requested address {address} is not given by the requested pool {pool}{}; change one \
         of the two requests",
        instead(given_by.as_ref())
    )]
    AddressOutsideRequestedPool {
        /// The address.
        address: IpAddr,
        /// The requested pool.
        pool: PoolName,
        /// The pool that gives it.
        given_by: Option<PoolName>,
    },
    /// The requested address is in a pool which never gives it.
    #[error("pool {pool} never gives {address}: {why}; change the pool or ask for another address")]
    AddressExcluded {
        /// The address.
        address: IpAddr,
        /// The pool.
        pool: PoolName,
        /// Why.
        why: Exclusion,
    },
    /// The requested address is taken.
    #[error("{}", in_use(*address, holder.as_ref()))]
    AddressInUse {
        /// The address.
        address: IpAddr,
        /// Who holds it; nobody while it is being released.
        holder: Option<ServiceKey>,
    },
    /// An address is requested in a family that the Service does not have.
    #[error(
        "the requested address {address} is {}, but spec.ipFamilies of this Service has only {}; \
         add the family or remove the address",
        IpFamily::of(*address),
        listed(families)
    )]
    WrongFamily {
        /// The address.
        address: IpAddr,
        /// The families of the Service.
        families: Vec<IpFamily>,
    },
    /// What the Service asks for cannot be read.
    #[error(transparent)]
    InvalidRequest(#[from] InvalidRequest),
    /// The Service's status shows an address that is not ours.
    #[error(
        "status shows {address}, which {why}; it is left alone: {}, or clear it from \
         status.loadBalancer to get another one",
        why.remedy()
    )]
    ForeignAddress {
        /// The address.
        address: IpAddr,
        /// Why it is not ours.
        why: ForeignReason,
    },
}

/// A pool that was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedPool {
    /// The pool.
    pub pool: PoolName,
    /// Why.
    pub why: SkipReason,
}

/// Why a pool may not serve a Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SkipReason {
    /// It serves only who asks for it.
    #[error("autoAssign is false")]
    AutoAssignOff,
    /// Its namespaces and namespaceSelectors leave the Service's namespace out.
    #[error("it does not admit the namespace")]
    NamespaceNotAdmitted,
    /// Its serviceSelectors leave the Service out.
    #[error("it does not admit the Service's labels")]
    ServiceNotAdmitted,
    /// It has no address of the family.
    #[error("it has no {0} addresses")]
    FamilyMissing(IpFamily),
}

/// Why a pool never gives an address that stands in its ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Exclusion {
    /// `exclude` lists it.
    #[error("it is listed in exclude")]
    Excluded,
    /// `avoidBuggyIPs`, and the address ends in .0 or .255.
    #[error("avoidBuggyIPs is set and it ends in .0 or .255")]
    BuggyIp,
}

/// Why an address that a status shows is not ours to touch.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ForeignReason {
    /// No pool has it.
    #[error("is in no pool")]
    OutsidePools,
    /// A pool has it and never gives it.
    #[error("pool {pool} never gives: {why}")]
    Never {
        /// The pool.
        pool: PoolName,
        /// Why.
        why: Exclusion,
    },
    /// The ledger gives it to somebody else.
    #[error("the ledger gives to Service {0}")]
    HeldBy(ServiceKey),
    /// The ledger keeps it for nobody: it is on its way out.
    #[error("is being released")]
    BeingReleased,
}

/// What, besides a change of the Service itself, can change a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsFor<'a> {
    /// An address of this family that comes free in one of these pools, or a change of pools or
    /// namespaces.
    AnyAddress(&'a [PoolName], IpFamily),
    /// This address coming free, or a change of pools.
    Address(IpAddr),
    /// A change of pools or namespaces.
    Pools,
    /// Nothing else: its user must act.
    Nothing,
}

impl Refusal {
    /// The word for conditions, Events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoPool => "NoPool",
            Self::NoPoolAdmits { .. } => "NoPoolAdmits",
            Self::UnknownPool { .. } => "UnknownPool",
            Self::PoolDoesNotAdmit { .. } => "PoolDoesNotAdmit",
            Self::PoolExhausted { .. } => "PoolExhausted",
            Self::AddressOutsidePools { .. } => "AddressOutsidePools",
            Self::AddressOutsideRequestedPool { .. } => "AddressOutsideRequestedPool",
            Self::AddressExcluded { .. } => "AddressExcluded",
            Self::AddressInUse { .. } => "AddressInUse",
            Self::WrongFamily { .. } => "WrongFamily",
            Self::InvalidRequest(_) => "InvalidRequest",
            Self::ForeignAddress { .. } => "ForeignAddress",
        }
    }

    /// What can heal it. The controller looks again only then.
    pub fn waits_for(&self) -> WaitsFor<'_> {
        match self {
            Self::PoolExhausted { pools, family } => WaitsFor::AnyAddress(pools, *family),
            Self::AddressInUse { address, .. } => WaitsFor::Address(*address),
            Self::ForeignAddress { address, why } => match why {
                ForeignReason::HeldBy(_) | ForeignReason::BeingReleased => {
                    WaitsFor::Address(*address)
                }
                ForeignReason::OutsidePools | ForeignReason::Never { .. } => WaitsFor::Pools,
            },
            Self::NoPool
            | Self::NoPoolAdmits { .. }
            | Self::UnknownPool { .. }
            | Self::PoolDoesNotAdmit { .. }
            | Self::AddressOutsidePools { .. }
            | Self::AddressOutsideRequestedPool { .. }
            | Self::AddressExcluded { .. } => WaitsFor::Pools,
            Self::WrongFamily { .. } | Self::InvalidRequest(_) => WaitsFor::Nothing,
        }
    }

    /// Whether an address that has just come free may change it.
    pub fn heals_on(&self, freed: IpAddr, allocator: &Allocator) -> bool {
        match self.waits_for() {
            WaitsFor::AnyAddress(pools, family) => {
                let giver = allocator.pool_holding(freed);
                IpFamily::of(freed) == family && giver.is_some_and(|pool| pools.contains(pool))
            }
            WaitsFor::Address(address) => address == freed,
            WaitsFor::Pools | WaitsFor::Nothing => false,
        }
    }
}

impl ForeignReason {
    fn remedy(&self) -> &'static str {
        match self {
            Self::OutsidePools => "add it to a pool to take it over",
            Self::Never { .. } => "change the pool to take it over",
            Self::HeldBy(_) => "delete the other Service",
            Self::BeingReleased => "wait until it is free",
        }
    }
}

impl fmt::Display for SkippedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pool {} ({})", self.pool, self.why)
    }
}

/// The first items, and how many more there are.
pub(crate) fn listed<T: fmt::Display>(items: &[T]) -> String {
    let mut text = String::new();
    for (at, item) in items.iter().enumerate() {
        if at == LISTED || text.len() > LISTED_BYTES {
            // Writing to a String cannot fail.
            let _ = write!(text, " and {} more", items.len() - at);
            break;
        }
        let separator = if at == 0 { "" } else { ", " };
        let _ = write!(text, "{separator}{item}");
    }
    text
}

fn has(pools: &[PoolName]) -> String {
    match pools {
        [pool] => format!("pool {pool} has"),
        pools => format!("pools {} have", listed(pools)),
    }
}

fn instead(given_by: Option<&PoolName>) -> String {
    given_by.map_or_else(String::new, |pool| format!(" but by pool {pool}"))
}

fn in_use(address: IpAddr, holder: Option<&ServiceKey>) -> String {
    match holder {
        Some(service) => format!(
            "the requested address {address} is held by Service {service}; ask for another one or \
             delete that Service"
        ),
        None => format!(
            "the requested address {address} is just being released; wait, it will be given as \
             soon as it is free"
        ),
    }
}

#[cfg(test)]
mod tests;
