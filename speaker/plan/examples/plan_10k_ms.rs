//! How long a plan for 10,000 Services takes that three BGP peers are told of:
//! `cargo run --release -p seamark-plan --example plan_10k_ms`.
//!
//! Every Service has one address, half of them IPv4 and half IPv6. Each run changes one Service, as
//! a watch event does, and plans from what the plan before left. The figure is the median run, so
//! that a busy machine disturbs it little. `plan_10k_ms` has the peers told the same by one
//! advertisement; `plan_10k_apart_ms` has each told something else by two of four advertisements,
//! one of which aggregates; `plan_10k_both_ms` has layer 2 announce the addresses as well.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{
    AdvertisementName, Allocation, BgpAdvertisement, BgpAttributes, BgpPeer, Community,
    ExternalTrafficPolicy, Holder, InterfaceName, IpFamily, L2Advertisement, Labels, NodeName,
    PeerAsn, PeerName, PoolName, ServiceKey, SpeakerConfig, SpeakerPool, Uid,
};
use plan::{
    Interface, InterfaceKind, LocalEndpoints, Node, Prefix, Service, ServiceState, Snapshot,
    Vacancy, plan,
};

const SERVICES: u16 = 10_000;
const RUNS: usize = 101;
const PEERS: [&str; 3] = ["left", "middle", "right"];

#[expect(clippy::print_stdout, reason = "its output is what it is for")]
fn main() {
    let alike = || vec![advertisement("all", &PEERS)];
    println!("plan_10k_ms {:.3} ms", measure(facts(alike(), Vec::new())));
    println!(
        "plan_10k_apart_ms {:.3} ms",
        measure(facts(apart(), Vec::new()))
    );
    println!(
        "plan_10k_both_ms {:.3} ms",
        measure(facts(alike(), vec![everything()]))
    );
}

fn measure(mut snapshot: Snapshot) -> f64 {
    accept(&mut snapshot);
    let told = snapshot.bgp.values().map(|routes| routes.len());
    assert!(
        told.clone().count() == PEERS.len() && told.clone().all(|told| told >= SERVICES.into()),
        "{told:?} routes are told"
    );
    let mut times: Vec<Duration> = (0..RUNS).map(|run| time(&mut snapshot, run)).collect();
    times.sort_unstable();
    let median = times.get(RUNS / 2).copied().unwrap_or_default();
    median.as_secs_f64() * 1000.0
}

fn time(snapshot: &mut Snapshot, run: usize) -> Duration {
    let state = snapshot.services.values_mut().nth(run * 7);
    if let Some(ServiceState::Present(service)) = state {
        let shown = &mut Arc::make_mut(service).shown;
        if shown.is_empty() {
            return Duration::ZERO;
        }
        shown.clear();
    }
    #[expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]
    let start = Instant::now();
    let plan = std::hint::black_box(plan(std::hint::black_box(snapshot)));
    let took = start.elapsed();
    (snapshot.announced, snapshot.advertised) = (plan.announced, plan.advertised);
    snapshot.bgp = plan.bgp;
    took
}

fn accept(snapshot: &mut Snapshot) {
    let plan = plan(snapshot);
    (snapshot.announced, snapshot.advertised) = (plan.announced, plan.advertised);
    snapshot.bgp = plan.bgp;
}

fn facts(bgp: Vec<BgpAdvertisement>, layer2: Vec<L2Advertisement>) -> Snapshot {
    let mut snapshot = Snapshot::new(NodeName::new("node-1"));
    for name in ["node-1", "node-2", "node-3"].map(NodeName::new) {
        let node = Node {
            ready: true,
            ..Node::default()
        };
        snapshot.nodes.insert(name.clone(), Arc::new(node));
        snapshot.speakers.insert(name);
    }
    let pool = PoolName::new("public");
    snapshot.config = Some(Arc::new(SpeakerConfig {
        pools: [(pool.clone(), SpeakerPool::default())].into(),
        l2_advertisements: layer2,
        bgp_advertisements: bgp,
        bgp_peers: PEERS.map(peer).to_vec(),
        leaving: false,
    }));
    snapshot.interfaces = vec![eth0()];
    for number in 0..SERVICES {
        let [high, low] = number.to_be_bytes();
        let address = match number % 2 {
            0 => IpAddr::V4(Ipv4Addr::new(10, 99, high, low)),
            _ => IpAddr::V6(Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, number)),
        };
        add(&mut snapshot, number, address, &pool);
    }
    snapshot
}

fn add(snapshot: &mut Snapshot, number: u16, address: IpAddr, pool: &PoolName) {
    let holder = Holder {
        service: ServiceKey::new("default", format!("service-{number}")),
        uid: Uid::new(format!("7b0c54a2-5f1e-4a6f-9f3c-{number:012}")),
    };
    let entry = Allocation {
        address,
        pool: pool.clone(),
        holders: vec![holder.clone()],
        since: 0,
    };
    snapshot.ledger.insert(address, Arc::new(entry));
    let key = holder.service.clone();
    let service = Service {
        holder: Arc::new(holder),
        labels: Labels::new(),
        traffic_policy: ExternalTrafficPolicy::Cluster,
        shown: vec![address],
        local_endpoints: LocalEndpoints::default(),
        vacancy: Vacancy::default(),
    };
    let present = ServiceState::Present(Arc::new(service));
    snapshot.services.insert(key, present);
}

fn apart() -> Vec<BgpAdvertisement> {
    let mut aggregate = advertisement("aggregate", &PEERS);
    aggregate.aggregation_length = 24;
    aggregate.aggregation_length_v6 = 112;
    let own = PEERS.map(|peer| advertisement(peer, &[peer]));
    own.into_iter().chain([aggregate]).collect()
}

fn advertisement(name: &str, peers: &[&str]) -> BgpAdvertisement {
    let communities: BTreeSet<_> = [Community::Standard(0xfc00_0001)].into();
    BgpAdvertisement {
        name: AdvertisementName::new(name),
        pools: vec![PoolName::new("public")],
        pool_selectors: Vec::new(),
        service_selectors: Vec::new(),
        node_selectors: Vec::new(),
        peers: peers.iter().map(|peer| PeerName::new(*peer)).collect(),
        aggregation_length: 32,
        aggregation_length_v6: 128,
        aggregate_anyway: false,
        attributes: Arc::new(BgpAttributes {
            communities,
            ..BgpAttributes::default()
        }),
        requires: Vec::new(),
    }
}

fn peer(name: &str) -> BgpPeer {
    BgpPeer {
        name: PeerName::new(name),
        uid: None,
        my_asn: 64_512,
        peer_asn: PeerAsn::External,
        remote: model::Remote::Address(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
        port: 179,
        source_address: None,
        router_id: None,
        node_selectors: Vec::new(),
        hold_time: Duration::from_secs(90),
        keepalive_time: None,
        connect_time: None,
        ebgp_multi_hop: false,
        ttl_security: false,
        password: None,
        role: None,
        max_prefixes: 10_000,
        address_families: IpFamily::ALL.to_vec(),
        passive: false,
        bfd: None,
        bfd_strict: false,
        graceful_restart: model::GracefulRestart::default(),
        graceful_shutdown: model::GracefulShutdown::default(),
        vrf: None,
        requires: Vec::new(),
    }
}

fn everything() -> L2Advertisement {
    L2Advertisement {
        name: AdvertisementName::new("everything"),
        pools: Vec::new(),
        pool_selectors: Vec::new(),
        service_selectors: Vec::new(),
        node_selectors: Vec::new(),
        interfaces: Vec::new(),
        preferred_node_selectors: Vec::new(),
        requires: Vec::new(),
    }
}

fn eth0() -> Interface {
    Interface {
        name: InterfaceName::new("eth0"),
        kind: InterfaceKind::Ethernet,
        up: true,
        enslaved: false,
        prefixes: vec![Prefix {
            address: IpAddr::V4(Ipv4Addr::new(10, 99, 0, 11)),
            length: 16,
        }],
        default_route_v4: true,
        default_route_v6: true,
    }
}
