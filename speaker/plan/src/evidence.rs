//! What ledger, status and memory say about one address and one Service: may it start here, may
//! it only go on, or must it stop.

use std::net::IpAddr;
use std::sync::Arc;

use model::{Allocation, PoolName};

use crate::{Announced, Service, ServiceState, Snapshot, Withheld};

/// An address, and a Service that has to do with it: it shows it, holds it, or is announced by it.
pub(crate) struct Subject<'a> {
    pub(crate) address: IpAddr,
    pub(crate) service: &'a Arc<Service>,
    missing: bool,
    entry: Option<&'a Arc<Allocation>>,
    /// What the last plan announced, if it was for this very Service.
    pub(crate) announced: Option<&'a Announced>,
}

/// What all that is known comes to.
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
        let mut asked: Vec<(IpAddr, &'a ServiceState)> = Vec::new();
        for state in snapshot.services.values() {
            let shown = &state.service().shown;
            asked.extend(shown.iter().map(|&address| (address, state)));
        }
        sort(&mut asked);
        let mut unshown = announced_unshown(snapshot, &asked);
        unshown.extend(held_unshown(snapshot, &asked));
        if !unshown.is_empty() {
            asked.extend(unshown);
            sort(&mut asked);
        }
        let mut subjects: Vec<Self> = join(snapshot, &asked).collect();
        // Stable: of one address, only the holder changes its place.
        subjects.sort_by_key(|subject| (subject.address, !subject.is_holder()));
        subjects
    }

    pub(crate) fn evidence(&self) -> Evidence<'a> {
        let shown = self.service.shown.contains(&self.address);
        match self.entry {
            Some(entry) if !self.is_holder() => Evidence::Stop(match entry.holders.first() {
                Some(holder) => Withheld::HeldByAnother {
                    service: holder.service.clone(),
                },
                None => Withheld::Released,
            }),
            Some(_) if self.missing => Evidence::Incomplete(Withheld::ServiceMissing),
            Some(entry) if shown => Evidence::Complete(&entry.pool),
            Some(_) => Evidence::Incomplete(Withheld::NotInStatus),
            None if self.missing => Evidence::Stop(Withheld::ServiceGone),
            None => Evidence::Incomplete(Withheld::NotInLedger),
        }
    }

    /// The pool by which it is announced: the entry's, or of a vanished entry the last known one.
    pub(crate) fn pool(&self) -> Option<&'a PoolName> {
        let entry = self.entry.map(|entry| &entry.pool);
        entry.or_else(|| self.announced.map(|announced| &announced.pool))
    }

    fn is_holder(&self) -> bool {
        let uid = &self.service.holder.uid;
        self.entry.is_some_and(|entry| entry.is_held_by(uid))
    }
}

type Asked<'a> = (IpAddr, &'a ServiceState);

fn key<'a>(asked: &Asked<'a>) -> (IpAddr, &'a model::ServiceKey) {
    (asked.0, &asked.1.service().holder.service)
}

fn sort(asked: &mut Vec<Asked<'_>>) {
    asked.sort_by(|one, other| key(one).cmp(&key(other)));
    asked.dedup_by(|one, other| key(one) == key(other));
}

/// The Services that `asked` has for an address.
fn asking<'a, 'b>(
    asked: &'b [Asked<'a>],
    address: IpAddr,
) -> impl Iterator<Item = &'a Arc<Service>> + use<'a, 'b> {
    let start = asked.partition_point(|(other, _)| *other < address);
    let of_address = asked.iter().skip(start);
    let of_address = of_address.take_while(move |(other, _)| *other == address);
    of_address.map(|(_, state)| state.service())
}

/// What is announced for Services that no longer show it. Those not found here are gone.
fn announced_unshown<'a>(snapshot: &'a Snapshot, asked: &[Asked<'a>]) -> Vec<Asked<'a>> {
    let mut unshown = Vec::new();
    for (&address, announced) in &snapshot.announced {
        let holder = &announced.service;
        if !asking(asked, address).any(|service| service.holder == *holder) {
            let state = snapshot.services.get(&holder.service);
            let state = state.filter(|state| state.service().holder == *holder);
            unshown.extend(state.map(|state| (address, state)));
        }
    }
    unshown
}

/// What the ledger gives to Services that do not show it.
fn held_unshown<'a>(snapshot: &'a Snapshot, asked: &[Asked<'a>]) -> Vec<Asked<'a>> {
    let mut unshown = Vec::new();
    for (&address, entry) in &snapshot.ledger {
        for holder in &entry.holders {
            if !asking(asked, address).any(|service| service.holder.uid == holder.uid) {
                let state = snapshot.services.get(&holder.service);
                let state = state.filter(|state| state.service().holder.uid == holder.uid);
                unshown.extend(state.map(|state| (address, state)));
            }
        }
    }
    unshown
}

fn join<'a, 'b>(
    snapshot: &'a Snapshot,
    asked: &'b [Asked<'a>],
) -> impl Iterator<Item = Subject<'a>> + use<'a, 'b> {
    asked.iter().map(|&(address, state)| {
        let (service, missing) = match state {
            ServiceState::Present(service) => (service, false),
            ServiceState::Missing(service) => (service, true),
        };
        let announced = snapshot.announced.get(&address);
        Subject {
            address,
            service,
            missing,
            entry: snapshot.ledger.get(&address),
            announced: announced.filter(|a| a.service.uid == service.holder.uid),
        }
    })
}
