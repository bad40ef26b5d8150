//! What happened to Services and ledger, by the API server's own account: every version of every
//! object, in the one order that resource versions give, and what must hold after each.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::mpsc::{self, Receiver, Sender};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, WatchEvent, WatchParams};
use lab::{Lab, eventually};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::vips::SOON;

/// A recording that goes on until it is dropped.
pub(crate) struct History {
    before: World,
    events: Vec<Event>,
    inlet: Receiver<Event>,
    watches: Vec<JoinHandle<Result<()>>>,
}

/// Services of type LoadBalancer and ledger entries at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct World {
    /// By uid.
    services: BTreeMap<String, Shown>,
    /// Whom each entry names, by uid.
    ledger: BTreeMap<IpAddr, Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    name: String,
    addresses: BTreeSet<IpAddr>,
}

#[derive(Debug, Clone)]
struct Event {
    version: u64,
    change: Change,
}

#[derive(Debug, Clone)]
enum Change {
    Service(String, Shown),
    ServiceDeleted(String),
    Entry(IpAddr, Vec<String>),
    EntryDeleted(IpAddr),
}

impl History {
    /// Record from now on.
    pub(crate) fn start(lab: &Lab) -> Result<Self> {
        let (outlet, inlet) = mpsc::channel();
        let mut before = World::default();
        let mut watches = Vec::new();
        for api in [services(lab), ledger(lab)] {
            let list = lab.block_on(api.list(&ListParams::default()))?;
            for object in &list.items {
                before.take(Change::of(object, false)?);
            }
            let version = list.metadata.resource_version.context("a list's version")?;
            watches.push(lab.runtime().spawn(record(api, version, outlet.clone())));
        }
        Ok(Self {
            before,
            events: Vec::new(),
            inlet,
            watches,
        })
    }

    /// Wait until the recording has come to the present, and check that at no moment an address
    /// moved, was shown twice, or was shown without its entry in the ledger.
    pub(crate) fn check(&mut self, lab: &Lab) -> Result<()> {
        let (events, inlet) = (&mut self.events, &self.inlet);
        let before = &self.before;
        eventually(SOON, "the recording is complete", || {
            let present = World::now(lab)?;
            events.extend(inlet.try_iter());
            events.sort_by_key(|event| event.version);
            let mut world = before.clone();
            events
                .iter()
                .for_each(|event| world.take(event.change.clone()));
            ensure!(
                world == present,
                "recorded {world:#?}, but there is {present:#?}"
            );
            Ok(())
        })?;
        let mut world = self.before.clone();
        for event in &self.events {
            world.expect_lawful(&event.change)?;
            world.take(event.change.clone());
            world
                .expect_held_once()
                .with_context(|| format!("after {event:?}"))?;
        }
        Ok(())
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.watches.iter().for_each(JoinHandle::abort);
    }
}

async fn record(api: Api<DynamicObject>, version: String, to: Sender<Event>) -> Result<()> {
    let stream = api.watch(&WatchParams::default(), &version).await?;
    pin_mut!(stream);
    while let Some(event) = stream.next().await {
        let (object, is_deleted) = match event? {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => (object, false),
            WatchEvent::Deleted(object) => (object, true),
            WatchEvent::Bookmark(_) | WatchEvent::Error(_) => continue,
        };
        let version = object.resource_version().context("no version")?.parse()?;
        let change = Change::of(&object, is_deleted)?;
        to.send(Event { version, change })?;
    }
    Ok(())
}

impl Change {
    fn of(object: &DynamicObject, is_deleted: bool) -> Result<Self> {
        let spec = &object.data["spec"];
        if let Some(address) = spec["address"].as_str() {
            let address = address.parse()?;
            if is_deleted {
                return Ok(Self::EntryDeleted(address));
            }
            let holders = texts(&spec["holders"], "uid").map(str::to_owned);
            return Ok(Self::Entry(address, holders.collect()));
        }
        let uid = object.uid().context("no uid")?;
        // Another type is as good as gone: the API server's own Service is a ClusterIP.
        if is_deleted || spec["type"] != "LoadBalancer" {
            return Ok(Self::ServiceDeleted(uid));
        }
        let ingress = &object.data["status"]["loadBalancer"]["ingress"];
        let addresses = texts(ingress, "ip")
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        let name = object.name_any();
        Ok(Self::Service(uid, Shown { name, addresses }))
    }
}

/// This field of each object in a list.
fn texts<'a>(list: &'a Value, field: &'a str) -> impl Iterator<Item = &'a str> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(move |one| one[field].as_str())
}

impl World {
    /// What there is at this moment.
    pub(crate) fn now(lab: &Lab) -> Result<Self> {
        let mut world = Self::default();
        for api in [services(lab), ledger(lab)] {
            for object in lab.block_on(api.list(&ListParams::default()))?.items {
                world.take(Change::of(&object, false)?);
            }
        }
        Ok(world)
    }

    /// Addresses that are shown by a Service.
    pub(crate) fn shown(&self) -> BTreeSet<IpAddr> {
        let shown = self.services.values();
        shown.flat_map(|shown| shown.addresses.clone()).collect()
    }

    /// An error unless every Service shows both families and the ledger has their entries and no
    /// others.
    pub(crate) fn expect_settled(&self) -> Result<()> {
        for shown in self.services.values() {
            let Shown { name, addresses } = shown;
            ensure!(addresses.len() == 2, "{name} shows {addresses:?}");
        }
        let held: BTreeSet<IpAddr> = self.ledger.keys().copied().collect();
        ensure!(
            held == self.shown(),
            "{held:?} is in the ledger, not {:?}",
            self.shown()
        );
        self.expect_held_once()
    }

    /// Every address shown is one Service's, and its entry says so.
    fn expect_held_once(&self) -> Result<()> {
        let mut seen = BTreeMap::new();
        for (uid, shown) in &self.services {
            for address in &shown.addresses {
                if let Some(other) = seen.insert(address, &shown.name) {
                    anyhow::bail!("{other} and {} both show {address}", shown.name);
                }
                let holders = self.ledger.get(address);
                ensure!(
                    holders.is_some_and(|holders| holders.as_slice() == [uid.clone()]),
                    "{} ({uid}) shows {address}, and the ledger names {holders:?}",
                    shown.name
                );
            }
        }
        Ok(())
    }

    /// A living Service keeps each address that it ever showed.
    fn expect_lawful(&self, change: &Change) -> Result<()> {
        let Change::Service(uid, after) = change else {
            return Ok(());
        };
        let before = self.services.get(uid).map(|shown| &shown.addresses);
        ensure!(
            before.is_none_or(|before| before.is_subset(&after.addresses)),
            "{} had {before:?} and then {:?}",
            after.name,
            after.addresses
        );
        Ok(())
    }

    fn take(&mut self, change: Change) {
        match change {
            Change::Service(uid, shown) => drop(self.services.insert(uid, shown)),
            Change::ServiceDeleted(uid) => drop(self.services.remove(&uid)),
            Change::Entry(address, holders) => drop(self.ledger.insert(address, holders)),
            Change::EntryDeleted(address) => drop(self.ledger.remove(&address)),
        }
    }
}

fn services(lab: &Lab) -> Api<DynamicObject> {
    Api::all_with(lab.client(), &ApiResource::erase::<Service>(&()))
}

fn ledger(lab: &Lab) -> Api<DynamicObject> {
    let kind = ApiResource {
        group: "seamark.io".to_owned(),
        version: "v1beta1".to_owned(),
        api_version: "seamark.io/v1beta1".to_owned(),
        kind: "IPAllocation".to_owned(),
        plural: "ipallocations".to_owned(),
    };
    Api::all_with(lab.client(), &kind)
}
