//! What the ledger says of one address.

use std::net::IpAddr;

use crate::{PoolName, ServiceKey, Uid};

/// One entry of the ledger: an address, the pool it was taken from, and who holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocation {
    /// The address.
    pub address: IpAddr,
    /// The pool by whose rules it was given; advertisements match by this name.
    pub pool: PoolName,
    /// Who holds it. Empty between the two writes of a release.
    pub holders: Vec<Holder>,
    /// Since when the present holder has it, in milliseconds since 1970.
    pub since: i64,
}

/// A Service that holds an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// Its namespace and name, for people.
    pub service: ServiceKey,
    /// Its uid, by which it is meant.
    pub uid: Uid,
}

impl Allocation {
    /// Whether the Service with this uid holds the address.
    pub fn is_held_by(&self, uid: &Uid) -> bool {
        self.holders.iter().any(|holder| holder.uid == *uid)
    }
}
