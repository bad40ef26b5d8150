//! That addresses stay away from nodes whose service proxy does not serve, and are nowhere dark
//! because of it.

use std::slice;

use model::NodeName;
use plan::{Fitness, Plan, Snapshot, Withheld, plan};

use crate::facts::{
    answers, change_node, change_verdict, change_web, cluster, judge, local, owners, seen_by_owner,
    seen_from, vips, why_not,
};

const NODES: [&str; 3] = ["n1", "n2", "n3"];

/// Three nodes, and the order in which they rank for an address.
fn ranked(vip: std::net::IpAddr) -> (Snapshot, [NodeName; 3]) {
    let snapshot = cluster(&NODES);
    let mut left = snapshot.clone();
    let order = NODES.map(|_| {
        let best = owners(&left, vip).pop().unwrap();
        change_node(&mut left, best.as_str(), |node| node.excluded = true);
        best
    });
    (snapshot, order)
}

#[test]
fn whatever_is_no_reason_against_a_node_moves_nothing() {
    for vip in vips() {
        let (facts, [first, ..]) = ranked(vip);
        for fitness in Fitness::ALL.into_iter().filter(|fitness| fitness.is_fit()) {
            for others in Fitness::ALL.into_iter().filter(|fitness| fitness.is_fit()) {
                let mut snapshot = facts.clone();
                judge(&mut snapshot, others);
                change_verdict(&mut snapshot, first.as_str(), fitness, 0);
                assert_eq!(
                    owners(&snapshot, vip),
                    slice::from_ref(&first),
                    "{fitness:?}"
                );
            }
        }
    }
}

#[test]
fn an_address_leaves_a_node_whose_proxy_is_dead_and_returns_when_it_is_fit_again() {
    for vip in vips() {
        let (mut snapshot, [first, second, third]) = ranked(vip);
        change_verdict(&mut snapshot, first.as_str(), Fitness::Dead, 0);
        assert_eq!(owners(&snapshot, vip), slice::from_ref(&second));
        change_verdict(&mut snapshot, second.as_str(), Fitness::Dead, 0);
        assert_eq!(owners(&snapshot, vip), [third]);
        change_verdict(&mut snapshot, first.as_str(), Fitness::Healthy, 0);
        assert_eq!(owners(&snapshot, vip), [first]);
    }
}

#[test]
fn all_proxies_dead_or_coming_up_are_as_good_as_none() {
    for vip in vips() {
        let (mut snapshot, [first, ..]) = ranked(vip);
        for fitness in [Fitness::Dead, Fitness::Settling] {
            judge(&mut snapshot, fitness);
            assert_eq!(
                owners(&snapshot, vip),
                slice::from_ref(&first),
                "{fitness:?}"
            );
        }
    }
}

#[test]
fn a_ready_node_with_a_dead_proxy_comes_before_one_that_is_not_ready() {
    for vip in vips() {
        let (mut snapshot, [first, second, third]) = ranked(vip);
        change_node(&mut snapshot, first.as_str(), |node| node.ready = false);
        change_node(&mut snapshot, second.as_str(), |node| node.ready = false);
        change_verdict(&mut snapshot, third.as_str(), Fitness::Dead, 0);
        assert_eq!(owners(&snapshot, vip), [third]);
    }
}

#[test]
fn of_nodes_that_come_up_together_the_first_keeps_the_address_until_another_is_fit() {
    for vip in vips() {
        let (mut snapshot, [first, second, third]) = ranked(vip);
        judge(&mut snapshot, Fitness::Unverified);
        assert_eq!(owners(&snapshot, vip), []);
        change_verdict(&mut snapshot, third.as_str(), Fitness::Settling, 100);
        assert_eq!(owners(&snapshot, vip), slice::from_ref(&third));
        change_verdict(&mut snapshot, first.as_str(), Fitness::Settling, 101);
        change_verdict(&mut snapshot, second.as_str(), Fitness::Settling, 102);
        assert_eq!(owners(&snapshot, vip), slice::from_ref(&third));
        change_verdict(&mut snapshot, third.as_str(), Fitness::Healthy, 0);
        assert_eq!(owners(&snapshot, vip), [third]);
        change_verdict(&mut snapshot, first.as_str(), Fitness::Healthy, 0);
        assert_eq!(owners(&snapshot, vip), [first]);
    }
}

#[test]
fn a_node_that_comes_up_takes_nothing_from_one_that_serves() {
    for vip in vips() {
        let (mut snapshot, [first, second, _]) = ranked(vip);
        for fitness in [Fitness::Unverified, Fitness::Settling] {
            change_verdict(&mut snapshot, first.as_str(), fitness, 100);
            assert_eq!(
                owners(&snapshot, vip),
                slice::from_ref(&second),
                "{fitness:?}"
            );
        }
    }
}

#[test]
fn what_only_a_settling_or_dead_node_can_serve_it_serves() {
    for vip in vips() {
        for fitness in [Fitness::Settling, Fitness::Dead] {
            let mut snapshot = cluster(&NODES);
            local(&mut snapshot, &["n2"]);
            change_verdict(&mut snapshot, "n2", fitness, 100);
            assert_eq!(owners(&snapshot, vip), [NodeName::new("n2")]);
        }
    }
}

#[test]
fn after_a_boot_a_node_says_nothing_until_it_knows_and_all_the_others_know() {
    for vip in vips() {
        let (facts, [first, ..]) = ranked(vip);
        for (own, known) in [
            (Fitness::Unverified, Fitness::Healthy),
            (Fitness::Unverified, Fitness::Unknown),
            (Fitness::Settling, Fitness::Unverified),
        ] {
            let mut snapshot = seen_from(&facts, &first);
            snapshot.fitness = own;
            change_verdict(&mut snapshot, first.as_str(), known, 0);
            let plan = plan(&snapshot);
            assert_eq!(plan.l2, Plan::default().l2, "{own:?}, known as {known:?}");
            assert_eq!(why_not(&plan, vip), Some(Withheld::ProxyUnverified));
        }
    }
}

#[test]
fn a_node_goes_on_until_others_know_that_its_proxy_is_dead() {
    for vip in vips() {
        let mut snapshot = seen_by_owner(&cluster(&NODES), vip);
        snapshot.fitness = Fitness::Dead;
        assert!(answers(&plan(&snapshot), vip));
        let here = snapshot.node.clone();
        change_verdict(&mut snapshot, here.as_str(), Fitness::Dead, 0);
        assert!(!answers(&plan(&snapshot), vip));
    }
}

#[test]
fn each_family_has_its_own_endpoints() {
    let [v4, v6] = vips();
    let mut snapshot = cluster(&NODES);
    change_web(&mut snapshot, |web| web.vacancy.v4 = true);
    assert_eq!(owners(&snapshot, v4), []);
    assert_eq!(why_not(&plan(&snapshot), v4), Some(Withheld::NoEndpoint));
    assert_eq!(owners(&snapshot, v6).len(), 1);
}

#[test]
fn under_local_only_the_nodes_count_that_have_an_endpoint() {
    for vip in vips() {
        let mut snapshot = cluster(&NODES);
        local(&mut snapshot, &["n2"]);
        change_web(&mut snapshot, |web| {
            web.vacancy = plan::Vacancy { v4: true, v6: true }
        });
        assert_eq!(owners(&snapshot, vip), [NodeName::new("n2")]);
    }
}
