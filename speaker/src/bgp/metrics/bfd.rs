//! What is shown of BFD beside a peer's session. Packets are counted by the BFD driver.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::SessionLabels;
use crate::bgp::Guarded;

/// What each stands for is told by the text that it is registered with.
#[derive(Debug, Clone, Default)]
pub(super) struct BfdMetrics {
    up: Family<SessionLabels, Gauge>,
    failures: Family<SessionLabels, Gauge>,
    detection: Family<SessionLabels, Gauge<f64, AtomicU64>>,
}

impl BfdMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "seamark_bfd_session_up",
            "1 if BFD with the peer is up, so that its session is protected, else 0; absent without BFD",
            self.up.clone(),
        );
        registry.register(
            "seamark_bfd_failures",
            "How often the path to the peer failed while BFD was up, since it was configured",
            self.failures.clone(),
        );
        registry.register(
            "seamark_bfd_detection_time_seconds",
            "How long the peer may be silent before its path counts as failed; 0 while it is not heard",
            self.detection.clone(),
        );
    }

    pub(super) fn show(&self, labels: &SessionLabels, bfd: Option<&Guarded>) {
        let Some(bfd) = bfd else {
            return self.forget(labels);
        };
        self.up.get_or_create(labels).set(bfd.is_up().into());
        let failures = i64::try_from(bfd.failures).unwrap_or(i64::MAX);
        self.failures.get_or_create(labels).set(failures);
        let time = bfd.detection_time.unwrap_or_default().as_secs_f64();
        self.detection.get_or_create(labels).set(time);
    }

    pub(super) fn forget(&self, labels: &SessionLabels) {
        self.up.remove(labels);
        self.failures.remove(labels);
        self.detection.remove(labels);
    }
}
