//! The multicast groups of one interface.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use l2::Mac;
use model::InterfaceName;
use sys::{Groups, InterfaceIndex, PacketSocket};

use super::report::{Report, Reporter};

/// How soon a group that could not be joined is tried again. A change of the link or of its
/// addresses, which is what it mostly takes, tries at once.
const RETRY: Duration = Duration::from_secs(5);

/// Keeps memberships in the groups that are wanted: as MLD's, so that switches know, and on the
/// packet socket, so that frames pass the network card even where the interface has no IPv6.
#[derive(Debug)]
pub(super) struct Memberships {
    interface: InterfaceName,
    groups: Groups,
    missing: BTreeSet<Ipv6Addr>,
    retry_at: Option<Instant>,
    reporter: Reporter,
}

impl Memberships {
    pub(super) fn new(interface: InterfaceName, index: InterfaceIndex, reporter: Reporter) -> Self {
        Self {
            interface,
            groups: Groups::new(index),
            missing: BTreeSet::new(),
            retry_at: None,
            reporter,
        }
    }

    pub(super) fn join(&mut self, group: Ipv6Addr, socket: &PacketSocket, now: Instant) {
        // This one fails with the interface only, or short of memory, where the other says so.
        let _ = socket.join(Mac::of_group(group).0);
        if let Err(error) = self.groups.join(group) {
            let error = runtime::log::chain(&error);
            let interface = self.interface.clone();
            self.reporter.report(Report::GroupFailed {
                interface,
                group,
                error,
            });
            self.missing.insert(group);
            self.retry_at = Some(now + RETRY);
        }
    }

    pub(super) fn leave(&mut self, group: Ipv6Addr, socket: &PacketSocket) {
        // What cannot be left is gone already, with its interface.
        let _ = socket.leave(Mac::of_group(group).0);
        let _ = self.groups.leave(group);
        if self.missing.remove(&group) {
            let interface = self.interface.clone();
            self.reporter
                .report(Report::GroupUnused { interface, group });
        }
    }

    /// When [`Self::retry`] is to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Tries again what is missing.
    pub(super) fn retry(&mut self, now: Instant) {
        let missing: Vec<Ipv6Addr> = self.missing.iter().copied().collect();
        for group in missing {
            if self.groups.join(group).is_ok() {
                self.missing.remove(&group);
                let interface = self.interface.clone();
                self.reporter
                    .report(Report::GroupReady { interface, group });
            }
        }
        self.retry_at = (!self.missing.is_empty()).then(|| now + RETRY);
    }
}
