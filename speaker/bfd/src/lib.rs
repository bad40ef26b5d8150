//! Bidirectional Forwarding Detection, RFC 5880 in asynchronous mode: is the path to a peer alive?
//!
//! A pure core after the contract of every protocol core: datagrams and deadlines go in, packets
//! and changes of state come out. It opens no socket, reads no clock and allocates nothing for a
//! packet. It knows nothing of BGP either: what a session that fails means is for others to say.
//!
//! ```text
//! wire                    the control packet, and why one is discarded
//! path  identity          hop limits and ports; discriminators that outlive a restart
//! jitter  timing          the formulas
//! session                 the machine
//! ```
//!
//! Left out of RFC 5880: authentication (§6.7), the Echo function (§6.4) and Demand mode of our own
//! (§6.6). A far side in Demand mode is obeyed.
#![warn(missing_docs)]
#![deny(clippy::indexing_slicing)]

pub mod wire;

mod identity;
mod jitter;
mod path;
mod session;
mod timing;

pub use crate::identity::{local_discriminator, source_port};
pub use crate::path::{HOP_LIMIT, Path, SOURCE_PORTS};
pub use crate::session::{
    Begin, Config, Counters, Disable, Input, Output, Remote, Role, Session, Status, Why,
};
pub use crate::timing::{MAX_BUDGET, MAX_INTERVAL, MIN_INTERVAL, SLOW_INTERVAL};
pub use crate::wire::{Diagnostic, Discard, Discards, Lookup, Packet, State};
