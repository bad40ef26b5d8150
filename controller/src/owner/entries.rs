//! Ledger entries come, change and go.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crds::IPAllocation;
use k8s_openapi::jiff::Timestamp;
use model::{Allocation, Uid};
use runtime::watch::WatchEvent;
use tracing::{info, warn};

use super::{Owner, Timer};
use crate::effect::{Effect, Release, ReleaseVerdict, WriteFailure};
use crate::ledger::LedgerEntry;

impl Owner {
    pub(super) fn on_allocation(&mut self, event: WatchEvent<IPAllocation>) {
        match event {
            WatchEvent::Restarted(list) => {
                let mut absent: BTreeSet<(IpAddr, String)> = self
                    .ledger
                    .entries()
                    .map(|e| (e.allocation.address, e.uid.clone()))
                    .collect();
                for object in &list {
                    if let Some(entry) = read(object) {
                        absent.remove(&(entry.allocation.address, entry.uid.clone()));
                        self.apply_entry(entry);
                    }
                }
                for (address, uid) in absent {
                    self.entry_vanished(address, &uid);
                }
                self.ledger.listed();
                self.ledger_synced = true;
            }
            WatchEvent::Applied(object) => {
                if let Some(entry) = read(&object) {
                    self.apply_entry(entry);
                }
            }
            WatchEvent::Deleted(object) => {
                if let Some(entry) = read(&object) {
                    self.entry_vanished(entry.allocation.address, &entry.uid);
                }
            }
            WatchEvent::Resumed | WatchEvent::Failed(_) => {}
        }
    }

    /// Takes a state of an entry, from the watch or from the answer to a write of ours.
    pub(super) fn apply_entry(&mut self, entry: LedgerEntry) {
        let allocation = entry.allocation.clone();
        if !self.ledger.apply(entry) {
            return;
        }
        let address = allocation.address;
        let before = self.allocator.allocation(address);
        if before != Some(&allocation) {
            // Who claimed it in the meantime, and who holds it now, both look again.
            let holders = before
                .into_iter()
                .chain([&allocation])
                .flat_map(|a| &a.holders);
            self.dirty.extend(holders.map(|holder| holder.uid.clone()));
            self.configuration.pool_referenced(&allocation.pool);
            self.allocator.record(allocation);
            self.configuration.usage_changed();
        }
        self.dirty_entries.insert(address);
    }

    /// Missing data is not an order: an entry that vanishes while it names a living Service is
    /// written again when that Service is settled; its address stays taken meanwhile.
    pub(super) fn entry_vanished(&mut self, address: IpAddr, object_uid: &str) {
        let Some(entry) = self.ledger.remove(address, object_uid) else {
            return;
        };
        let living: Vec<Uid> = entry
            .allocation
            .holders
            .iter()
            .map(|h| h.uid.clone())
            .filter(|u| self.lives(u))
            .collect();
        if living.is_empty() {
            self.free(address);
        } else {
            warn!(vip = %address, "ledger entry vanished while its service lives; writing it again");
            self.dirty.extend(living);
        }
    }

    /// Decides what is to be done about one entry whose holder may be gone.
    pub(super) fn settle_entry(&mut self, address: IpAddr) {
        if self.releasing.contains(&address) {
            return;
        }
        let Some(entry) = self.ledger.entry(address) else {
            self.drop_unwritten_claim(address);
            return;
        };
        let holder = match entry.allocation.holders.as_slice() {
            [] => None,
            holders if holders.iter().any(|h| self.lives(&h.uid)) => return,
            [first, ..] => Some((first.service.clone(), first.uid.clone())),
        };
        let entry = entry.clone();
        self.releasing.insert(address);
        self.want(Effect::Release(Box::new(Release { entry, holder })));
    }

    /// A claim that never became an entry ends with its Service, unless its write is under way:
    /// then the answer decides.
    fn drop_unwritten_claim(&mut self, address: IpAddr) {
        let Some(claim) = self.allocator.allocation(address) else {
            return;
        };
        if !self.is_wanted(claim) {
            self.free(address);
        }
    }

    fn is_wanted(&self, claim: &Allocation) -> bool {
        claim
            .holders
            .iter()
            .any(|holder| self.lives(&holder.uid) || self.settling.contains_key(&holder.uid))
    }

    pub(super) fn on_released(
        &mut self,
        address: IpAddr,
        entry: &str,
        result: Result<ReleaseVerdict, WriteFailure>,
        now: Timestamp,
    ) {
        self.releasing.remove(&address);
        match result {
            Ok(ReleaseVerdict::Gone) => {
                info!(vip = %address, "address released");
                self.entry_ended(address, entry);
            }
            // The watch will tell of it, unless it goes before: asked again until either is known.
            Ok(ReleaseVerdict::StillHeld) => {
                self.set_timer(now + super::backoff(1), Timer::Entry(address));
            }
            Err(failure) => {
                warn!(vip = %address, error = %failure, "address not released yet; trying again");
                self.set_timer(now + super::backoff(1), Timer::Entry(address));
            }
        }
    }

    /// We deleted an entry. If the watch was first to tell, the address may have been given again
    /// by now.
    pub(super) fn entry_ended(&mut self, address: IpAddr, object_uid: &str) {
        if self.ledger.end(address, object_uid).is_some() {
            self.free(address);
        }
    }

    /// An address is free for whoever waits for it.
    pub(super) fn free(&mut self, address: IpAddr) {
        if let Some(allocation) = self.allocator.allocation(address) {
            let pool = allocation.pool.clone();
            self.configuration.pool_referenced(&pool);
        }
        self.allocator.forget(address);
        self.configuration.usage_changed();
        self.wake_waiting(address);
    }

    /// Whether a Service of ours with this uid is known to exist.
    pub(super) fn lives(&self, uid: &Uid) -> bool {
        self.services.contains_key(uid)
    }
}

fn read(object: &IPAllocation) -> Option<LedgerEntry> {
    let entry = LedgerEntry::of(object);
    if entry.is_none() {
        let name = object.metadata.name.as_deref().unwrap_or_default();
        warn!(
            vip = name,
            "ledger entry cannot be read and is ignored; delete it: kubectl delete ipallocation {name}"
        );
    }
    entry
}
