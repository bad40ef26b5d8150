//! The ledger: which Service holds which address.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use crds::IPAllocation;
use model::Allocation;
use plan::Snapshot;

use super::reading::Objects;

/// The snapshot's ledger.
pub(super) struct Ledger<'a> {
    pub(super) facts: &'a mut Snapshot,
    /// Addresses whose entry is gone but stays until it was planned with.
    pub(super) ended: &'a mut BTreeSet<IpAddr>,
}

impl Objects<IPAllocation> for Ledger<'_> {
    fn count(&self) -> usize {
        self.facts.ledger.len()
    }

    fn apply(&mut self, object: IPAllocation) -> bool {
        match Allocation::try_from(&object) {
            Ok(entry) => self.put(entry),
            Err(error) => {
                let entry = object.metadata.name.as_deref().unwrap_or_default();
                let error = runtime::log::chain(&error);
                tracing::warn!(
                    entry,
                    error,
                    "ledger entry not understood, keeping what it said before"
                );
                false
            }
        }
    }

    fn delete(&mut self, object: IPAllocation) -> bool {
        // Its last state: an event before may have been missed, but not this one.
        let changed = self.apply(object.clone());
        changed | address(&object).is_some_and(|address| self.end(address))
    }

    fn replace(&mut self, objects: Vec<IPAllocation>) -> bool {
        let read: BTreeSet<IpAddr> = objects.iter().filter_map(address).collect();
        let gone: Vec<IpAddr> = self
            .facts
            .ledger
            .keys()
            .filter(|address| !read.contains(address))
            .copied()
            .collect();
        let mut changed = false;
        for address in gone {
            changed |= self.end(address);
        }
        for object in objects {
            changed |= self.apply(object);
        }
        changed
    }
}

impl Ledger<'_> {
    fn put(&mut self, entry: Allocation) -> bool {
        let address = entry.address;
        self.ended.remove(&address);
        if self
            .facts
            .ledger
            .get(&address)
            .is_some_and(|known| **known == entry)
        {
            return false;
        }
        self.facts.ledger.insert(address, Arc::new(entry));
        true
    }

    /// An entry is gone. One that took an address from the Service it is announced for stays until
    /// it was planned with: a release is two writes, and both may be read before the next plan.
    fn end(&mut self, address: IpAddr) -> bool {
        let Some(entry) = self.facts.ledger.get(&address) else {
            return false;
        };
        let announced = self.facts.announced.get(&address);
        if announced.is_some_and(|announced| !entry.is_held_by(&announced.service.uid)) {
            return self.ended.insert(address);
        }
        self.facts.ledger.remove(&address).is_some()
    }
}

/// The address that an entry is about, even if the rest of it is not understood.
fn address(object: &IPAllocation) -> Option<IpAddr> {
    object.spec.address.parse().ok()
}
