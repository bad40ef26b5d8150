//! BGP-4: what one node tells its neighbours about the VIPs that it serves.
//!
//! A pure core after the contract of every protocol core: octets, deadlines and the desired routes
//! go in, messages to transmit come out. It opens no socket and reads no clock. [`wire`] turns
//! octets into messages and back; what is received is judged by RFC 7606 and then forgotten, for
//! this speaker has no routes to learn.
//!
//! ```text
//! asn  family  prefix  community  attributes     the nouns
//! wire                                           messages, framing, packing
//! route_set                                      what is to be told
//! rules  adj_rib_out                             how, and what has been
//! connection                                     one TCP connection
//! peer                                           one configured peer, two connections at most
//! ```
#![warn(missing_docs)]
#![deny(clippy::indexing_slicing)]

#[cfg(test)]
extern crate self as bgp;

pub mod wire;

mod adj_rib_out;
mod asn;
mod attributes;
mod community;
mod connection;
mod family;
mod jitter;
mod peer;
mod per_family;
mod prefix;
mod route_set;
mod rules;

#[cfg(test)]
#[path = "../tests/pair/far_side.rs"]
mod far_side;
#[cfg(test)]
#[path = "../tests/pair/fixtures.rs"]
mod fixtures;

pub use crate::asn::{Asn, RouterId};
pub use crate::attributes::Attributes;
pub use crate::community::{Community, ExtendedCommunity, LargeCommunity};
pub use crate::family::{AfiSafi, Families, Family};
pub use crate::peer::{
    CloseReason, Config, ConnectError, ConnectionId, Counters, Drain, DrainStage, FamilyStatus,
    Fault, GracefulRestart, Input, LastError, Mode, Negotiated, Origin, Output, Path, Peer,
    PeerAsn, Protection, Shutdown, State, Status, Why,
};
pub use crate::per_family::PerFamily;
pub use crate::prefix::{Prefix, PrefixError};
pub use crate::route_set::{Route, RouteSet};
pub use crate::rules::FamilyWithheld;
