//! One Service is brought to where it should be: ledger first, then status.

use std::net::IpAddr;

use ipam::{Allocator, Decision, Outcome, decide};
use k8s_openapi::jiff::Timestamp;
use model::{Allocation, Holder, Labels, PoolName, Uid};
use tracing::{info, warn};

use super::overwrites::{self, Response};
use super::services::Tracked;
use super::{Owner, Timer};
use crate::effect::{Effect, Note, Settle, Settled, StatusWrite, WriteFailure};
use crate::ledger::LedgerEntry;
use crate::status::DesiredStatus;

/// Where a Service stands since it was last decided.
#[derive(Debug, Default)]
pub(super) struct Standing {
    outcome: Option<Outcome>,
    reason: Option<&'static str>,
}

impl Standing {
    /// Whether it has all that it asks for, by the rules as they were.
    pub(super) fn is_complete(&self) -> bool {
        self.outcome.as_ref().is_some_and(Outcome::is_complete)
    }

    /// Whether this address, free again, could change the decision.
    pub(super) fn heals_on(&self, freed: IpAddr, allocator: &Allocator) -> bool {
        self.outcome
            .as_ref()
            .is_none_or(|outcome| outcome.heals_on(freed, allocator))
    }

    /// The word in its condition, for metrics.
    pub(super) fn reason(&self) -> Option<&'static str> {
        self.reason
    }
}

impl Owner {
    /// Adopt before allocate: takes what a status shows and the ledger does not say, before
    /// anything is given to anybody in the same breath.
    pub(super) fn adopt_shown(&mut self, uid: &Uid, now: Timestamp) {
        let Some(tracked) = self.services.get(uid) else {
            return;
        };
        let request = &tracked.view.request;
        let unknown = |address: &IpAddr| self.allocator.allocation(*address).is_none();
        if tracked.view.shows_foreign_kind() || !request.shown.iter().any(unknown) {
            return;
        }
        // Whether a pool admits its labels does not matter to an address that is in use.
        let decision = decide(request, &Labels::new(), &self.allocator);
        let holder = tracked.holder();
        self.record(&decision.adopt, &holder, now);
    }

    /// What should be so for a Service; `None` while that cannot be said.
    fn decision(&self, uid: &Uid) -> Option<Decision> {
        let request = &self.services.get(uid)?.view.request;
        let no_labels = Labels::new();
        let namespaces = self.namespaces.as_ref();
        let labels = namespaces.and_then(|known| known.get(&request.service.namespace));
        let decision = decide(request, labels.unwrap_or(&no_labels), &self.allocator);
        let chooses = !decision.claim.is_empty() || !decision.outcome.is_complete();
        // All are looked at again once the namespaces were read.
        (!chooses || !self.waits_for_namespaces()).then_some(decision)
    }

    /// Whether its status shows what another load balancer wrote, and nothing of ours.
    fn is_foreign(&self, uid: &Uid) -> bool {
        let foreign = |tracked: &Tracked| tracked.view.shows_foreign_kind();
        self.services.get(uid).is_some_and(foreign) && self.allocator.held_by(uid).next().is_none()
    }

    /// What a Service can have is taken for it although an earlier write of it is under way: the
    /// answers of the API server must not settle who is first.
    fn reserve(&mut self, uid: &Uid, now: Timestamp) {
        if self.is_foreign(uid) {
            return;
        }
        if let Some(decision) = self.decision(uid)
            && let Some(tracked) = self.services.get(uid)
        {
            let holder = tracked.holder();
            self.record(&decision.claim, &holder, now);
        }
    }

    /// Decides one Service and says what must be written, if anything.
    pub(super) fn settle_service(&mut self, uid: &Uid, now: Timestamp) {
        if self.settling.contains_key(uid) {
            // The answer to what is under way marks it due again.
            self.reserve(uid, now);
            return;
        }
        if self.is_foreign(uid) {
            self.leave_alone(uid, now);
            return;
        }
        let Some(decision) = self.decision(uid) else {
            return;
        };
        let Some(tracked) = self.services.get(uid) else {
            return;
        };
        let holder = tracked.holder();
        self.record(&decision.adopt, &holder, now);
        self.record(&decision.claim, &holder, now);
        self.drop_unwritten(&decision.release);
        let claims = self.unwritten_claims(uid);
        let repoint = self.entries_to_repoint(&decision.repoint);
        let release: Vec<LedgerEntry> = decision
            .release
            .iter()
            .filter(|a| !self.releasing.contains(a))
            .filter_map(|a| self.ledger.entry(*a).cloned())
            .collect();
        let (status, note) = self.status_write(uid, &decision, now);
        let Some(tracked) = self.services.get_mut(uid) else {
            return;
        };
        let settle = Settle {
            service: holder.service,
            uid: uid.clone(),
            decided_on: tracked.view.resource_version.clone(),
            claims,
            status,
            repoint,
            release,
            note,
        };
        tracked.standing.outcome = Some(decision.outcome);
        if settle.is_needed() {
            let released = settle.release.iter().map(|e| e.allocation.address);
            let released: Vec<IpAddr> = released.collect();
            self.releasing.extend(&released);
            self.settling.insert(uid.clone(), released);
            self.want(Effect::Settle(Box::new(settle)));
        } else {
            tracked.failures = 0;
        }
    }

    /// Somebody else's load balancer has put a host name, or an address of another mode, into the
    /// status: it is not ours to overwrite. Said in the condition, nothing else touched.
    fn leave_alone(&mut self, uid: &Uid, now: Timestamp) {
        let Some(tracked) = self.services.get_mut(uid) else {
            return;
        };
        let desired = DesiredStatus {
            ingress: None,
            allocated: false,
            reason: "ForeignAddress",
            message: "status shows what another load balancer has written; it is left alone: \
                      clear status.loadBalancer to get an address, or set loadBalancerClass"
                .to_owned(),
        };
        tracked.standing.outcome = None;
        self.metrics
            .standing(tracked.standing.reason, Some(desired.reason));
        tracked.standing.reason = Some(desired.reason);
        if desired.is_shown_by(&tracked.view) {
            return;
        }
        let body = desired.apply_body(&tracked.view, now);
        let settle = Settle {
            service: tracked.view.request.service.clone(),
            uid: uid.clone(),
            decided_on: tracked.view.resource_version.clone(),
            claims: Vec::new(),
            status: Some(StatusWrite { body, force: false }),
            repoint: Vec::new(),
            release: Vec::new(),
            note: Some(Note {
                reason: desired.reason,
                message: desired.message,
            }),
        };
        self.settling.insert(uid.clone(), Vec::new());
        self.want(Effect::Settle(Box::new(settle)));
    }

    /// What is decided is taken at once, so that the next Service decided in the same breath does
    /// not get it too.
    fn record(&mut self, given: &[(IpAddr, PoolName)], holder: &Holder, now: Timestamp) {
        for (address, pool) in given {
            self.allocator.record(Allocation {
                address: *address,
                pool: pool.clone(),
                holders: vec![holder.clone()],
                since: now.as_millisecond(),
            });
            self.configuration.usage_changed();
        }
    }

    /// What was taken for a Service, never written, and is no longer wanted.
    fn drop_unwritten(&mut self, unwanted: &[IpAddr]) {
        for address in unwanted {
            if self.ledger.entry(*address).is_none() {
                self.free(*address);
            }
        }
    }

    /// What the Service holds but the ledger does not say: fresh claims, claims whose write
    /// failed, and entries that vanished.
    fn unwritten_claims(&self, uid: &Uid) -> Vec<Allocation> {
        let held = self.allocator.held_by(uid);
        held.filter(|a| !self.ledger.grants(a.address, uid))
            .cloned()
            .collect()
    }

    fn entries_to_repoint(&self, repoint: &[(IpAddr, PoolName)]) -> Vec<(LedgerEntry, PoolName)> {
        let entry = |(address, pool): &(IpAddr, PoolName)| {
            Some((self.ledger.entry(*address)?.clone(), pool.clone()))
        };
        repoint.iter().filter_map(entry).collect()
    }

    fn status_write(
        &mut self,
        uid: &Uid,
        decision: &Decision,
        now: Timestamp,
    ) -> (Option<StatusWrite>, Option<Note>) {
        let Some(tracked) = self.services.get_mut(uid) else {
            return (None, None);
        };
        let Some(mut desired) = desired_status(decision) else {
            return (None, None);
        };
        let wanted = desired.ingress.clone().unwrap_or_default();
        if tracked.view.shows(&wanted) {
            tracked.overwrites.settled(&wanted);
        } else if !wanted.is_empty()
            && let Response::KeepOut(until) = tracked.overwrites.respond(&wanted, now)
        {
            desired = kept_out(&wanted, tracked.view.other_status_writer.as_deref());
            self.timers.insert((until, Timer::Service(uid.clone())));
        }
        self.metrics
            .standing(tracked.standing.reason, Some(desired.reason));
        tracked.standing.reason = Some(desired.reason);
        if desired.is_shown_by(&tracked.view) {
            return (None, None);
        }
        let said = tracked
            .view
            .condition
            .as_ref()
            .is_some_and(|before| desired.is(before));
        let wanting = !desired.allocated || decision.outcome.unmet().is_some();
        let note = (wanting && !said).then(|| {
            let service = &tracked.view.request.service;
            warn!(%service, reason = desired.reason, message = desired.message, "allocation refused");
            Note { reason: desired.reason, message: desired.message.clone() }
        });
        let body = desired.apply_body(&tracked.view, now);
        (
            Some(StatusWrite {
                body,
                force: desired.ingress.is_some(),
            }),
            note,
        )
    }

    pub(super) fn on_settled(&mut self, settled: Settled, now: Timestamp) {
        let uid = settled.uid;
        for address in self.settling.remove(&uid).unwrap_or_default() {
            self.releasing.remove(&address);
            // One of the two writes may be missing.
            self.dirty_entries.insert(address);
        }
        for entry in settled.claimed {
            let Allocation {
                address,
                pool,
                holders,
                ..
            } = &entry.allocation;
            let service = holders.first().map(|holder| holder.service.to_string());
            info!(vip = %address, %pool, service, "address allocated");
            self.apply_entry(entry);
        }
        for entry in settled.read {
            self.apply_entry(entry);
        }
        for entry in settled.released {
            self.entry_ended(entry.allocation.address, &entry.uid);
        }
        if let Some(service) = &settled.service {
            self.update_service(service);
        }
        let Some(tracked) = self.services.get_mut(&uid) else {
            // Gone meanwhile: what was claimed for it goes back.
            self.dirty_entries
                .extend(self.allocator.held_by(&uid).map(|a| a.address));
            return;
        };
        match settled.failure {
            None => {
                tracked.failures = 0;
                self.dirty.insert(uid);
            }
            Some(WriteFailure::Taken(address)) => {
                self.dirty.insert(uid);
                self.yield_claim(address);
            }
            // Decide again at once if what is true now is known already, else when it is.
            Some(WriteFailure::Conflict) if tracked.view.is_newer_than(&settled.decided_on) => {
                self.dirty.insert(uid);
            }
            Some(failure) => {
                let service = &tracked.view.request.service;
                if tracked.failures == 0 {
                    warn!(%service, error = %failure, "service not settled yet; trying again");
                }
                self.retry_service(&uid, now);
            }
        }
    }

    /// Somebody else's entry of that address exists. If it could be read, it is recorded by now;
    /// if not, the address is taken by nobody we know, which still is not free.
    fn yield_claim(&mut self, address: IpAddr) {
        if self.ledger.entry(address).is_some() {
            return;
        }
        if let Some(claim) = self.allocator.allocation(address).cloned() {
            warn!(vip = %address, "address is in the ledger already, in an entry that cannot be read");
            self.allocator.record(Allocation {
                holders: Vec::new(),
                ..claim
            });
        }
    }
}

impl Settle {
    fn is_needed(&self) -> bool {
        !self.claims.is_empty()
            || self.status.is_some()
            || !self.repoint.is_empty()
            || !self.release.is_empty()
    }
}

/// What the status should say; `None` while nothing can be said.
fn desired_status(decision: &Decision) -> Option<DesiredStatus> {
    let outcome = &decision.outcome;
    if *outcome == Outcome::WaitingForClusterIp {
        return None;
    }
    Some(DesiredStatus {
        ingress: decision.addresses().map(<[IpAddr]>::to_vec),
        allocated: outcome.is_allocated(),
        reason: outcome.reason(),
        message: outcome.to_string(),
    })
}

/// Another writer keeps changing the addresses in the status.
fn kept_out(wanted: &[IpAddr], writer: Option<&str>) -> DesiredStatus {
    let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    let writer = writer.unwrap_or("another controller");
    DesiredStatus {
        ingress: None,
        allocated: false,
        reason: overwrites::REASON,
        message: format!(
            "{writer} keeps overwriting status.loadBalancer, which should show {}; stop it, or give \
             it a loadBalancerClass of its own; the address is kept and answered meanwhile",
            wanted.join(", ")
        ),
    }
}
