//! BFD: how soon a dead path is noticed, what that costs, and what nobody notices.

pub(crate) mod detect;
pub(crate) mod load;
pub(crate) mod reroute;
pub(crate) mod restart;

mod ground;
