//! Pools and ledger together.

use std::collections::BTreeMap;
use std::net::IpAddr;

use model::{AddressRange, Allocation, IpFamily, Pool, PoolName, Uid};

use crate::ledger::Ledger;
use crate::refusal::Exclusion;
use crate::space::{Overlap, Space};

/// The pools, who holds which address, and what is free. It knows nothing of Services' wishes:
/// those are [`crate::decide`]'s, which reads from here.
#[derive(Debug, Clone)]
pub struct Allocator {
    /// In the order in which they are tried: lower priority first, none last, then by name.
    pools: Vec<Pool>,
    by_name: BTreeMap<PoolName, usize>,
    v4: Space,
    v6: Space,
    overlaps: Vec<Overlap>,
    ledger: Ledger,
}

/// A pool's counts. Both are numbers of addresses, not of Services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolUsage {
    /// IPv4 addresses whose ledger entry names the pool, wherever they lie now.
    pub assigned_v4: u128,
    /// IPv6 addresses whose ledger entry names the pool, wherever they lie now.
    pub assigned_v6: u128,
    /// IPv4 addresses that it can still give.
    pub available_v4: u128,
    /// IPv6 addresses that it can still give; `u128::MAX` also stands for one more.
    pub available_v6: u128,
}

/// Where an address lies with regard to the pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The pool at this place of the list gives it.
    In(usize),
    /// The pool at this place of the list has it but never gives it.
    Never(usize, Exclusion),
    /// No pool has it.
    Outside,
}

impl Default for Allocator {
    fn default() -> Self {
        Self::new()
    }
}

impl Allocator {
    /// No pools, and nothing is held.
    pub fn new() -> Self {
        Self {
            pools: Vec::new(),
            by_name: BTreeMap::new(),
            v4: Space::new(IpFamily::V4),
            v6: Space::new(IpFamily::V6),
            overlaps: Vec::new(),
            ledger: Ledger::default(),
        }
    }

    /// Replaces the pools, given in any order. What is held stays held, whatever happens to its
    /// pool, and is not free in any other. Costs O((ranges + held) log n), however large the
    /// ranges are.
    pub fn set_pools(&mut self, pools: &[Pool]) {
        self.pools = pools.to_vec();
        self.pools
            .sort_by(|a, b| priority(a).cmp(&priority(b)).then(a.name.cmp(&b.name)));
        let names = self.pools.iter().enumerate();
        self.by_name = names.map(|(at, pool)| (pool.name.clone(), at)).collect();
        let mut seniority: Vec<usize> = (0..self.pools.len()).collect();
        seniority.sort_by_key(|&at| (self.pools[at].created, &self.pools[at].name));
        let (v4, lost_v4) = Space::build(IpFamily::V4, &self.pools, &seniority);
        let (v6, lost_v6) = Space::build(IpFamily::V6, &self.pools, &seniority);
        (self.v4, self.v6) = (v4, v6);
        self.overlaps = lost_v4;
        self.overlaps.extend(lost_v6);
        for address in self.ledger.addresses() {
            match address {
                IpAddr::V4(_) => self.v4.take(AddressRange::number(address)),
                IpAddr::V6(_) => self.v6.take(AddressRange::number(address)),
            }
        }
    }

    /// Takes what the ledger says, or a claim of ours that is on its way there; it replaces an
    /// earlier record of the address. Also an entry without holders keeps its address taken, until
    /// [`Self::forget`].
    pub fn record(&mut self, allocation: Allocation) {
        let address = allocation.address;
        if self.ledger.insert(allocation).is_none() {
            self.space_mut(IpFamily::of(address))
                .take(AddressRange::number(address));
        }
    }

    /// The address is nobody's any more; free if a pool has it.
    pub fn forget(&mut self, address: IpAddr) {
        if self.ledger.remove(address).is_some() {
            self.space_mut(IpFamily::of(address))
                .give(AddressRange::number(address));
        }
    }

    /// What is recorded of an address.
    pub fn allocation(&self, address: IpAddr) -> Option<&Allocation> {
        self.ledger.entry(address)
    }

    /// Everything that is recorded, by address.
    pub fn allocations(&self) -> impl Iterator<Item = &Allocation> {
        self.ledger.entries()
    }

    /// The records that name a Service, IPv4 first, then by address.
    pub fn held_by<'a>(&'a self, uid: &Uid) -> impl Iterator<Item = &'a Allocation> + use<'a> {
        self.ledger.held_by(uid)
    }

    /// A pool's counts; one that vanished has nothing available, but may still be named by records.
    pub fn pool_usage(&self, pool: &PoolName) -> PoolUsage {
        let assigned = self.ledger.assigned(pool);
        let at = self.by_name.get(pool);
        PoolUsage {
            assigned_v4: assigned.v4,
            assigned_v6: assigned.v6,
            available_v4: at.map_or(0, |&at| self.v4.free(at)),
            available_v6: at.map_or(0, |&at| self.v6.free(at)),
        }
    }

    /// The pools that records name, also those that vanished, in the order of their names.
    pub fn recorded_pools(&self) -> impl Iterator<Item = &PoolName> {
        self.ledger.pools()
    }

    /// The pool that gives this address, whether it is held now or not. Where pools overlap, the
    /// elder does (created first, then by name).
    pub fn pool_holding(&self, address: IpAddr) -> Option<&PoolName> {
        match self.place(address) {
            Place::In(at) => Some(&self.pools[at].name),
            Place::Never(..) | Place::Outside => None,
        }
    }

    /// What younger pools lose to elder ones: IPv4 before IPv6, then elder losers first.
    pub fn overlaps(&self) -> &[Overlap] {
        &self.overlaps
    }

    /// The pools, in the order in which they are tried.
    pub(crate) fn pools(&self) -> &[Pool] {
        &self.pools
    }

    /// The place of a pool in [`Self::pools`].
    pub(crate) fn find(&self, pool: &PoolName) -> Option<usize> {
        self.by_name.get(pool).copied()
    }

    /// Where an address lies.
    pub(crate) fn place(&self, address: IpAddr) -> Place {
        let space = self.space(IpFamily::of(address));
        let number = AddressRange::number(address);
        match space.owner(number) {
            Some(at) if space.avoids(at, number) => Place::Never(at, Exclusion::BuggyIp),
            Some(at) => Place::In(at),
            None => {
                let excluding = self.pools.iter().position(|pool| written(pool, address));
                excluding.map_or(Place::Outside, |at| Place::Never(at, Exclusion::Excluded))
            }
        }
    }

    /// Where an address lies with regard to one pool alone, as if it overlapped with no other.
    pub(crate) fn place_in(&self, at: usize, address: IpAddr) -> Place {
        let space = self.space(IpFamily::of(address));
        let number = AddressRange::number(address);
        if !space.says(at, number) {
            if written(&self.pools[at], address) {
                return Place::Never(at, Exclusion::Excluded);
            }
            return Place::Outside;
        }
        if space.avoids(at, number) {
            return Place::Never(at, Exclusion::BuggyIp);
        }
        Place::In(at)
    }

    /// Whether the pool at this place has addresses of a family, free or not.
    pub(crate) fn has_family(&self, at: usize, family: IpFamily) -> bool {
        self.space(family).has_family(at)
    }

    /// The lowest free address of the pool at this place.
    pub(crate) fn first_free(&self, at: usize, family: IpFamily) -> Option<IpAddr> {
        let number = self.space(family).first_free(at)?;
        Some(AddressRange::address_at(family, number))
    }

    fn space(&self, family: IpFamily) -> &Space {
        match family {
            IpFamily::V4 => &self.v4,
            IpFamily::V6 => &self.v6,
        }
    }

    fn space_mut(&mut self, family: IpFamily) -> &mut Space {
        match family {
            IpFamily::V4 => &mut self.v4,
            IpFamily::V6 => &mut self.v6,
        }
    }
}

/// Sorts lower numbers first and pools without one last.
pub(crate) fn priority(pool: &Pool) -> (bool, u32) {
    let priority = pool.service_allocation.priority;
    (priority.is_none(), priority.unwrap_or_default())
}

/// Whether the address stands in the pool's ranges, excluded or not.
fn written(pool: &Pool, address: IpAddr) -> bool {
    pool.addresses.iter().any(|range| range.contains(address))
}

#[cfg(test)]
mod tests;
