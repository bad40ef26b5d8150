//! The one task that owns the controller's state.
//!
//! ```text
//!   watches ──Event──▶ handle ─┐
//!   writer ──Outcome─▶ handle ─┼─▶ settle (decide, record in the Allocator) ─▶ poll ──Effect──▶ writer
//!   clock  ──deadline▶ handle ─┘
//! ```
//!
//! It knows no socket and no kube client: events and time go in, effects come out, and nothing
//! waits in between. At most one effect is under way for a Service, an entry or a configuration
//! object, so that two writes of ours never race.

mod configuration;
mod entries;
mod leading;
mod overwrites;
mod services;
mod settlement;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use crds::{
    BFDProfile, BGPAdvertisement, BGPPeer, Community, IPAddressPool, IPAllocation, L2Advertisement,
    PasswordSecret, SpeakerConfig,
};
use ipam::Allocator;
use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::core::PartialObjectMeta;
use model::{Labels, ServiceKey, Uid};
use runtime::watch::WatchEvent;

use crate::effect::{Effect, Outcome};
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::service::Reading;
use configuration::Configuration;
use services::Tracked;

/// What the owner is told.
#[derive(Debug)]
pub(crate) enum Event {
    /// Services of type LoadBalancer.
    Service(Box<WatchEvent<Service>>),
    /// The ledger.
    Allocation(WatchEvent<IPAllocation>),
    /// Pools.
    Pool(WatchEvent<IPAddressPool>),
    /// Layer 2 advertisements.
    L2Advertisement(WatchEvent<L2Advertisement>),
    /// BGP advertisements.
    BgpAdvertisement(WatchEvent<BGPAdvertisement>),
    /// BGP peers.
    BgpPeer(Box<WatchEvent<BGPPeer>>),
    /// BFD profiles.
    BfdProfile(WatchEvent<BFDProfile>),
    /// Names for communities.
    Community(WatchEvent<Community>),
    /// Secrets of our own namespace, where passwords of peers are.
    Secret(WatchEvent<PasswordSecret>),
    /// The settled configuration, which only we write.
    SpeakerConfig(WatchEvent<SpeakerConfig>),
    /// Namespaces, as metadata; watched once a pool selects on them.
    Namespace(WatchEvent<PartialObjectMeta<Namespace>>),
    /// The writer is done with an effect.
    Done(Outcome),
}

/// Something to look at again at a certain time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Service(Uid),
    Leave(ServiceKey, Uid),
    Entry(IpAddr),
    Configuration,
    PoolStatus,
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Owner {
    reading: Reading,
    metrics: Metrics,
    /// Whether this replica decides.
    leads: bool,
    services: BTreeMap<Uid, Tracked>,
    by_key: BTreeMap<ServiceKey, Uid>,
    services_synced: bool,
    ledger: Ledger,
    ledger_synced: bool,
    namespaces: Option<BTreeMap<String, Labels>>,
    configuration: Configuration,
    allocator: Allocator,
    dirty: BTreeSet<Uid>,
    dirty_entries: BTreeSet<IpAddr>,
    releasing: BTreeSet<IpAddr>,
    /// Services being settled, with the addresses that they give back by it.
    settling: BTreeMap<Uid, Vec<IpAddr>>,
    timers: BTreeSet<(Timestamp, Timer)>,
    effects: VecDeque<Effect>,
}

impl Owner {
    /// An owner that has read nothing yet and does not lead, and therefore decides nothing.
    /// `namespace` is our own, where passwords of peers are.
    pub(crate) fn new(reading: Reading, namespace: String, metrics: Metrics) -> Self {
        Self {
            reading,
            metrics,
            leads: false,
            services: BTreeMap::new(),
            by_key: BTreeMap::new(),
            services_synced: false,
            ledger: Ledger::default(),
            ledger_synced: false,
            namespaces: None,
            configuration: Configuration::new(namespace),
            allocator: Allocator::new(),
            dirty: BTreeSet::new(),
            dirty_entries: BTreeSet::new(),
            releasing: BTreeSet::new(),
            settling: BTreeMap::new(),
            timers: BTreeSet::new(),
            effects: VecDeque::new(),
        }
    }

    /// Takes one event. Decides nothing yet, so that a burst is decided in one go by
    /// [`Self::settle`], oldest Service first.
    pub(crate) fn handle(&mut self, event: Event, now: Timestamp) {
        match event {
            Event::Service(event) => self.on_service(*event),
            Event::Allocation(event) => self.on_allocation(event),
            Event::Pool(event) => self.on_pool(event),
            Event::L2Advertisement(event) => self.on_l2_advertisement(event),
            Event::BgpAdvertisement(event) => self.on_bgp_advertisement(event),
            Event::BgpPeer(event) => self.on_bgp_peer(*event),
            Event::BfdProfile(event) => self.on_bfd_profile(event),
            Event::Community(event) => self.on_community(event),
            Event::Secret(event) => self.on_secret(event),
            Event::SpeakerConfig(event) => self.on_speaker_config(event),
            Event::Namespace(event) => self.on_namespace(event),
            Event::Done(outcome) => self.on_outcome(outcome, now),
        }
    }

    /// Decides whatever the events so far, or the time, have made due.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        self.fire(now);
        if !self.leads || !self.is_synced() || self.configuration.is_leaving() {
            return;
        }
        self.settle_configuration(now);
        for address in std::mem::take(&mut self.dirty_entries) {
            self.settle_entry(address);
        }
        let due = self.due_services();
        for uid in &due {
            self.adopt_shown(uid, now);
        }
        for uid in due {
            self.settle_service(&uid, now);
        }
        self.settle_speaker_config(now);
    }

    /// The next thing to do; drain until `None`.
    pub(crate) fn poll(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When [`Self::settle`] is due without any event.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Whether everything that decisions rest on was read completely: adopt before allocate.
    pub(crate) fn is_synced(&self) -> bool {
        self.services_synced && self.ledger_synced && self.configuration.is_synced()
    }

    /// Whether a pool selects on namespaces, so that they must be watched.
    pub(crate) fn needs_namespaces(&self) -> bool {
        self.configuration.needs_namespaces()
    }

    fn on_outcome(&mut self, outcome: Outcome, now: Timestamp) {
        if !self.leads {
            // Of what was begun when we did; what came of it is read like anything else.
            return;
        }
        match outcome {
            Outcome::Settled(settled) => self.on_settled(*settled, now),
            Outcome::Released {
                address,
                entry,
                result,
            } => self.on_released(address, &entry, result, now),
            Outcome::Left(key, uid, result) => self.on_left(key, uid, result, now),
            Outcome::KindLookedUp(kind, whole) => self.on_kind_looked_up(kind, whole, now),
            Outcome::ConfigurationWritten { object, result } => {
                self.on_configuration_written(&object, result, now);
            }
        }
    }

    fn on_namespace(&mut self, event: WatchEvent<PartialObjectMeta<Namespace>>) {
        let labels = |object: PartialObjectMeta<Namespace>| {
            let metadata = object.metadata;
            Some((metadata.name?, metadata.labels.unwrap_or_default()))
        };
        match event {
            WatchEvent::Restarted(list) => {
                self.namespaces = Some(list.into_iter().filter_map(labels).collect());
                self.wake_all();
            }
            WatchEvent::Applied(object) => {
                if let (Some(known), Some((name, labels))) = (&mut self.namespaces, labels(object))
                    && known.get(&name) != Some(&labels)
                {
                    known.insert(name.clone(), labels);
                    self.wake_namespace(&name);
                }
            }
            // A namespace goes only after its Services, so nothing is left to decide for it.
            WatchEvent::Deleted(object) => {
                if let (Some(known), Some((name, _))) = (&mut self.namespaces, labels(object)) {
                    known.remove(&name);
                }
            }
            WatchEvent::Resumed | WatchEvent::Failed(_) => {}
        }
    }

    fn fire(&mut self, now: Timestamp) {
        while let Some((at, _)) = self.timers.first()
            && *at <= now
        {
            match self.timers.pop_first() {
                Some((_, Timer::Service(uid))) => {
                    self.dirty.insert(uid);
                }
                Some((_, Timer::Leave(key, uid))) => {
                    self.want(Effect::Leave(key, uid));
                }
                Some((_, Timer::Entry(address))) => {
                    self.dirty_entries.insert(address);
                }
                Some((_, Timer::Configuration)) => self.configuration.mark_dirty(),
                Some((_, Timer::PoolStatus)) => self.configuration.pool_status_due(),
                None => {}
            }
        }
    }

    fn set_timer(&mut self, at: Timestamp, timer: Timer) {
        self.timers.insert((at, timer));
    }
}

/// How long to wait before trying again after this many failures in a row.
fn backoff(failures: u32) -> SignedDuration {
    let doubled = 250_i64 << failures.clamp(1, 7);
    SignedDuration::from_millis(doubled.min(MAX_BACKOFF_MS))
}

/// Long enough not to burden an API server in trouble, short enough to heal soon after it.
const MAX_BACKOFF_MS: i64 = 30_000;
