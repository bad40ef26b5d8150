//! Who holds which address, who may have one, and why not.
//!
//! [`Allocator`] keeps the pools and the ledger as ordered ranges; [`decide`] says what should be
//! so for one Service and changes nothing. Both are functions of values: no clock, no chance, no
//! API server, so the same pools, ledger and Service always give the same [`Decision`].
//!
//! ```text
//!   pools ───▶ Space × family (who owns which range, what of it is free) ─┐
//!   ledger ──▶ Ledger (who holds which address)                          ─┤
//!                                                                         ▼
//!   ServiceRequest ──▶ Present (held, adoptable, foreign) ──▶ decide ──▶ Decision, Refusal
//! ```

mod allocator;
mod choose;
mod decide;
mod decision;
#[cfg(test)]
mod fixtures;
mod free_ranges;
mod ledger;
mod present;
mod range_set;
mod refusal;
mod space;

pub use allocator::{Allocator, PoolUsage};
pub use decide::decide;
pub use decision::{Decision, Orphan, OrphanReason, Outcome, Unmet};
pub use refusal::{Exclusion, ForeignReason, Refusal, SkipReason, SkippedPool, WaitsFor};
pub use space::Overlap;
