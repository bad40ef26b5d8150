//! What a Service has before anything is decided.

use std::collections::BTreeSet;
use std::net::IpAddr;

use model::{Allocation, IpFamily, PoolName, ServiceRequest};

use crate::Allocator;
use crate::allocator::Place;
use crate::decision::{Orphan, OrphanReason};
use crate::refusal::{ForeignReason, Refusal};

/// What a Service holds, could adopt, or merely shows.
#[derive(Debug)]
pub(crate) struct Present<'a> {
    /// One for each of its families, in its order.
    pub(crate) families: Vec<FamilyPresent<'a>>,
    /// Held in families that it no longer has.
    pub(crate) removed: Vec<IpAddr>,
    /// Shown in families that it does not have, and not ours.
    pub(crate) foreign: Vec<Foreign>,
}

/// One family of it. Either something is held or adoptable, or something foreign may be shown,
/// never both: what is ours in a family settles what the status says of it.
#[derive(Debug)]
pub(crate) struct FamilyPresent<'a> {
    pub(crate) family: IpFamily,
    /// Those to stay come first.
    pub(crate) holdings: Vec<Holding<'a>>,
    pub(crate) foreign: Vec<Foreign>,
}

/// An address that the Service holds or could adopt.
#[derive(Debug, Clone)]
pub(crate) struct Holding<'a> {
    pub(crate) address: IpAddr,
    /// The pool that it counts to: the recorded one while that has it, else the one that gives it
    /// now, else the recorded one.
    pub(crate) pool: &'a PoolName,
    /// Its entry; `None` if it is only shown and could be adopted.
    pub(crate) entry: Option<&'a Allocation>,
    /// Why no pool would give it again.
    pub(crate) orphan: Option<OrphanReason>,
}

/// An address that the status shows and that is not ours.
#[derive(Debug, Clone)]
pub(crate) struct Foreign {
    pub(crate) address: IpAddr,
    pub(crate) why: ForeignReason,
}

impl<'a> Present<'a> {
    /// Reads ledger and status. The ledger comes first: in a family in which it has an entry, what
    /// the status shows besides is no claim at all.
    pub(crate) fn of(request: &ServiceRequest, allocator: &'a Allocator) -> Self {
        let mut shown = BTreeSet::new();
        let shown: Vec<IpAddr> = request
            .shown
            .iter()
            .copied()
            .filter(|a| shown.insert(*a))
            .collect();
        let pool = request
            .requested
            .as_ref()
            .ok()
            .and_then(|r| r.pool.as_ref());
        let mut removed = Vec::new();
        let mut families: Vec<FamilyPresent<'_>> = Vec::with_capacity(request.families.len());
        for &family in &request.families {
            if families.iter().all(|known| known.family != family) {
                families.push(FamilyPresent::new(family));
            }
        }
        for entry in allocator.held_by(&request.uid) {
            match find(&mut families, entry.address) {
                Some(family) => family.holdings.push(Holding::held(entry, allocator)),
                None => removed.push(entry.address),
            }
        }
        for family in &mut families {
            family.sort(&shown, pool);
        }
        let mut foreign = Vec::new();
        let in_ledger: BTreeSet<IpFamily> = families
            .iter()
            .filter(|family| !family.holdings.is_empty())
            .map(|family| family.family)
            .collect();
        for address in shown
            .into_iter()
            .filter(|a| !in_ledger.contains(&IpFamily::of(*a)))
        {
            let family = find(&mut families, address);
            match (judge(address, request, allocator), family) {
                (Judgement::Adoptable(pool), Some(family)) => {
                    family.holdings.push(Holding::adoptable(address, pool));
                }
                (Judgement::Adoptable(_) | Judgement::Held, _) => {}
                (Judgement::Foreign(why), Some(family)) => {
                    family.foreign.push(Foreign { address, why });
                }
                (Judgement::Foreign(why), None) => foreign.push(Foreign { address, why }),
            }
        }
        for family in families
            .iter_mut()
            .filter(|family| !family.holdings.is_empty())
        {
            family.foreign.clear();
            family
                .holdings
                .sort_by_key(|holding| pool.is_some_and(|pool| holding.pool != pool));
        }
        Self {
            families,
            removed,
            foreign,
        }
    }

    /// Whether nothing in the Service's families is ours.
    pub(crate) fn is_empty(&self) -> bool {
        self.families
            .iter()
            .all(|family| family.holdings.is_empty())
    }

    /// The first foreign address that is shown.
    pub(crate) fn first_foreign(&self) -> Option<&Foreign> {
        let families = self.families.iter().flat_map(|family| &family.foreign);
        families.chain(&self.foreign).next()
    }
}

impl FamilyPresent<'_> {
    fn new(family: IpFamily) -> Self {
        Self {
            family,
            holdings: Vec::new(),
            foreign: Vec::new(),
        }
    }

    /// Who stays comes first: in the requested pool, then shown, then older, then lower.
    fn sort(&mut self, shown: &[IpAddr], pool: Option<&PoolName>) {
        self.holdings.sort_by_key(|holding| {
            let elsewhere = pool.is_some_and(|pool| holding.pool != pool);
            let since = holding.entry.map_or(0, |entry| entry.since);
            (
                elsewhere,
                !shown.contains(&holding.address),
                since,
                holding.address,
            )
        });
    }
}

impl<'a> Holding<'a> {
    fn held(entry: &'a Allocation, allocator: &'a Allocator) -> Self {
        let (pool, orphan) = standing_pool(entry, allocator);
        Self {
            address: entry.address,
            pool,
            entry: Some(entry),
            orphan,
        }
    }

    fn adoptable(address: IpAddr, pool: &'a PoolName) -> Self {
        Self {
            address,
            pool,
            entry: None,
            orphan: None,
        }
    }

    /// How to tell of it if it is an orphan.
    pub(crate) fn as_orphan(&self) -> Option<Orphan> {
        let why = self.orphan?;
        Some(Orphan {
            address: self.address,
            pool: self.pool.clone(),
            why,
        })
    }
}

impl Foreign {
    pub(crate) fn refusal(&self) -> Refusal {
        Refusal::ForeignAddress {
            address: self.address,
            why: self.why.clone(),
        }
    }
}

/// The pool that a held address counts to. A younger pool keeps what it gave before an elder one
/// came to overlap it.
fn standing_pool<'a>(
    entry: &'a Allocation,
    allocator: &'a Allocator,
) -> (&'a PoolName, Option<OrphanReason>) {
    let why = match allocator.find(&entry.pool) {
        None => OrphanReason::PoolGone,
        Some(at) => match allocator.place_in(at, entry.address) {
            Place::In(_) => return (&entry.pool, None),
            Place::Never(_, exclusion) => OrphanReason::Never(exclusion),
            Place::Outside => OrphanReason::OutsidePool,
        },
    };
    match allocator.pool_holding(entry.address) {
        Some(pool) => (pool, None),
        None => (&entry.pool, Some(why)),
    }
}

enum Judgement<'a> {
    /// Free and given by this pool. Whether the pool admits the Service, or assigns on its own,
    /// does not matter: the address is in use already.
    Adoptable(&'a PoolName),
    /// The Service's own, in a family that it no longer has.
    Held,
    Foreign(ForeignReason),
}

fn judge<'a>(address: IpAddr, request: &ServiceRequest, allocator: &'a Allocator) -> Judgement<'a> {
    if let Some(entry) = allocator.allocation(address) {
        return match entry.holders.first() {
            _ if entry.is_held_by(&request.uid) => Judgement::Held,
            Some(holder) => Judgement::Foreign(ForeignReason::HeldBy(holder.service.clone())),
            None => Judgement::Foreign(ForeignReason::BeingReleased),
        };
    }
    let pools = allocator.pools();
    match allocator.place(address) {
        Place::In(at) => Judgement::Adoptable(&pools[at].name),
        Place::Never(at, why) => {
            let pool = pools[at].name.clone();
            Judgement::Foreign(ForeignReason::Never { pool, why })
        }
        Place::Outside => Judgement::Foreign(ForeignReason::OutsidePools),
    }
}

fn find<'p, 'a>(
    families: &'p mut [FamilyPresent<'a>],
    address: IpAddr,
) -> Option<&'p mut FamilyPresent<'a>> {
    let family = IpFamily::of(address);
    families.iter_mut().find(|present| present.family == family)
}
