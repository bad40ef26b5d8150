//! What is said back on the objects that users write.

use std::cmp::Reverse;

use crds::{IPAddressPoolStatus, Severity};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use model::PoolName;

use super::find;
use crate::effect::{ConfigKind, Effect};
use crate::owner::Owner;
use crate::status::condition;

impl Owner {
    pub(super) fn settle_pool_statuses(&mut self, now: Timestamp) {
        let mut writes = Vec::new();
        for object in self.configuration.kinds.pools.objects() {
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
                self.want(Effect::WritePoolStatus(name, Box::new(status)));
            }
        }
    }

    /// The statuses that are conditions and nothing else.
    pub(super) fn settle_condition_statuses(&mut self, now: Timestamp) {
        let kinds = &self.configuration.kinds;
        let mut writes = Vec::new();
        for object in kinds.l2_advertisements.objects() {
            let shown = object.status.as_ref().map(|status| &status.conditions);
            writes.extend(self.conditions_write(ConfigKind::L2Advertisement, object, shown, now));
        }
        for object in kinds.bgp_advertisements.objects() {
            let shown = object.status.as_ref().map(|status| &status.conditions);
            writes.extend(self.conditions_write(ConfigKind::BgpAdvertisement, object, shown, now));
        }
        for object in kinds.bgp_peers.objects() {
            let shown = object.status.as_ref().map(|status| &status.conditions);
            writes.extend(self.conditions_write(ConfigKind::BgpPeer, object, shown, now));
        }
        for object in kinds.bfd_profiles.objects() {
            let shown = object.status.as_ref().map(|status| &status.conditions);
            writes.extend(self.conditions_write(ConfigKind::BfdProfile, object, shown, now));
        }
        for object in kinds.communities.objects() {
            let shown = object.status.as_ref().map(|status| &status.conditions);
            writes.extend(self.conditions_write(ConfigKind::Community, object, shown, now));
        }
        for (kind, name, conditions) in writes {
            let object = format!("{}/{name}", kind.kind());
            if self.configuration.writing.insert(object) {
                self.want(Effect::WriteConditions(kind, name, conditions));
            }
        }
    }

    /// What an object's conditions should be, if they are not so already.
    fn conditions_write(
        &self,
        kind: ConfigKind,
        object: &impl ResourceExt,
        shown: Option<&Vec<Condition>>,
        now: Timestamp,
    ) -> Option<(ConfigKind, String, Vec<Condition>)> {
        let name = object.name_any();
        let before = shown.and_then(|shown| find(shown, "Accepted"));
        let generation = object.meta().generation;
        let accepted = self.accepted(kind.kind(), &name, generation, before, now);
        let conditions = vec![accepted];
        (shown != Some(&conditions)).then_some((kind, name, conditions))
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
        let own = problems
            .iter()
            .filter(|p| p.object.kind == kind && p.object.name == name);
        // The first of the worst.
        let worst = own.min_by_key(|problem| Reverse(problem.severity()));
        let accepted = worst.is_none_or(|problem| problem.severity() == Severity::Warning);
        let overlaps = self.allocator.overlaps();
        let overlap = overlaps
            .iter()
            .find(|o| kind == "IPAddressPool" && o.loser.as_str() == name);
        let (reason, message) = match (worst, overlap) {
            (Some(problem), _) => (problem.reason.reason(), problem.to_string()),
            (None, Some(overlap)) => ("Overlap", overlap.to_string()),
            (None, None) => ("Accepted", String::new()),
        };
        condition(
            "Accepted", accepted, reason, &message, generation, before, now,
        )
    }
}

fn saturating(count: u128) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
