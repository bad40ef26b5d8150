//! What users do, and what the API server tells of it.

use std::collections::BTreeMap;

use crds::{BFDProfile, BGPAdvertisement, BGPPeer, Community, IPAddressPool, IPAllocation};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use model::{Allocation, Uid};
use runtime::watch::WatchEvent;
use serde_json::{Value, json};

use super::{World, ip};
use crate::ledger::LedgerEntry;
use crate::owner::Event;

impl World {
    /// Create or change a Service that was created at this second; its uid is its name. The owner
    /// is not told.
    pub(in crate::owner) fn put_service(
        &mut self,
        name: &str,
        second: i64,
        changes: &Value,
    ) -> Service {
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
    pub(in crate::owner) fn apply_service(&mut self, name: &str, second: i64, changes: &Value) {
        let service = self.put_service(name, second, changes);
        self.tell_service(WatchEvent::Applied(service));
    }

    pub(in crate::owner) fn delete_service(&mut self, name: &str) {
        let service = self.services.remove(name).unwrap();
        self.tell_service(WatchEvent::Deleted(service));
    }

    /// A Service goes, and nobody is told.
    pub(in crate::owner) fn forget_service(&mut self, name: &str) {
        self.services.remove(name).unwrap();
    }

    pub(in crate::owner) fn tell_service(&mut self, event: WatchEvent<Service>) {
        self.tell(Event::Service(Box::new(event)));
    }

    pub(in crate::owner) fn tell_peer(&mut self, event: WatchEvent<BGPPeer>) {
        self.tell(Event::BgpPeer(Box::new(event)));
    }

    pub(in crate::owner) fn put_pool(&mut self, name: &str, addresses: &[&str]) -> IPAddressPool {
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

    pub(in crate::owner) fn apply_pool(&mut self, name: &str, addresses: &[&str]) {
        let pool = self.put_pool(name, addresses);
        self.tell(Event::Pool(WatchEvent::Applied(pool)));
    }

    pub(in crate::owner) fn delete_pool(&mut self, name: &str) {
        let pool = self.pools.remove(name).unwrap();
        self.tell(Event::Pool(WatchEvent::Deleted(pool)));
    }

    /// A peer with these fields besides the ones it needs; its age is that of its first write.
    pub(in crate::owner) fn apply_peer(&mut self, name: &str, fields: &Value) {
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

    pub(in crate::owner) fn delete_peer(&mut self, name: &str) {
        let peer = self.bgp_peers.remove(name).unwrap();
        self.tell_peer(WatchEvent::Deleted(peer));
    }

    pub(in crate::owner) fn apply_bgp_advertisement(&mut self, name: &str, spec: Value) {
        let metadata = self.metadata(name, None);
        let mut object = BGPAdvertisement::new(name, serde_json::from_value(spec).unwrap());
        object.metadata = metadata;
        self.version += 1;
        self.bgp_advertisements
            .insert(name.to_owned(), object.clone());
        self.tell(Event::BgpAdvertisement(WatchEvent::Applied(object)));
    }

    pub(in crate::owner) fn apply_community(&mut self, name: &str, value: &str) {
        let spec = json!({ "communities": [{ "name": name, "value": value }] });
        let metadata = self.metadata(name, None);
        let mut object = Community::new(name, serde_json::from_value(spec).unwrap());
        object.metadata = metadata;
        self.version += 1;
        self.communities.insert(name.to_owned(), object.clone());
        self.tell(Event::Community(WatchEvent::Applied(object)));
    }

    pub(in crate::owner) fn apply_bfd_profile(&mut self, name: &str, spec: Value) {
        let metadata = self.metadata(name, None);
        let before = self.bfd_profiles.get(name);
        let mut object = BFDProfile::new(name, serde_json::from_value(spec).unwrap());
        object.status = before.and_then(|profile| profile.status.clone());
        object.metadata = metadata;
        self.version += 1;
        self.bfd_profiles.insert(name.to_owned(), object.clone());
        self.tell(Event::BfdProfile(WatchEvent::Applied(object)));
    }

    pub(in crate::owner) fn delete_bfd_profile(&mut self, name: &str) {
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
    pub(in crate::owner) fn apply_secret(&mut self, name: &str, key: &str, value: &str) {
        let data = BTreeMap::from([(key.to_owned(), ByteString(value.as_bytes().to_vec()))]);
        self.store_secret(name, data);
        let secret = self.secrets[name].clone().into();
        self.tell(Event::Secret(WatchEvent::Applied(secret)));
    }

    pub(in crate::owner) fn delete_secret(&mut self, name: &str) {
        let mut secret = self.secrets.remove(name).unwrap();
        secret.metadata.resource_version = Some(self.next());
        let secret = secret.into();
        self.tell(Event::Secret(WatchEvent::Deleted(secret)));
    }

    pub(in crate::owner) fn delete_config(&mut self) {
        let mut config = self.config.take().unwrap();
        config.metadata.resource_version = Some(self.next());
        self.tell(Event::SpeakerConfig(WatchEvent::Deleted(config)));
    }

    pub(super) fn store_secret(&mut self, name: &str, data: BTreeMap<String, ByteString>) {
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
    pub(in crate::owner) fn put_entry(&mut self, address: &str, holder: &str) -> IPAllocation {
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

    pub(in crate::owner) fn tell_entry(&mut self, entry: IPAllocation) {
        self.tell(Event::Allocation(WatchEvent::Applied(entry)));
    }

    /// The entry as the first write of its release left it.
    pub(in crate::owner) fn past_entry(&mut self, entry: &LedgerEntry) -> IPAllocation {
        let allocation = Allocation {
            holders: Vec::new(),
            ..entry.allocation.clone()
        };
        let mut object = IPAllocation::from(&allocation);
        object.metadata.uid = Some(entry.uid.clone());
        object.metadata.resource_version = Some(self.next());
        object
    }

    pub(in crate::owner) fn delete_entry(&mut self, address: &str) -> IPAllocation {
        let entry = self.entries.remove(&ip(address)).unwrap();
        self.tell(Event::Allocation(WatchEvent::Deleted(entry.clone())));
        entry
    }

    pub(super) fn store(&mut self, allocation: &Allocation) -> IPAllocation {
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
}
