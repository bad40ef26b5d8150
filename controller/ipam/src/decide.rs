//! What should be so for one Service.

use std::net::IpAddr;

use model::{IpFamily, IpFamilyPolicy, Labels, PoolName, RequestedAddresses, ServiceRequest};

use crate::Allocator;
use crate::choose::{Chooser, Grant};
use crate::decision::{Decision, Outcome, Unmet};
use crate::present::{FamilyPresent, Foreign, Holding, Present};
use crate::refusal::Refusal;

/// Decides for one Service and changes nothing.
///
/// - An entry that names the Service stays, whatever became of its pool, until the user removes
///   the family, asks for another address or pool that can be had, or the Service goes.
/// - Without an entry, an address that its status shows is adopted if it is free and a pool gives
///   it, also by a pool that would not admit the Service: adoption may exceed, as the address is in
///   use. Any other shown address is foreign and left alone. What is ours in a family settles what
///   the status says of that family.
/// - A change on request is all or nothing: unless every address asked for can be had, and every
///   address that must move to the requested pool can, everything stays and the request is
///   refused.
/// - What is missing is chosen automatically, or from the requested pool. `RequireDualStack` is
///   all or nothing; otherwise each family gets what is possible, and at least one must.
pub fn decide(
    request: &ServiceRequest,
    namespace_labels: &Labels,
    allocator: &Allocator,
) -> Decision {
    let case = Case {
        request,
        allocator,
        chooser: Chooser::new(request, namespace_labels, allocator),
        present: Present::of(request, allocator),
    };
    if request.families.is_empty() {
        return case.wait();
    }
    if case.present.is_empty()
        && let Some(foreign) = case.present.first_foreign()
    {
        return case.leave_alone(foreign);
    }
    match &request.requested {
        Ok(requested) => case.settle(requested),
        Err(invalid) => case.refuse(Refusal::InvalidRequest(invalid.clone()).into()),
    }
}

struct Case<'a> {
    request: &'a ServiceRequest,
    allocator: &'a Allocator,
    chooser: Chooser<'a>,
    present: Present<'a>,
}

/// How one family fares.
enum Attempt<'a> {
    Met(Draft<'a>),
    /// The user asks for a change or an address that cannot be had.
    Blocked(Refusal),
    /// Nothing is there yet, and any address will do.
    Open,
    /// Nothing is there, and nothing can be had.
    Missing(Refusal),
}

/// How all families fare together.
enum Verdict {
    Met,
    Partial(Unmet),
    Refused(Unmet),
}

/// What becomes of one family.
#[derive(Default)]
struct Draft<'a> {
    stay: Vec<Holding<'a>>,
    leave: Vec<Holding<'a>>,
    claim: Vec<Grant>,
    foreign: Vec<IpAddr>,
}

impl<'a> Case<'a> {
    fn settle(&self, requested: &RequestedAddresses) -> Decision {
        let families = &self.request.families;
        let has_family = |address: &IpAddr| families.contains(&IpFamily::of(*address));
        if let Some(&address) = requested.addresses.iter().find(|a| !has_family(a)) {
            let families = families.clone();
            return self.refuse(Refusal::WrongFamily { address, families }.into());
        }
        let attempts = self.attempt_all(requested);
        if let Some(unmet) = Unmet::of(attempts.iter().filter_map(Attempt::blocked)) {
            return self.refuse(unmet);
        }
        let nothing_had = attempts.iter().all(|attempt| attempt.missing().is_some());
        let unmet = Unmet::of(attempts.iter().filter_map(Attempt::missing));
        let families = attempts.into_iter().zip(&self.present.families);
        let drafts = families.map(|(attempt, family)| match attempt {
            Attempt::Met(draft) => draft,
            Attempt::Blocked(_) | Attempt::Open | Attempt::Missing(_) => self.as_it_stands(family),
        });
        match unmet {
            None => self.assemble(&drafts.collect::<Vec<_>>(), Verdict::Met),
            Some(unmet) if nothing_had || self.is_all_or_nothing() => self.refuse(unmet),
            Some(unmet) => self.assemble(&drafts.collect::<Vec<_>>(), Verdict::Partial(unmet)),
        }
    }

    fn is_all_or_nothing(&self) -> bool {
        match self.request.family_policy {
            IpFamilyPolicy::RequireDualStack => true,
            IpFamilyPolicy::SingleStack | IpFamilyPolicy::PreferDualStack => false,
        }
    }

    fn attempt_all(&self, requested: &RequestedAddresses) -> Vec<Attempt<'a>> {
        let families = &self.present.families;
        let mut attempts: Vec<Attempt<'a>> = families
            .iter()
            .map(|family| self.attempt(family, requested))
            .collect();
        let open = families
            .iter()
            .zip(&attempts)
            .filter(|(_, a)| matches!(a, Attempt::Open));
        let open: Vec<IpFamily> = open.map(|(family, _)| family.family).collect();
        let mut chosen = self
            .chooser
            .choose(&open, requested.pool.as_ref())
            .into_iter();
        for attempt in attempts.iter_mut().filter(|a| matches!(a, Attempt::Open)) {
            match chosen.next() {
                Some(Ok(grant)) => *attempt = Attempt::Met(Draft::claiming(grant)),
                Some(Err(refusal)) => *attempt = Attempt::Missing(refusal),
                None => {}
            }
        }
        attempts
    }

    fn attempt(&self, family: &FamilyPresent<'a>, requested: &RequestedAddresses) -> Attempt<'a> {
        let pool = requested.pool.as_ref();
        let of_family = |address: &&IpAddr| IpFamily::of(**address) == family.family;
        let exact: Vec<IpAddr> = requested
            .addresses
            .iter()
            .filter(of_family)
            .copied()
            .collect();
        if !exact.is_empty() {
            let draft = self.exactly(family, &exact, pool);
            return draft.map_or_else(Attempt::Blocked, Attempt::Met);
        }
        let Some((best, others)) = family.holdings.split_first() else {
            return match family.foreign.first() {
                Some(foreign) => Attempt::Missing(foreign.refusal()),
                None => Attempt::Open,
            };
        };
        match (self.fit(best, pool), pool) {
            (Ok(holding), _) => Attempt::Met(Draft {
                stay: vec![holding],
                leave: others.to_vec(),
                ..Draft::default()
            }),
            (Err(_), Some(pool)) => match self.chooser.choose_from(pool, family.family) {
                Ok(grant) => Attempt::Met(Draft {
                    leave: family.holdings.clone(),
                    ..Draft::claiming(grant)
                }),
                Err(refusal) => Attempt::Blocked(refusal),
            },
            (Err(refusal), None) => Attempt::Blocked(refusal),
        }
    }

    /// These addresses and no others.
    fn exactly(
        &self,
        family: &FamilyPresent<'a>,
        addresses: &[IpAddr],
        pool: Option<&PoolName>,
    ) -> Result<Draft<'a>, Refusal> {
        if let Some(foreign) = family.foreign.first() {
            return Err(foreign.refusal());
        }
        let mut draft = Draft::default();
        for &address in addresses {
            match family
                .holdings
                .iter()
                .find(|holding| holding.address == address)
            {
                Some(holding) => draft.stay.push(self.fit(holding, pool)?),
                None => draft.claim.push(self.chooser.assign(address, pool)?),
            }
        }
        let unwanted = family
            .holdings
            .iter()
            .filter(|h| !addresses.contains(&h.address));
        draft.leave = unwanted.cloned().collect();
        Ok(draft)
    }

    /// The holding as one of the requested pool. It need not move if that pool gives its address;
    /// selectors are asked only then, for changed labels never take away.
    fn fit(&self, holding: &Holding<'a>, pool: Option<&PoolName>) -> Result<Holding<'a>, Refusal> {
        match pool {
            Some(pool) if holding.pool != pool => {
                let at = self.chooser.locate_in(pool, holding.address)?;
                self.chooser.admitted(at)?;
                Ok(Holding {
                    pool: &self.allocator.pools()[at].name,
                    orphan: None,
                    ..holding.clone()
                })
            }
            Some(_) | None => Ok(holding.clone()),
        }
    }

    fn refuse(&self, unmet: Unmet) -> Decision {
        let families = self.present.families.iter();
        let drafts: Vec<_> = families.map(|family| self.as_it_stands(family)).collect();
        self.assemble(&drafts, Verdict::Refused(unmet))
    }

    /// The family without any change. Of several addresses one stays, unless several are asked
    /// for or it cannot be read what is asked for.
    fn as_it_stands(&self, family: &FamilyPresent<'a>) -> Draft<'a> {
        let several = self.request.requested.as_ref().map_or(true, |requested| {
            let mut addresses = requested.addresses.iter();
            addresses.any(|address| IpFamily::of(*address) == family.family)
        });
        let staying = if several { family.holdings.len() } else { 1 };
        let (stay, leave) = family.holdings.split_at(staying.min(family.holdings.len()));
        Draft {
            stay: stay.to_vec(),
            leave: leave.to_vec(),
            claim: Vec::new(),
            foreign: family
                .foreign
                .iter()
                .map(|foreign| foreign.address)
                .collect(),
        }
    }

    fn assemble(&self, drafts: &[Draft<'a>], verdict: Verdict) -> Decision {
        let stay = || drafts.iter().flat_map(|draft| &draft.stay);
        let held = || stay().filter(|h| h.entry.is_some());
        let named = |holding: &Holding<'_>| (holding.address, holding.pool.clone());
        let moved = |h: &&Holding<'_>| h.entry.is_some_and(|entry| entry.pool != *h.pool);
        let left = drafts.iter().flat_map(|draft| &draft.leave);
        let left = left.filter(|h| h.entry.is_some()).map(|h| h.address);
        let orphans: Vec<_> = stay().filter_map(Holding::as_orphan).collect();
        Decision {
            keep: held().map(|h| h.address).collect(),
            adopt: stay().filter(|h| h.entry.is_none()).map(named).collect(),
            claim: drafts
                .iter()
                .flat_map(|draft| draft.claim.iter().cloned())
                .collect(),
            release: left.chain(self.present.removed.iter().copied()).collect(),
            repoint: held().filter(moved).map(named).collect(),
            outcome: match verdict {
                Verdict::Met if orphans.is_empty() => Outcome::Allocated,
                Verdict::Met => Outcome::Orphaned(orphans),
                Verdict::Partial(unmet) => Outcome::Partial(unmet),
                Verdict::Refused(unmet) => Outcome::Refused {
                    unmet,
                    keeps: stay().map(|h| h.address).collect(),
                },
            },
            shows: Some(drafts.iter().flat_map(|draft| self.shown(draft)).collect()),
        }
    }

    /// What the status should show of a family: as requested, then as shown, then by address.
    fn shown(&self, draft: &Draft<'_>) -> Vec<IpAddr> {
        let requested = self
            .request
            .requested
            .as_ref()
            .map_or(&[][..], |r| &r.addresses);
        let position = |list: &[IpAddr], address: &IpAddr| {
            list.iter().position(|a| a == address).unwrap_or(list.len())
        };
        let mut addresses: Vec<IpAddr> = draft.stay.iter().map(|h| h.address).collect();
        addresses.extend(draft.claim.iter().map(|(address, _)| *address));
        addresses.extend(&draft.foreign);
        addresses.sort_by_key(|address| {
            (
                position(requested, address),
                position(&self.request.shown, address),
                *address,
            )
        });
        addresses
    }

    fn wait(&self) -> Decision {
        Decision {
            keep: self.present.removed.clone(),
            ..Decision::nothing(Outcome::WaitingForClusterIp)
        }
    }

    fn leave_alone(&self, foreign: &Foreign) -> Decision {
        let unmet = foreign.refusal().into();
        let keeps = Vec::new();
        Decision {
            release: self.present.removed.clone(),
            ..Decision::nothing(Outcome::Refused { unmet, keeps })
        }
    }
}

impl Attempt<'_> {
    fn blocked(&self) -> Option<&Refusal> {
        match self {
            Self::Blocked(refusal) => Some(refusal),
            Self::Met(_) | Self::Open | Self::Missing(_) => None,
        }
    }

    fn missing(&self) -> Option<&Refusal> {
        match self {
            Self::Missing(refusal) => Some(refusal),
            Self::Met(_) | Self::Open | Self::Blocked(_) => None,
        }
    }
}

impl Draft<'_> {
    fn claiming(grant: Grant) -> Self {
        Self {
            claim: vec![grant],
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests;
