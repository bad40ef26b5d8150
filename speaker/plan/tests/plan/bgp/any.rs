//! What holds of every plan, whatever the facts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use model::{BgpAdvertisement, BgpPeer, ExternalTrafficPolicy, IpFamily, NodeName, PeerName};
use plan::{RoutePrefix, Service, ServiceState, Snapshot, plan};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::facts::{accept, advertisement, attributes, peer, planned, routed};
use crate::facts::{change_config, family, hold, holder, ip, selector, service, web};

const ZONES: [&str; 2] = ["a", "b"];
const PEERS: [&str; 3] = ["left", "middle", "right"];

proptest! {
    #[test]
    fn each_prefix_is_told_once_and_in_order(facts in any_facts()) {
        for routes in plan(&facts).bgp.values() {
            prop_assert!(routes.is_sorted_by(|one, other| one.prefix < other.prefix));
        }
    }

    #[test]
    fn peers_are_told_what_advertisements_say_and_nothing_else(facts in any_facts()) {
        let plan = plan(&facts);
        let config = facts.config.as_deref().unwrap();
        let spoken = config.bgp_peers.iter().filter(|peer| speaks(&facts, peer));
        let spoken: Vec<_> = spoken.collect();
        let names: BTreeSet<_> = spoken.iter().map(|peer| &peer.name).collect();
        prop_assert_eq!(plan.bgp.keys().collect::<BTreeSet<_>>(), names);
        for peer in spoken {
            let told: BTreeMap<_, _> = plan.bgp[&peer.name]
                .iter()
                .map(|route| (route.prefix, route.attributes.as_ref().clone()))
                .collect();
            prop_assert_eq!(told, expected(&facts, peer));
        }
    }

    #[test]
    fn every_address_is_told_or_withheld_with_a_reason(facts in any_facts()) {
        let plan = plan(&facts);
        for vip in shown(&facts) {
            let told = plan.advertised.get(&vip).is_some_and(|advertised| advertised.told);
            prop_assert!(told || plan.withheld.contains_key(&vip));
            let prefixes = plan.bgp.values().flat_map(|routes| routes.iter());
            let covered = prefixes.clone().any(|route| route.prefix.contains(vip));
            prop_assert!(covered || !told);
        }
    }

    #[test]
    fn the_order_of_what_was_read_changes_nothing(
        (facts, shuffled) in any_facts().prop_flat_map(|facts| {
            let config = facts.config.as_deref().unwrap();
            let advertisements = Just(config.bgp_advertisements.clone()).prop_shuffle();
            let peers = Just(config.bgp_peers.clone()).prop_shuffle();
            (Just(facts), (advertisements, peers))
        })
    ) {
        let mut permuted = facts.clone();
        change_config(&mut permuted, |config| {
            (config.bgp_advertisements, config.bgp_peers) = shuffled;
        });
        prop_assert_eq!(plan(&permuted), plan(&facts));
    }

    #[test]
    fn planning_again_from_the_same_facts_changes_no_pointer(facts in any_facts()) {
        let mut again = facts;
        let first = plan(&again);
        accept(&mut again, first.clone());
        let second = plan(&again);
        prop_assert_eq!(&second, &first);
        for (peer, routes) in &second.bgp {
            prop_assert!(Arc::ptr_eq(routes, &first.bgp[peer]));
        }
    }

    #[test]
    fn missing_facts_change_nothing_of_what_is_told(facts in any_facts(), missing in 0..5_u8) {
        let mut facts = planned(facts);
        let before = facts.bgp.clone();
        match missing {
            0 => facts.ledger.clear(),
            1 => facts.nodes.clear(),
            2 => facts.config = None,
            _ => {
                for state in facts.services.values_mut() {
                    let mut service = Arc::clone(state.service());
                    if missing == 3 {
                        Arc::make_mut(&mut service).shown.clear();
                        *state = ServiceState::Present(service);
                    } else {
                        *state = ServiceState::Missing(service);
                    }
                }
            }
        }
        let mut again = facts.clone();
        for _ in 0..2 {
            let plan = plan(&again);
            prop_assert_eq!(&plan.bgp, &before);
            accept(&mut again, plan);
        }
    }
}

/// What a peer should be told, worked out one address and advertisement after the other.
fn expected(facts: &Snapshot, peer: &BgpPeer) -> BTreeMap<RoutePrefix, model::BgpAttributes> {
    let config = facts.config.as_deref().unwrap();
    let here = &facts.nodes[&facts.node];
    let mut told = BTreeMap::new();
    let (mut local, mut anyway) = (BTreeSet::new(), BTreeSet::new());
    for (service, vip) in shown_by(facts) {
        let speaking = config.bgp_advertisements.iter().filter(|a| {
            a.requires.is_empty()
                && a.admits_service(&service.labels)
                && a.admits_node(&here.labels)
                && a.admits_peer(&peer.name)
                && peer.exchanges(family(vip))
        });
        for a in speaking {
            let prefix = RoutePrefix::around(vip, a.aggregation_length(family(vip)));
            let is_local = service.traffic_policy == ExternalTrafficPolicy::Local;
            if is_local && prefix != RoutePrefix::host(vip) {
                local.insert(prefix);
            }
            if a.aggregate_anyway {
                anyway.insert(prefix);
            }
            let served = !is_local
                || service
                    .local_endpoints
                    .of(family(vip))
                    .contains(&facts.node);
            if served {
                let mut attributes = a.attributes.as_ref().clone();
                let entry = told.entry(prefix).or_insert_with(|| attributes.clone());
                entry.local_pref = entry.local_pref.max(attributes.local_pref);
                entry.as_path_prepend = entry.as_path_prepend.max(attributes.as_path_prepend);
                entry.communities.append(&mut attributes.communities);
            }
        }
    }
    told.retain(|prefix, _| !local.contains(prefix) || anyway.contains(prefix));
    told
}

fn speaks(facts: &Snapshot, peer: &BgpPeer) -> bool {
    peer.requires.is_empty() && peer.admits_node(&facts.nodes[&facts.node].labels)
}

fn shown_by(facts: &Snapshot) -> impl Iterator<Item = (&Service, IpAddr)> {
    let services = facts.services.values().map(ServiceState::service);
    services.flat_map(|service| {
        service
            .shown
            .iter()
            .map(move |vip| (service.as_ref(), *vip))
    })
}

fn shown(facts: &Snapshot) -> Vec<IpAddr> {
    shown_by(facts).map(|(_, vip)| vip).collect()
}

fn any_facts() -> impl Strategy<Value = Snapshot> {
    let node = (select(&ZONES[..]), prop::bool::weighted(0.1));
    let advertisements = proptest::collection::vec(any_advertisement(), 0..4);
    let peers = proptest::collection::vec(any_peer(), 0..=PEERS.len());
    let services = proptest::collection::vec(any_service(), 0..6);
    (node, advertisements, peers, services).prop_map(
        |((zone, excluded), advertisements, peers, services)| {
            let mut facts = routed(&["n1", "n2"]);
            let node = Arc::make_mut(facts.nodes.get_mut(&NodeName::new("n1")).unwrap());
            node.labels.insert("zone".to_owned(), zone.to_owned());
            node.excluded = excluded;
            change_config(&mut facts, |config| {
                let named = advertisements.into_iter().enumerate();
                let named = named.map(|(index, advertisement)| BgpAdvertisement {
                    name: model::AdvertisementName::new(format!("advertisement-{index}")),
                    ..advertisement
                });
                config.bgp_advertisements = named.collect();
                let named = peers.into_iter().zip(PEERS);
                let named = named.map(|(peer, name)| BgpPeer {
                    name: PeerName::new(name),
                    ..peer
                });
                config.bgp_peers = named.collect();
            });
            facts.services.remove(&web());
            facts.ledger.clear();
            for (index, service) in services.into_iter().enumerate() {
                add(&mut facts, index, service);
            }
            facts
        },
    )
}

fn any_advertisement() -> impl Strategy<Value = BgpAdvertisement> {
    let zone = || proptest::option::weighted(0.3, select(&ZONES[..]));
    let peers = subsequence(PEERS.to_vec(), 0..=PEERS.len());
    let lengths = (select(&[24, 31, 32_u8][..]), select(&[64, 127, 128_u8][..]));
    let numbers = (proptest::option::of(0..3_u32), 0..3_u8);
    let communities = subsequence(vec!["64512:1", "rt:64512:1", "no-export"], 0..=2);
    let flags = (any::<bool>(), prop::bool::weighted(0.1));
    (zone(), zone(), peers, lengths, numbers, communities, flags).prop_map(
        |(nodes, services, peers, lengths, numbers, communities, (anyway, feature))| {
            let mut any = advertisement("any");
            any.node_selectors
                .extend(nodes.map(|zone| selector("zone", zone)));
            any.service_selectors
                .extend(services.map(|zone| selector("zone", zone)));
            any.peers = peers.into_iter().map(PeerName::new).collect();
            (any.aggregation_length, any.aggregation_length_v6) = lengths;
            any.attributes = attributes(numbers.0, numbers.1, &communities);
            any.aggregate_anyway = anyway;
            any.requires.extend(feature.then(|| "tides".to_owned()));
            any
        },
    )
}

fn any_peer() -> impl Strategy<Value = BgpPeer> {
    let zone = proptest::option::weighted(0.3, select(&ZONES[..]));
    let families = subsequence(IpFamily::ALL.to_vec(), 1..=2);
    let feature = prop::bool::weighted(0.1);
    (zone, families, feature).prop_map(|(zone, families, feature)| {
        let mut any = peer("any");
        any.node_selectors
            .extend(zone.map(|zone| selector("zone", zone)));
        any.address_families = families;
        any.requires.extend(feature.then(|| "tides".to_owned()));
        any
    })
}

fn any_service() -> impl Strategy<Value = Service> {
    let nodes = || subsequence(vec!["n1", "n2"], 0..=2);
    let local = prop::bool::weighted(0.3);
    (local, select(&ZONES[..]), nodes(), nodes()).prop_map(|(local, zone, v4, v6)| {
        let mut any = service("any", &[]);
        any.labels.insert("zone".to_owned(), zone.to_owned());
        any.local_endpoints.v4 = v4.into_iter().map(NodeName::new).collect();
        any.local_endpoints.v6 = v6.into_iter().map(NodeName::new).collect();
        if local {
            any.traffic_policy = ExternalTrafficPolicy::Local;
        }
        any
    })
}

/// Adds a Service that holds and shows an address of each family.
fn add(facts: &mut Snapshot, index: usize, service: Service) {
    let name = format!("service-{index}");
    let shown = vec![
        ip(&format!("10.99.{}.{}", index / 4, 200 + index)),
        ip(&format!("fd99::{:x}:{index:x}", index / 4)),
    ];
    for &vip in &shown {
        hold(facts, vip, &name);
    }
    let holder = holder(&name);
    let key = holder.service.clone();
    let service = Service {
        holder,
        shown,
        ..service
    };
    let present = ServiceState::Present(Arc::new(service));
    facts.services.insert(key, present);
}
