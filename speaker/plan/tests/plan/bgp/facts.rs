//! The small cluster with peers, and ways to change them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use model::{
    AdvertisementName, BgpAdvertisement, BgpAttributes, BgpPeer, Community, IpFamily, PeerAsn,
    PeerName,
};
use plan::{Plan, RoutePrefix, Snapshot, Transition, Withheld, plan, transitions};

use crate::facts::{change_config, cluster, ip};

/// A cluster where one advertisement tells two peers everything and nothing is announced on
/// segments.
pub(crate) fn routed(nodes: &[&str]) -> Snapshot {
    let mut snapshot = cluster(nodes);
    change_config(&mut snapshot, |config| {
        config.l2_advertisements.clear();
        config.bgp_advertisements = vec![advertisement("all")];
        config.bgp_peers = vec![peer("left"), peer("right")];
    });
    snapshot
}

pub(crate) fn advertisement(name: &str) -> BgpAdvertisement {
    BgpAdvertisement {
        name: AdvertisementName::new(name),
        pools: Vec::new(),
        pool_selectors: Vec::new(),
        service_selectors: Vec::new(),
        node_selectors: Vec::new(),
        peers: Vec::new(),
        aggregation_length: 32,
        aggregation_length_v6: 128,
        aggregate_anyway: false,
        attributes: Arc::default(),
        requires: Vec::new(),
    }
}

pub(crate) fn peer(name: &str) -> BgpPeer {
    BgpPeer {
        name: PeerName::new(name),
        uid: None,
        my_asn: 64_512,
        peer_asn: PeerAsn::Exactly(64_513),
        remote: model::Remote::Address(ip("192.0.2.1")),
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

pub(crate) fn change_bgp(snapshot: &mut Snapshot, change: impl FnOnce(&mut BgpAdvertisement)) {
    change_config(snapshot, |config| change(&mut config.bgp_advertisements[0]));
}

pub(crate) fn change_peers(snapshot: &mut Snapshot, change: impl Fn(&mut BgpPeer)) {
    change_config(snapshot, |config| {
        config.bgp_peers.iter_mut().for_each(change)
    });
}

/// The facts after this node has planned from them.
pub(crate) fn planned(mut snapshot: Snapshot) -> Snapshot {
    let plan = plan(&snapshot);
    accept(&mut snapshot, plan);
    snapshot
}

/// Goes on with what was planned.
pub(crate) fn accept(snapshot: &mut Snapshot, plan: Plan) {
    snapshot.announced = plan.announced;
    snapshot.advertised = plan.advertised;
    snapshot.passed_over = plan.passed_over;
    snapshot.bgp = plan.bgp;
}

/// What a peer is told, with the communities as text; nothing if it is not spoken to.
pub(crate) fn told(plan: &Plan, peer: &str) -> Option<Vec<String>> {
    let routes = plan.bgp.get(&PeerName::new(peer))?;
    let lines = routes.iter().map(|route| {
        let BgpAttributes {
            local_pref,
            med,
            as_path_prepend,
            communities,
        } = route.attributes.as_ref();
        let mut line = route.prefix.to_string();
        let numbers = [
            ("lp", *local_pref),
            ("med", *med),
            ("pre", Some(u32::from(*as_path_prepend)).filter(|n| *n > 0)),
        ];
        for (name, number) in numbers {
            line.extend(number.map(|number| format!(" {name}={number}")));
        }
        line.extend(communities.iter().map(|community| format!(" {community}")));
        line
    });
    Some(lines.collect())
}

/// Whether every peer of `routed` is told of an address by a route of its own.
pub(crate) fn tells(plan: &Plan, vip: IpAddr) -> bool {
    let prefix = RoutePrefix::host(vip);
    let told = ["left", "right"].map(|peer| {
        let routes = plan.bgp.get(&PeerName::new(peer));
        routes.is_some_and(|routes| routes.iter().any(|route| route.prefix == prefix))
    });
    assert_eq!(told[0], told[1], "one peer is told and the other is not");
    told[0]
}

pub(crate) fn why_untold(plan: &Plan, vip: IpAddr) -> Option<Withheld> {
    plan.withheld.get(&vip)?.bgp.clone()
}

/// The addresses that peers are told of no longer, and why.
pub(crate) fn withdrawals(snapshot: &Snapshot) -> Vec<(IpAddr, Withheld)> {
    let transitions = transitions(snapshot, &plan(snapshot)).into_iter();
    transitions
        .filter_map(|transition| match transition {
            Transition::Withdraw { address, why, .. } => Some((address, why)),
            Transition::Announce { .. } | Transition::Advertise { .. } => None,
        })
        .collect()
}

pub(crate) fn attributes(
    local_pref: Option<u32>,
    as_path_prepend: u8,
    communities: &[&str],
) -> Arc<BgpAttributes> {
    let communities = communities.iter().map(|text| text.parse().unwrap());
    Arc::new(BgpAttributes {
        local_pref,
        med: None,
        as_path_prepend,
        communities: communities.collect::<std::collections::BTreeSet<Community>>(),
    })
}
