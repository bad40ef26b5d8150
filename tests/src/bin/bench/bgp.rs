//! BGP: what a speaker takes to tell routers, and how soon a router knows.

pub(crate) mod announce;
pub(crate) mod footprint;
pub(crate) mod peering;
pub(crate) mod router;

mod driver;
