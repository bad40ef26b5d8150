//! What this node announces, and why not the rest.
//!
//! [`plan`] is a total, deterministic function of a frozen [`Snapshot`]: no IO, no time, ties
//! broken by sorted order. Nodes that see the same facts come to plans of which, for each VIP,
//! exactly one announces it on a segment. To BGP peers every node tells it that may.

#![warn(missing_docs)]

mod advertising;
mod announcing;
mod columns;
mod departure;
mod eligibility;
mod evidence;
mod fitness;
mod interfaces;
mod merge;
mod planner;
mod reach;
mod route;
mod routing;
mod snapshot;
mod speaking;
mod terms;
mod transition;
mod withheld;

pub use departure::{Departure, Ending, departure, ending};
pub use fitness::{Answer, Fitness, Forwarding, History, Source, Verdict};
pub use merge::{Attribute, Conflict};
pub use planner::{Plan, WithheldAddress, plan};
pub use reach::{NextHops, is_on_link, next_hops, router_id};
pub use route::{Route, RoutePrefix};
pub use snapshot::{
    Advertised, Announced, Interface, InterfaceKind, LocalEndpoints, Node, Prefix, Service,
    ServiceState, Snapshot, Vacancy,
};
pub use terms::{Offer, Terms};
pub use transition::{Protocol, Transition, transitions};
pub use withheld::Withheld;
