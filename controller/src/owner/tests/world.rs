//! An owner, its clock, and the API server that it talks to.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crds::{
    BFDProfile, BGPAdvertisement, BGPPeer, Community, IPAddressPool, IPAllocation, L2Advertisement,
    PasswordSecret, SPEAKER_SECRET_NAME, SpeakerConfig, SpeakerConfigSpec,
};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta, Time};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use model::{Allocation, LoadBalancerClasses, Uid};
use runtime::watch::WatchEvent;
use serde_json::{Value, json};

use crate::effect::{
    ConfigKind, Effect, Outcome, Release, ReleaseVerdict, SecretChange, Settle, Settled,
    WriteFailure, Written,
};
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

    // --- what users do -------------------------------------------------------------------------

    /// Create or change a Service that was created at this second; its uid is its name. The owner
    /// is not told.
    pub(super) fn put_service(&mut self, name: &str, second: i64, changes: &Value) -> Service {
        let before = self.services.get(name).cloned().unwrap_or_default();
        let mut service: Service = serde_json::from_value(json!({
            "metadata": {
                "name": name, "namespace": "shop", "uid": name, "resourceVersion": self.next(),
                "creationTimestamp": (Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)),
                "annotations": changes.get("annotations"),
            },
            "spec": {
                "type": changes.get("type").unwrap_or(&json!("LoadBalancer")),
                "clusterIPs": ["10.96.0.1"],
                "ipFamilies": changes.get("ipFamilies").unwrap_or(&json!(["IPv4"])),
                "ipFamilyPolicy": changes.get("ipFamilyPolicy"),
            },
        }))
        .unwrap();
        service.status = before.status;
        if let Some(shown) = changes.get("shows") {
            let shown = shown.as_array().unwrap().iter();
            let ingress: Vec<Value> = shown
                .map(|ip| json!({ "ip": ip, "ipMode": "VIP" }))
                .collect();
            let mut status = service.status.take().unwrap_or_default();
            status.load_balancer = serde_json::from_value(json!({ "ingress": ingress })).unwrap();
            service.status = Some(status);
        }
        self.services.insert(name.to_owned(), service.clone());
        service
    }

    /// As [`Self::put_service`], and the owner is told.
    pub(super) fn apply_service(&mut self, name: &str, second: i64, changes: &Value) {
        let service = self.put_service(name, second, changes);
        self.tell_service(WatchEvent::Applied(service));
    }

    pub(super) fn delete_service(&mut self, name: &str) {
        let service = self.services.remove(name).unwrap();
        self.tell_service(WatchEvent::Deleted(service));
    }

    /// A Service goes, and nobody is told.
    pub(super) fn forget_service(&mut self, name: &str) {
        self.services.remove(name).unwrap();
    }

    pub(super) fn tell_service(&mut self, event: WatchEvent<Service>) {
        self.tell(Event::Service(Box::new(event)));
    }

    pub(super) fn tell_peer(&mut self, event: WatchEvent<BGPPeer>) {
        self.tell(Event::BgpPeer(Box::new(event)));
    }

    pub(super) fn put_pool(&mut self, name: &str, addresses: &[&str]) -> IPAddressPool {
        let version = self.next();
        let pool: IPAddressPool = serde_json::from_value(json!({
            "apiVersion": "seamark.io/v1beta1", "kind": "IPAddressPool",
            "metadata": { "name": name, "uid": name, "resourceVersion": version, "generation": 1 },
            "spec": { "addresses": addresses },
        }))
        .unwrap();
        self.pools.insert(name.to_owned(), pool.clone());
        pool
    }

    pub(super) fn apply_pool(&mut self, name: &str, addresses: &[&str]) {
        let pool = self.put_pool(name, addresses);
        self.tell(Event::Pool(WatchEvent::Applied(pool)));
    }

    pub(super) fn delete_pool(&mut self, name: &str) {
        let pool = self.pools.remove(name).unwrap();
        self.tell(Event::Pool(WatchEvent::Deleted(pool)));
    }

    /// A peer with these fields besides the ones it needs; its age is that of its first write.
    pub(super) fn apply_peer(&mut self, name: &str, fields: &Value) {
        let mut spec = json!({ "myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.1" });
        for (field, value) in fields.as_object().unwrap() {
            spec[field] = value.clone();
        }
        let before = self.bgp_peers.get(name);
        let metadata = self.metadata(name, before.map(|peer| peer.metadata.clone()));
        let mut peer = BGPPeer::new(name, serde_json::from_value(spec).unwrap());
        peer.status = before.and_then(|peer| peer.status.clone());
        peer.metadata = metadata;
        self.version += 1;
        self.bgp_peers.insert(name.to_owned(), peer.clone());
        self.tell_peer(WatchEvent::Applied(peer));
    }

    pub(super) fn delete_peer(&mut self, name: &str) {
        let peer = self.bgp_peers.remove(name).unwrap();
        self.tell_peer(WatchEvent::Deleted(peer));
    }

    pub(super) fn apply_bgp_advertisement(&mut self, name: &str, spec: Value) {
        let metadata = self.metadata(name, None);
        let mut object = BGPAdvertisement::new(name, serde_json::from_value(spec).unwrap());
        object.metadata = metadata;
        self.version += 1;
        self.bgp_advertisements
            .insert(name.to_owned(), object.clone());
        self.tell(Event::BgpAdvertisement(WatchEvent::Applied(object)));
    }

    pub(super) fn apply_community(&mut self, name: &str, value: &str) {
        let spec = json!({ "communities": [{ "name": name, "value": value }] });
        let metadata = self.metadata(name, None);
        let mut object = Community::new(name, serde_json::from_value(spec).unwrap());
        object.metadata = metadata;
        self.version += 1;
        self.communities.insert(name.to_owned(), object.clone());
        self.tell(Event::Community(WatchEvent::Applied(object)));
    }

    pub(super) fn apply_bfd_profile(&mut self, name: &str, spec: Value) {
        let metadata = self.metadata(name, None);
        let before = self.bfd_profiles.get(name);
        let mut object = BFDProfile::new(name, serde_json::from_value(spec).unwrap());
        object.status = before.and_then(|profile| profile.status.clone());
        object.metadata = metadata;
        self.version += 1;
        self.bfd_profiles.insert(name.to_owned(), object.clone());
        self.tell(Event::BfdProfile(WatchEvent::Applied(object)));
    }

    pub(super) fn delete_bfd_profile(&mut self, name: &str) {
        let profile = self.bfd_profiles.remove(name).unwrap();
        self.tell(Event::BfdProfile(WatchEvent::Deleted(profile)));
    }

    fn metadata(&self, name: &str, before: Option<ObjectMeta>) -> ObjectMeta {
        let age = i64::try_from(self.version).unwrap();
        let created = before.and_then(|metadata| metadata.creation_timestamp);
        let created = created.unwrap_or_else(|| Time(Timestamp::from_second(age).unwrap()));
        ObjectMeta {
            name: Some(name.to_owned()),
            uid: Some(name.to_owned()),
            creation_timestamp: Some(created),
            resource_version: Some((self.version + 1).to_string()),
            ..ObjectMeta::default()
        }
    }

    /// A Secret that holds one value.
    pub(super) fn apply_secret(&mut self, name: &str, key: &str, value: &str) {
        let data = BTreeMap::from([(key.to_owned(), ByteString(value.as_bytes().to_vec()))]);
        self.store_secret(name, data);
        let secret = self.secrets[name].clone().into();
        self.tell(Event::Secret(WatchEvent::Applied(secret)));
    }

    pub(super) fn delete_secret(&mut self, name: &str) {
        let secret = self.secrets.remove(name).unwrap().into();
        self.tell(Event::Secret(WatchEvent::Deleted(secret)));
    }

    fn store_secret(&mut self, name: &str, data: BTreeMap<String, ByteString>) {
        let metadata = self.metadata(name, None);
        self.version += 1;
        let secret = Secret {
            metadata,
            data: Some(data),
            ..Secret::default()
        };
        self.secrets.insert(name.to_owned(), secret);
    }

    /// Write an entry as another writer would, and say which it is.
    pub(super) fn put_entry(&mut self, address: &str, holder: &str) -> IPAllocation {
        let allocation = Allocation {
            address: ip(address),
            pool: model::PoolName::new("lan"),
            holders: vec![model::Holder {
                service: model::ServiceKey::new("shop", holder),
                uid: Uid::new(holder),
            }],
            since: 1,
        };
        self.store(&allocation)
    }

    pub(super) fn tell_entry(&mut self, entry: IPAllocation) {
        self.tell(Event::Allocation(WatchEvent::Applied(entry)));
    }

    /// The entry as the first write of its release left it.
    pub(super) fn past_entry(&mut self, entry: &LedgerEntry) -> IPAllocation {
        let allocation = Allocation {
            holders: Vec::new(),
            ..entry.allocation.clone()
        };
        let mut object = IPAllocation::from(&allocation);
        object.metadata.uid = Some(entry.uid.clone());
        object.metadata.resource_version = Some(self.next());
        object
    }

    pub(super) fn delete_entry(&mut self, address: &str) -> IPAllocation {
        let entry = self.entries.remove(&ip(address)).unwrap();
        self.tell(Event::Allocation(WatchEvent::Deleted(entry.clone())));
        entry
    }

    fn store(&mut self, allocation: &Allocation) -> IPAllocation {
        let version = self.next();
        let mut object = IPAllocation::from(allocation);
        let known = self.entries.get(&allocation.address);
        object.metadata.uid = Some(
            known
                .and_then(IPAllocation::uid)
                .unwrap_or_else(|| format!("entry-{version}")),
        );
        object.metadata.resource_version = Some(version);
        self.entries.insert(allocation.address, object.clone());
        object
    }

    // --- the owner -----------------------------------------------------------------------------

    pub(super) fn tell(&mut self, event: Event) {
        self.owner.handle(event, self.now);
    }

    /// Everything decided so far.
    pub(super) fn effects(&mut self) -> Vec<Effect> {
        self.owner.settle(self.now);
        std::iter::from_fn(|| self.owner.poll()).collect()
    }

    /// The effects on Services and their entries.
    pub(super) fn service_effects(&mut self) -> Vec<Effect> {
        let mut effects = self.effects();
        effects.retain(|effect| {
            matches!(
                effect,
                Effect::Settle(_) | Effect::Release(_) | Effect::Leave(..)
            )
        });
        effects
    }

    /// The one Service that is to be settled.
    pub(super) fn one_settle(&mut self) -> Settle {
        match self.service_effects().as_slice() {
            [Effect::Settle(settle)] => (**settle).clone(),
            other => panic!("{other:#?}"),
        }
    }

    pub(super) fn one_release(&mut self) -> Release {
        match self.service_effects().as_slice() {
            [Effect::Release(release)] => (**release).clone(),
            other => panic!("{other:#?}"),
        }
    }

    /// A new owner reads complete lists and settles, until nothing is left to do.
    pub(super) fn start(&mut self) {
        self.restart();
        self.converge();
    }

    /// A new owner reads complete lists; nothing is decided yet.
    pub(super) fn restart(&mut self) {
        self.restart_without_peers();
        let peers = self.bgp_peers.values().cloned().collect();
        self.tell_peer(WatchEvent::Restarted(peers));
    }

    /// The same, but no BFDProfiles are read.
    pub(super) fn restart_without_profiles(&mut self) {
        self.restart_with_the_rest();
        let peers = self.bgp_peers.values().cloned().collect();
        self.tell_peer(WatchEvent::Restarted(peers));
        self.read_secrets();
    }

    /// The same, but no BGPPeers are read.
    pub(super) fn restart_without_peers(&mut self) {
        self.restart_with_the_rest();
        self.read_profiles();
        self.read_secrets();
    }

    /// The same, but no Secrets are read.
    pub(super) fn restart_without_secrets(&mut self) {
        self.restart_with_the_rest();
        self.read_profiles();
        let peers = self.bgp_peers.values().cloned().collect();
        self.tell_peer(WatchEvent::Restarted(peers));
    }

    fn read_profiles(&mut self) {
        let profiles = self.bfd_profiles.values().cloned().collect();
        self.tell(Event::BfdProfile(WatchEvent::Restarted(profiles)));
    }

    fn read_secrets(&mut self) {
        let secrets = self.secrets.values().cloned().map(PasswordSecret::from);
        let secrets = secrets.collect();
        self.tell(Event::Secret(WatchEvent::Restarted(secrets)));
    }

    fn restart_with_the_rest(&mut self) {
        self.owner = owner();
        let services = self.services.values().cloned().collect();
        self.tell_service(WatchEvent::Restarted(services));
        let entries = self.entries.values().cloned().collect();
        self.tell(Event::Allocation(WatchEvent::Restarted(entries)));
        let pools = self.pools.values().cloned().collect();
        self.tell(Event::Pool(WatchEvent::Restarted(pools)));
        let l2 = self.advertisements.values().cloned().collect();
        self.tell(Event::L2Advertisement(WatchEvent::Restarted(l2)));
        let bgp = self.bgp_advertisements.values().cloned().collect();
        self.tell(Event::BgpAdvertisement(WatchEvent::Restarted(bgp)));
        let communities = self.communities.values().cloned().collect();
        self.tell(Event::Community(WatchEvent::Restarted(communities)));
        let config = self.config.iter().cloned().collect();
        self.tell(Event::SpeakerConfig(WatchEvent::Restarted(config)));
    }

    /// Carry out what is decided, and let time pass, until nothing is left to do.
    pub(super) fn converge(&mut self) {
        for _ in 0..100 {
            let effects = self.effects();
            if effects.is_empty() && self.owner.deadline().is_none_or(|at| at > self.now) {
                let Some(at) = self.owner.deadline() else {
                    return;
                };
                if at > self.now + SignedDuration::from_mins(1) {
                    return;
                }
                self.now = at;
            }
            for effect in effects {
                let outcome = self.carry_out(effect);
                self.tell(Event::Done(outcome));
            }
        }
        panic!("it never comes to rest");
    }

    // --- the API server ------------------------------------------------------------------------

    /// Do what an effect says, as the writer would. No watch tells of it.
    pub(super) fn carry_out(&mut self, effect: Effect) -> Outcome {
        match effect {
            Effect::Settle(settle) => Outcome::Settled(Box::new(self.settle(*settle))),
            Effect::Release(release) => self.release(&release),
            Effect::Leave(key, uid) => Outcome::Left(key, uid, Ok(None)),
            Effect::LookUpKind(kind) => Outcome::KindLookedUp(kind, Some(true)),
            Effect::WriteSpeakerConfig { spec, .. } => {
                let mut config = SpeakerConfig::new(crds::SPEAKER_CONFIG_NAME, *spec);
                config.status = self.config.as_ref().and_then(|c| c.status.clone());
                self.keep_config(config)
            }
            Effect::WriteSpeakerConfigStatus(status) => {
                let mut config = self.config.clone().unwrap();
                config.status = Some(*status);
                self.keep_config(config)
            }
            Effect::WritePoolStatus(name, status) => {
                let object = format!("IPAddressPool/{name}");
                let Some(pool) = self.pools.get_mut(&name) else {
                    let result = Err(WriteFailure::NotFound);
                    return Outcome::ConfigurationWritten { object, result };
                };
                pool.status = Some(*status);
                let event = Event::Pool(WatchEvent::Applied(pool.clone()));
                self.tell(event);
                Outcome::ConfigurationWritten {
                    object,
                    result: Ok(Written::Status),
                }
            }
            Effect::WriteConditions(kind, name, conditions) => {
                self.keep_conditions(kind, &name, conditions)
            }
            Effect::WriteSpeakerSecret(change) => self.keep_secret(&change),
        }
    }

    fn keep_conditions(
        &mut self,
        kind: ConfigKind,
        name: &str,
        conditions: Vec<Condition>,
    ) -> Outcome {
        let object = format!("{}/{name}", kind.kind());
        let event = match kind {
            ConfigKind::BgpPeer => self.bgp_peers.get_mut(name).map(|peer| {
                peer.status = Some(crds::BGPPeerStatus { conditions });
                Event::BgpPeer(Box::new(WatchEvent::Applied(peer.clone())))
            }),
            ConfigKind::BgpAdvertisement => self.bgp_advertisements.get_mut(name).map(|object| {
                object.status = Some(crds::BGPAdvertisementStatus { conditions });
                Event::BgpAdvertisement(WatchEvent::Applied(object.clone()))
            }),
            ConfigKind::BfdProfile => self.bfd_profiles.get_mut(name).map(|object| {
                object.status = Some(crds::BFDProfileStatus { conditions });
                Event::BfdProfile(WatchEvent::Applied(object.clone()))
            }),
            ConfigKind::Community => self.communities.get_mut(name).map(|object| {
                object.status = Some(crds::CommunityStatus { conditions });
                Event::Community(WatchEvent::Applied(object.clone()))
            }),
            ConfigKind::Pool | ConfigKind::L2Advertisement => None,
        };
        if let Some(event) = event {
            self.tell(event);
        }
        Outcome::ConfigurationWritten {
            object,
            result: Ok(Written::Status),
        }
    }

    fn keep_secret(&mut self, change: &SecretChange) -> Outcome {
        let object = format!("Secret/{SPEAKER_SECRET_NAME}");
        let known = self.secrets.get(SPEAKER_SECRET_NAME);
        if known.and_then(ResourceExt::resource_version) != change.resource_version {
            let result = Err(WriteFailure::Conflict);
            return Outcome::ConfigurationWritten { object, result };
        }
        let mut data = known.and_then(|s| s.data.clone()).unwrap_or_default();
        for key in &change.remove {
            data.remove(key.as_str());
        }
        for (key, password) in &change.set {
            data.insert(key.to_string(), ByteString(password.as_bytes().to_vec()));
        }
        self.store_secret(SPEAKER_SECRET_NAME, data);
        let secret = self.secrets[SPEAKER_SECRET_NAME].clone();
        Outcome::ConfigurationWritten {
            object,
            result: Ok(Written::SpeakerSecret(Box::new(secret.into()))),
        }
    }

    fn keep_config(&mut self, mut config: SpeakerConfig) -> Outcome {
        (self.prune)(&mut config.spec);
        config.metadata.uid = Some("config".to_owned());
        config.metadata.resource_version = Some(self.next());
        self.config = Some(config.clone());
        Outcome::ConfigurationWritten {
            object: format!("SpeakerConfig/{}", crds::SPEAKER_CONFIG_NAME),
            result: Ok(Written::SpeakerConfig(Box::new(config))),
        }
    }

    pub(super) fn settle(&mut self, settle: Settle) -> Settled {
        let mut settled = Settled {
            uid: settle.uid.clone(),
            decided_on: settle.decided_on.clone(),
            claimed: Vec::new(),
            read: Vec::new(),
            released: Vec::new(),
            service: None,
            failure: None,
        };
        for claim in &settle.claims {
            if let Some(taken) = self.entries.get(&claim.address) {
                settled.read.extend(LedgerEntry::of(taken));
                settled.failure = Some(WriteFailure::Taken(claim.address));
                return settled;
            }
            let entry = self.store(claim);
            settled.claimed.extend(LedgerEntry::of(&entry));
        }
        if let Some(status) = &settle.status {
            match self.apply_status(&settle, &status.body) {
                Ok(service) => settled.service = Some(service),
                Err(failure) => {
                    settled.failure = Some(failure);
                    return settled;
                }
            }
        }
        for (entry, pool) in &settle.repoint {
            let allocation = Allocation {
                pool: pool.clone(),
                ..entry.allocation.clone()
            };
            let entry = self.store(&allocation);
            settled.read.extend(LedgerEntry::of(&entry));
        }
        for entry in settle.release {
            self.entries.remove(&entry.allocation.address);
            settled.released.push(entry);
        }
        settled
    }

    fn apply_status(&mut self, settle: &Settle, body: &Value) -> Result<Service, WriteFailure> {
        let version = self.next();
        let service = self
            .services
            .get_mut(&settle.service.name)
            .ok_or(WriteFailure::NotFound)?;
        if service.metadata.resource_version.as_deref() != Some(&settle.decided_on) {
            return Err(WriteFailure::Conflict);
        }
        let mut status = service.status.take().unwrap_or_default();
        let conditions = body["status"]["conditions"].clone();
        status.conditions = serde_json::from_value(conditions).unwrap();
        if let Some(shown) = body["status"].get("loadBalancer") {
            status.load_balancer = serde_json::from_value(shown.clone()).unwrap();
        }
        service.status = Some(status);
        service.metadata.resource_version = Some(version);
        Ok(service.clone())
    }

    fn release(&mut self, release: &Release) -> Outcome {
        let address = release.entry.allocation.address;
        let holder = release.holder.as_ref();
        let living = holder.and_then(|(key, _)| self.services.get(&key.name));
        let result = match living {
            Some(service) => ReleaseVerdict::StillHeld(Box::new(service.clone())),
            None => {
                self.entries.remove(&address);
                ReleaseVerdict::Gone
            }
        };
        Outcome::Released {
            address,
            entry: release.entry.uid.clone(),
            result: Ok(result),
        }
    }

    // --- what can be seen ----------------------------------------------------------------------

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
