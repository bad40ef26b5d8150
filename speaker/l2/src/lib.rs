//! Layer 2: who answers for a VIP on a segment.
#![warn(missing_docs)]

pub mod election;
