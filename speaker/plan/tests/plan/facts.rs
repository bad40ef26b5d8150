//! A small cluster to start from, and ways to change its facts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use model::{
    AdvertisementName, Allocation, ExternalTrafficPolicy, Holder, InterfaceName, IpFamily,
    L2Advertisement, LabelSelector, Labels, NodeName, PoolName, ServiceKey, SpeakerConfig,
    SpeakerPool, Uid,
};
use plan::{
    Fitness, Interface, InterfaceKind, LocalEndpoints, Node, Plan, Prefix, Service, ServiceState,
    Snapshot, Vacancy, Verdict, Withheld, plan,
};

/// The addresses of Service `web`.
pub(crate) fn vips() -> [IpAddr; 2] {
    [ip("10.99.0.200"), ip("fd99::200")]
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn web() -> ServiceKey {
    ServiceKey::new("default", "web")
}

pub(crate) fn holder(name: &str) -> Arc<Holder> {
    Arc::new(Holder {
        service: ServiceKey::new("default", name),
        uid: Uid::new(format!("uid-of-{name}")),
    })
}

/// A cluster of ready nodes with speakers, seen from the first of them, where Service `web` holds
/// and shows both addresses.
pub(crate) fn cluster(nodes: &[&str]) -> Snapshot {
    let mut snapshot = Snapshot::new(NodeName::new(nodes[0]));
    for name in nodes {
        let node = Node {
            labels: Labels::from([("name".to_owned(), (*name).to_owned())]),
            ready: true,
            ..Node::default()
        };
        snapshot.nodes.insert(NodeName::new(*name), Arc::new(node));
        snapshot.speakers.insert(NodeName::new(*name));
    }
    snapshot.interfaces = vec![eth0()];
    snapshot.config = Some(Arc::new(SpeakerConfig {
        pools: BTreeMap::from([(PoolName::new("pool"), SpeakerPool::default())]),
        l2_advertisements: vec![advertisement("all")],
        ..SpeakerConfig::default()
    }));
    let service = service("web", &vips());
    snapshot
        .services
        .insert(web(), ServiceState::Present(Arc::new(service)));
    for vip in vips() {
        hold(&mut snapshot, vip, "web");
    }
    snapshot
}

pub(crate) fn service(name: &str, shown: &[IpAddr]) -> Service {
    Service {
        holder: holder(name),
        labels: Labels::from([("app".to_owned(), name.to_owned())]),
        traffic_policy: ExternalTrafficPolicy::Cluster,
        shown: shown.to_vec(),
        local_endpoints: LocalEndpoints::default(),
        vacancy: Vacancy::default(),
    }
}

pub(crate) fn advertisement(name: &str) -> L2Advertisement {
    L2Advertisement {
        name: AdvertisementName::new(name),
        pools: Vec::new(),
        pool_selectors: Vec::new(),
        service_selectors: Vec::new(),
        node_selectors: Vec::new(),
        interfaces: Vec::new(),
        preferred_node_selectors: Vec::new(),
        requires: Vec::new(),
    }
}

pub(crate) fn eth0() -> Interface {
    let prefix = |text, length| Prefix {
        address: ip(text),
        length,
    };
    Interface {
        name: InterfaceName::new("eth0"),
        kind: InterfaceKind::Ethernet,
        up: true,
        enslaved: false,
        prefixes: vec![prefix("10.99.0.11", 24), prefix("fd99::11", 64)],
        default_route_v4: true,
        default_route_v6: true,
    }
}

pub(crate) fn hold(snapshot: &mut Snapshot, address: IpAddr, name: &str) {
    let entry = Allocation {
        address,
        pool: PoolName::new("pool"),
        holders: vec![(*holder(name)).clone()],
        since: 0,
    };
    snapshot.ledger.insert(address, Arc::new(entry));
}

pub(crate) fn selector(key: &str, value: &str) -> LabelSelector {
    LabelSelector::of_labels([(key, value)])
}

pub(crate) fn change_config(snapshot: &mut Snapshot, change: impl FnOnce(&mut SpeakerConfig)) {
    let mut config = snapshot.config.as_deref().unwrap().clone();
    change(&mut config);
    snapshot.config = Some(Arc::new(config));
}

pub(crate) fn change_advertisement(
    snapshot: &mut Snapshot,
    change: impl FnOnce(&mut L2Advertisement),
) {
    change_config(snapshot, |config| change(&mut config.l2_advertisements[0]));
}

pub(crate) fn change_node(snapshot: &mut Snapshot, name: &str, change: impl FnOnce(&mut Node)) {
    let node = snapshot.nodes.get_mut(&NodeName::new(name)).unwrap();
    change(Arc::make_mut(node));
}

pub(crate) fn change_web(snapshot: &mut Snapshot, change: impl FnOnce(&mut Service)) {
    match snapshot.services.get_mut(&web()).unwrap() {
        ServiceState::Present(service) | ServiceState::Missing(service) => {
            change(Arc::make_mut(service));
        }
    }
}

/// Every node has made this known of its service proxy.
pub(crate) fn judge(snapshot: &mut Snapshot, fitness: Fitness) {
    let names: Vec<_> = snapshot.nodes.keys().cloned().collect();
    for name in names {
        change_verdict(snapshot, name.as_str(), fitness, 0);
    }
}

/// A node has made known that its service proxy is so since then.
pub(crate) fn change_verdict(snapshot: &mut Snapshot, node: &str, fitness: Fitness, since: i64) {
    let verdict = Verdict { fitness, since };
    snapshot.verdicts.insert(NodeName::new(node), verdict);
}

/// Gives `web` the policy Local with endpoints on these nodes, in both families.
pub(crate) fn local(snapshot: &mut Snapshot, nodes: &[&str]) {
    let nodes: BTreeSet<_> = nodes.iter().map(|name| NodeName::new(*name)).collect();
    change_web(snapshot, |service| {
        service.traffic_policy = ExternalTrafficPolicy::Local;
        service.local_endpoints.v4.clone_from(&nodes);
        service.local_endpoints.v6 = nodes;
    });
}

/// Every slice of `web` was read, and none has a usable endpoint.
pub(crate) fn vacate(snapshot: &mut Snapshot) {
    change_web(snapshot, |web| web.vacancy = Vacancy { v4: true, v6: true });
}

/// `web` is absent from a complete list, but nobody saw it deleted.
pub(crate) fn lose_web(snapshot: &mut Snapshot) {
    let service = Arc::clone(snapshot.services[&web()].service());
    snapshot
        .services
        .insert(web(), ServiceState::Missing(service));
}

/// The same facts as another node sees them.
pub(crate) fn seen_from(snapshot: &Snapshot, node: &NodeName) -> Snapshot {
    Snapshot {
        node: node.clone(),
        ..snapshot.clone()
    }
}

/// The facts as the owner of `vip` sees them while it announces.
pub(crate) fn seen_by_owner(snapshot: &Snapshot, vip: IpAddr) -> Snapshot {
    let owner = owners(snapshot, vip).pop().unwrap();
    let seen = seen_from(snapshot, &owner);
    let announced = plan(&seen).announced;
    Snapshot { announced, ..seen }
}

/// The nodes that announce `vip`, all planning from the same facts.
pub(crate) fn owners(snapshot: &Snapshot, vip: IpAddr) -> Vec<NodeName> {
    let names = snapshot.nodes.keys();
    names
        .filter(|name| answers(&plan(&seen_from(snapshot, name)), vip))
        .cloned()
        .collect()
}

/// Whether a plan has the address answered on some interface.
pub(crate) fn answers(plan: &Plan, vip: IpAddr) -> bool {
    plan.l2.values().any(|addresses| addresses.contains(&vip))
}

/// Why a plan does not announce the address on a segment.
pub(crate) fn why_not(plan: &Plan, vip: IpAddr) -> Option<Withheld> {
    let withheld = plan.withheld.get(&vip)?;
    withheld.layer2.clone()
}

pub(crate) fn family(vip: IpAddr) -> IpFamily {
    IpFamily::of(vip)
}
