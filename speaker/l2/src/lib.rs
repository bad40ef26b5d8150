//! Layer 2: what one node says and answers on one segment for the VIPs it owns.
//!
//! A pure core after the contract of every protocol core: [`Segment`] takes frames, deadlines and
//! the desired set of VIPs, and gives frames to transmit and multicast groups to join. It opens no
//! socket and reads no clock. Who owns a VIP is [`election`]'s matter. [`discovery`] is about no VIP:
//! it finds out who is at the other end of a link.
//!
//! Both packets that we send have a fixed layout of 42 and 86 bytes, so they are written here
//! byte by byte: a packet library would bring mutable views that panic on short buffers and a
//! build cost, and would spare about forty lines.
#![warn(missing_docs)]

pub mod arp;
pub mod discovery;
pub mod election;
pub mod ndp;

mod ethernet;
mod frame;
mod groups;
mod mac;
mod outbox;
mod pace;
mod schedule;
mod segment;

#[cfg(test)]
#[path = "../tests/frames/hex.rs"]
mod hex;

pub use crate::frame::Frame;
pub use crate::mac::Mac;
pub use crate::segment::{Config, DropCause, Input, Link, Output, Segment};
