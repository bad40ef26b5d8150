//! Who holds which address, by address, by Service and by pool.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use model::{Allocation, IpFamily, PoolName, Uid};

/// The entries and their indices, which always agree.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    entries: BTreeMap<IpAddr, Allocation>,
    /// Sorted addresses; nearly always one or two. Only looked up, never walked, so a hash map
    /// changes no answer; it takes a third off the cost of an allocation.
    by_uid: HashMap<Uid, Vec<IpAddr>>,
    by_pool: BTreeMap<PoolName, Assigned>,
}

/// How many addresses name a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Assigned {
    pub(crate) v4: u128,
    pub(crate) v6: u128,
}

impl Ledger {
    /// Takes an entry and returns the one that it replaces.
    pub(crate) fn insert(&mut self, allocation: Allocation) -> Option<Allocation> {
        let address = allocation.address;
        let earlier = match self.entries.entry(address) {
            Entry::Vacant(vacant) => {
                index(
                    &mut self.by_uid,
                    &mut self.by_pool,
                    vacant.insert(allocation),
                );
                return None;
            }
            Entry::Occupied(mut occupied) => occupied.insert(allocation),
        };
        self.unindex(&earlier);
        let present = self.entries.get(&address)?;
        index(&mut self.by_uid, &mut self.by_pool, present);
        Some(earlier)
    }

    /// Drops an entry and returns it.
    pub(crate) fn remove(&mut self, address: IpAddr) -> Option<Allocation> {
        let earlier = self.entries.remove(&address)?;
        self.unindex(&earlier);
        Some(earlier)
    }

    fn unindex(&mut self, earlier: &Allocation) {
        for holder in &earlier.holders {
            if let Some(addresses) = self.by_uid.get_mut(&holder.uid) {
                addresses.retain(|held| *held != earlier.address);
                if addresses.is_empty() {
                    self.by_uid.remove(&holder.uid);
                }
            }
        }
        if let Some(assigned) = self.by_pool.get_mut(&earlier.pool) {
            *assigned.of(earlier.address) -= 1;
            if *assigned == Assigned::default() {
                self.by_pool.remove(&earlier.pool);
            }
        }
    }

    /// The entry of an address.
    pub(crate) fn entry(&self, address: IpAddr) -> Option<&Allocation> {
        self.entries.get(&address)
    }

    /// Every address that has an entry, in order.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.entries.keys().copied()
    }

    /// The entries that name a uid, by address.
    pub(crate) fn held_by<'a>(
        &'a self,
        uid: &Uid,
    ) -> impl Iterator<Item = &'a Allocation> + use<'a> {
        let addresses = self.by_uid.get(uid).map(Vec::as_slice).unwrap_or_default();
        addresses
            .iter()
            .filter_map(|address| self.entries.get(address))
    }

    /// How many addresses name a pool.
    pub(crate) fn assigned(&self, pool: &PoolName) -> Assigned {
        self.by_pool.get(pool).copied().unwrap_or_default()
    }
}

fn index(
    by_uid: &mut HashMap<Uid, Vec<IpAddr>>,
    by_pool: &mut BTreeMap<PoolName, Assigned>,
    allocation: &Allocation,
) {
    for holder in &allocation.holders {
        let addresses = by_uid.entry(holder.uid.clone()).or_default();
        if let Err(at) = addresses.binary_search(&allocation.address) {
            addresses.insert(at, allocation.address);
        }
    }
    if let Some(assigned) = by_pool.get_mut(&allocation.pool) {
        *assigned.of(allocation.address) += 1;
    } else {
        let mut assigned = Assigned::default();
        *assigned.of(allocation.address) += 1;
        by_pool.insert(allocation.pool.clone(), assigned);
    }
}

impl Assigned {
    fn of(&mut self, address: IpAddr) -> &mut u128 {
        match IpFamily::of(address) {
            IpFamily::V4 => &mut self.v4,
            IpFamily::V6 => &mut self.v6,
        }
    }
}
