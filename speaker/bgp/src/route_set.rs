//! Desired routes, in a form in which two generations are compared by what differs.
//!
//! ```text
//!   RouteSet ─▶ 256 shards ─▶ [Route] sorted by prefix
//!                  │              prefix 18 bytes, attributes shared: 32 bytes a route
//!                  └── which shard: a fixed hash of the prefix, the same on every run
//! ```
//!
//! A shard whose routes did not change is the same allocation in the next set, so that whoever
//! compares two sets skips it by its address. Of 100,000 routes one change costs one shard: about
//! 400 routes to go through, and an index that every peer shares.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::net::IpAddr;
use std::sync::Arc;

use crate::{Attributes, Prefix};

/// Enough that a shard of 100,000 routes is gone through in microseconds, few enough that walking
/// all of them to find the one that changed is nothing.
pub(crate) const SHARDS: usize = 256;

/// The routes of one shard, sorted by prefix, each prefix once.
pub(crate) type Shard = Arc<[Route]>;

/// A prefix that we announce, with what it carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// What is reached through us.
    pub prefix: Prefix,
    /// What the route carries, before the peer's rules. Routes with the same share it.
    pub attributes: Arc<Attributes>,
}

/// All routes that a peer is to hold. Cloning it copies one pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteSet {
    /// Always [`SHARDS`] of them.
    shards: Arc<[Shard]>,
}

impl Default for RouteSet {
    fn default() -> Self {
        let empty: Shard = Arc::from([]);
        Self {
            shards: (0..SHARDS).map(|_| Arc::clone(&empty)).collect(),
        }
    }
}

impl RouteSet {
    /// The set of these routes. Shards equal to those of `previous` are shared with it. Of two
    /// routes to one prefix the later counts.
    pub fn build(routes: impl IntoIterator<Item = Route>, previous: &Self) -> Self {
        let mut known = Known::default();
        let mut shards = vec![Vec::new(); SHARDS];
        for route in routes {
            if let Some(shard) = shards.get_mut(shard_of(route.prefix)) {
                shard.push(known.share(route));
            }
        }
        let built = shards.into_iter().zip(previous.shards.iter());
        Self {
            shards: built.map(|(routes, before)| seal(routes, before)).collect(),
        }
    }

    /// This set with some prefixes announced (again) or, with `None`, left out. Only the shards in
    /// which they lie are built anew. Of two changes of one prefix the later counts.
    pub fn with(
        &self,
        changes: impl IntoIterator<Item = (Prefix, Option<Arc<Attributes>>)>,
    ) -> Self {
        let mut by_shard: BTreeMap<usize, BTreeMap<Prefix, Option<Arc<Attributes>>>> =
            BTreeMap::new();
        for (prefix, change) in changes {
            let shard = by_shard.entry(shard_of(prefix)).or_default();
            shard.insert(prefix, change);
        }
        let shards = self.shards.iter().enumerate();
        Self {
            shards: shards
                .map(|(index, shard)| match by_shard.remove(&index) {
                    None => Arc::clone(shard),
                    Some(changes) => change(shard, &changes),
                })
                .collect(),
        }
    }

    /// How many routes there are.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.is_empty())
    }

    /// The route to exactly this prefix.
    pub fn route(&self, prefix: Prefix) -> Option<&Route> {
        let shard = self.shards.get(shard_of(prefix))?;
        let at = shard
            .binary_search_by_key(&prefix, |route| route.prefix)
            .ok()?;
        shard.get(at)
    }

    /// All routes, in an order that is the same for equal sets.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.shards.iter().flat_map(|shard| shard.iter())
    }

    /// The shards, in their order.
    pub(crate) fn shards(&self) -> &[Shard] {
        &self.shards
    }
}

/// The same routes with some changed. Attributes equal to those of a neighbour are shared with it.
fn change(shard: &Shard, changes: &BTreeMap<Prefix, Option<Arc<Attributes>>>) -> Shard {
    let kept = shard
        .iter()
        .filter(|route| !changes.contains_key(&route.prefix));
    let mut routes: Vec<Route> = kept.cloned().collect();
    for (prefix, attributes) in changes {
        let Some(attributes) = attributes else {
            continue;
        };
        let equal = shard.iter().find(|route| route.attributes == *attributes);
        let attributes = equal.map_or(attributes, |route| &route.attributes);
        routes.push(Route {
            prefix: *prefix,
            attributes: Arc::clone(attributes),
        });
    }
    seal(routes, shard)
}

/// Sorts a shard; the one before it stands if they are equal.
fn seal(mut routes: Vec<Route>, before: &Shard) -> Shard {
    routes.sort_by_key(|route| route.prefix);
    routes.dedup_by(|later, earlier| {
        let same = later.prefix == earlier.prefix;
        if same {
            mem::swap(later, earlier);
        }
        same
    });
    if **before == *routes {
        Arc::clone(before)
    } else {
        Arc::from(routes)
    }
}

const LOW_HALF: u128 = u64::MAX as u128;

/// Which shard a prefix lies in. Addresses of one pool differ in their last bits, so these are
/// spread by a multiplication (the golden ratio's fraction) whose upper bits are taken.
fn shard_of(prefix: Prefix) -> usize {
    let bits = match prefix.address() {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    let halves = (bits >> 64) ^ (bits & LOW_HALF) ^ (u128::from(prefix.length()) << 56);
    let spread = halves.wrapping_mul(0x9e37_79b9_7f4a_7c15) & LOW_HALF;
    usize::try_from(spread >> 56).map_or(0, |shard| shard % SHARDS)
}

/// Attributes met so far, so that equal ones are kept once.
#[derive(Debug, Default)]
struct Known {
    all: BTreeSet<Arc<Attributes>>,
    /// The last one asked for and what it is kept as: most routes come in runs.
    last: Option<(Arc<Attributes>, Arc<Attributes>)>,
}

impl Known {
    fn share(&mut self, route: Route) -> Route {
        let asked = route.attributes;
        let kept = match &self.last {
            Some((last, kept)) if Arc::ptr_eq(last, &asked) => Arc::clone(kept),
            Some(_) | None => self.look_up(&asked),
        };
        self.last = Some((asked, Arc::clone(&kept)));
        Route {
            prefix: route.prefix,
            attributes: kept,
        }
    }

    fn look_up(&mut self, asked: &Arc<Attributes>) -> Arc<Attributes> {
        if let Some(kept) = self.all.get(asked) {
            return Arc::clone(kept);
        }
        self.all.insert(Arc::clone(asked));
        Arc::clone(asked)
    }
}

#[cfg(test)]
mod tests;
