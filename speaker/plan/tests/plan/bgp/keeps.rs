//! That what is missing withdraws no route and ends no session.

use std::sync::Arc;

use model::{NodeName, PeerName};
use plan::{Fitness, Snapshot, plan, transitions};
use proptest::prelude::*;

use super::facts::{
    accept, attributes, change_bgp, change_peers, planned, routed, tells, told, why_untold,
};
use crate::facts::{
    change_config, change_web, cluster, judge, local, lose_web, selector, vips, why_not,
};

type Change = (&'static str, fn(&mut Snapshot));

/// What speaks for an address, lost.
const LOSSES: [Change; 6] = [
    ("the ledger entries are deleted", |s| s.ledger.clear()),
    ("the status is overwritten", |s| {
        change_web(s, |web| web.shown.clear())
    }),
    ("the Service is absent from a list", lose_web),
    ("the configuration is unreadable", |s| s.config = None),
    ("the configuration forgets the pool", |s| {
        if s.config.is_some() {
            change_bgp(s, |a| a.pool_selectors = vec![selector("tier", "gold")]);
            change_config(s, |config| config.pools.clear());
        }
    }),
    ("no Node is readable", |s| s.nodes.clear()),
];

/// What is no word against the proxy of this node.
const DOUBTS: [Change; 3] = [
    ("the proxy cannot be asked", |s| {
        s.fitness = Fitness::Unknown
    }),
    ("the proxy is late", |s| s.fitness = Fitness::Late),
    ("others take all proxies for dead", |s| {
        judge(s, Fitness::Dead)
    }),
];

#[test]
fn no_single_missing_fact_withdraws_anything() {
    for (what, lose) in LOSSES.into_iter().chain(DOUBTS) {
        let mut facts = planned(routed(&["n1", "n2"]));
        let before = facts.bgp.clone();
        lose(&mut facts);
        let plan = plan(&facts);
        assert_eq!(plan.bgp, before, "{what}");
        assert_eq!(transitions(&facts, &plan), [], "{what}");
        assert_eq!(plan.withheld.len(), 0, "{what}: {:?}", plan.withheld);
    }
}

proptest! {
    #[test]
    fn no_mixture_of_missing_facts_withdraws_anything_but_service_and_entry_both_absent(
        chosen in proptest::collection::vec(any::<bool>(), LOSSES.len() + DOUBTS.len()),
        is_local in any::<bool>(),
        length in 24..=32_u8,
        rounds in 1..3_usize,
    ) {
        let mut facts = routed(&["n1", "n2"]);
        if is_local {
            local(&mut facts, &["n1"]);
        }
        change_bgp(&mut facts, |a| {
            a.aggregation_length = length;
            a.aggregation_length_v6 = length + 64;
            a.aggregate_anyway = true;
        });
        let mut facts = planned(facts);
        let before = facts.bgp.clone();
        let losses = LOSSES.iter().chain(&DOUBTS).zip(&chosen).filter(|(_, chosen)| **chosen);
        losses.for_each(|((_, lose), _)| lose(&mut facts));
        let both_absent = chosen[0] && chosen[2];
        for _ in 0..rounds {
            let plan = plan(&facts);
            if both_absent {
                prop_assert!(plan.bgp.values().all(|routes| routes.is_empty()));
                prop_assert_eq!(plan.bgp.len(), before.len(), "sessions stay");
            } else {
                prop_assert_eq!(&plan.bgp, &before);
            }
            accept(&mut facts, plan);
        }
    }
}

#[test]
fn what_was_never_told_from_here_is_not_begun_without_evidence() {
    for (what, lose) in LOSSES {
        let mut facts = routed(&["n1"]);
        lose(&mut facts);
        let plan = plan(&facts);
        for vip in vips() {
            assert!(!tells(&plan, vip), "{what}");
            assert!(why_untold(&plan, vip).is_some(), "{what}");
        }
    }
}

#[test]
fn what_is_announced_on_a_segment_gives_no_right_to_tell_peers() {
    let mut facts = planned(cluster(&["n1"]));
    change_config(&mut facts, |config| {
        let routed = routed(&["n1"]);
        let routed = routed.config.as_deref().unwrap();
        config.bgp_advertisements = routed.bgp_advertisements.clone();
        config.bgp_peers = routed.bgp_peers.clone();
    });
    facts.ledger.clear();
    let plan = plan(&facts);
    for vip in vips() {
        assert!(crate::facts::answers(&plan, vip));
        assert!(!tells(&plan, vip));
        let why = why_untold(&plan, vip).map(|why| why.reason());
        assert_eq!(why, Some("NotInLedger"));
        assert_eq!(why_not(&plan, vip), None);
    }
}

#[test]
fn a_peer_that_is_gone_is_told_nothing_even_while_nothing_else_is_known() {
    let mut facts = planned(routed(&["n1"]));
    facts.nodes.clear();
    change_config(&mut facts, |config| {
        config.bgp_peers.remove(0);
    });
    let plan = plan(&facts);
    let peers: Vec<_> = plan.bgp.keys().cloned().collect();
    assert_eq!(peers, [PeerName::new("right")]);
    assert_eq!(plan.bgp[&peers[0]].len(), 2);
    for vip in vips() {
        let told = plan.advertised[&vip].terms.peers();
        assert_eq!(told.into_iter().collect::<Vec<_>>(), [&peers[0]]);
    }
}

#[test]
fn attributes_that_are_read_count_even_with_part_of_the_evidence_missing() {
    let mut facts = planned(routed(&["n1"]));
    facts.ledger.clear();
    change_bgp(&mut facts, |a| {
        a.attributes = attributes(None, 2, &["no-export"])
    });
    let plan = plan(&facts);
    let expected = [
        "10.99.0.200/32 pre=2 65535:65281",
        "fd99::200/128 pre=2 65535:65281",
    ];
    assert_eq!(told(&plan, "left").unwrap(), expected);
}

#[test]
fn a_session_is_not_ended_by_a_node_that_is_no_longer_readable() {
    let mut facts = routed(&["n1"]);
    change_peers(&mut facts, |p| {
        p.node_selectors = vec![selector("name", "n1")]
    });
    let mut facts = planned(facts);
    let before = facts.bgp.clone();
    facts.nodes.remove(&NodeName::new("n1"));
    let plan = plan(&facts);
    assert!(
        plan.bgp
            .iter()
            .all(|(name, routes)| Arc::ptr_eq(routes, &before[name]))
    );
    assert_eq!(plan.bgp.len(), 2);
}
