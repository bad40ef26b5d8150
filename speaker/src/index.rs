//! What this speaker has read, as the facts that plans are made of.
//!
//! ```text
//! watch ×7 ──Event──▶ Reading (is the list to be believed?) ──▶ Objects ──▶ plan::Snapshot
//! interfaces ──Event─────────────────────────────────────────────────────▶      │
//! prober ──────Event──▶ plan::History ───────────────────────────────────▶      │
//!                              accept ◀── what was announced ◀── plan::plan ◀────┘
//! ```
//!
//! Synchronous, and of no object more than plans need.

mod config;
mod endpoints;
mod ledger;
mod nodes;
mod passwords;
mod proxy;
mod reading;
mod services;
mod speakers;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Instant;

use crds::{IPAllocation, PasswordSecret, SpeakerConfig};
use l2::Mac;
use model::{InterfaceName, LoadBalancerClasses, NodeName, Password, PeerName, Uid};
use plan::{Departure, Forwarding, History, Interface, Plan, ServiceState, Snapshot};
use runtime::watch::WatchEvent;

use crate::prober::{Order, Probe};
use crate::slim::{SlimEndpointSlice, SlimNode, SlimService, SlimSpeakerStatus};
use config::Config;
use endpoints::{Endpoints, Slices};
use ledger::Ledger;
use nodes::Nodes;
use passwords::Passwords;
use proxy::Proxy;
use reading::Reading;
use services::Services;
pub(crate) use speakers::ABSENCE;
use speakers::{Speakers, Statuses};

/// Something that was read.
#[derive(Debug)]
pub(crate) enum Event {
    /// Services of type LoadBalancer.
    Service(WatchEvent<SlimService>),
    /// EndpointSlices of Services that are not headless.
    EndpointSlice(WatchEvent<SlimEndpointSlice>),
    /// Nodes.
    Node(WatchEvent<SlimNode>),
    /// The ledger.
    Allocation(WatchEvent<IPAllocation>),
    /// The settled configuration.
    SpeakerConfig(WatchEvent<SpeakerConfig>),
    /// The nodes that have a speaker.
    SpeakerStatus(WatchEvent<SlimSpeakerStatus>),
    /// The one Secret with the passwords of peers.
    Secret(WatchEvent<PasswordSecret>),
    /// This node's interfaces, all of them, each with its Ethernet address.
    Interfaces(Vec<(Interface, Option<Mac>)>),
    /// This node's service proxy was asked.
    Probe(Probe),
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Index {
    facts: Snapshot,
    classes: LoadBalancerClasses,
    endpoints: Endpoints,
    /// Entries that are gone, kept for the next plan: they said that an address must stop.
    ended: BTreeSet<IpAddr>,
    speakers: Speakers,
    config_generation: Option<i64>,
    own_uid: Option<String>,
    passwords: Passwords,
    proxy: Proxy,
    macs: BTreeMap<InterfaceName, Mac>,
    readings: Readings,
}

#[derive(Debug, Default)]
struct Readings {
    services: Reading,
    slices: Reading,
    nodes: Reading,
    ledger: Reading,
    config: Reading,
    statuses: Reading,
    passwords: Reading,
    interfaces: bool,
}

impl Index {
    /// Nothing is known yet but how long this node has been up.
    pub(crate) fn new(node: NodeName, classes: LoadBalancerClasses, history: History) -> Self {
        let mut facts = Snapshot::new(node);
        facts.fitness = history.fitness();
        Self {
            facts,
            classes,
            endpoints: Endpoints::default(),
            ended: BTreeSet::new(),
            speakers: Speakers::default(),
            config_generation: None,
            own_uid: None,
            passwords: Passwords::default(),
            proxy: Proxy::new(history),
            macs: BTreeMap::new(),
            readings: Readings::default(),
        }
    }

    /// Takes what was read; says whether anything changed that a plan or a status could show.
    pub(crate) fn apply(&mut self, event: Event, now: Instant) -> bool {
        let Self {
            facts,
            classes,
            endpoints,
            ended,
            speakers,
            config_generation,
            own_uid,
            passwords,
            proxy,
            readings,
            ..
        } = self;
        match event {
            Event::Service(event) => {
                let mut services = Services {
                    facts,
                    classes,
                    endpoints,
                    health_ports: &mut proxy.health_ports,
                };
                readings.services.follow("services", event, &mut services)
            }
            Event::EndpointSlice(event) => {
                let mut slices = Slices { facts, endpoints };
                readings.slices.follow("endpointslices", event, &mut slices)
            }
            Event::Node(event) => {
                let mut nodes = Nodes { facts, own_uid };
                readings.nodes.follow("nodes", event, &mut nodes)
            }
            Event::Allocation(event) => {
                let mut ledger = Ledger { facts, ended };
                readings.ledger.follow("ipallocations", event, &mut ledger)
            }
            Event::SpeakerConfig(event) => {
                let mut config = Config {
                    facts,
                    generation: config_generation,
                };
                let changed = readings.config.follow("speakerconfigs", event, &mut config);
                passwords.forget_unused(facts.config.as_deref());
                changed
            }
            Event::Secret(event) => {
                let changed = readings.passwords.follow("secrets", event, passwords);
                passwords.forget_unused(facts.config.as_deref());
                changed
            }
            Event::SpeakerStatus(event) => {
                let mut statuses = Statuses {
                    facts,
                    speakers,
                    now,
                };
                let changed = readings
                    .statuses
                    .follow("speakerstatuses", event, &mut statuses);
                (readings.statuses.is_complete() && proxy.recall(facts)) || changed
            }
            Event::Interfaces(seen) => self.see(seen),
            Event::Probe(probe) => proxy.take(probe, facts, now),
        }
    }

    fn see(&mut self, seen: Vec<(Interface, Option<Mac>)>) -> bool {
        let first = !std::mem::replace(&mut self.readings.interfaces, true);
        let macs = seen
            .iter()
            .filter_map(|(interface, mac)| Some((interface.name.clone(), (*mac)?)));
        let macs: BTreeMap<_, _> = macs.collect();
        let interfaces: Vec<_> = seen.into_iter().map(|(interface, _)| interface).collect();
        let changed = interfaces != self.facts.interfaces || macs != self.macs;
        self.facts.interfaces = interfaces;
        self.macs = macs;
        changed || first
    }

    /// What to ask this node's service proxy.
    pub(crate) fn order(&mut self) -> Order {
        self.proxy.order(&self.facts)
    }

    /// Whether everything was read once: before that, a plan could announce what a healthy node
    /// announces. Passwords are not waited for: layer 2 needs none.
    pub(crate) fn is_complete(&self) -> bool {
        let Readings {
            services,
            slices,
            nodes,
            ledger,
            config,
            statuses,
            passwords: _,
            interfaces,
        } = &self.readings;
        let watched = [services, slices, nodes, ledger, config, statuses];
        *interfaces && watched.iter().all(|reading| reading.is_complete())
    }

    /// The facts as they stand.
    pub(crate) fn facts(&self) -> &Snapshot {
        &self.facts
    }

    /// Takes what was planned from these facts, so that the next plan can go on with it. A Service
    /// that is missing is of interest only while something is announced for it.
    pub(crate) fn accept(&mut self, plan: Plan) {
        self.facts.announced = plan.announced;
        self.facts.advertised = plan.advertised;
        self.facts.passed_over = plan.passed_over;
        self.facts.bgp = plan.bgp;
        for address in std::mem::take(&mut self.ended) {
            self.facts.ledger.remove(&address);
        }
        let announced = self.facts.announced.values().map(|of| &of.service.uid);
        let advertised = self.facts.advertised.values();
        let advertised = advertised.chain(self.facts.passed_over.values());
        let kept: BTreeSet<&Uid> = announced
            .chain(advertised.map(|of| &of.service.uid))
            .collect();
        self.facts.services.retain(|_, state| match state {
            ServiceState::Present(_) => true,
            ServiceState::Missing(service) => kept.contains(&service.holder.uid),
        });
    }

    /// When [`Self::expire`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.speakers.deadline()
    }

    /// Lets go of what was kept for a time only; says whether a plan could see it.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        self.speakers.expire(&mut self.facts, now)
    }

    /// This speaker ends, and does not come back for that reason.
    pub(crate) fn leave(&mut self, why: Departure) {
        self.facts.leaving = Some(why);
    }

    /// What BGP peers may be told of this node's forwarding.
    pub(crate) fn forwarding(&self) -> Forwarding {
        self.proxy.forwarding()
    }

    /// Whether all speakers are ordered to leave.
    pub(crate) fn is_leaving(&self) -> bool {
        let config = self.facts.config.as_ref();
        config.is_some_and(|config| config.leaving)
    }

    /// The generation of the SpeakerConfig in force.
    pub(crate) fn config_generation(&self) -> Option<i64> {
        self.config_generation
    }

    /// The passwords of the peers in force, as far as they are known. A peer that has one in
    /// SpeakerConfig and none here must not be spoken to yet.
    pub(crate) fn passwords(&self) -> BTreeMap<PeerName, Password> {
        self.passwords.of_peers(self.facts.config.as_deref())
    }

    /// The uid of this node's Node object.
    pub(crate) fn own_uid(&self) -> Option<&str> {
        self.own_uid.as_deref()
    }

    /// The Ethernet address of an interface, if it has one.
    pub(crate) fn mac(&self, interface: &InterfaceName) -> Option<Mac> {
        self.macs.get(interface).copied()
    }

    /// Whether this node's SpeakerStatus is there.
    pub(crate) fn has_own_status(&self) -> bool {
        self.speakers.has(&self.facts.node)
    }
}
