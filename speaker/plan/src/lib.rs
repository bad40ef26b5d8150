//! What this node announces, and why not the rest.
//!
//! [`plan`] is a total, deterministic function of a frozen [`Snapshot`]: no IO, no time, ties
//! broken by sorted order. Nodes that see the same facts come to plans of which, for each VIP,
//! exactly one announces it.

#![warn(missing_docs)]

mod eligibility;
mod evidence;
mod interfaces;
mod planner;
mod snapshot;
mod transition;
mod withheld;

pub use planner::{Plan, WithheldAddress, plan};
pub use snapshot::{
    Announced, Interface, InterfaceKind, LocalEndpoints, Node, Prefix, Service, ServiceState,
    Snapshot,
};
pub use transition::{Transition, transitions};
pub use withheld::Withheld;
