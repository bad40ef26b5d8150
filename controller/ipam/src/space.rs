//! Which pool owns which addresses of one family, and what of them is free.

use std::collections::BTreeMap;
use std::fmt;

use model::{AddressRange, IpFamily, Pool, PoolName};

use crate::free_ranges::{Avoid, FreeRanges};
use crate::range_set::RangeSet;

/// Addresses that two pools have: the elder gives them, the younger does not. What the younger
/// gave before stays its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The younger pool.
    pub loser: PoolName,
    /// The elder pool.
    pub winner: PoolName,
    /// What the younger loses.
    pub range: AddressRange,
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            loser,
            winner,
            range,
        } = self;
        write!(
            f,
            "{range} is also in the older pool {winner}, which gives it; take it out of pool \
             {loser} or of pool {winner}"
        )
    }
}

/// One family. Pools are meant by their place in the list that it was built from.
#[derive(Debug, Clone)]
pub(crate) struct Space {
    family: IpFamily,
    /// Disjoint: who gives which addresses, excluded ones left out.
    owners: BTreeMap<u128, Segment>,
    pools: Vec<PoolSpace>,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    last: u128,
    pool: usize,
}

#[derive(Debug, Clone)]
struct PoolSpace {
    /// What the pool says, without what it excludes; overlaps are not taken off.
    own: RangeSet,
    avoid: Avoid,
    free: FreeRanges,
}

impl Space {
    /// The space of no pools.
    pub(crate) fn new(family: IpFamily) -> Self {
        Self {
            family,
            owners: BTreeMap::new(),
            pools: Vec::new(),
        }
    }

    /// The space of these pools, of which nothing is held; `seniority` lists their places, elder
    /// first. An address that the elder excludes is not in its way; one that it merely avoids
    /// (.0 and .255) is not left to the younger.
    pub(crate) fn build(
        family: IpFamily,
        pools: &[Pool],
        seniority: &[usize],
    ) -> (Self, Vec<Overlap>) {
        let mut space = Self::new(family);
        space.pools = pools
            .iter()
            .map(|pool| PoolSpace::of(pool, family))
            .collect();
        let mut overlaps = Vec::new();
        for &pool in seniority {
            for lost in space.settle(pool) {
                overlaps.push(Overlap {
                    loser: pools[pool].name.clone(),
                    winner: pools[lost.pool].name.clone(),
                    range: lost.range,
                });
            }
        }
        (space, overlaps)
    }

    /// Gives a pool what no elder one has.
    fn settle(&mut self, pool: usize) -> Vec<Lost> {
        let mut lost = Vec::new();
        let mut won = Vec::new();
        for (first, last) in self.pools[pool].own.iter() {
            let mut next = Some(first);
            for (start, segment) in self.segments_within(first, last) {
                let from = start.max(first);
                let to = segment.last.min(last);
                if let Some(open) = next
                    && open < from
                {
                    won.push((open, from - 1));
                }
                lost.push(Lost {
                    pool: segment.pool,
                    range: self.range(from, to),
                });
                next = to.checked_add(1);
            }
            if let Some(open) = next
                && open <= last
            {
                won.push((open, last));
            }
        }
        for (first, last) in won {
            self.owners.insert(first, Segment { last, pool });
            self.pools[pool].free.add(first, last);
        }
        lost
    }

    /// The segments that share an address with `first..=last`, in order.
    fn segments_within(&self, first: u128, last: u128) -> impl Iterator<Item = (u128, Segment)> {
        let before = self.owners.range(..first).next_back();
        let before = before.filter(|(_, segment)| segment.last >= first);
        let inside = self.owners.range(first..=last);
        before.into_iter().chain(inside).map(|(f, s)| (*f, *s))
    }

    fn range(&self, first: u128, last: u128) -> AddressRange {
        let address = |number| AddressRange::address_at(self.family, number);
        AddressRange::new(address(first), address(last)).expect("one family, in order")
    }

    /// The pool that owns a number, whether it may be given or is avoided.
    pub(crate) fn owner(&self, number: u128) -> Option<usize> {
        let (_, segment) = self.owners.range(..=number).next_back()?;
        (segment.last >= number).then_some(segment.pool)
    }

    /// Marks a number as held.
    pub(crate) fn take(&mut self, number: u128) {
        if let Some(pool) = self.owner(number) {
            self.pools[pool].free.take(number);
        }
    }

    /// Marks a number as free again, if a pool owns it.
    pub(crate) fn give(&mut self, number: u128) {
        if let Some(pool) = self.owner(number) {
            self.pools[pool].free.give(number);
        }
    }

    /// Whether a pool says a number and does not exclude it.
    pub(crate) fn says(&self, pool: usize, number: u128) -> bool {
        self.pools[pool].own.contains(number)
    }

    /// Whether a pool passes over a number as .0 or .255.
    pub(crate) fn avoids(&self, pool: usize, number: u128) -> bool {
        self.pools[pool].avoid.avoids(number)
    }

    /// Whether a pool has any address of the family.
    pub(crate) fn has_family(&self, pool: usize) -> bool {
        !self.pools[pool].own.is_empty()
    }

    /// The lowest free number of a pool.
    pub(crate) fn first_free(&self, pool: usize) -> Option<u128> {
        self.pools[pool].free.first()
    }

    /// How many numbers of a pool are free.
    pub(crate) fn free(&self, pool: usize) -> u128 {
        self.pools[pool].free.count()
    }
}

struct Lost {
    pool: usize,
    range: AddressRange,
}

impl PoolSpace {
    fn of(pool: &Pool, family: IpFamily) -> Self {
        let mut own = RangeSet::default();
        for range in pool.addresses.iter().filter(|r| r.family() == family) {
            let (first, last) = range.bounds();
            own.insert(first, last);
        }
        for range in pool.exclude.iter().filter(|r| r.family() == family) {
            let (first, last) = range.bounds();
            own.remove(first, last);
        }
        let avoid = match family {
            IpFamily::V4 if pool.avoid_buggy_ips => Avoid::ZeroAnd255,
            IpFamily::V4 | IpFamily::V6 => Avoid::Nothing,
        };
        Self {
            own,
            avoid,
            free: FreeRanges::new(avoid),
        }
    }
}

#[cfg(test)]
mod tests;
