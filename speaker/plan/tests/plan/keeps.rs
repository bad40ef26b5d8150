//! That nothing else stops an announcement: what is missing is no order.

use std::sync::Arc;

use plan::{Fitness, Node, Plan, Snapshot, Withheld, plan, transitions};
use proptest::prelude::*;

use crate::facts::{
    answers, change_advertisement, change_config, change_node, change_web, cluster, eth0, judge,
    local, lose_web, owners, seen_by_owner, seen_from, selector, vips, why_not,
};

type Change = (&'static str, fn(&mut Snapshot));

/// Facts that can be missing, overwritten or unreadable while a Service still asks for its
/// address. None of them stops anything, and no two of them but the one pair that is law.
const LOSSES: [Change; 12] = [
    ("the ledger entries are deleted", |s| s.ledger.clear()),
    ("the status is overwritten", |s| {
        change_web(s, |web| web.shown.clear())
    }),
    ("the Service is absent from a list", lose_web),
    ("the configuration is unreadable", |s| s.config = None),
    ("the configuration forgets the pool", |s| {
        if s.config.is_some() {
            change_advertisement(s, |a| a.pool_selectors = vec![selector("tier", "gold")]);
            change_config(s, |config| config.pools.clear());
        }
    }),
    ("no Node is readable", |s| s.nodes.clear()),
    ("no SpeakerStatus is readable", |s| s.speakers.clear()),
    ("nodes are not ready", |s| {
        for node in s.nodes.values_mut() {
            Arc::make_mut(node).ready = false;
        }
    }),
    ("no node says how its proxy is", |s| s.verdicts.clear()),
    ("all proxies are dead", |s| judge(s, Fitness::Dead)),
    ("this node's proxy is dead and nobody knows", |s| {
        s.fitness = Fitness::Dead
    }),
    ("networks are unavailable", |s| {
        for node in s.nodes.values_mut() {
            Arc::make_mut(node).network_unavailable = true;
        }
    }),
];

#[test]
fn no_single_missing_fact_stops_anything() {
    for (what, lose) in LOSSES {
        for vip in vips() {
            let mut snapshot = seen_by_owner(&cluster(&["n1", "n2", "n3"]), vip);
            lose(&mut snapshot);
            let plan = plan(&snapshot);
            assert!(answers(&plan, vip), "{what}: {:?}", plan.withheld);
            assert_eq!(transitions(&snapshot, &plan), [], "{what}");
        }
    }
}

proptest! {
    #[test]
    fn no_mixture_of_missing_facts_stops_anything_but_service_and_entry_both_absent(
        chosen in proptest::collection::vec(any::<bool>(), LOSSES.len()),
        local_policy in any::<bool>(),
    ) {
        for vip in vips() {
            let mut facts = cluster(&["n1", "n2", "n3"]);
            if local_policy {
                local(&mut facts, &["n1", "n3"]);
            }
            let mut snapshot = seen_by_owner(&facts, vip);
            let losses = LOSSES.iter().zip(&chosen).filter(|(_, chosen)| **chosen);
            losses.for_each(|((_, lose), _)| lose(&mut snapshot));
            let both_absent = chosen[0] && chosen[2];
            prop_assert_eq!(answers(&plan(&snapshot), vip), !both_absent);
        }
    }
}

#[test]
fn with_evidence_missing_a_better_node_that_comes_takes_nothing() {
    for vip in vips() {
        let mut snapshot = seen_by_owner(&cluster(&["n1"]), vip);
        snapshot.ledger.clear();
        for name in ["n2", "n3", "n4", "n5", "n6", "n7"].map(model::NodeName::new) {
            let ready = Node {
                ready: true,
                ..Node::default()
            };
            snapshot.nodes.insert(name.clone(), Arc::new(ready));
            snapshot.speakers.insert(name.clone());
            assert!(answers(&plan(&snapshot), vip));
            let newcomer = Snapshot {
                announced: Plan::default().announced,
                ..seen_from(&snapshot, &name)
            };
            assert!(
                !answers(&plan(&newcomer), vip),
                "{name} starts without a ledger entry"
            );
        }
    }
}

#[test]
fn a_vanished_entry_is_remembered_by_its_pool() {
    for vip in vips() {
        let mut snapshot = seen_by_owner(&cluster(&["n1"]), vip);
        change_advertisement(&mut snapshot, |a| {
            a.pools = vec![model::PoolName::new("pool")]
        });
        snapshot.ledger.clear();
        let plan = plan(&snapshot);
        assert_eq!(plan.announced[&vip].pool, model::PoolName::new("pool"));
        assert!(answers(&plan, vip));
    }
}

#[test]
fn a_deleted_pool_that_the_configuration_still_names_changes_nothing() {
    for vip in vips() {
        let mut snapshot = seen_by_owner(&cluster(&["n1", "n2"]), vip);
        change_config(&mut snapshot, |config| {
            config
                .pools
                .values_mut()
                .for_each(|pool| pool.vanished = true);
        });
        assert_eq!(transitions(&snapshot, &plan(&snapshot)), []);
    }
}

#[test]
fn an_interface_that_is_down_ends_no_right_to_the_address() {
    for vip in vips() {
        let mut snapshot = seen_by_owner(&cluster(&["n1", "n2"]), vip);
        snapshot.interfaces[0].up = false;
        let down = plan(&snapshot);
        assert!(!answers(&down, vip));
        assert_eq!(
            why_not(&down, vip).map(|why| why.reason()),
            Some("LinkDown")
        );

        // Meanwhile the entry is deleted; the link comes back.
        snapshot.announced = down.announced;
        snapshot.ledger.clear();
        snapshot.interfaces = vec![eth0()];
        assert!(answers(&plan(&snapshot), vip));
    }
}

#[test]
fn what_was_never_announced_here_is_not_kept() {
    for vip in vips() {
        let facts = cluster(&["n1", "n2", "n3"]);
        let owner = owners(&facts, vip).pop().unwrap();
        for other in facts.nodes.keys().filter(|name| **name != owner) {
            let mut snapshot = seen_from(&facts, other);
            snapshot.announced = plan(&snapshot).announced;
            snapshot.ledger.clear();
            let plan = plan(&snapshot);
            assert!(!answers(&plan, vip));
            assert_eq!(why_not(&plan, vip), Some(Withheld::NotInLedger));
        }
    }
}

#[test]
fn the_right_goes_with_the_uid_and_not_with_the_name() {
    for vip in vips() {
        let mut snapshot = seen_by_owner(&cluster(&["n1"]), vip);
        snapshot.ledger.clear();
        change_web(&mut snapshot, |web| {
            Arc::make_mut(&mut web.holder).uid = model::Uid::new("a-later-one");
        });
        let plan = plan(&snapshot);
        assert!(!answers(&plan, vip));
        assert_eq!(why_not(&plan, vip), Some(Withheld::NotInLedger));
    }
}

#[test]
fn a_node_that_is_not_ready_keeps_what_no_better_node_can_take() {
    for vip in vips() {
        let mut snapshot = seen_by_owner(&cluster(&["n1"]), vip);
        change_node(&mut snapshot, "n1", |node| node.ready = false);
        assert_eq!(transitions(&snapshot, &plan(&snapshot)), []);
    }
}
