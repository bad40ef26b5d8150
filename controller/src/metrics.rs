//! What the controller counts. Labels are the variants of the enums that conditions and logs
//! print.

use std::sync::atomic::AtomicU64;

use ipam::PoolUsage;
use model::IpFamily;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::effect::WriteFailure;

/// Handles to all metrics; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    leading: Gauge,
    addresses: Family<PoolLabels, Gauge<f64, AtomicU64>>,
    services: Family<ReasonLabels, Gauge>,
    writes: Family<WriteLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolLabels {
    pool: String,
    family: &'static str,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabels {
    object: String,
    result: &'static str,
}

impl Metrics {
    /// Metrics that are shown under the names in this function.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "controller_leading",
            "1 while this replica decides and writes, 0 while it stands by",
            metrics.leading.clone(),
        );
        registry.register(
            "pool_addresses",
            "Addresses of a pool, by state: assigned or available",
            metrics.addresses.clone(),
        );
        registry.register(
            "services",
            "Services of ours, by the reason in their condition Allocated",
            metrics.services.clone(),
        );
        registry.register(
            "api_writes",
            "Writes to the API server, by object and result",
            metrics.writes.clone(),
        );
        metrics
    }

    /// Whether this replica leads. What another one decides is shown by that one.
    pub(crate) fn lead(&self, leads: bool) {
        self.leading.set(i64::from(leads));
        if !leads {
            self.addresses.clear();
            self.services.clear();
        }
    }

    /// A pool's counts.
    pub(crate) fn pool(&self, pool: &str, usage: &PoolUsage) {
        for (family, state, count) in [
            (IpFamily::V4, "assigned", usage.assigned_v4),
            (IpFamily::V6, "assigned", usage.assigned_v6),
            (IpFamily::V4, "available", usage.available_v4),
            (IpFamily::V6, "available", usage.available_v6),
        ] {
            let family = match family {
                IpFamily::V4 => "ipv4",
                IpFamily::V6 => "ipv6",
            };
            let labels = PoolLabels {
                pool: pool.to_owned(),
                family,
                state,
            };
            #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
            self.addresses.get_or_create(&labels).set(count as f64);
        }
    }

    /// A pool is gone.
    pub(crate) fn forget_pool(&self, pool: &str) {
        for family in ["ipv4", "ipv6"] {
            for state in ["assigned", "available"] {
                self.addresses.remove(&PoolLabels {
                    pool: pool.to_owned(),
                    family,
                    state,
                });
            }
        }
    }

    /// A Service's reason changed.
    pub(crate) fn standing(&self, before: Option<&'static str>, after: Option<&'static str>) {
        if before == after {
            return;
        }
        if let Some(reason) = before {
            self.services.get_or_create(&ReasonLabels { reason }).dec();
        }
        if let Some(reason) = after {
            self.services.get_or_create(&ReasonLabels { reason }).inc();
        }
    }

    /// A write was answered.
    pub(crate) fn write(&self, object: &str, failure: Option<&WriteFailure>) {
        let result = failure.map_or("ok", WriteFailure::reason);
        let labels = WriteLabels {
            object: object.to_owned(),
            result,
        };
        self.writes.get_or_create(&labels).inc();
    }
}
