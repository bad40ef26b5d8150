//! What the driver counts. How sessions stand is shown with their BGP peers.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use bfd::Discard;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::bgp::{SessionLabels, SessionName};

/// Handles to the driver's metrics; cheap to clone. What each stands for is told by the text that it
/// is registered with.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    sent: Family<SessionLabels, Counter>,
    received: Family<SessionLabels, Counter>,
    send_failed: Family<SessionLabels, Counter>,
    discarded: Family<ReasonLabels, Counter>,
    receive_failed: Counter,
    /// The sessions that there are counters for.
    shown: Arc<Mutex<BTreeSet<SessionName>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

/// One session's counters, found once so that no lookup is needed for a packet.
#[derive(Debug, Clone)]
pub(super) struct LinkCounters {
    pub(super) sent: Counter,
    pub(super) received: Counter,
    pub(super) send_failed: Counter,
}

impl Metrics {
    /// Metrics that are shown under the names in this function.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "seamark_bfd_packets_sent",
            "BFD control packets sent to the peer",
            metrics.sent.clone(),
        );
        registry.register(
            "seamark_bfd_packets_received",
            "BFD control packets of the peer that counted",
            metrics.received.clone(),
        );
        registry.register(
            "seamark_bfd_send_failures",
            "BFD control packets that the kernel did not take",
            metrics.send_failed.clone(),
        );
        registry.register(
            "seamark_bfd_packets_discarded",
            "Datagrams on BFD's ports that did not count, by reason",
            metrics.discarded.clone(),
        );
        registry.register(
            "seamark_bfd_receive_failures",
            "Times that the kernel failed to hand out a datagram on BFD's ports",
            metrics.receive_failed.clone(),
        );
        // All that there may be, so that none is created when a packet comes.
        for reason in Discard::ALL {
            metrics.discarded.get_or_create(&reason.into()).inc_by(0);
        }
        metrics
    }

    pub(super) fn of(&self, name: &SessionName) -> LinkCounters {
        let labels = SessionLabels::of(name);
        LinkCounters {
            sent: self.sent.get_or_create_owned(&labels),
            received: self.received.get_or_create_owned(&labels),
            send_failed: self.send_failed.get_or_create_owned(&labels),
        }
    }

    /// Forgets the sessions that are gone.
    pub(super) fn retain<'a>(&self, names: impl Iterator<Item = &'a SessionName>) {
        let there: BTreeSet<SessionName> = names.cloned().collect();
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in shown.difference(&there) {
            let labels = SessionLabels::of(gone);
            self.sent.remove(&labels);
            self.received.remove(&labels);
            self.send_failed.remove(&labels);
        }
        *shown = there;
    }

    pub(super) fn discarded(&self, reason: Discard) {
        self.discarded.get_or_create(&reason.into()).inc();
    }

    pub(super) fn receive_failed(&self) {
        self.receive_failed.inc();
    }
}

impl From<Discard> for ReasonLabels {
    fn from(reason: Discard) -> Self {
        let reason = reason.label();
        Self { reason }
    }
}
