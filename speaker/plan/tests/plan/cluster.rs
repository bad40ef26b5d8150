//! That the plans of a cluster's nodes fit together, whatever the facts.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use model::{ExternalTrafficPolicy, L2Advertisement, NodeName, PreferredNodeSelector};
use plan::{Fitness, Node, Service, ServiceState, Snapshot, Vacancy, Verdict, plan};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::facts::{
    advertisement, answers, cluster, family, hold, holder, ip, owners, seen_from, selector,
    service, web,
};

const NODES: [&str; 4] = ["n1", "n2", "n3", "n4"];
const ZONES: [&str; 2] = ["a", "b"];

proptest! {
    #[test]
    fn exactly_one_node_announces_what_some_node_can(snapshot in facts()) {
        for state in snapshot.services.values() {
            let service = state.service();
            for &vip in &service.shown {
                let owners = owners(&snapshot, vip);
                let fit = fit(&snapshot, service, vip);
                prop_assert_eq!(owners.len(), usize::from(!fit.is_empty()));
                prop_assert!(owners.iter().all(|owner| fit.contains(owner)));
            }
        }
    }

    #[test]
    fn every_address_is_announced_or_withheld_with_a_reason(snapshot in facts()) {
        let plan = plan(&snapshot);
        let services = snapshot.services.values();
        for &vip in services.flat_map(|state| &state.service().shown) {
            prop_assert!(answers(&plan, vip) != plan.withheld.contains_key(&vip));
        }
    }

    #[test]
    fn the_order_of_what_was_read_changes_nothing(
        (snapshot, shuffled) in facts().prop_flat_map(|snapshot| {
            let config = snapshot.config.as_deref().unwrap();
            let advertisements = Just(config.l2_advertisements.clone()).prop_shuffle();
            let interfaces = Just(snapshot.interfaces.clone()).prop_shuffle();
            (Just(snapshot), (advertisements, interfaces))
        })
    ) {
        let (advertisements, interfaces) = shuffled;
        let mut permuted = snapshot.clone();
        Arc::make_mut(permuted.config.as_mut().unwrap()).l2_advertisements = advertisements;
        permuted.interfaces = interfaces;
        prop_assert_eq!(plan(&permuted), plan(&snapshot));
    }

    #[test]
    fn planning_again_from_the_same_facts_changes_nothing(snapshot in facts()) {
        let first = plan(&snapshot);
        let again = Snapshot { announced: first.announced.clone(), ..snapshot };
        prop_assert_eq!(plan(&again), first);
    }
}

/// The nodes that may announce, worked out without what the plan uses.
fn fit(snapshot: &Snapshot, service: &Service, vip: IpAddr) -> BTreeSet<NodeName> {
    let advertisements = &snapshot.config.as_deref().unwrap().l2_advertisements;
    let speaking: Vec<_> = advertisements
        .iter()
        .filter(|a| a.requires.is_empty() && a.admits_service(&service.labels))
        .collect();
    let served = |name: &NodeName| match service.traffic_policy {
        ExternalTrafficPolicy::Cluster => !service.vacancy.of(family(vip)),
        ExternalTrafficPolicy::Local => service.local_endpoints.of(family(vip)).contains(name),
    };
    let fit = |name: &NodeName, node: &Node| {
        let verdict = snapshot.verdicts.get(name);
        snapshot.speakers.contains(name)
            && !node.excluded
            && verdict.is_none_or(|verdict| verdict.fitness != Fitness::Unverified)
            && speaking.iter().any(|a| a.admits_node(&node.labels))
            && served(name)
    };
    let nodes = snapshot.nodes.iter();
    nodes
        .filter(|(name, node)| fit(name, node))
        .map(|(name, _)| name.clone())
        .collect()
}

fn facts() -> impl Strategy<Value = Snapshot> {
    let nodes = proptest::collection::vec(node(), NODES.len());
    let speakers = subsequence(NODES.to_vec(), 0..=NODES.len());
    let advertisements = proptest::collection::vec(any_advertisement(), 0..4);
    let services = proptest::collection::vec(any_service(), 0..6);
    let verdicts = proptest::collection::vec(verdict(), NODES.len());
    (nodes, speakers, verdicts, advertisements, services).prop_map(
        |(nodes, speakers, verdicts, advertisements, services)| {
            let mut snapshot = cluster(&NODES);
            for (name, node) in NODES.iter().zip(nodes) {
                snapshot.nodes.insert(NodeName::new(*name), Arc::new(node));
            }
            snapshot.speakers = speakers.into_iter().map(NodeName::new).collect();
            let verdicts = NODES.map(NodeName::new).into_iter().zip(verdicts);
            snapshot.verdicts = verdicts.collect();
            let config = Arc::make_mut(snapshot.config.as_mut().unwrap());
            config.l2_advertisements = advertisements;
            let mut eth1 = snapshot.interfaces[0].clone();
            eth1.name = model::InterfaceName::new("eth1");
            snapshot.interfaces.push(eth1);
            snapshot.services.remove(&web());
            snapshot.ledger.clear();
            for (index, service) in services.into_iter().enumerate() {
                add(&mut snapshot, index, service);
            }
            seen_from(&snapshot, &NodeName::new("n1"))
        },
    )
}

fn node() -> impl Strategy<Value = Node> {
    let flags = (
        prop::bool::weighted(0.2),
        any::<bool>(),
        prop::bool::weighted(0.2),
    );
    (select(&ZONES[..]), flags).prop_map(|(zone, (excluded, ready, network_unavailable))| Node {
        labels: [("zone".to_owned(), zone.to_owned())].into(),
        excluded,
        ready,
        network_unavailable,
        ..Node::default()
    })
}

fn verdict() -> impl Strategy<Value = Verdict> {
    (select(&Fitness::ALL[..]), 0..3_i64).prop_map(|(fitness, since)| Verdict { fitness, since })
}

fn any_advertisement() -> impl Strategy<Value = L2Advertisement> {
    let zone = || proptest::option::of(select(&ZONES[..]));
    let feature = prop::bool::weighted(0.1);
    (zone(), zone(), zone(), 1..=100_u32, feature).prop_map(
        |(nodes, services, preferred, weight, feature)| {
            let mut any = advertisement("any");
            any.node_selectors
                .extend(nodes.map(|zone| selector("zone", zone)));
            any.service_selectors
                .extend(services.map(|zone| selector("zone", zone)));
            let preferred = preferred.map(|zone| PreferredNodeSelector {
                weight,
                preference: selector("zone", zone),
            });
            any.preferred_node_selectors.extend(preferred);
            any.requires.extend(feature.then(|| "tides".to_owned()));
            any
        },
    )
}

fn any_service() -> impl Strategy<Value = Service> {
    let nodes = || subsequence(NODES.to_vec(), 0..=NODES.len());
    let zone = select(&ZONES[..]);
    let vacancy = || prop::bool::weighted(0.2);
    let vacancy = (vacancy(), vacancy()).prop_map(|(v4, v6)| Vacancy { v4, v6 });
    let any = (any::<bool>(), zone, nodes(), nodes(), vacancy);
    any.prop_map(|(local, zone, v4, v6, vacancy)| {
        let mut any = service("any", &[]);
        any.vacancy = vacancy;
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
fn add(snapshot: &mut Snapshot, index: usize, service: Service) {
    let name = format!("service-{index}");
    let shown = vec![
        ip(&format!("10.99.0.{}", 200 + index)),
        ip(&format!("fd99::{index:x}")),
    ];
    for &vip in &shown {
        hold(snapshot, vip, &name);
    }
    let holder = holder(&name);
    let key = holder.service.clone();
    let service = Service {
        holder,
        shown,
        ..service
    };
    snapshot
        .services
        .insert(key, ServiceState::Present(Arc::new(service)));
}
