//! Services come, change and go.

use std::collections::BTreeSet;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::jiff::Timestamp;
use model::{Holder, ServiceKey, Uid};
use runtime::watch::WatchEvent;
use tracing::warn;

use super::overwrites::Overwrites;
use super::settlement::Standing;
use super::{Owner, Timer};
use crate::effect::{Effect, WriteFailure};
use crate::service::ServiceView;

/// A Service of ours and where its settlement stands.
#[derive(Debug)]
pub(super) struct Tracked {
    /// What was read last.
    pub(super) view: ServiceView,
    /// What was last decided.
    pub(super) standing: Standing,
    /// Whether somebody else writes the same status.
    pub(super) overwrites: Overwrites,
    /// Writes that failed in a row.
    pub(super) failures: u32,
}

impl Owner {
    pub(super) fn on_service(&mut self, event: WatchEvent<Service>) {
        match event {
            WatchEvent::Restarted(list) => {
                let mut absent: BTreeSet<Uid> = self.services.keys().cloned().collect();
                for service in &list {
                    if let Some(uid) = self.apply_service(service) {
                        absent.remove(&uid);
                    }
                }
                for uid in absent {
                    self.remove_service(&uid);
                }
                if !self.services_synced {
                    // Entries whose holders are nowhere in the first list.
                    self.dirty_entries
                        .extend(self.ledger.entries().map(|e| e.allocation.address));
                }
                self.services_synced = true;
            }
            WatchEvent::Applied(service) => {
                self.apply_service(&service);
            }
            // The watch shows Services of type LoadBalancer only: this one was deleted or is of
            // another type now. Which of both, the writer asks before anything is released.
            WatchEvent::Deleted(service) => {
                if let Some(uid) = service.metadata.uid {
                    self.remove_service(&Uid::new(uid));
                }
            }
            WatchEvent::Resumed | WatchEvent::Failed(_) => {}
        }
    }

    /// Takes a state of a Service from the answer to a write. The watch alone adds Services: it may
    /// have told already that this one is gone, and says nothing more of it then.
    pub(super) fn update_service(&mut self, service: &Service) {
        let uid = service.metadata.uid.as_ref();
        if uid.is_some_and(|uid| self.lives(&Uid::new(uid.clone()))) {
            self.apply_service(service);
        }
    }

    /// Takes a state of a Service; an older one than is known changes nothing. Returns its uid if
    /// it is ours.
    fn apply_service(&mut self, service: &Service) -> Option<Uid> {
        let Some(view) = ServiceView::of(service, &self.reading) else {
            let uid = Uid::new(service.metadata.uid.clone()?);
            self.remove_service(&uid);
            return None;
        };
        let uid = view.request.uid.clone();
        let key = view.request.service.clone();
        match self.services.get_mut(&uid) {
            Some(tracked) => {
                if !view.is_newer_than(&tracked.view.resource_version) {
                    return Some(uid);
                }
                tracked.view = view;
            }
            None => {
                self.replace_namesake(&key, &uid);
                self.services.insert(uid.clone(), Tracked::new(view));
            }
        }
        self.dirty.insert(uid.clone());
        Some(uid)
    }

    /// A Service of the same name but another uid is another Service: the earlier one is gone,
    /// even if its delete event was missed.
    fn replace_namesake(&mut self, key: &ServiceKey, uid: &Uid) {
        if let Some(earlier) = self.by_key.insert(key.clone(), uid.clone())
            && earlier != *uid
        {
            self.remove_service(&earlier);
        }
    }

    fn remove_service(&mut self, uid: &Uid) {
        self.dirty.remove(uid);
        let Some(tracked) = self.services.remove(uid) else {
            return;
        };
        self.metrics.standing(tracked.standing.reason(), None);
        let key = &tracked.view.request.service;
        if self.by_key.get(key) == Some(uid) {
            self.by_key.remove(key);
        }
        let held: Vec<IpAddr> = self.allocator.held_by(uid).map(|a| a.address).collect();
        if held.is_empty() && tracked.view.condition.is_some() {
            // Whoever holds an address is asked after when that is released.
            self.want(Effect::Leave(key.clone(), uid.clone()));
        }
        self.dirty_entries.extend(held);
    }

    pub(super) fn on_left(
        &mut self,
        key: ServiceKey,
        uid: Uid,
        result: Result<(), WriteFailure>,
        now: Timestamp,
    ) {
        match result {
            Ok(()) | Err(WriteFailure::NotFound) => {}
            Err(failure) => {
                warn!(service = %key, error = %failure, "condition not taken back yet; trying again");
                self.set_timer(now + super::backoff(1), Timer::Leave(key, uid));
            }
        }
    }

    /// The Services that are due, who has waited longest first.
    pub(super) fn due_services(&mut self) -> Vec<Uid> {
        let mut due: Vec<(i64, ServiceKey, Uid)> = Vec::with_capacity(self.dirty.len());
        for uid in std::mem::take(&mut self.dirty) {
            let Some(tracked) = self.services.get(&uid) else {
                continue;
            };
            let request = &tracked.view.request;
            due.push((request.created, request.service.clone(), uid));
        }
        due.sort();
        due.into_iter().map(|(_, _, uid)| uid).collect()
    }

    /// A fresh choice among pools that select on namespaces needs the namespaces.
    pub(super) fn waits_for_namespaces(&self) -> bool {
        self.needs_namespaces() && self.namespaces.is_none()
    }

    /// An address is free again: whoever waits for it is looked at, oldest first.
    pub(super) fn wake_waiting(&mut self, freed: IpAddr) {
        let waiting = self
            .services
            .iter()
            .filter(|(_, tracked)| tracked.standing.heals_on(freed, &self.allocator));
        self.dirty.extend(waiting.map(|(uid, _)| uid.clone()));
    }

    /// Everything is looked at again.
    pub(super) fn wake_all(&mut self) {
        self.dirty.extend(self.services.keys().cloned());
    }

    /// The labels of a namespace changed: only who waits can gain, nobody loses what he holds.
    pub(super) fn wake_namespace(&mut self, namespace: &str) {
        let there = self.services.iter().filter(|(_, tracked)| {
            tracked.view.request.service.namespace == namespace && !tracked.standing.is_complete()
        });
        self.dirty.extend(there.map(|(uid, _)| uid.clone()));
    }

    /// A write failed: try again, later each time.
    pub(super) fn retry_service(&mut self, uid: &Uid, now: Timestamp) {
        let Some(tracked) = self.services.get_mut(uid) else {
            return;
        };
        tracked.failures = tracked.failures.saturating_add(1);
        let at = now + super::backoff(tracked.failures);
        self.set_timer(at, Timer::Service(uid.clone()));
    }
}

impl Tracked {
    /// The Service, as ledger entries name it.
    pub(super) fn holder(&self) -> Holder {
        Holder {
            service: self.view.request.service.clone(),
            uid: self.view.request.uid.clone(),
        }
    }

    fn new(view: ServiceView) -> Self {
        Self {
            standing: Standing::default(),
            overwrites: Overwrites::as_reported(view.condition.as_ref()),
            failures: 0,
            view,
        }
    }
}
