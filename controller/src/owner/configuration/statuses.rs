//! What is said back on the objects that users write.

use crds::{IPAddressPoolStatus, L2AdvertisementStatus, Severity};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use model::PoolName;

use super::find;
use crate::effect::Effect;
use crate::owner::Owner;
use crate::status::condition;

impl Owner {
    pub(super) fn settle_pool_statuses(&mut self, now: Timestamp) {
        let mut writes = Vec::new();
        for object in self.configuration.pools.objects() {
            let name = object.name_any();
            let usage = self.allocator.pool_usage(&PoolName::new(name.clone()));
            self.metrics.pool(&name, &usage);
            let before = object
                .status
                .as_ref()
                .and_then(|s| find(&s.conditions, "Accepted"));
            let conditions = vec![self.accepted(
                "IPAddressPool",
                &name,
                object.metadata.generation,
                before,
                now,
            )];
            let status = IPAddressPoolStatus {
                assigned_ipv4: saturating(usage.assigned_v4),
                assigned_ipv6: saturating(usage.assigned_v6),
                available_ipv4: saturating(usage.available_v4),
                available_ipv6: saturating(usage.available_v6),
                conditions,
            };
            if object.status.as_ref() != Some(&status) {
                writes.push((name, status));
            }
        }
        for (name, status) in writes {
            if self
                .configuration
                .writing
                .insert(format!("IPAddressPool/{name}"))
            {
                self.effects
                    .push_back(Effect::WritePoolStatus(name, Box::new(status)));
            }
        }
    }

    pub(super) fn settle_advertisement_statuses(&mut self, now: Timestamp) {
        let mut writes = Vec::new();
        for object in self.configuration.advertisements.objects() {
            let name = object.name_any();
            let before = object
                .status
                .as_ref()
                .and_then(|s| find(&s.conditions, "Accepted"));
            let conditions = vec![self.accepted(
                "L2Advertisement",
                &name,
                object.metadata.generation,
                before,
                now,
            )];
            let status = L2AdvertisementStatus { conditions };
            if object.status.as_ref() != Some(&status) {
                writes.push((name, status));
            }
        }
        for (name, status) in writes {
            if self
                .configuration
                .writing
                .insert(format!("L2Advertisement/{name}"))
            {
                self.effects
                    .push_back(Effect::WriteAdvertisementStatus(name, Box::new(status)));
            }
        }
    }

    /// The condition `Accepted` of a configuration object: what is wrong with it, if anything.
    fn accepted(
        &self,
        kind: &str,
        name: &str,
        generation: Option<i64>,
        before: Option<&Condition>,
        now: Timestamp,
    ) -> Condition {
        let problems = &self.configuration.problems;
        let mut own = problems
            .iter()
            .filter(|p| p.object.kind == kind && p.object.name == name);
        let rejected = own.clone().any(|p| p.severity() == Severity::Rejected);
        let overlaps = self.allocator.overlaps();
        let overlap = overlaps
            .iter()
            .find(|o| kind == "IPAddressPool" && o.loser.as_str() == name);
        let (reason, message) = match (own.next(), overlap) {
            (Some(problem), _) => (problem.reason.reason(), problem.to_string()),
            (None, Some(overlap)) => ("Overlap", overlap.to_string()),
            (None, None) => ("Accepted", String::new()),
        };
        condition(
            "Accepted", !rejected, reason, &message, generation, before, now,
        )
    }
}

fn saturating(count: u128) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
