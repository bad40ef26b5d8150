//! What withdraws a route: one line for each thing that was read and says stop.

use std::sync::Arc;

use model::{PeerName, PoolName, Uid};
use plan::{Fitness, ServiceState, Snapshot, Withheld, plan};

use super::facts::{change_bgp, change_peers, planned, routed, tells, withdrawals};
use crate::facts::{
    change_config, change_web, hold, holder, local, lose_web, selector, service, vacate, vips, web,
};

type Change = fn(&mut Snapshot);

#[test]
fn each_thing_that_says_stop_withdraws_and_is_named() {
    let pool = || PoolName::new("pool");
    let another = || holder("other").service.clone();
    let cases: [(Withheld, Change); 16] = [
        (Withheld::ServiceGone, |s| {
            s.services.remove(&web());
        }),
        (Withheld::ServiceGone, |s| {
            lose_web(s);
            s.ledger.clear();
        }),
        (Withheld::ServiceGone, |s| {
            change_web(s, |web| {
                web.shown.clear();
                Arc::make_mut(&mut web.holder).uid = Uid::new("a-later-one");
            });
            s.ledger.clear();
        }),
        (Withheld::Released, |s| {
            for entry in s.ledger.values_mut() {
                Arc::make_mut(entry).holders.clear();
            }
        }),
        (Withheld::HeldByAnother { service: another() }, |s| {
            vips().into_iter().for_each(|vip| hold(s, vip, "other"));
        }),
        (Withheld::HeldByAnother { service: another() }, |s| {
            vips().into_iter().for_each(|vip| hold(s, vip, "other"));
            let other = Arc::new(service("other", &vips()));
            let key = other.holder.service.clone();
            s.services.insert(key, ServiceState::Present(other));
            change_web(s, |web| web.shown.clear());
        }),
        (Withheld::NoAdvertisement { pool: pool() }, |s| {
            change_config(s, |config| config.bgp_advertisements.clear());
        }),
        (Withheld::NoAdvertisement { pool: pool() }, |s| {
            change_bgp(s, |a| a.service_selectors = vec![selector("app", "shop")]);
        }),
        (Withheld::NodeNotSelected, |s| {
            change_bgp(s, |a| a.node_selectors = vec![selector("name", "n9")]);
        }),
        (Withheld::ProxyUnverified, |s| {
            s.fitness = Fitness::Unverified;
        }),
        (Withheld::ProxyDead, |s| s.fitness = Fitness::Dead),
        (Withheld::NoEndpoint, vacate),
        (Withheld::NoLocalEndpoint, |s| local(s, &["n2"])),
        (Withheld::NoPeer, |s| {
            change_config(s, |config| config.bgp_peers.clear());
        }),
        (Withheld::NoPeer, |s| {
            change_bgp(s, |a| a.peers = vec![PeerName::new("nobody")]);
        }),
        (Withheld::NoPeer, |s| {
            s.nodes.clear();
            change_peers(s, |p| p.requires = vec!["tides".to_owned()]);
        }),
    ];
    for (expected, change) in cases {
        let mut facts = planned(routed(&["n1", "n2"]));
        change(&mut facts);
        let withdrawn = withdrawals(&facts);
        let plan = plan(&facts);
        for vip in vips() {
            assert!(
                withdrawn.contains(&(vip, expected.clone())),
                "{expected:?} is not in {withdrawn:?}"
            );
            let taken_over = plan.advertised.contains_key(&vip);
            assert_eq!(tells(&plan, vip), taken_over);
        }
    }
}

#[test]
fn what_was_read_against_it_stops_it_even_with_part_of_the_evidence_missing() {
    let missing: [Change; 4] = [
        |s| s.ledger.clear(),
        |s| change_web(s, |web| web.shown.clear()),
        lose_web,
        |s| s.config = None,
    ];
    for lose in missing {
        let mut facts = planned(routed(&["n1", "n2"]));
        lose(&mut facts);
        local(&mut facts, &["n2"]);
        let withdrawn = withdrawals(&facts);
        for vip in vips() {
            let expected = (vip, Withheld::NoLocalEndpoint);
            assert!(withdrawn.contains(&expected), "{withdrawn:?}");
        }
    }
}

#[test]
fn a_service_that_becomes_local_is_told_on_where_its_endpoints_are() {
    let mut facts = planned(routed(&["n1", "n2"]));
    local(&mut facts, &["n1"]);
    assert_eq!(withdrawals(&facts), []);
}
