//! What it takes to start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{InterfaceName, InterfacePattern, NodeName, PoolName, PreferredNodeSelector};
use plan::{Fitness, Plan, Snapshot, Withheld, plan};

use crate::facts::{
    advertisement, answers, change_advertisement, change_config, change_node, change_web, cluster,
    family, hold, holder, local, lose_web, owners, seen_from, selector, service, vacate, vips, web,
    why_not,
};

type Change = fn(&mut Snapshot);

#[test]
fn starts_where_ledger_and_status_agree() {
    let plan = plan(&cluster(&["n1"]));
    let eth0 = InterfaceName::new("eth0");
    let there: Arc<[InterfaceName]> = Arc::new([eth0.clone()]);
    assert_eq!(
        plan.l2,
        BTreeMap::from([(eth0, Arc::new(BTreeSet::from(vips())))])
    );
    assert_eq!(plan.withheld, BTreeMap::new());
    for vip in vips() {
        let announced = &plan.announced[&vip];
        assert_eq!(announced.service, holder("web"));
        assert_eq!(announced.pool, PoolName::new("pool"));
        assert_eq!(announced.interfaces, there);
    }
}

#[test]
fn each_missing_fact_keeps_it_from_starting_and_is_named() {
    let cases: [(Withheld, Change); 18] = [
        (Withheld::ServiceMissing, lose_web),
        (Withheld::NotInLedger, |s| s.ledger.clear()),
        (another(), |s| {
            vips().into_iter().for_each(|vip| hold(s, vip, "other"))
        }),
        (Withheld::Released, |s| {
            for entry in s.ledger.values_mut() {
                Arc::make_mut(entry).holders.clear();
            }
        }),
        (Withheld::NotInStatus, |s| {
            change_web(s, |web| web.shown.clear())
        }),
        (Withheld::ConfigUnknown, |s| s.config = None),
        (Withheld::PoolUnknown { pool: pool() }, |s| {
            change_advertisement(s, |a| a.pool_selectors = vec![selector("tier", "gold")]);
            change_config(s, |config| config.pools.clear());
        }),
        (Withheld::NoAdvertisement { pool: pool() }, |s| {
            change_advertisement(s, |a| a.service_selectors = vec![selector("app", "shop")]);
        }),
        (
            Withheld::UnknownFeature {
                feature: "claims".to_owned(),
            },
            |s| {
                change_advertisement(s, |a| {
                    a.requires = vec!["tides".to_owned(), "claims".to_owned()]
                });
            },
        ),
        (Withheld::NodeUnknown, |s| s.nodes.clear()),
        (Withheld::SpeakerUnknown, |s| s.speakers.clear()),
        (Withheld::NodeNotSelected, |s| {
            change_advertisement(s, |a| a.node_selectors = vec![selector("name", "n9")]);
        }),
        (Withheld::NodeExcluded, |s| {
            change_node(s, "n1", |node| node.excluded = true)
        }),
        (Withheld::ProxyUnverified, |s| {
            s.fitness = Fitness::Unverified
        }),
        (Withheld::NoEndpoint, vacate),
        (Withheld::NoLocalEndpoint, |s| local(s, &["n2"])),
        (Withheld::NoInterface, |s| s.interfaces.clear()),
        (down(), |s| s.interfaces[0].up = false),
    ];
    for (expected, change) in cases {
        let mut snapshot = cluster(&["n1"]);
        change(&mut snapshot);
        let plan = plan(&snapshot);
        assert_eq!(plan.l2, BTreeMap::new(), "{expected:?}");
        for vip in vips() {
            assert_eq!(why_not(&plan, vip), Some(expected.clone()));
            assert!(Withheld::REASONS.contains(&expected.reason()));
        }
    }
}

#[test]
fn all_but_the_owner_name_the_owner() {
    let snapshot = cluster(&["n1", "n2", "n3"]);
    for vip in vips() {
        let owners = owners(&snapshot, vip);
        let [owner] = owners.as_slice() else {
            panic!("{vip} is announced by {owners:?}");
        };
        let others = snapshot.nodes.keys().filter(|name| *name != owner);
        for other in others {
            let plan = plan(&seen_from(&snapshot, other));
            let owner = owner.clone();
            assert_eq!(why_not(&plan, vip), Some(Withheld::OtherNode { owner }));
        }
    }
}

#[test]
fn a_local_service_starts_only_beside_an_endpoint_of_the_vips_family() {
    let mut snapshot = cluster(&["n1", "n2"]);
    local(&mut snapshot, &[]);
    change_web(&mut snapshot, |web| {
        web.local_endpoints.v4.insert(NodeName::new("n1"));
        web.local_endpoints.v6.insert(NodeName::new("n2"));
    });
    for (vip, expected) in vips().into_iter().zip(["n1", "n2"]) {
        assert_eq!(
            owners(&snapshot, vip),
            [NodeName::new(expected)],
            "{:?}",
            family(vip)
        );
    }
}

#[test]
fn nodes_that_are_not_ready_serve_only_when_no_ready_one_can() {
    for unfit in [(|node| node.ready = false) as fn(&mut plan::Node), |node| {
        node.network_unavailable = true
    }] {
        for vip in vips() {
            let mut snapshot = cluster(&["n1", "n2", "n3"]);
            change_node(&mut snapshot, "n1", unfit);
            change_node(&mut snapshot, "n2", unfit);
            assert_eq!(owners(&snapshot, vip), [NodeName::new("n3")]);
            change_node(&mut snapshot, "n3", unfit);
            assert_eq!(
                owners(&snapshot, vip).len(),
                1,
                "the last tier still serves"
            );
        }
    }
}

#[test]
fn the_preferences_of_all_matching_advertisements_add_up() {
    let prefer = |name: &str, weight| PreferredNodeSelector {
        weight,
        preference: selector("name", name),
    };
    let mut snapshot = cluster(&["n1", "n2", "n3"]);
    change_config(&mut snapshot, |config| {
        let mut second = advertisement("second");
        second.preferred_node_selectors = vec![prefer("n2", 60)];
        let mut of_other_services = advertisement("third");
        of_other_services.service_selectors = vec![selector("app", "shop")];
        of_other_services.preferred_node_selectors = vec![prefer("n3", 100)];
        config.l2_advertisements[0].preferred_node_selectors =
            vec![prefer("n1", 90), prefer("n2", 50)];
        config.l2_advertisements.extend([second, of_other_services]);
    });
    for vip in vips() {
        assert_eq!(owners(&snapshot, vip), [NodeName::new("n2")]);
    }
}

#[test]
fn only_the_interfaces_of_advertisements_that_admit_this_node_count() {
    let mut snapshot = cluster(&["n1"]);
    let mut eth1 = snapshot.interfaces[0].clone();
    eth1.name = InterfaceName::new("eth1");
    eth1.prefixes.clear();
    snapshot.interfaces.push(eth1);
    change_config(&mut snapshot, |config| {
        config.l2_advertisements[0].interfaces = vec![InterfacePattern::new("eth0")];
        let mut elsewhere = advertisement("elsewhere");
        elsewhere.interfaces = vec![InterfacePattern::new("eth1")];
        elsewhere.node_selectors = vec![selector("name", "n2")];
        config.l2_advertisements.push(elsewhere);
    });
    let plan = plan(&snapshot);
    assert_eq!(
        plan.l2.keys().cloned().collect::<Vec<_>>(),
        [InterfaceName::new("eth0")]
    );
}

#[test]
fn of_two_services_that_show_one_address_the_holder_is_announced() {
    let mut snapshot = cluster(&["n1"]);
    let thief = Arc::new(service("a-thief", &vips()));
    let key = thief.holder.service.clone();
    snapshot
        .services
        .insert(key, plan::ServiceState::Present(thief));
    let plan = plan(&snapshot);
    for vip in vips() {
        assert_eq!(plan.announced[&vip].service, holder("web"));
        assert_eq!(why_not(&plan, vip), None);
    }
}

#[test]
fn of_two_services_that_show_one_address_the_holders_reason_stands() {
    let mut snapshot = cluster(&["n1"]);
    let thief = Arc::new(service("a-thief", &vips()));
    let key = thief.holder.service.clone();
    snapshot
        .services
        .insert(key, plan::ServiceState::Present(thief));
    change_node(&mut snapshot, "n1", |node| node.excluded = true);
    let plan = plan(&snapshot);
    for vip in vips() {
        assert_eq!(plan.withheld[&vip].service, holder("web"));
        assert_eq!(why_not(&plan, vip), Some(Withheld::NodeExcluded));
    }
}

#[test]
fn a_later_service_of_the_same_name_gets_nothing_of_the_earlier_ones() {
    let mut snapshot = cluster(&["n1"]);
    change_web(&mut snapshot, |web| {
        Arc::make_mut(&mut web.holder).uid = model::Uid::new("a-later-one");
    });
    let plan = plan(&snapshot);
    assert_eq!(plan.l2, Plan::default().l2);
    for vip in vips() {
        assert!(!answers(&plan, vip));
        assert_eq!(
            why_not(&plan, vip),
            Some(Withheld::HeldByAnother { service: web() })
        );
    }
}

fn another() -> Withheld {
    Withheld::HeldByAnother {
        service: holder("other").service.clone(),
    }
}

fn pool() -> PoolName {
    PoolName::new("pool")
}

fn down() -> Withheld {
    Withheld::LinkDown {
        interface: InterfaceName::new("eth0"),
    }
}
