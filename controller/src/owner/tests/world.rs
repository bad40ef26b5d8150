//! An owner, its clock, and the API server that it talks to.

mod course;
mod server;
mod users;

use std::collections::BTreeMap;
use std::net::IpAddr;

use crds::{
    BFDProfile, BGPAdvertisement, BGPPeer, Community, IPAddressPool, IPAllocation, L2Advertisement,
    SPEAKER_SECRET_NAME, SpeakerConfig, SpeakerConfigSpec,
};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use model::LoadBalancerClasses;
use runtime::watch::WatchEvent;

use crate::ledger::LedgerEntry;
use crate::metrics::Metrics;
use crate::owner::{Event, Owner};
use crate::request::Annotations;
use crate::service::Reading;

/// What the API server holds, and an owner that was told of it or not.
pub(super) struct World {
    pub(super) owner: Owner,
    pub(super) now: Timestamp,
    version: u64,
    services: BTreeMap<String, Service>,
    entries: BTreeMap<IpAddr, IPAllocation>,
    pools: BTreeMap<String, IPAddressPool>,
    advertisements: BTreeMap<String, L2Advertisement>,
    bgp_advertisements: BTreeMap<String, BGPAdvertisement>,
    bgp_peers: BTreeMap<String, BGPPeer>,
    bfd_profiles: BTreeMap<String, BFDProfile>,
    communities: BTreeMap<String, Community>,
    secrets: BTreeMap<String, Secret>,
    config: Option<SpeakerConfig>,
    /// What the kind of SpeakerConfig does not know, and the API server therefore drops.
    pub(super) prune: fn(&mut SpeakerConfigSpec),
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            owner: owner(),
            now: Timestamp::UNIX_EPOCH + SignedDuration::from_hours(500_000),
            version: 1,
            services: BTreeMap::new(),
            entries: BTreeMap::new(),
            pools: BTreeMap::new(),
            advertisements: BTreeMap::new(),
            bgp_advertisements: BTreeMap::new(),
            bgp_peers: BTreeMap::new(),
            bfd_profiles: BTreeMap::new(),
            communities: BTreeMap::new(),
            secrets: BTreeMap::new(),
            config: None,
            prune: |_| {},
        }
    }

    /// With a pool of these addresses, everything read and settled.
    pub(super) fn with_pool(addresses: &[&str]) -> Self {
        let mut world = Self::new();
        world.put_pool("lan", addresses);
        world.start();
        world
    }

    fn next(&mut self) -> String {
        self.version += 1;
        self.version.to_string()
    }

    /// The addresses that a Service shows.
    pub(super) fn shown(&self, name: &str) -> Vec<IpAddr> {
        let status = self.services[name].status.as_ref();
        let ingress = status.and_then(|s| s.load_balancer.as_ref()?.ingress.as_ref());
        ingress
            .into_iter()
            .flatten()
            .map(|one| ip(one.ip.as_ref().unwrap()))
            .collect()
    }

    pub(super) fn condition(&self, name: &str) -> Condition {
        self.services[name]
            .status
            .as_ref()
            .unwrap()
            .conditions
            .as_ref()
            .unwrap()[0]
            .clone()
    }

    /// Who holds an address.
    pub(super) fn holder(&self, address: &str) -> Option<String> {
        let entry = LedgerEntry::of(self.entries.get(&ip(address))?)?;
        let holder = entry.allocation.holders.first()?;
        Some(holder.service.name.clone())
    }

    /// Reason and message of the one condition of a peer.
    pub(super) fn peer_condition(&self, name: &str) -> (String, String) {
        let condition = &self.bgp_peers[name].status.as_ref().unwrap().conditions[0];
        (condition.reason.clone(), condition.message.clone())
    }

    /// Status and reason of the one condition of a BFD profile.
    pub(super) fn bfd_profile_condition(&self, name: &str) -> (String, String) {
        let condition = &self.bfd_profiles[name].status.as_ref().unwrap().conditions[0];
        (condition.status.clone(), condition.reason.clone())
    }

    /// Somebody edits SpeakerConfig.
    pub(super) fn edit_config(&mut self, edit: impl FnOnce(&mut SpeakerConfig)) {
        let mut config = self.config.clone().unwrap();
        edit(&mut config);
        config.metadata.resource_version = Some(self.next());
        self.config = Some(config.clone());
        self.tell(Event::SpeakerConfig(WatchEvent::Applied(config)));
    }

    /// The reason in the condition of a BGP advertisement.
    pub(super) fn bgp_advertisement_reason(&self, name: &str) -> String {
        let status = self.bgp_advertisements[name].status.as_ref();
        status.unwrap().conditions[0].reason.clone()
    }

    /// What speakers are given: each key with its password. Anything else there is no password.
    pub(super) fn copied(&self) -> BTreeMap<String, String> {
        let secret = self.secrets.get(SPEAKER_SECRET_NAME);
        let data = secret.and_then(|secret| secret.data.clone());
        let data = data.unwrap_or_default().into_iter();
        data.map(|(key, value)| (key, String::from_utf8(value.0).unwrap()))
            .collect()
    }

    /// Somebody writes into the speakers' Secret.
    pub(super) fn tamper(&mut self, key: &str, value: &str) {
        let mut data = self.secrets[SPEAKER_SECRET_NAME].data.clone().unwrap();
        data.insert(key.to_owned(), ByteString(value.as_bytes().to_vec()));
        self.store_secret(SPEAKER_SECRET_NAME, data);
        let secret = self.secrets[SPEAKER_SECRET_NAME].clone().into();
        self.tell(Event::Secret(WatchEvent::Applied(secret)));
    }

    pub(super) fn config(&self) -> &SpeakerConfig {
        self.config.as_ref().unwrap()
    }
}

fn owner() -> Owner {
    let reading = Reading {
        classes: LoadBalancerClasses::new(true, []),
        annotations: Annotations::default(),
    };
    let mut owner = Owner::new(reading, "seamark-system".to_owned(), Metrics::default());
    owner.lead(true);
    owner
}
