use std::net::IpAddr;

use plan::Interface;
use prometheus_client::registry::Registry;
use runtime::admin::Readiness;
use tokio::time::advance;

use super::*;
use crate::discovery::Neighbor;
use crate::index::tests::world::{
    Objects, VIPS, applied, config, deleted, entry, interfaces, service,
};
use crate::metrics::Metrics;

/// An owner that runs, and what it can be reached by.
struct Rig {
    events: mpsc::Sender<Event>,
    reports: mpsc::Sender<layer2::Report>,
    plans: watch::Receiver<layer2::Desired>,
    peers: watch::Receiver<Peers>,
    sessions: watch::Sender<Sessions>,
    neighbors: watch::Sender<Neighbors>,
    standing: watch::Receiver<Option<Standing>>,
    orders: watch::Receiver<Order>,
    ending: watch::Receiver<Option<Ending>>,
    told: watch::Sender<bool>,
    told_to_end: CancellationToken,
    shutdown: CancellationToken,
    registry: Registry,
}

fn rig() -> Rig {
    rig_with(plan::History::default())
}

fn rig_with(history: plan::History) -> Rig {
    let (events, inlet) = mpsc::channel(BATCH);
    let (reports, reported) = mpsc::channel(BATCH);
    let (plans, desired) = watch::channel(layer2::Desired::default());
    let (peers, asked) = watch::channel(Peers::default());
    let (sessions, seen) = watch::channel(Sessions::default());
    let (neighbors, heard) = watch::channel(Neighbors::default());
    let (standing, standings) = watch::channel(None);
    let (orders, ordered) = watch::channel(Order::default());
    let (end, ending) = watch::channel(None);
    let (said, told) = watch::channel(true);
    let (told_to_end, shutdown) = (CancellationToken::new(), CancellationToken::new());
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let outlets = Outlets {
        plans,
        peers,
        standing,
        orders,
        metrics: metrics.plans,
        bgp: metrics.bgp,
        health: Health::new(Duration::MAX),
        planned: Readiness::default().gate("first plan"),
        ending: end,
        paths: bfd::control().0,
        told,
    };
    let classes = model::LoadBalancerClasses::new(true, []);
    let index = Index::new(model::NodeName::new("n1"), classes, history);
    let inlets = Inlets {
        events: inlet,
        reports: reported,
        sessions: seen,
        neighbors: heard,
    };
    let owner = Owner::new(index, outlets);
    tokio::spawn(owner.run(inlets, told_to_end.clone(), shutdown.clone()));
    Rig {
        events,
        reports,
        plans: desired,
        peers: asked,
        sessions,
        neighbors,
        standing: standings,
        orders: ordered,
        ending,
        told: said,
        told_to_end,
        shutdown,
        registry,
    }
}

impl Rig {
    /// A rig that has read what a cluster of one node has, and has planned.
    async fn planned(objects: &Objects) -> Self {
        let mut rig = rig();
        for event in objects.lists() {
            rig.events.send(event).await.unwrap();
        }
        rig.standing.changed().await.unwrap();
        rig
    }

    /// The addresses that the driver is to answer.
    fn answered(&self) -> BTreeSet<IpAddr> {
        self.plans
            .borrow()
            .values()
            .flat_map(|addresses| addresses.iter().copied())
            .collect()
    }

    /// What /metrics shows under a name.
    fn metric(&self, name: &str) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    }
}

fn vips() -> BTreeSet<IpAddr> {
    VIPS.iter().map(|vip| vip.parse().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn announces_nothing_before_everything_was_read_once() {
    let mut lists = Objects::of(&["n1"]).lists();
    let last = lists.pop().unwrap();
    let mut rig = rig();
    for event in lists {
        rig.events.send(event).await.unwrap();
    }
    assert!(
        timeout(Duration::from_secs(60), rig.plans.changed())
            .await
            .is_err()
    );
    assert_eq!(*rig.standing.borrow(), None);
    rig.events.send(last).await.unwrap();
    rig.plans.changed().await.unwrap();
    assert_eq!(rig.answered(), vips());
}

#[tokio::test(start_paused = true)]
async fn the_first_change_after_a_quiet_time_is_planned_at_once() {
    let mut rig = Rig::planned(&Objects::of(&["n1"])).await;
    rig.plans.mark_unchanged();
    advance(PACE).await;
    let sent = Instant::now();
    rig.events
        .send(Event::Service(deleted(&service("web", &VIPS))))
        .await
        .unwrap();
    rig.plans.changed().await.unwrap();
    assert_eq!(sent.elapsed(), Duration::ZERO);
    assert_eq!(rig.answered(), BTreeSet::new());
}

#[tokio::test(start_paused = true)]
async fn a_burst_costs_no_more_than_a_plan_a_millisecond_and_loses_nothing() {
    let bare = Objects {
        services: Vec::new(),
        entries: Vec::new(),
        ..Objects::of(&["n1"])
    };
    let mut rig = Rig::planned(&bare).await;
    let before: u64 = rig.metric("seamark_plans_total").parse().unwrap();
    let started = Instant::now();
    for number in 0..200 {
        let (name, vip) = (format!("web-{number}"), format!("10.99.0.{number}"));
        rig.events
            .send(Event::Allocation(applied(&entry(&vip, Some(&name)))))
            .await
            .unwrap();
        rig.events
            .send(Event::Service(applied(&service(&name, &[&vip]))))
            .await
            .unwrap();
        advance(Duration::from_micros(100)).await;
    }
    rig.plans
        .wait_for(|plan| plan.values().any(|vips| vips.len() == 200))
        .await
        .unwrap();
    let plans = rig.metric("seamark_plans_total").parse::<u64>().unwrap() - before;
    let allowed = started.elapsed().as_millis() / PACE.as_millis() + 2;
    assert!(
        u128::from(plans) <= allowed,
        "{plans} plans where {allowed} are allowed"
    );
}

#[tokio::test(start_paused = true)]
async fn what_changes_nothing_is_not_planned() {
    let objects = Objects::of(&["n1"]);
    let mut rig = Rig::planned(&objects).await;
    let before = rig.metric("seamark_plans_total");
    rig.plans.mark_unchanged();
    for event in objects.lists() {
        rig.events.send(event).await.unwrap();
    }
    assert!(
        timeout(Duration::from_secs(600), rig.plans.changed())
            .await
            .is_err()
    );
    assert_eq!(rig.metric("seamark_plans_total"), before);
}

#[tokio::test(start_paused = true)]
async fn a_set_that_did_not_change_is_shared_with_the_plan_before() {
    let mut rig = Rig::planned(&Objects::of(&["n1"])).await;
    let before = Arc::clone(&rig.plans.borrow_and_update());
    let Event::Interfaces(mut seen) = interfaces() else {
        panic!("not the interfaces")
    };
    let eth1 = Interface {
        name: InterfaceName::new("eth1"),
        ..seen[0].0.clone()
    };
    seen.push((
        Interface {
            prefixes: Vec::new(),
            ..eth1
        },
        seen[0].1,
    ));
    rig.events.send(Event::Interfaces(seen)).await.unwrap();
    let mut named = config();
    named["spec"]["l2Advertisements"] = serde_json::json!([
        { "name": "one", "interfaces": ["eth0"] },
        { "name": "two", "interfaces": ["eth1"] },
    ]);
    rig.events
        .send(Event::SpeakerConfig(applied(&named)))
        .await
        .unwrap();
    let after = Arc::clone(&rig.plans.wait_for(|plan| plan.len() == 2).await.unwrap());
    let eth0 = InterfaceName::new("eth0");
    assert!(Arc::ptr_eq(&after[&eth0], &before[&eth0]));
}

#[tokio::test(start_paused = true)]
async fn without_peers_nobody_is_spoken_to() {
    let rig = Rig::planned(&Objects::of(&["n1"])).await;
    assert!(!rig.peers.has_changed().unwrap());
    assert_eq!(rig.metric("seamark_bgp_advertised{family=\"ipv4\"}"), "0");
    assert_eq!(rig.metric("seamark_bgp_conflicts"), "0");
}

/// Whom the driver is to speak to changes as soon as somebody is heard on the link.
#[tokio::test(start_paused = true)]
async fn a_peer_on_a_link_is_spoken_to_once_it_is_heard() {
    let mut rig = Rig::planned(&Objects::of(&["n1"])).await;
    let mut config = config();
    config["metadata"]["generation"] = 2.into();
    config["spec"]["bgpPeers"] = serde_json::json!([{
        "name": "fabric",
        "myASN": 64513,
        "dynamicASN": "external",
        "interface": "eth1",
        "peerPort": 179,
        "holdTime": "90s",
        "maxPrefixes": 10_000,
        "addressFamilies": ["IPv4", "IPv6"],
    }]);
    let config = Event::SpeakerConfig(applied(&config));
    rig.events.send(config).await.unwrap();
    let fabric = PeerName::new("fabric");
    let peers = rig.peers.wait_for(|peers| peers.contains_key(&fabric));
    assert_eq!(peers.await.unwrap()[&fabric].remote, None);
    let neighbor = Neighbor {
        address: "fe80::1".parse().unwrap(),
        link: sys::InterfaceIndex::new(7).unwrap(),
    };
    let heard = Neighbors::from([(InterfaceName::new("eth1"), neighbor)]);
    rig.neighbors.send(heard).unwrap();
    rig.peers.changed().await.unwrap();
    let remote = rig.peers.borrow()[&fabric].remote;
    assert_eq!(remote, Some("[fe80::1%7]:179".parse().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn what_comes_of_it_is_counted_and_said() {
    let mut rig = Rig::planned(&Objects::of(&["n1"])).await;
    assert_eq!(rig.metric("seamark_layer2_announced{family=\"ipv4\"}"), "1");
    assert_eq!(rig.metric("seamark_layer2_announced{family=\"ipv6\"}"), "1");
    assert_eq!(rig.metric("seamark_withheld{reason=\"other_node\"}"), "0");
    assert_eq!(rig.metric("seamark_config_generation"), "1");
    let standing = rig.standing.borrow_and_update().clone().unwrap();
    assert_eq!((standing.announced_v4, standing.announced_v6), (1, 1));
    assert_eq!(standing.config_generation, Some(1));
    assert!(standing.exists);
    assert_eq!(standing.interfaces[0].mac, "02:00:00:00:00:01");

    let failed = layer2::Report::InterfaceFailed {
        interface: InterfaceName::new("eth0"),
        error: "no such interface".to_owned(),
    };
    rig.reports.send(failed).await.unwrap();
    rig.standing.changed().await.unwrap();
    let standing = rig.standing.borrow_and_update().clone().unwrap();
    assert_eq!(standing.troubles, ["eth0: no such interface"]);
}

#[tokio::test(start_paused = true)]
async fn a_withheld_address_is_counted_by_its_reason() {
    let mut rig = Rig::planned(&Objects::of(&["n1"])).await;
    rig.events
        .send(Event::Service(applied(&service("new", &["10.99.0.201"]))))
        .await
        .unwrap();
    rig.standing.mark_unchanged();
    rig.standing.changed().await.unwrap();
    assert_eq!(
        rig.metric("seamark_withheld{reason=\"not_in_ledger\"}"),
        "1"
    );
    let standing = rig.standing.borrow().clone().unwrap();
    assert_eq!(standing.withheld[0].reason, "NotInLedger");
}

#[tokio::test(start_paused = true)]
async fn how_a_peer_stands_is_shown_as_it_changes() {
    let mut rig = Rig::planned(&Objects::of(&["n1"])).await;
    let peer = PeerName::new("tor-1");
    let session = bgp::Session {
        neighbor: None,
        state: crds::SessionState::Established,
        since: k8s_openapi::jiff::Timestamp::UNIX_EPOCH,
        last_error: None,
        advertised: ::bgp::PerFamily { v4: 2, v6: 1 },
        received: ::bgp::PerFamily::default(),
        established: 1,
        bfd: None,
    };
    let sessions = Sessions::from([(peer.into(), session)]);
    rig.standing.mark_unchanged();
    rig.sessions.send(sessions.clone()).unwrap();
    rig.standing.changed().await.unwrap();
    let standing = rig.standing.borrow().clone().unwrap();
    assert_eq!(standing.sessions, sessions);
    assert_eq!(rig.metric("seamark_bgp_session_up{peer=\"tor-1\"}"), "1");
    let told = "seamark_bgp_prefixes_advertised{peer=\"tor-1\",family=\"ipv4\"}";
    assert_eq!(rig.metric(told), "2");
}

fn probe(answer: plan::Answer) -> Event {
    let source = plan::Source::Proxy;
    Event::Probe(crate::prober::Probe { answer, source })
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_just_booted_announces_after_the_first_round_of_its_proxy_and_not_before() {
    let uptime = Some(Duration::from_secs(20));
    let mut rig = rig_with(plan::History::start(uptime, Instant::now().into_std()));
    for event in Objects::of(&["n1"]).lists() {
        rig.events.send(event).await.unwrap();
    }
    rig.standing.changed().await.unwrap();
    assert_eq!(rig.answered(), BTreeSet::new());
    assert_eq!(
        rig.metric("seamark_withheld{reason=\"proxy_unverified\"}"),
        "2"
    );
    assert_eq!(
        rig.metric("seamark_proxy_fitness{reason=\"unverified\"}"),
        "1"
    );
    rig.events.send(probe(plan::Answer::Refused)).await.unwrap();
    advance(Duration::from_secs(1)).await;
    assert_eq!(rig.answered(), BTreeSet::new());

    rig.events.send(probe(plan::Answer::Serving)).await.unwrap();
    // It is read at the first of these, and counts from then on.
    advance(Duration::from_secs(1)).await;
    advance(Duration::from_secs(2)).await;
    assert_eq!(rig.answered(), BTreeSet::new());
    let sent = Instant::now();
    rig.events.send(probe(plan::Answer::Serving)).await.unwrap();
    rig.plans.changed().await.unwrap();
    assert_eq!(sent.elapsed(), Duration::ZERO);
    assert_eq!(rig.answered(), vips());
    assert_eq!(
        rig.metric("seamark_proxy_fitness{reason=\"settling\"}"),
        "1"
    );
    assert_eq!(
        rig.metric("seamark_proxy_fitness{reason=\"unverified\"}"),
        "0"
    );
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_cannot_be_asked_delays_nothing() {
    let mut rig = rig();
    let sent = Instant::now();
    for event in Objects::of(&["n1"]).lists() {
        rig.events.send(event).await.unwrap();
    }
    rig.plans.changed().await.unwrap();
    assert_eq!(sent.elapsed(), Duration::ZERO);
    assert_eq!(rig.answered(), vips());
}

#[tokio::test(start_paused = true)]
async fn a_change_of_fitness_is_said_and_ordered_at_once_and_the_same_answer_is_not_planned() {
    let uptime = Some(Duration::from_secs(20));
    let mut rig = rig_with(plan::History::start(uptime, Instant::now().into_std()));
    rig.orders.changed().await.unwrap();
    let eager = rig.orders.borrow_and_update().period;
    for event in Objects::of(&["n1"]).lists() {
        rig.events.send(event).await.unwrap();
    }
    rig.events.send(probe(plan::Answer::Serving)).await.unwrap();
    // It is read at the first of these, and counts from then on.
    advance(Duration::from_secs(1)).await;
    advance(Duration::from_secs(2)).await;
    rig.events.send(probe(plan::Answer::Serving)).await.unwrap();
    rig.orders
        .wait_for(|order| order.period > eager)
        .await
        .unwrap();
    let settling = |standing: &Option<Standing>| {
        standing
            .as_ref()
            .is_some_and(|standing| standing.fitness == plan::Fitness::Settling)
    };
    rig.standing.wait_for(settling).await.unwrap();
    let plans = rig.metric("seamark_plans_total");
    for _ in 0..5 {
        advance(Duration::from_secs(1)).await;
        rig.events.send(probe(plan::Answer::Serving)).await.unwrap();
    }
    advance(Duration::from_secs(1)).await;
    assert_eq!(rig.metric("seamark_plans_total"), plans);
}

/// A node with a peer, and a label that keeps load balancers away.
fn with_peer(labels: serde_json::Value) -> Objects {
    let mut objects = Objects::of(&["n1"]);
    objects.configs[0]["spec"]["bgpPeers"] = serde_json::json!([{
        "name": "tor-1",
        "myASN": 64_513,
        "peerASN": 64_512,
        "peerAddress": "10.99.0.1",
        "peerPort": 179,
        "holdTime": "90s",
        "maxPrefixes": 1,
        "addressFamilies": ["IPv4", "IPv6"],
    }]);
    objects.nodes[0]["metadata"]["labels"] = labels;
    objects
}

fn excluded() -> serde_json::Value {
    serde_json::json!({ "node.kubernetes.io/exclude-from-external-load-balancers": "" })
}

fn session(state: SessionState) -> Sessions {
    let name = bgp::SessionName::from(PeerName::new("tor-1"));
    Sessions::from([(name, bgp::Session::in_state(state))])
}

#[tokio::test(start_paused = true)]
async fn a_speaker_that_restarts_says_so_and_ends_when_its_peers_have_closed() {
    let mut rig = Rig::planned(&with_peer(serde_json::json!({}))).await;
    rig.sessions
        .send_replace(session(SessionState::Established));
    rig.told_to_end.cancel();
    rig.ending.changed().await.unwrap();
    assert_eq!(*rig.ending.borrow(), Some(Ending::Restarting));
    advance(Duration::from_millis(500)).await;
    assert!(!rig.shutdown.is_cancelled());
    rig.sessions.send_replace(Sessions::new());
    let start = Instant::now();
    rig.shutdown.cancelled().await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_close_keeps_nobody_from_restarting() {
    let rig = Rig::planned(&with_peer(serde_json::json!({}))).await;
    rig.sessions
        .send_replace(session(SessionState::Established));
    rig.told_to_end.cancel();
    let start = Instant::now();
    rig.shutdown.cancelled().await;
    assert!(start.elapsed() <= Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_speaker_that_restarts_ends_once_it_is_written_or_a_second_after() {
    for written in [true, false] {
        let rig = Rig::planned(&Objects::of(&["n1"])).await;
        rig.told.send_replace(false);
        rig.told_to_end.cancel();
        let mut standing = rig.standing.clone();
        let says = |said: &Option<Standing>| said.as_ref().is_some_and(|said| said.restarting);
        standing.wait_for(says).await.unwrap();
        advance(Duration::from_millis(500)).await;
        assert!(!rig.shutdown.is_cancelled());
        let start = Instant::now();
        if written {
            rig.told.send_replace(true);
        }
        rig.shutdown.cancelled().await;
        let waited = if written { 0 } else { 500 };
        assert_eq!(start.elapsed(), Duration::from_millis(waited));
    }
}

#[tokio::test(start_paused = true)]
async fn a_speaker_that_leaves_drains_its_peers_and_ends_when_they_are_gone() {
    let mut rig = Rig::planned(&with_peer(serde_json::json!({}))).await;
    rig.sessions
        .send_replace(session(SessionState::Established));
    let mut cordoned = with_peer(serde_json::json!({})).nodes[0].clone();
    cordoned["spec"] = serde_json::json!({ "unschedulable": true });
    rig.events
        .send(Event::Node(applied(&cordoned)))
        .await
        .unwrap();
    advance(Duration::from_secs(60)).await;
    assert_eq!(drained(&rig), None, "cordon alone means nothing");
    rig.peers.mark_unchanged();
    rig.told_to_end.cancel();
    rig.peers.changed().await.unwrap();
    let why = Departure::Cordoned;
    let drain = ::bgp::Drain {
        wait: Duration::from_secs(5),
        text: why.to_string(),
    };
    assert_eq!(drained(&rig), Some(drain));
    advance(Duration::from_secs(5)).await;
    assert!(!rig.shutdown.is_cancelled());
    rig.sessions.send_replace(session(SessionState::Refused));
    rig.shutdown.cancelled().await;
    assert_eq!(*rig.ending.borrow(), Some(Ending::Leaving(why)));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_go_keeps_nobody_for_long() {
    let rig = Rig::planned(&with_peer(excluded())).await;
    rig.sessions
        .send_replace(session(SessionState::Established));
    rig.told_to_end.cancel();
    let start = Instant::now();
    rig.shutdown.cancelled().await;
    let took = start.elapsed();
    assert!(
        took >= Duration::from_secs(5) && took <= Duration::from_secs(9),
        "{took:?}"
    );
    let ending = Ending::Leaving(Departure::Excluded);
    assert_eq!(*rig.ending.borrow(), Some(ending));
}

#[tokio::test(start_paused = true)]
async fn before_anything_was_read_a_speaker_just_ends() {
    let rig = rig();
    rig.told_to_end.cancel();
    rig.shutdown.cancelled().await;
    assert_eq!(*rig.ending.borrow(), Some(Ending::Restarting));
}

/// The drain of the peer that is asked for.
fn drained(rig: &Rig) -> Option<::bgp::Drain> {
    rig.peers.borrow()[&PeerName::new("tor-1")].drain.clone()
}
