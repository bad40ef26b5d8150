//! Two speakers joined on one fake clock by a network that delays, cuts and resets.
#![expect(
    clippy::wildcard_enum_match_arm,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests, and what they share"
)]

mod far_side;
mod fixtures;
mod network;
mod scenarios;
mod scripts;
