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
        address(&object).is_some_and(|address| self.facts.ledger.remove(&address).is_some())
    }

    fn replace(&mut self, objects: Vec<IPAllocation>) -> bool {
        let read: BTreeSet<IpAddr> = objects.iter().filter_map(address).collect();
        let before = self.facts.ledger.len();
        self.facts
            .ledger
            .retain(|address, _| read.contains(address));
        let mut changed = self.facts.ledger.len() != before;
        for object in objects {
            changed |= self.apply(object);
        }
        changed
    }
}

impl Ledger<'_> {
    fn put(&mut self, entry: Allocation) -> bool {
        let address = entry.address;
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
}

/// The address that an entry is about, even if the rest of it is not understood.
fn address(object: &IPAllocation) -> Option<IpAddr> {
    object.spec.address.parse().ok()
}
