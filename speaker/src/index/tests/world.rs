//! Objects as the API server sends them, and an index that reads them.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use l2::Mac;
use model::{InterfaceName, LoadBalancerClasses, NodeName};
use plan::{History, Interface, InterfaceKind, Plan, Prefix, Transition};
use runtime::watch::{WatchEvent, WatchFailure};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::index::{Event, Index};

pub(crate) const VIPS: [&str; 2] = ["10.99.0.200", "fd99::200"];

/// An index and the moment it is at.
pub(crate) struct World {
    pub(crate) index: Index,
    pub(crate) now: Instant,
    /// What the last plan changed.
    pub(crate) transitions: Vec<Transition>,
}

impl World {
    /// A node that has read nothing yet.
    pub(crate) fn empty(node: &str) -> Self {
        let classes = LoadBalancerClasses::new(true, []);
        Self {
            index: Index::new(NodeName::new(node), classes, History::default()),
            now: Instant::now(),
            transitions: Vec::new(),
        }
    }

    /// A node that has read complete lists, and has planned.
    pub(crate) fn of(node: &str, objects: &Objects) -> Self {
        let mut world = Self::empty(node);
        for event in objects.lists() {
            world.read(event);
        }
        world.plan();
        world
    }

    /// Reads one event; says whether it was of interest.
    pub(crate) fn read(&mut self, event: Event) -> bool {
        self.index.apply(event, self.now)
    }

    /// Reads an event and plans.
    pub(crate) fn after(&mut self, event: Event) -> Plan {
        self.read(event);
        self.plan()
    }

    pub(crate) fn plan(&mut self) -> Plan {
        let facts = self.index.facts();
        let plan = plan::plan(facts);
        self.transitions = plan::transitions(facts, &plan);
        self.index.accept(plan.clone());
        plan
    }

    /// Lets time pass and plans.
    pub(crate) fn wait(&mut self, time: Duration) -> Plan {
        self.now += time;
        self.index.expire(self.now);
        self.plan()
    }
}

/// What the API server has: a Service `web` that holds and shows both addresses.
#[derive(Debug, Clone)]
pub(crate) struct Objects {
    pub(crate) services: Vec<Value>,
    pub(crate) slices: Vec<Value>,
    pub(crate) nodes: Vec<Value>,
    pub(crate) entries: Vec<Value>,
    pub(crate) configs: Vec<Value>,
    pub(crate) statuses: Vec<Value>,
}

impl Objects {
    pub(crate) fn of(nodes: &[&str]) -> Self {
        Self {
            services: vec![service("web", &VIPS)],
            slices: Vec::new(),
            nodes: nodes.iter().map(|name| node(name, "True")).collect(),
            entries: VIPS.map(|vip| entry(vip, Some("web"))).to_vec(),
            configs: vec![config()],
            statuses: nodes.iter().map(|name| status(name)).collect(),
        }
    }

    /// A complete list of every kind, and the interfaces.
    pub(crate) fn lists(&self) -> Vec<Event> {
        vec![
            Event::Service(restarted(&self.services)),
            Event::EndpointSlice(restarted(&self.slices)),
            Event::Node(restarted(&self.nodes)),
            Event::Allocation(restarted(&self.entries)),
            Event::SpeakerConfig(restarted(&self.configs)),
            Event::SpeakerStatus(restarted(&self.statuses)),
            interfaces(),
        ]
    }
}

pub(crate) fn restarted<K: DeserializeOwned>(objects: &[Value]) -> WatchEvent<K> {
    WatchEvent::Restarted(objects.iter().map(object).collect())
}

pub(crate) fn applied<K: DeserializeOwned>(value: &Value) -> WatchEvent<K> {
    WatchEvent::Applied(object(value))
}

pub(crate) fn deleted<K: DeserializeOwned>(value: &Value) -> WatchEvent<K> {
    WatchEvent::Deleted(object(value))
}

pub(crate) fn failed<K>() -> WatchEvent<K> {
    WatchEvent::Failed(WatchFailure::Unreachable)
}

fn object<K: DeserializeOwned>(value: &Value) -> K {
    serde_json::from_value(value.clone()).unwrap()
}

pub(crate) fn service(name: &str, shown: &[&str]) -> Value {
    let ingress: Vec<Value> = shown
        .iter()
        .map(|ip| json!({ "ip": ip, "ipMode": "VIP" }))
        .collect();
    json!({
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": format!("uid-of-{name}"),
            "managedFields": [{ "manager": "kubectl", "fieldsV1": { "f:spec": {} } }],
        },
        "spec": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Cluster",
            "ports": [{ "port": 80 }],
        },
        "status": { "loadBalancer": { "ingress": ingress } },
    })
}

pub(crate) fn local(name: &str, shown: &[&str]) -> Value {
    let mut service = service(name, shown);
    service["spec"]["externalTrafficPolicy"] = json!("Local");
    service
}

/// One endpoint on each node, ready.
pub(crate) fn slice(name: &str, service: &str, family: &str, nodes: &[&str]) -> Value {
    let endpoint = |node: &&str| json!({ "nodeName": node, "conditions": { "ready": true } });
    json!({
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": { "kubernetes.io/service-name": service },
        },
        "addressType": family,
        "endpoints": nodes.iter().map(endpoint).collect::<Vec<_>>(),
    })
}

pub(crate) fn node(name: &str, ready: &str) -> Value {
    json!({
        "metadata": { "name": name, "uid": format!("uid-of-{name}") },
        "status": {
            "conditions": [{ "type": "Ready", "status": ready, "reason": "KubeletReady" }],
            "images": [{ "names": ["an-image"] }],
        },
    })
}

pub(crate) fn entry(address: &str, holder: Option<&str>) -> Value {
    let ip: IpAddr = address.parse().unwrap();
    let holders: Vec<Value> = holder
        .iter()
        .map(
            |name| json!({ "namespace": "default", "name": name, "uid": format!("uid-of-{name}") }),
        )
        .collect();
    json!({
        "apiVersion": "seamark.io/v1beta1",
        "kind": "IPAllocation",
        "metadata": { "name": crds::entry_name(ip) },
        "spec": {
            "address": address,
            "pool": "pool",
            "holders": holders,
            "since": "2026-11-21T00:00:00.000000Z",
        },
    })
}

pub(crate) fn config() -> Value {
    json!({
        "apiVersion": "seamark.io/v1beta1",
        "kind": "SpeakerConfig",
        "metadata": { "name": "seamark", "generation": 1 },
        "spec": { "pools": [{ "name": "pool" }], "l2Advertisements": [{ "name": "all" }] },
    })
}

pub(crate) fn status(node: &str) -> Value {
    json!({ "metadata": { "name": node }, "status": { "announcedIPv4": 1 } })
}

/// A SpeakerStatus that says this of its node's service proxy.
pub(crate) fn judged(node: &str, reason: &str) -> Value {
    let mut status = status(node);
    status["status"]["conditions"] = json!([{
        "type": "ProxyHealthy",
        "status": "Unknown",
        "reason": reason,
        "lastTransitionTime": "2026-11-21T00:00:00Z",
    }]);
    status
}

pub(crate) fn interfaces() -> Event {
    let prefix = |address: &str, length| Prefix {
        address: address.parse().unwrap(),
        length,
    };
    let eth0 = Interface {
        name: InterfaceName::new("eth0"),
        kind: InterfaceKind::Ethernet,
        up: true,
        enslaved: false,
        prefixes: vec![prefix("10.99.0.11", 24), prefix("fd99::11", 64)],
        default_route_v4: true,
        default_route_v6: true,
    };
    Event::Interfaces(vec![(eth0, Some(Mac([2, 0, 0, 0, 0, 1])))])
}

/// Whether a plan has all of `VIPS` answered, or none; anything else is a mistake of the test.
pub(crate) fn answers(plan: &Plan) -> bool {
    let answered = VIPS.map(|vip| {
        let vip: IpAddr = vip.parse().unwrap();
        plan.l2.values().any(|addresses| addresses.contains(&vip))
    });
    assert_eq!(
        answered[0], answered[1],
        "one family is answered and the other is not"
    );
    answered[0]
}

/// The one node of `nodes` that announces `vip`, when all have read the same.
pub(crate) fn owner(objects: &Objects, nodes: &[&str], vip: &str) -> String {
    let vip: IpAddr = vip.parse().unwrap();
    let mut owners = nodes.iter().filter(|name| {
        let world = World::of(name, objects);
        world.index.facts().announced.contains_key(&vip)
    });
    let owner = owners.next().unwrap();
    assert_eq!(owners.next(), None);
    (*owner).to_owned()
}
