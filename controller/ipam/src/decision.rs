//! What [`crate::decide`] answers.

use std::fmt;
use std::net::IpAddr;

use model::PoolName;
use thiserror::Error;

use crate::Allocator;
use crate::refusal::{Exclusion, Refusal, listed};

/// What should be so for one Service. All lists are in the order of its families.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Held by it and stays so.
    pub keep: Vec<IpAddr>,
    /// Shown by its status, free, and given by this pool: to be entered into the ledger.
    pub adopt: Vec<(IpAddr, PoolName)>,
    /// To be entered into the ledger, then shown.
    pub claim: Vec<(IpAddr, PoolName)>,
    /// Held by it but no longer wanted: a family removed, an address replaced on request, or held
    /// twice.
    pub release: Vec<IpAddr>,
    /// Kept, but to be recorded under this pool, which gives it now.
    pub repoint: Vec<(IpAddr, PoolName)>,
    /// Whether it has what it wants, and why not.
    pub outcome: Outcome,
    /// What the status should show.
    pub(crate) shows: Option<Vec<IpAddr>>,
}

/// Whether a Service has what it wants. `Display` is the message of its condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It has an address in each of its families, and those that it asks for.
    Allocated,
    /// As before, but no pool would give these again.
    Orphaned(Vec<Orphan>),
    /// `PreferDualStack`: one family has its address, the other waits.
    Partial(Unmet),
    /// What it wants cannot be had; nothing is claimed, and what it held stays.
    Refused {
        /// Why.
        unmet: Unmet,
        /// What it has meanwhile.
        keeps: Vec<IpAddr>,
    },
    /// Its families are not known before the API server has given it cluster IPs.
    WaitingForClusterIp,
}

/// A held address that its recorded pool no longer gives, nor does another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// The address.
    pub address: IpAddr,
    /// The pool that it was taken from.
    pub pool: PoolName,
    /// What became of it.
    pub why: OrphanReason,
}

/// Why a pool would not give an address again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OrphanReason {
    /// The pool is gone.
    #[error("no longer exists")]
    PoolGone,
    /// The pool has other addresses now.
    #[error("no longer has it")]
    OutsidePool,
    /// The pool has it but never gives it.
    #[error("no longer gives it because {0}")]
    Never(Exclusion),
}

/// Why a Service has not all it wants: one refusal, or one for each of two families.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// The first, in the order of its families.
    pub why: Refusal,
    /// The other family's, where it differs.
    pub also: Option<Refusal>,
}

impl Decision {
    /// What the status should show, in the order of the Service's families; `None` leaves it alone,
    /// because it is not ours to write or because nothing is known yet.
    pub fn addresses(&self) -> Option<&[IpAddr]> {
        self.shows.as_deref()
    }
}

impl Decision {
    /// Nothing is held and nothing happens.
    pub(crate) fn nothing(outcome: Outcome) -> Self {
        Self {
            keep: Vec::new(),
            adopt: Vec::new(),
            claim: Vec::new(),
            release: Vec::new(),
            repoint: Vec::new(),
            outcome,
            shows: None,
        }
    }
}

impl Outcome {
    /// The status of the condition `Allocated`.
    pub fn is_allocated(&self) -> bool {
        match self {
            Self::Allocated | Self::Orphaned(_) | Self::Partial(_) => true,
            Self::Refused { .. } | Self::WaitingForClusterIp => false,
        }
    }

    /// Whether nothing is left to wish for. All others change with the pools.
    pub fn is_complete(&self) -> bool {
        match self {
            Self::Allocated => true,
            Self::Orphaned(_)
            | Self::Partial(_)
            | Self::Refused { .. }
            | Self::WaitingForClusterIp => false,
        }
    }

    /// The word for the condition, Events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Allocated => "Allocated",
            Self::Orphaned(_) => "OrphanAddress",
            Self::Partial(_) => "FamilyMissing",
            Self::Refused { unmet, .. } => unmet.why.reason(),
            Self::WaitingForClusterIp => "WaitingForClusterIP",
        }
    }

    /// What its user should be told by an Event, if anything.
    pub fn unmet(&self) -> Option<&Unmet> {
        match self {
            Self::Partial(unmet) | Self::Refused { unmet, .. } => Some(unmet),
            Self::Allocated | Self::Orphaned(_) | Self::WaitingForClusterIp => None,
        }
    }

    /// Whether an address that has just come free may change it.
    pub fn heals_on(&self, freed: IpAddr, allocator: &Allocator) -> bool {
        self.unmet()
            .is_some_and(|unmet| unmet.heals_on(freed, allocator))
    }
}

impl Unmet {
    /// The first two that differ; `None` without any.
    pub(crate) fn of<'r>(refusals: impl IntoIterator<Item = &'r Refusal>) -> Option<Self> {
        let mut refusals = refusals.into_iter();
        let why = refusals.next()?.clone();
        let also = refusals.find(|other| **other != why).cloned();
        Some(Self { why, also })
    }

    /// The refusals, one or two.
    pub fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        std::iter::once(&self.why).chain(&self.also)
    }

    /// Whether an address that has just come free may change one of them.
    pub fn heals_on(&self, freed: IpAddr, allocator: &Allocator) -> bool {
        self.refusals()
            .any(|refusal| refusal.heals_on(freed, allocator))
    }
}

impl From<Refusal> for Unmet {
    fn from(why: Refusal) -> Self {
        Self { why, also: None }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allocated => f.write_str("every IP family of this Service has its address"),
            Self::Orphaned(orphans) => write!(
                f,
                "{}; add it to a pool again, or recreate the Service to move it",
                listed(orphans)
            ),
            Self::Partial(unmet) => write!(f, "one IP family waits: {unmet}"),
            Self::Refused { unmet, keeps } if keeps.is_empty() => unmet.fmt(f),
            Self::Refused { unmet, keeps } => {
                write!(f, "{unmet} (meanwhile it keeps {})", listed(keeps))
            }
            Self::WaitingForClusterIp => {
                f.write_str("the API server has not given this Service a cluster IP yet")
            }
        }
    }
}

impl fmt::Display for Orphan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, pool, why } = self;
        write!(f, "{address} is kept although pool {pool} {why}")
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)?;
        match &self.also {
            Some(also) => write!(f, "; besides, {also}"),
            None => Ok(()),
        }
    }
}
