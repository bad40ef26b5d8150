//! What the driver counts.

use std::sync::atomic::AtomicU64;

use model::{InterfaceName, IpFamily};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Handles to the driver's metrics; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    requests: Family<PortLabels, Counter>,
    replies: Family<PortLabels, Counter>,
    announcements: Family<PortLabels, Counter>,
    dropped: Family<DropLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PortLabels {
    family: &'static str,
    interface: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DropLabels {
    reason: &'static str,
}

/// One family's counters on one interface, found once so that no lookup is needed per frame.
#[derive(Debug, Clone)]
pub(super) struct PortCounters {
    pub(super) requests: Counter<u64, AtomicU64>,
    pub(super) replies: Counter<u64, AtomicU64>,
    pub(super) announcements: Counter<u64, AtomicU64>,
}

impl Metrics {
    /// Metrics that are shown under the names in this function.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "seamark_layer2_requests",
            "ARP requests and neighbor solicitations read, for whatever address",
            metrics.requests.clone(),
        );
        registry.register(
            "seamark_layer2_replies",
            "ARP replies and solicited neighbor advertisements sent",
            metrics.replies.clone(),
        );
        registry.register(
            "seamark_layer2_announcements_sent",
            "ARP announcements and unsolicited neighbor advertisements sent",
            metrics.announcements.clone(),
        );
        registry.register(
            "seamark_layer2_dropped",
            "Frames neither answered nor sent, by reason",
            metrics.dropped.clone(),
        );
        metrics
    }

    pub(super) fn port(&self, family: IpFamily, interface: &InterfaceName) -> PortCounters {
        let family = match family {
            IpFamily::V4 => "ipv4",
            IpFamily::V6 => "ipv6",
        };
        let labels = PortLabels {
            family,
            interface: interface.as_str().to_owned(),
        };
        PortCounters {
            requests: self.requests.get_or_create_owned(&labels),
            replies: self.replies.get_or_create_owned(&labels),
            announcements: self.announcements.get_or_create_owned(&labels),
        }
    }

    pub(super) fn dropped(&self, reason: &'static str) {
        self.dropped_by(reason, 1);
    }

    /// Adds a count, if there is one: reasons that never occurred are not shown.
    pub(super) fn dropped_by(&self, reason: &'static str, count: u64) {
        if count > 0 {
            self.dropped
                .get_or_create(&DropLabels { reason })
                .inc_by(count);
        }
    }
}
