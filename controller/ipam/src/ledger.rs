//! Who holds which address, by address, by Service and by pool.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use model::{AddressRange, Allocation, IpFamily, PoolName, Uid};

/// The entries and their index, which always agree.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    entries: BTreeMap<Key, Allocation>,
    index: Index,
}

/// An address in the form in which two are compared fastest: a look-up among 60,000 is mostly that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(IpFamily, u128);

impl Key {
    fn of(address: IpAddr) -> Self {
        Self(IpFamily::of(address), AddressRange::number(address))
    }
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
        match self.entries.entry(Key::of(allocation.address)) {
            Entry::Vacant(vacant) => {
                self.index.add(&allocation);
                vacant.insert(allocation);
                None
            }
            Entry::Occupied(mut occupied) => {
                self.index.remove(occupied.get());
                self.index.add(&allocation);
                Some(occupied.insert(allocation))
            }
        }
    }

    /// Drops an entry and returns it.
    pub(crate) fn remove(&mut self, address: IpAddr) -> Option<Allocation> {
        let earlier = self.entries.remove(&Key::of(address))?;
        self.index.remove(&earlier);
        Some(earlier)
    }

    /// The entry of an address.
    pub(crate) fn entry(&self, address: IpAddr) -> Option<&Allocation> {
        self.entries.get(&Key::of(address))
    }

    /// Every entry, in the order of the addresses.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Allocation> {
        self.entries.values()
    }

    /// Every address that has an entry, in order.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.entries.values().map(|entry| entry.address)
    }

    /// The entries that name a uid, by address.
    pub(crate) fn held_by<'a>(
        &'a self,
        uid: &Uid,
    ) -> impl Iterator<Item = &'a Allocation> + use<'a> {
        let held = self.index.by_uid.get(uid);
        let addresses = held.into_iter().flat_map(Held::addresses);
        addresses.filter_map(|address| self.entries.get(&Key::of(address)))
    }

    /// The pools that entries name, in order.
    pub(crate) fn pools(&self) -> impl Iterator<Item = &PoolName> {
        self.index.by_pool.keys()
    }

    /// How many addresses name a pool.
    pub(crate) fn assigned(&self, pool: &PoolName) -> Assigned {
        self.index.by_pool.get(pool).copied().unwrap_or_default()
    }
}

#[derive(Debug, Clone, Default)]
struct Index {
    /// Only looked up, never walked, so a hash map changes no answer; it takes a third off the cost
    /// of an allocation.
    by_uid: HashMap<Uid, Held>,
    by_pool: BTreeMap<PoolName, Assigned>,
}

impl Index {
    fn add(&mut self, allocation: &Allocation) {
        let address = allocation.address;
        for holder in &allocation.holders {
            // A uid's text is shared, so that a copy costs less than to look twice.
            let held = self.by_uid.entry(holder.uid.clone());
            held.and_modify(|held| held.add(address))
                .or_insert_with(|| Held::new(address));
        }
        match self.by_pool.get_mut(&allocation.pool) {
            Some(assigned) => *assigned.of(address) += 1,
            None => {
                let mut assigned = Assigned::default();
                *assigned.of(address) += 1;
                self.by_pool.insert(allocation.pool.clone(), assigned);
            }
        }
    }

    fn remove(&mut self, allocation: &Allocation) {
        let address = allocation.address;
        for holder in &allocation.holders {
            if let Some(held) = self.by_uid.get_mut(&holder.uid) {
                match held.without(address) {
                    Some(rest) => *held = rest,
                    None => {
                        self.by_uid.remove(&holder.uid);
                    }
                }
            }
        }
        if let Some(assigned) = self.by_pool.get_mut(&allocation.pool) {
            *assigned.of(address) -= 1;
            if *assigned == Assigned::default() {
                self.by_pool.remove(&allocation.pool);
            }
        }
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

/// The addresses of one Service, never none. Most hold one, which needs no list.
#[derive(Debug, Clone)]
struct Held {
    lowest: IpAddr,
    /// The others, in order.
    others: Vec<IpAddr>,
}

impl Held {
    fn new(address: IpAddr) -> Self {
        Self {
            lowest: address,
            others: Vec::new(),
        }
    }

    fn add(&mut self, address: IpAddr) {
        if address == self.lowest {
            return;
        }
        let higher = self.lowest.max(address);
        self.lowest = self.lowest.min(address);
        if let Err(at) = self.others.binary_search(&higher) {
            self.others.insert(at, higher);
        }
    }

    /// What remains without this address; `None` if nothing does.
    fn without(&self, address: IpAddr) -> Option<Self> {
        let mut rest = self.addresses().filter(|held| *held != address);
        let lowest = rest.next()?;
        let others = rest.collect();
        Some(Self { lowest, others })
    }

    fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        std::iter::once(self.lowest).chain(self.others.iter().copied())
    }
}
