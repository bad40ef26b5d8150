//! What is counted of BGP. The figures of sessions are those that SpeakerStatus shows.

mod bfd;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bgp::Counters;
use crds::SessionState;
use prometheus_client::encoding::{EncodeLabel, EncodeLabelSet, LabelSetEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use self::bfd::BfdMetrics;
use super::{SessionName, Sessions};

/// As labels.
const FAMILIES: [&str; 2] = ["ipv4", "ipv6"];

/// RFC 7606 §2, as labels.
const TREATMENTS: [&str; 3] = ["discard", "withdraw", "disable"];

/// How many more malformed UPDATEs there are than before, by their treatment.
pub(super) fn malformed(before: Counters, after: Counters) -> [(&'static str, u64); 3] {
    let [discard, withdraw, disable] = TREATMENTS;
    let more = |of: fn(Counters) -> u64| of(after).saturating_sub(of(before));
    [
        (discard, more(|counters| counters.attributes_discarded)),
        (withdraw, more(|counters| counters.treated_as_withdraw)),
        (disable, more(|counters| counters.families_disabled)),
    ]
}

/// What each stands for is told by the text that it is registered with.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    up: Family<SessionLabels, Gauge>,
    established: Family<SessionLabels, Gauge>,
    advertised: Family<RouteLabels, Gauge>,
    received: Family<RouteLabels, Gauge>,
    malformed: Family<TreatmentLabels, Counter>,
    panics: Counter,
    bfd: BfdMetrics,
    /// The peers that gauges stand for.
    shown: Arc<Mutex<BTreeSet<SessionName>>>,
}

/// The name of the BGPPeer, and of a range which neighbour it is: `neighbor` is there for those
/// alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SessionLabels {
    peer: String,
    neighbor: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    #[prometheus(flatten)]
    session: SessionLabels,
    family: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TreatmentLabels {
    #[prometheus(flatten)]
    session: SessionLabels,
    treatment: &'static str,
}

impl EncodeLabelSet for SessionLabels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        ("peer", self.peer.as_str()).encode(encoder.encode_label())?;
        match &self.neighbor {
            None => Ok(()),
            Some(neighbor) => ("neighbor", neighbor.as_str()).encode(encoder.encode_label()),
        }
    }
}

impl SessionLabels {
    pub(crate) fn of(name: &SessionName) -> Self {
        Self {
            peer: name.peer.as_str().to_owned(),
            neighbor: name.neighbor.map(|neighbor| neighbor.to_string()),
        }
    }
}

impl RouteLabels {
    fn of(name: &SessionName, family: &'static str) -> Self {
        let session = SessionLabels::of(name);
        Self { session, family }
    }
}

impl TreatmentLabels {
    fn of(name: &SessionName, treatment: &'static str) -> Self {
        let session = SessionLabels::of(name);
        Self { session, treatment }
    }
}

impl Metrics {
    /// Metrics that are shown under the names in this function.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "seamark_bgp_session_up",
            "1 if the session with the peer is established, else 0",
            metrics.up.clone(),
        );
        registry.register(
            "seamark_bgp_sessions_established",
            "How often a session with the peer was established since it was configured",
            metrics.established.clone(),
        );
        registry.register(
            "seamark_bgp_prefixes_advertised",
            "Prefixes that the peer has been told, by family",
            metrics.advertised.clone(),
        );
        registry.register(
            "seamark_bgp_prefixes_received",
            "Prefixes that the peer has told us, and that nobody uses, by family",
            metrics.received.clone(),
        );
        registry.register(
            "seamark_bgp_malformed_updates",
            "Malformed UPDATEs of the peer, by what RFC 7606 makes of them",
            metrics.malformed.clone(),
        );
        registry.register(
            "seamark_bgp_panics",
            "Peers' tasks that panicked, each of which cost one session",
            metrics.panics.clone(),
        );
        metrics.bfd.register(registry);
        metrics
    }

    /// Shows the sessions as they stand, and forgets those that are gone.
    pub(crate) fn show(&self, sessions: &Sessions) {
        self.forget_all_but(sessions);
        for (peer, session) in sessions {
            let labels = SessionLabels::of(peer);
            let up = session.state == SessionState::Established;
            self.up.get_or_create(&labels).set(up.into());
            let established = i64::try_from(session.established).unwrap_or(i64::MAX);
            self.established.get_or_create(&labels).set(established);
            self.bfd.show(&labels, session.bfd.as_ref());
            for (gauges, numbers) in [
                (&self.advertised, session.advertised),
                (&self.received, session.received),
            ] {
                for (family, number) in FAMILIES.into_iter().zip([numbers.v4, numbers.v6]) {
                    let labels = RouteLabels::of(peer, family);
                    let number = i64::try_from(number).unwrap_or(i64::MAX);
                    gauges.get_or_create(&labels).set(number);
                }
            }
        }
    }

    /// One by one, as whoever reads meanwhile must not miss those that stay.
    fn forget_all_but(&self, sessions: &Sessions) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in shown.iter().filter(|peer| !sessions.contains_key(*peer)) {
            self.up.remove(&SessionLabels::of(gone));
            self.established.remove(&SessionLabels::of(gone));
            self.bfd.forget(&SessionLabels::of(gone));
            for family in FAMILIES {
                self.advertised.remove(&RouteLabels::of(gone, family));
                self.received.remove(&RouteLabels::of(gone, family));
            }
        }
        *shown = sessions.keys().cloned().collect();
    }

    /// So many more malformed UPDATEs of a peer were treated like that.
    pub(super) fn malformed(&self, name: &SessionName, treatment: &'static str, more: u64) {
        let labels = TreatmentLabels::of(name, treatment);
        self.malformed.get_or_create(&labels).inc_by(more);
    }

    /// A session is gone for good, and what was counted of it.
    pub(super) fn forget(&self, name: &SessionName) {
        for treatment in TREATMENTS {
            self.malformed.remove(&TreatmentLabels::of(name, treatment));
        }
    }

    pub(super) fn panicked(&self) {
        self.panics.inc();
    }
}

#[cfg(test)]
mod tests {
    use bgp::PerFamily;
    use k8s_openapi::jiff::Timestamp;
    use model::PeerName;

    use super::*;
    use crate::bgp::Session;

    fn sessions(names: &[&str]) -> Sessions {
        let session = Session {
            neighbor: None,
            state: SessionState::Established,
            since: Timestamp::UNIX_EPOCH,
            last_error: None,
            advertised: PerFamily { v4: 2, v6: 3 },
            received: PerFamily::default(),
            established: 1,
            bfd: None,
        };
        let named = names
            .iter()
            .map(|name| (PeerName::new(*name).into(), session.clone()));
        named.collect()
    }

    #[test]
    fn peers_that_are_gone_are_no_longer_shown_and_the_others_are() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        metrics.show(&sessions(&["left", "right"]));
        metrics.show(&sessions(&["right"]));
        let mut shown = String::new();
        prometheus_client::encoding::text::encode(&mut shown, &registry).unwrap();
        assert!(!shown.contains("left"), "{shown}");
        let route = "seamark_bgp_prefixes_advertised{peer=\"right\",family=\"ipv6\"} 3";
        assert!(shown.contains(route), "{shown}");
        assert!(
            shown.contains("seamark_bgp_session_up{peer=\"right\"} 1"),
            "{shown}"
        );
    }
    #[test]
    fn the_neighbours_in_a_range_are_told_apart() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let leafs = PeerName::new("leafs");
        let (_, session) = sessions(&["leafs"]).pop_first().unwrap();
        let names = ["10.99.0.1", "fd99::1"]
            .map(|text| SessionName::of_neighbor(&leafs, text.parse().unwrap()));
        let two = names.clone().map(|name| (name, session.clone()));
        metrics.show(&two.into());
        for name in &names {
            metrics.malformed(name, "discard", 1);
        }
        let [first, second] = names;
        metrics.show(&[(second, session)].into());
        metrics.forget(&first);
        let mut shown = String::new();
        prometheus_client::encoding::text::encode(&mut shown, &registry).unwrap();
        for line in [
            "seamark_bgp_session_up{peer=\"leafs\",neighbor=\"fd99::1\"} 1",
            "seamark_bgp_malformed_updates_total{peer=\"leafs\",neighbor=\"fd99::1\",treatment=\"discard\"} 1",
        ] {
            assert!(shown.contains(line), "{shown}");
        }
        assert!(!shown.contains("10.99.0.1"), "{shown}");
    }
}
