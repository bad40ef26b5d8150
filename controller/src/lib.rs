//! Gives addresses to Services.
//!
//! ```text
//!   watches ×kinds ──Event──▶ owner (Index + Allocator) ──Effect──▶ writer ──▶ API server
//!                               ▲───────────Outcome──────────────────┘
//! ```

mod account;
mod effect;
mod kind;
mod ledger;
mod owner;
mod request;
mod service;
mod status;
mod writer;

pub mod args;
pub mod metrics;
pub mod quickstart;
pub mod run;
pub mod uninstall;
