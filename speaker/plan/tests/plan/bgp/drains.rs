//! Why peers are led away from this node, and what the end of its speaker means.

use std::sync::Arc;

use model::NodeName;
use plan::{Departure, Ending, Snapshot, Withheld, ending, plan};

use super::facts::{accept, planned, routed, tells, why_untold, withdrawals};
use crate::facts::{
    change_advertisement, change_config, change_node, cluster, local, owners, vips, why_not,
};

type Change = fn(&mut Snapshot);

/// What drains a node while its speaker runs.
const DRAINING: [(Departure, Change); 5] = [
    (Departure::Excluded, |s| {
        change_node(s, "n1", |node| node.excluded = true);
    }),
    (Departure::ShuttingDown, |s| {
        change_node(s, "n1", |node| node.shutting_down = true);
    }),
    (Departure::Deleted, |s| {
        change_node(s, "n1", |node| node.deleting = true);
    }),
    (Departure::Deleted, |s| {
        s.nodes.remove(&s.node);
        s.deleted = true;
    }),
    (Departure::Uninstalled, |s| {
        change_config(s, |config| config.leaving = true);
    }),
];

#[test]
fn a_node_that_leaves_goes_on_telling_its_routes_and_says_why_it_leaves() {
    for (why, change) in DRAINING {
        let before = planned(routed(&["n1", "n2"]));
        let mut facts = before.clone();
        change(&mut facts);
        let plan = plan(&facts);
        assert_eq!(plan.drain, Some(why));
        for (peer, routes) in &plan.bgp {
            assert!(
                Arc::ptr_eq(routes, &before.bgp[peer]),
                "no peer is told anew"
            );
        }
        let withdrawn = withdrawals(&facts);
        for vip in vips() {
            assert!(tells(&plan, vip));
            assert_eq!(why_untold(&plan, vip), Some(Withheld::from(why)));
            assert!(!plan.advertised[&vip].told, "people read that it is not");
            assert!(withdrawn.contains(&(vip, why.into())), "{withdrawn:?}");
        }
    }
}

#[test]
fn a_node_that_stays_after_all_tells_its_routes_as_before() {
    for (_, change) in DRAINING {
        let before = planned(routed(&["n1", "n2"]));
        let mut facts = before.clone();
        change(&mut facts);
        let drained = planned(facts);
        let mut facts = before.clone();
        accept(&mut facts, plan(&drained));
        let plan = plan(&facts);
        assert_eq!(plan.drain, None);
        assert_eq!(plan.bgp, before.bgp);
        assert!(plan.withheld.is_empty());
        assert!(plan.advertised.values().all(|advertised| advertised.told));
    }
}

#[test]
fn an_endpoint_that_goes_during_a_drain_takes_its_route_along() {
    for (_, change) in DRAINING {
        let mut facts = routed(&["n1", "n2"]);
        local(&mut facts, &["n1"]);
        let mut facts = planned(facts);
        change(&mut facts);
        let mut facts = planned(facts);
        local(&mut facts, &["n2"]);
        let plan = plan(&facts);
        for vip in vips() {
            assert!(!tells(&plan, vip));
            assert_eq!(why_untold(&plan, vip), Some(Withheld::NoLocalEndpoint));
        }
    }
}

#[test]
fn on_a_segment_only_the_label_moves_an_address_and_only_an_uninstall_silences_it() {
    for (why, change) in DRAINING {
        let mut facts = cluster(&["n1", "n2"]);
        change_advertisement(&mut facts, |_| {});
        let before = vips().map(|vip| owners(&facts, vip));
        change(&mut facts);
        if facts.deleted {
            continue;
        }
        let after = vips().map(|vip| owners(&facts, vip));
        let n2 = vec![NodeName::new("n2")];
        let here = plan(&facts);
        let reasons = vips().map(|vip| why_not(&here, vip));
        match why {
            Departure::Excluded => {
                assert_eq!(after, [n2.clone(), n2]);
                assert_eq!(reasons, [(); 2].map(|()| Some(Withheld::NodeExcluded)));
            }
            Departure::Uninstalled => {
                assert_eq!(after, [vec![], vec![]]);
                assert_eq!(reasons, [(); 2].map(|()| Some(why.into())));
            }
            Departure::ShuttingDown | Departure::Deleted | Departure::Cordoned => {
                assert_eq!(after, before);
            }
        }
    }
}

#[test]
fn a_node_that_is_missing_and_was_not_seen_deleted_stays() {
    let mut facts = planned(routed(&["n1", "n2"]));
    facts.nodes.clear();
    assert_eq!(plan(&facts).drain, None);
    assert_eq!(ending(&facts), Ending::Restarting);
    assert_eq!(
        ending(&Snapshot::new(NodeName::new("n1"))),
        Ending::Restarting
    );
}

#[test]
fn a_speaker_that_is_told_to_end_comes_back_unless_its_node_goes() {
    let facts = routed(&["n1", "n2"]);
    assert_eq!(ending(&facts), Ending::Restarting);
    for (why, change) in DRAINING {
        let mut facts = facts.clone();
        change(&mut facts);
        assert_eq!(ending(&facts), Ending::Leaving(why));
    }
    let mut others = facts.clone();
    change_node(&mut others, "n2", |node| {
        (node.excluded, node.cordoned, node.deleting) = (true, true, true);
    });
    assert_eq!(ending(&others), Ending::Restarting);
}

/// Cordon means that no pods are placed, and nothing to traffic.
#[test]
fn a_cordoned_node_is_drained_only_as_its_speaker_ends() {
    let mut facts = planned(routed(&["n1", "n2"]));
    change_node(&mut facts, "n1", |node| node.cordoned = true);
    assert_eq!(plan(&facts).drain, None);
    assert_eq!(withdrawals(&facts), []);
    assert_eq!(ending(&facts), Ending::Leaving(Departure::Cordoned));
    facts.leaving = Some(Departure::Cordoned);
    assert_eq!(plan(&facts).drain, Some(Departure::Cordoned));
    for vip in vips() {
        let why = why_untold(&plan(&facts), vip);
        assert_eq!(why.unwrap().reason(), "NodeDrained");
    }
}
