//! What BGP peers are told.

mod aggregates;
mod any;
mod drains;
mod facts;
mod keeps;
mod merges;
mod stops;
mod told;
