//! The speaker: one process a node, which makes addresses of Services reachable from there.
//!
//! ```text
//! slim, prober ─▶ index ─▶ plan::plan ─▶ layer2   objects and answers to facts, facts to frames
//!                   └────▶ standing ───▶ status    what came of it
//! owner joins them, run starts them
//! ```

pub mod args;
pub mod bfd;
pub mod bgp;
pub mod layer2;
pub mod run;

mod discovery;
mod driver;
mod due;
mod events;
mod index;
mod interfaces;
mod metrics;
mod owner;
mod permission;
mod prober;
mod slim;
mod standing;
mod status;
