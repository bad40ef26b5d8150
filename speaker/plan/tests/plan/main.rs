//! What starts, what goes on, what stops, and that a cluster's plans fit together.

#[cfg(test)]
mod bgp;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod facts;
#[cfg(test)]
mod health;
#[cfg(test)]
mod keeps;
#[cfg(test)]
mod starts;
#[cfg(test)]
mod stops;
