//! Which address a Service gets that holds none yet.

use std::net::IpAddr;

use model::{IpFamily, Labels, Pool, PoolName, ServiceRequest};

use crate::Allocator;
use crate::allocator::{Place, priority};
use crate::refusal::{Refusal, SkipReason, SkippedPool};

/// An address and the pool that gives it.
pub(crate) type Grant = (IpAddr, PoolName);

/// Chooses for one Service; pools admit by its labels and its namespace's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chooser<'a> {
    request: &'a ServiceRequest,
    namespace_labels: &'a Labels,
    allocator: &'a Allocator,
}

impl<'a> Chooser<'a> {
    pub(crate) fn new(
        request: &'a ServiceRequest,
        namespace_labels: &'a Labels,
        allocator: &'a Allocator,
    ) -> Self {
        Self {
            request,
            namespace_labels,
            allocator,
        }
    }

    /// An address for each of these families, from the pool if one is named, else automatically.
    pub(crate) fn choose(
        &self,
        families: &[IpFamily],
        pool: Option<&PoolName>,
    ) -> Vec<Result<Grant, Refusal>> {
        if let Some(pool) = pool {
            return families
                .iter()
                .map(|&family| self.choose_from(pool, family))
                .collect();
        }
        let chosen = self.choose_automatically(families);
        families
            .iter()
            .zip(chosen)
            .map(|(&family, at)| {
                let grant = at.and_then(|at| self.grant(at, family));
                grant.ok_or_else(|| self.nobody_gives(family))
            })
            .collect()
    }

    /// The lowest free address of the pool that the Service asks for.
    pub(crate) fn choose_from(&self, name: &PoolName, family: IpFamily) -> Result<Grant, Refusal> {
        let pool = name.clone();
        let Some(at) = self.allocator.find(name) else {
            return Err(Refusal::UnknownPool { pool });
        };
        self.admitted(at)?;
        if !self.allocator.has_family(at, family) {
            let why = SkipReason::FamilyMissing(family);
            return Err(Refusal::PoolDoesNotAdmit { pool, why });
        }
        let exhausted = || Refusal::PoolExhausted {
            pools: vec![pool],
            family,
        };
        self.grant(at, family).ok_or_else(exhausted)
    }

    /// The address that the Service asks for, if it can have it.
    pub(crate) fn assign(
        &self,
        address: IpAddr,
        pool: Option<&PoolName>,
    ) -> Result<Grant, Refusal> {
        let at = match pool {
            Some(pool) => self.locate_in(pool, address)?,
            None => match self.allocator.place(address) {
                Place::In(at) => at,
                Place::Never(at, why) => {
                    let pool = self.allocator.pools()[at].name.clone();
                    return Err(Refusal::AddressExcluded { address, pool, why });
                }
                Place::Outside => return Err(Refusal::AddressOutsidePools { address }),
            },
        };
        self.admitted(at)?;
        if let Some(entry) = self.allocator.allocation(address) {
            let holder = entry.holders.first().map(|holder| holder.service.clone());
            return Err(Refusal::AddressInUse { address, holder });
        }
        Ok((address, self.allocator.pools()[at].name.clone()))
    }

    /// Whether the pool at this place may serve a Service that asks for it or for its address.
    pub(crate) fn admitted(&self, at: usize) -> Result<(), Refusal> {
        let pool = &self.allocator.pools()[at];
        self.admits(pool).map_err(|why| Refusal::PoolDoesNotAdmit {
            pool: pool.name.clone(),
            why,
        })
    }

    /// The place of the requested pool, if it gives this address.
    pub(crate) fn locate_in(&self, name: &PoolName, address: IpAddr) -> Result<usize, Refusal> {
        let pool = name.clone();
        let Some(at) = self.allocator.find(name) else {
            return Err(Refusal::UnknownPool { pool });
        };
        if let Place::Never(_, why) = self.allocator.place_in(at, address) {
            return Err(Refusal::AddressExcluded { address, pool, why });
        }
        let given_by = self.allocator.pool_holding(address).cloned();
        if given_by.as_ref() == Some(name) {
            return Ok(at);
        }
        Err(Refusal::AddressOutsideRequestedPool {
            address,
            pool,
            given_by,
        })
    }

    /// For each family the first pool that can give it, in this order: by priority; within one
    /// priority, if both families are wanted, those that can give both; then by name.
    fn choose_automatically(&self, families: &[IpFamily]) -> Vec<Option<usize>> {
        let pools = self.allocator.pools();
        let mut chosen = vec![None; families.len()];
        let mut start = 0;
        while start < pools.len() && chosen.contains(&None) {
            let rank = priority(&pools[start]);
            let alike = pools[start..]
                .iter()
                .take_while(|pool| priority(pool) == rank);
            let end = start + alike.count();
            let admitting = |at: &usize| self.skip(&pools[*at]).is_none();
            if families.len() > 1 {
                let both = (start..end)
                    .find(|&at| families.iter().all(|&f| self.can_give(at, f)) && admitting(&at));
                chosen.iter_mut().for_each(|c| *c = c.or(both));
            }
            for (family, chosen) in families.iter().zip(&mut chosen) {
                let first = || (start..end).find(|at| self.can_give(*at, *family) && admitting(at));
                *chosen = chosen.or_else(first);
            }
            start = end;
        }
        chosen
    }

    fn can_give(&self, at: usize, family: IpFamily) -> bool {
        self.allocator.first_free(at, family).is_some()
    }

    fn grant(&self, at: usize, family: IpFamily) -> Option<Grant> {
        let address = self.allocator.first_free(at, family)?;
        Some((address, self.allocator.pools()[at].name.clone()))
    }

    /// Why automatic allocation finds nothing.
    fn nobody_gives(&self, family: IpFamily) -> Refusal {
        let mut exhausted = Vec::new();
        let mut skipped = Vec::new();
        for (at, pool) in self.allocator.pools().iter().enumerate() {
            let missing = (!self.allocator.has_family(at, family))
                .then_some(SkipReason::FamilyMissing(family));
            match self.skip(pool).or(missing) {
                Some(why) => skipped.push(SkippedPool {
                    pool: pool.name.clone(),
                    why,
                }),
                None => exhausted.push(pool.name.clone()),
            }
        }
        if !exhausted.is_empty() {
            return Refusal::PoolExhausted {
                pools: exhausted,
                family,
            };
        }
        if skipped.is_empty() {
            return Refusal::NoPool;
        }
        Refusal::NoPoolAdmits { family, skipped }
    }

    fn skip(&self, pool: &Pool) -> Option<SkipReason> {
        if !pool.auto_assign {
            return Some(SkipReason::AutoAssignOff);
        }
        self.admits(pool).err()
    }

    fn admits(&self, pool: &Pool) -> Result<(), SkipReason> {
        let allocation = &pool.service_allocation;
        let namespace = &self.request.service.namespace;
        if !allocation.admits_namespace(namespace, self.namespace_labels) {
            return Err(SkipReason::NamespaceNotAdmitted);
        }
        if !allocation.admits_service(&self.request.labels) {
            return Err(SkipReason::ServiceNotAdmitted);
        }
        Ok(())
    }
}
