//! What ledger, status and memory say about one address and one Service: may it start here, may
//! it only go on, or must it stop.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use model::{Allocation, Holder, PoolName};

use crate::columns::{Column, Key};
use crate::{Advertised, Announced, Service, ServiceState, Snapshot, Withheld};

/// An address, and a Service that has to do with it: it shows it, holds it, or it is announced for
/// it.
pub(crate) struct Subject<'a> {
    pub(crate) address: IpAddr,
    pub(crate) service: &'a Arc<Service>,
    pub(crate) evidence: Evidence<'a>,
    holds: bool,
    entry: Option<&'a Arc<Allocation>>,
    /// What the last plan announced, if it was for this very Service.
    pub(crate) announced: Option<&'a Announced>,
    /// What the last plan told peers, if it was for this very Service.
    pub(crate) advertised: Option<&'a Advertised>,
    /// The same if it only stood against aggregates.
    pub(crate) passed_over: Option<&'a Advertised>,
}

/// What all that is known comes to.
#[derive(Clone)]
pub(crate) enum Evidence<'a> {
    /// Ledger and status agree: the best node announces it.
    Complete(&'a PoolName),
    /// One of them is not there: nobody starts, but who announces goes on.
    Incomplete(Withheld),
    /// It was read that the address is not the Service's.
    Stop(Withheld),
}

impl<'a> Subject<'a> {
    /// Every subject of a snapshot, by address; of one address the ledger's holder comes first,
    /// then Services by name.
    pub(crate) fn all(snapshot: &'a Snapshot) -> Vec<Self> {
        let shown = shown(snapshot);
        let mut subjects = Vec::with_capacity(shown.len());
        let mut facts = Facts::new(snapshot);
        let mut shown = shown.chunk_by(|one, other| one.0 == other.0).peekable();
        loop {
            let next = shown.peek().and_then(|of_one| of_one.first());
            let keys = next.map(|(key, _)| *key).into_iter().chain(facts.next());
            let Some(key) = keys.min() else {
                return subjects;
            };
            let of_one = shown.next_if(|of_one| of_one.first().is_some_and(|(k, _)| *k == key));
            let start = subjects.len();
            facts
                .take(key)
                .describe(key.address(), of_one.unwrap_or_default(), &mut subjects);
            if let Some(of_address) = subjects.get_mut(start..).filter(|of| of.len() > 1) {
                of_address.sort_by_key(|subject| !subject.holds);
            }
        }
    }

    /// The pool by which it is announced: the entry's, or of a vanished entry the last known one.
    pub(crate) fn pool(&self) -> Option<&'a PoolName> {
        let entry = self.entry.map(|entry| &entry.pool);
        let announced = || self.announced.map(|announced| &announced.pool);
        let advertised = || {
            let advertised = self.advertised.or(self.passed_over);
            advertised.map(|advertised| &advertised.pool)
        };
        entry.or_else(announced).or_else(advertised)
    }
}

/// An address, and a Service that shows it.
type Shown<'a> = (Key, &'a ServiceState);

/// What is shown, by address and then by name. Each Service shows an address once.
fn shown(snapshot: &Snapshot) -> Vec<Shown<'_>> {
    let mut shown = Vec::with_capacity(snapshot.services.len());
    for state in snapshot.services.values() {
        let addresses = state.service().shown.iter();
        shown.extend(addresses.map(|&address| (Key::of(address), state)));
    }
    // Stable, so that Services stay in the order of their names.
    shown.sort_by_key(|(key, _)| *key);
    shown.dedup_by(|one, other| one.0 == other.0 && std::ptr::eq(one.1, other.1));
    shown
}

/// All else that is known by address, read side by side: a lookup for each address would be slower
/// than all the rest.
struct Facts<'a> {
    services: &'a BTreeMap<model::ServiceKey, ServiceState>,
    ledger: Column<'a, Arc<Allocation>>,
    announced: Column<'a, Announced>,
    advertised: Column<'a, Advertised>,
    passed_over: Column<'a, Advertised>,
}

/// What is known of one address.
struct OfAddress<'a> {
    services: &'a BTreeMap<model::ServiceKey, ServiceState>,
    entry: Option<&'a Arc<Allocation>>,
    announced: Option<&'a Announced>,
    advertised: Option<&'a Advertised>,
    passed_over: Option<&'a Advertised>,
}

impl<'a> Facts<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        Self {
            services: &snapshot.services,
            ledger: Column::new(&snapshot.ledger),
            announced: Column::new(&snapshot.announced),
            advertised: Column::new(&snapshot.advertised),
            passed_over: Column::new(&snapshot.passed_over),
        }
    }

    /// The first address of which something is known that was not taken.
    fn next(&self) -> Option<Key> {
        let keys = [
            self.ledger.key(),
            self.announced.key(),
            self.advertised.key(),
            self.passed_over.key(),
        ];
        keys.into_iter().flatten().min()
    }

    fn take(&mut self, key: Key) -> OfAddress<'a> {
        OfAddress {
            services: self.services,
            entry: self.ledger.take(key),
            announced: self.announced.take(key),
            advertised: self.advertised.take(key),
            passed_over: self.passed_over.take(key),
        }
    }
}

impl<'a> OfAddress<'a> {
    /// Adds a subject for each Service that has to do with the address, by name.
    fn describe(&self, address: IpAddr, shown: &[Shown<'a>], subjects: &mut Vec<Subject<'a>>) {
        let unshown = self.unshown(shown);
        if unshown.is_empty() {
            let shown = shown.iter().map(|(_, state)| *state);
            subjects.extend(shown.map(|state| self.subject(address, state, true)));
            return;
        }
        let shown = shown.iter().map(|(_, state)| (*state, true));
        let mut all: Vec<_> = shown
            .chain(unshown.into_iter().map(|state| (state, false)))
            .collect();
        all.sort_by_key(|(state, _)| &state.service().holder.service);
        let all = all.into_iter();
        subjects.extend(all.map(|(state, shown)| self.subject(address, state, shown)));
    }

    /// The Services that hold the address, or for which it is announced, and that do not show it.
    /// Those not found here are gone.
    fn unshown(&self, shown: &[Shown<'a>]) -> Vec<&'a ServiceState> {
        let advertised = [self.advertised, self.passed_over];
        let advertised = advertised.into_iter().flatten().map(|of| &*of.service);
        let announced = self.announced.iter().map(|of| &*of.service);
        let held = self.entry.iter().flat_map(|entry| &entry.holders);
        let mut unshown: Vec<&'a ServiceState> = Vec::new();
        for holder in announced.chain(advertised).chain(held) {
            let known = |state: &ServiceState| is_for(state.service(), holder);
            if shown.iter().any(|(_, state)| known(state)) || unshown.iter().any(|s| known(s)) {
                continue;
            }
            let state = self.services.get(&holder.service);
            unshown.extend(state.filter(|state| known(state)));
        }
        unshown
    }

    fn subject(&self, address: IpAddr, state: &'a ServiceState, shown: bool) -> Subject<'a> {
        let (service, missing) = match state {
            ServiceState::Present(service) => (service, false),
            ServiceState::Missing(service) => (service, true),
        };
        let entry = self.entry;
        let holds = entry.is_some_and(|entry| entry.is_held_by(&service.holder.uid));
        let same = |holder: &Arc<Holder>| is_for(service, holder);
        Subject {
            address,
            service,
            evidence: evidence(entry, holds, missing, shown),
            holds,
            entry,
            announced: self.announced.filter(|of| same(&of.service)),
            advertised: self.advertised.filter(|of| same(&of.service)),
            passed_over: self.passed_over.filter(|of| same(&of.service)),
        }
    }
}

/// Whether a holder is this very Service. Mostly they are the same object already.
fn is_for(service: &Service, holder: &Holder) -> bool {
    std::ptr::eq(&*service.holder, holder) || service.holder.uid == holder.uid
}

fn evidence(
    entry: Option<&Arc<Allocation>>,
    holds: bool,
    missing: bool,
    shown: bool,
) -> Evidence<'_> {
    match entry {
        Some(entry) if !holds => Evidence::Stop(match entry.holders.first() {
            Some(holder) => Withheld::HeldByAnother {
                service: holder.service.clone(),
            },
            None => Withheld::Released,
        }),
        Some(_) if missing => Evidence::Incomplete(Withheld::ServiceMissing),
        Some(entry) if shown => Evidence::Complete(&entry.pool),
        Some(_) => Evidence::Incomplete(Withheld::NotInStatus),
        None if missing => Evidence::Stop(Withheld::ServiceGone),
        None => Evidence::Incomplete(Withheld::NotInLedger),
    }
}
