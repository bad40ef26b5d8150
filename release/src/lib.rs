//! What is published of Seamark, made from a checkout and nothing else: no Docker, no network.
//!
//! ```text
//!   binaries (static) ──▶ image ──▶ seamark-controller-0.1.0.oci.tar, …
//!   cargo metadata ─────▶ bill ───▶ seamark-controller-0.1.0.cdx.json, …
//!   charts/seamark ──helm package, helm template──▶ seamark-0.1.0.tgz, install.yaml
//!   CHANGELOG.md ───────▶ changelog ──▶ CHANGELOG-0.1.0.md
//!                                   all of it ──▶ SHA256SUMS
//! ```
//!
//! The same commit gives the same octets: times are the commit's, orders are sorted, and nothing of
//! the machine goes in.

pub mod bill;
pub mod changelog;
pub mod chart;
pub mod image;
pub mod program;
pub mod source;
pub mod sums;
