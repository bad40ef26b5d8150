//! What is known of this node's service proxy, and what to ask it next.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use model::ServiceKey;
use plan::{Forwarding, History, Snapshot};

use crate::prober::{Order, Probe};

/// Most of its own addresses at which this node looks for its service proxy.
const ADDRESSES: usize = 8;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Proxy {
    history: History,
    /// Whether the history knows what an earlier process on this node has said.
    recalled: bool,
    /// The `healthCheckNodePort` of each Service of ours that has one.
    pub(super) health_ports: BTreeMap<ServiceKey, u16>,
    /// The one of them that is asked.
    asked: Option<(ServiceKey, u16)>,
}

impl Proxy {
    pub(super) fn new(history: History) -> Self {
        Self {
            history,
            recalled: false,
            health_ports: BTreeMap::new(),
            asked: None,
        }
    }

    /// Takes what came of a probe; says whether a plan or a status could show it.
    pub(super) fn take(&mut self, probe: Probe, facts: &mut Snapshot, now: Instant) -> bool {
        let before = self.forwarding();
        self.history.take(probe.answer, probe.source, now);
        self.judge(facts) || self.forwarding() != before
    }

    /// What BGP peers may be told of this node's forwarding.
    pub(super) fn forwarding(&self) -> Forwarding {
        self.history.forwarding()
    }

    /// Goes on from what an earlier process on this node has said, which the first list shows.
    pub(super) fn recall(&mut self, facts: &mut Snapshot) -> bool {
        if std::mem::replace(&mut self.recalled, true) {
            return false;
        }
        if let Some(earlier) = facts.verdicts.get(&facts.node) {
            self.history.recall(earlier.fitness);
        }
        self.judge(facts)
    }

    fn judge(&self, facts: &mut Snapshot) -> bool {
        let fitness = self.history.fitness();
        std::mem::replace(&mut facts.fitness, fitness) != fitness
    }

    /// What to ask, and how often. One Service's port is asked as long as it is there, as one that is
    /// new opens only with the proxy's next round.
    pub(super) fn order(&mut self, facts: &Snapshot) -> Order {
        let asked = self.asked.take();
        let there = |(key, port): &(ServiceKey, u16)| self.health_ports.get(key) == Some(port);
        let first = || {
            let (key, port) = self.health_ports.first_key_value()?;
            Some((key.clone(), *port))
        };
        self.asked = asked.filter(there).or_else(first);
        let interfaces = facts.interfaces.iter();
        let interfaces = interfaces.filter(|interface| interface.is_fit());
        let prefixes = interfaces.flat_map(|interface| &interface.prefixes);
        let addresses = prefixes.map(|prefix| prefix.address);
        Order {
            period: self.history.period(),
            service_port: self.asked.as_ref().map(|(_, port)| *port),
            addresses: addresses.filter(is_routable).take(ADDRESSES).collect(),
        }
    }
}

/// A link-local address cannot be connected to without naming its interface.
fn is_routable(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => true,
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    }
}
