//! The house rules that no compiler holds. Plain `cargo test` runs them, `make tidy` runs nothing
//! else. Each rule is one test; what it finds is printed as `file:line: what is wrong; what to do`.
//!
//! ```text
//! tree       the files of the repository        rust     code, comments and literals told apart
//! metadata   what cargo knows about the crates  problem  how a broken rule is told
//! ```

mod arrows;
mod claim;
mod guide;
mod licence;
mod links;
mod manifests;
mod metadata;
mod problem;
mod rfc;
mod rust;
mod size;
mod supply;
mod tree;
mod unsafety;
mod wall;
mod words;
mod yaml;
