//! What can be said of the chart without a cluster: that it renders, that every API server we support
//! knows what it renders, that wrong values are refused by name, and that its pods have no right that
//! is not documented. `make chart` runs it: it needs Helm and the validator, which the set-up brings.

mod pods;
mod refused;
mod rendered;
mod shape;
