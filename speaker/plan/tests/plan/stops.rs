//! What stops an announcement: one test for each line of the list.

use std::sync::Arc;

use model::{PoolName, Uid};
use plan::{ServiceState, Snapshot, Transition, Withheld, plan, transitions};

use crate::facts::{
    advertisement, change_advertisement, change_config, change_node, change_web, cluster, hold,
    holder, local, lose_web, owners, seen_by_owner, selector, service, vacate, vips, web,
};

#[test]
fn stops_when_the_service_is_deleted_or_made_another_type() {
    // The index takes both out of the map: the field selector makes them one watch event.
    stops(&Withheld::ServiceGone, |s| {
        s.services.remove(&web());
    });
}

#[test]
fn stops_when_the_service_is_replaced_by_another_of_its_name() {
    stops(&Withheld::ServiceGone, |s| {
        change_web(s, |web| {
            web.shown.clear();
            Arc::make_mut(&mut web.holder).uid = Uid::new("a-later-one");
        });
        s.ledger.clear();
    });
}

#[test]
fn stops_when_the_ledger_entry_loses_its_holders() {
    stops(&Withheld::Released, |s| {
        for entry in s.ledger.values_mut() {
            Arc::make_mut(entry).holders.clear();
        }
    });
}

#[test]
fn stops_when_the_ledger_names_another_holder() {
    let service = holder("other").service.clone();
    stops(&Withheld::HeldByAnother { service }, |s| {
        vips().into_iter().for_each(|vip| hold(s, vip, "other"));
    });
}

#[test]
fn stops_for_the_old_holder_when_a_new_one_is_announced_in_its_place() {
    let new = holder("other").service.clone();
    let key = new.clone();
    stops(&Withheld::HeldByAnother { service: new }, move |s| {
        vips().into_iter().for_each(|vip| hold(s, vip, "other"));
        let other = Arc::new(service("other", &vips()));
        s.services.insert(key.clone(), ServiceState::Present(other));
        change_web(s, |web| web.shown.clear());
    });
}

#[test]
fn stops_when_service_and_entry_are_both_absent_from_complete_lists() {
    stops(&Withheld::ServiceGone, |s| {
        lose_web(s);
        s.ledger.clear();
    });
}

#[test]
fn stops_when_no_advertisement_speaks_for_it_any_more() {
    let pool = || PoolName::new("pool");
    stops(&Withheld::NoAdvertisement { pool: pool() }, |s| {
        change_config(s, |config| config.l2_advertisements.clear());
    });
    stops(&Withheld::NoAdvertisement { pool: pool() }, |s| {
        change_advertisement(s, |a| a.pools = vec![PoolName::new("another")]);
    });
    let feature = "claims".to_owned();
    stops(&Withheld::UnknownFeature { feature }, |s| {
        change_advertisement(s, |a| a.requires = vec!["claims".to_owned()]);
    });
}

#[test]
fn stops_when_no_advertisement_admits_the_node_any_more() {
    stops(&Withheld::NodeNotSelected, |s| {
        change_advertisement(s, |a| a.node_selectors = vec![selector("name", "n9")]);
    });
}

#[test]
fn stops_when_the_node_is_excluded() {
    stops(&Withheld::NodeExcluded, |s| {
        let here = s.node.clone();
        change_node(s, here.as_str(), |node| node.excluded = true);
    });
}

#[test]
fn stops_when_the_last_endpoint_anywhere_leaves() {
    stops(&Withheld::NoEndpoint, vacate);
}

#[test]
fn stops_when_the_last_local_endpoint_leaves() {
    stops(&Withheld::NoLocalEndpoint, |s| local(s, &[]));
}

#[test]
fn an_ineligibility_that_was_read_stops_it_even_with_part_of_the_evidence_missing() {
    let missing: [fn(&mut Snapshot); 3] = [
        |s| s.ledger.clear(),
        |s| change_web(s, |web| web.shown.clear()),
        lose_web,
    ];
    for lose in missing {
        stops(&Withheld::NodeExcluded, |s| {
            lose(s);
            let here = s.node.clone();
            change_node(s, here.as_str(), |node| node.excluded = true);
        });
        stops(&Withheld::NoLocalEndpoint, |s| {
            lose(s);
            local(s, &["n9"]);
        });
        stops(&Withheld::NoEndpoint, |s| {
            lose(s);
            vacate(s);
        });
        let pool = PoolName::new("pool");
        stops(&Withheld::NoAdvertisement { pool }, |s| {
            lose(s);
            change_config(s, |config| config.l2_advertisements.clear());
        });
        stops(&Withheld::NodeNotSelected, |s| {
            lose(s);
            change_advertisement(s, |a| a.node_selectors = vec![selector("name", "n9")]);
        });
    }
}

#[test]
fn with_all_facts_known_a_better_node_takes_over_from_one_that_is_not_ready() {
    for vip in vips() {
        let mut snapshot = seen_by_owner(&cluster(&["n1", "n2", "n3"]), vip);
        let here = snapshot.node.clone();
        change_node(&mut snapshot, here.as_str(), |node| node.ready = false);
        let owners = owners(&snapshot, vip);
        let [owner] = owners.as_slice() else {
            panic!("{vip} is announced by {owners:?}");
        };
        assert_ne!(*owner, here);
        let owner = owner.clone();
        assert!(withdrawals(&snapshot).contains(&(vip, Withheld::OtherNode { owner })));
    }
}

#[test]
fn an_advertisement_of_another_service_does_not_save_it() {
    stops(
        &Withheld::NoAdvertisement {
            pool: PoolName::new("pool"),
        },
        |s| {
            change_config(s, |config| {
                config.l2_advertisements[0].service_selectors = vec![selector("app", "shop")];
                let mut other = advertisement("other");
                other.pools = vec![PoolName::new("another")];
                config.l2_advertisements.push(other);
            });
        },
    );
}

/// On the owner among three nodes, for each family, and on a node that is alone.
fn stops(expected: &Withheld, change: impl Fn(&mut Snapshot)) {
    for vip in vips() {
        for nodes in [&["n1"][..], &["n1", "n2", "n3"][..]] {
            let mut snapshot = seen_by_owner(&cluster(nodes), vip);
            change(&mut snapshot);
            let withdrawn = withdrawals(&snapshot);
            assert!(
                withdrawn.contains(&(vip, expected.clone())),
                "{withdrawn:?}"
            );
        }
    }
}

fn withdrawals(snapshot: &Snapshot) -> Vec<(std::net::IpAddr, Withheld)> {
    let plan = plan(snapshot);
    let transitions = transitions(snapshot, &plan).into_iter();
    transitions
        .filter_map(|transition| match transition {
            Transition::Withdraw { address, why, .. } => Some((address, why)),
            Transition::Announce { .. } | Transition::Advertise { .. } => None,
        })
        .collect()
}
