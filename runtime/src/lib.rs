//! What both binaries need to run, and not a word about what they are for.
//!
//! ```text
//! args ──▶ log, client, admin        one command line, one log, one connection
//! client ──▶ watch ×kinds ──mpsc──▶ owner   (the binary's loop)
//! lease ──▶ tenure, fenced client         which of several replicas may write
//! shutdown ──▶ supervise             one way to end
//! ```

pub mod admin;
pub mod args;
pub mod client;
pub mod lease;
pub mod log;
pub mod shutdown;
pub mod supervise;
pub mod watch;
