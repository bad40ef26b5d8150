//! The ledger as the API server shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crds::IPAllocation;
use model::{Allocation, Uid};

use crate::service::newer;

/// One entry as it was read, with what a write needs to be refused if it is no longer so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LedgerEntry {
    /// What it says.
    pub(crate) allocation: Allocation,
    /// `metadata.uid` of the object, not of a holder.
    pub(crate) uid: String,
    /// The version that every change of it is written on.
    pub(crate) resource_version: String,
}

impl LedgerEntry {
    /// Reads an object. An entry that cannot be read still keeps its address from being given
    /// away, so the error carries nothing and the caller reports the object.
    pub(crate) fn of(object: &IPAllocation) -> Option<Self> {
        Some(Self {
            allocation: Allocation::try_from(object).ok()?,
            uid: object.metadata.uid.clone()?,
            resource_version: object.metadata.resource_version.clone()?,
        })
    }
}

/// All entries that were read, by address.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: BTreeMap<IpAddr, LedgerEntry>,
    /// Objects that we deleted and the watch has not yet; what it still tells of them is past.
    ended: BTreeSet<String>,
}

impl Ledger {
    /// Takes a newer state of an entry; an older one, which a slow watch may still bring after
    /// our own write was answered, changes nothing. Returns whether it was taken.
    pub(crate) fn apply(&mut self, entry: LedgerEntry) -> bool {
        if self.ended.contains(&entry.uid) {
            return false;
        }
        let address = entry.allocation.address;
        let known = self.entries.get(&address);
        let stale = known.is_some_and(|known| {
            known.uid == entry.uid && !newer(&entry.resource_version, &known.resource_version)
        });
        if !stale {
            self.entries.insert(address, entry);
        }
        !stale
    }

    /// We deleted an entry. `None` if the watch was first to tell.
    pub(crate) fn end(&mut self, address: IpAddr, object_uid: &str) -> Option<LedgerEntry> {
        let entry = self.remove(address, object_uid)?;
        self.ended.insert(entry.uid.clone());
        Some(entry)
    }

    /// Forgets an entry that the watch tells is gone, unless another object of that name is known
    /// by now.
    pub(crate) fn remove(&mut self, address: IpAddr, object_uid: &str) -> Option<LedgerEntry> {
        self.ended.remove(object_uid);
        if self
            .entries
            .get(&address)
            .is_some_and(|known| known.uid == object_uid)
        {
            return self.entries.remove(&address);
        }
        None
    }

    /// The entry of an address.
    pub(crate) fn entry(&self, address: IpAddr) -> Option<&LedgerEntry> {
        self.entries.get(&address)
    }

    /// Whether the ledger says that the Service with this uid holds the address.
    pub(crate) fn grants(&self, address: IpAddr, uid: &Uid) -> bool {
        self.entry(address)
            .is_some_and(|entry| entry.allocation.is_held_by(uid))
    }

    /// A complete list was read: no event from before it comes any more.
    pub(crate) fn listed(&mut self) {
        self.ended.clear();
    }

    /// All entries in the order of their addresses.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &LedgerEntry> {
        self.entries.values()
    }
}
