//! Two sessions joined on one fake clock by a path that loses, delays and reorders.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests, whose clock starts somewhere"
)]

mod network;
mod scenarios;
mod scripts;
