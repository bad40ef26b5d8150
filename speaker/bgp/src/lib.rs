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
//! ```
#![warn(missing_docs)]
#![deny(clippy::indexing_slicing)]

pub mod wire;

mod asn;
mod attributes;
mod community;
mod family;
mod prefix;

pub use crate::asn::{Asn, RouterId};
pub use crate::attributes::Attributes;
pub use crate::community::{Community, ExtendedCommunity, LargeCommunity};
pub use crate::family::{AfiSafi, Families, Family};
pub use crate::prefix::{Prefix, PrefixError};
