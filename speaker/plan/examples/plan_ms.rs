//! How long a plan for 1,000 Services on three nodes takes: `plan_1k_ms VALUE ms`.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{
    AdvertisementName, Allocation, ExternalTrafficPolicy, Holder, InterfaceName, L2Advertisement,
    Labels, NodeName, PoolName, ServiceKey, SpeakerConfig, SpeakerPool, Uid,
};
use plan::{
    Interface, InterfaceKind, LocalEndpoints, Node, Prefix, Service, ServiceState, Snapshot,
    Vacancy, plan,
};

const RUNS: usize = 101;

fn main() -> Result<(), Box<dyn Error>> {
    let mut snapshot = facts();
    snapshot.announced = plan(&snapshot).announced;
    let mut times: Vec<Duration> = (0..RUNS).map(|_| time(&snapshot)).collect();
    times.sort_unstable();
    let median = times.get(RUNS / 2).ok_or("no run was timed")?;
    let announced = snapshot.announced.len();
    if announced == 0 {
        return Err("the plan announces nothing, so that its time says nothing".into());
    }
    use std::io::Write as _;
    writeln!(
        std::io::stdout(),
        "plan_1k_ms {:.3} ms",
        median.as_secs_f64() * 1000.0
    )?;
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "measuring is this example's purpose"
)]
fn time(snapshot: &Snapshot) -> Duration {
    let start = Instant::now();
    std::hint::black_box(plan(std::hint::black_box(snapshot)));
    start.elapsed()
}

fn facts() -> Snapshot {
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
        l2_advertisements: vec![everything()],
        ..SpeakerConfig::default()
    }));
    snapshot.interfaces = vec![eth0()];
    for number in 0..1000_u16 {
        let [high, low] = number.to_be_bytes();
        let address = IpAddr::V4(Ipv4Addr::new(10, 99, 100 + high, low));
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
        default_route_v6: false,
    }
}
