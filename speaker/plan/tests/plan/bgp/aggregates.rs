//! Prefixes of several addresses.

use std::net::IpAddr;
use std::sync::Arc;

use model::{BgpAdvertisement, ExternalTrafficPolicy, NodeName, PeerName};
use plan::{RoutePrefix, ServiceState, Snapshot, Withheld, plan};

use super::facts::{
    advertisement, attributes, change_bgp, planned, routed, told, why_untold, withdrawals,
};
use crate::facts::{change_config, hold, holder, ip, local, selector, service, web};

/// `routed`, with a second Service beside `web`, and told as a /24 and a /64.
fn aggregated(nodes: &[&str]) -> Snapshot {
    let mut facts = routed(nodes);
    add(&mut facts, "shop", &shop(), ExternalTrafficPolicy::Cluster);
    change_bgp(&mut facts, aggregate);
    facts
}

fn aggregate(advertisement: &mut BgpAdvertisement) {
    advertisement.aggregation_length = 24;
    advertisement.aggregation_length_v6 = 64;
}

fn shop() -> [IpAddr; 2] {
    [ip("10.99.0.201"), ip("fd99::201")]
}

fn add(facts: &mut Snapshot, name: &str, shown: &[IpAddr], policy: ExternalTrafficPolicy) {
    let mut service = service(name, shown);
    service.traffic_policy = policy;
    for &vip in shown {
        hold(facts, vip, name);
    }
    let key = service.holder.service.clone();
    let present = ServiceState::Present(Arc::new(service));
    facts.services.insert(key, present);
}

const AGGREGATES: [&str; 2] = ["10.99.0.0/24", "fd99::/64"];

#[test]
fn an_aggregate_is_told_while_any_address_in_it_is_announced() {
    let mut facts = planned(aggregated(&["n1"]));
    assert_eq!(told(&plan(&facts), "left").unwrap(), AGGREGATES);
    facts.services.remove(&web());
    let fewer = plan(&facts);
    assert_eq!(told(&fewer, "left").unwrap(), AGGREGATES);
    assert_eq!(
        withdrawals(&facts).len(),
        2,
        "those of the one that is gone"
    );
    facts.services.clear();
    assert_eq!(told(&plan(&facts), "left"), Some(Vec::new()));
}

#[test]
fn addresses_of_different_prefixes_make_an_aggregate_each() {
    let mut facts = aggregated(&["n1"]);
    let far = [ip("10.99.1.1"), ip("fd99:0:0:1::1")];
    add(&mut facts, "far", &far, ExternalTrafficPolicy::Cluster);
    let expected = [
        "10.99.0.0/24",
        "10.99.1.0/24",
        "fd99::/64",
        "fd99:0:0:1::/64",
    ];
    assert_eq!(told(&plan(&facts), "right").unwrap(), expected);
}

#[test]
fn an_aggregate_with_a_local_service_is_withheld_and_the_service_is_named() {
    let mut facts = planned(aggregated(&["n1", "n2"]));
    local(&mut facts, &["n1"]);
    let plan = plan(&facts);
    assert_eq!(told(&plan, "left"), Some(Vec::new()));
    let vips = [ip("10.99.0.200"), ip("fd99::200"), shop()[0], shop()[1]];
    for vip in vips {
        let length = if vip.is_ipv4() { 24 } else { 64 };
        let why = Withheld::LocalInAggregate {
            prefix: RoutePrefix::around(vip, length),
            service: web(),
        };
        assert_eq!(why_untold(&plan, vip), Some(why.clone()));
        assert!(!plan.advertised[&vip].told, "the right stays");
        assert!(withdrawals(&facts).contains(&(vip, why)));
    }
}

#[test]
fn a_local_service_stands_against_the_aggregate_also_where_it_has_no_endpoint() {
    let mut facts = aggregated(&["n1", "n2"]);
    local(&mut facts, &["n2"]);
    let plan = plan(&facts);
    assert_eq!(told(&plan, "left"), Some(Vec::new()));
    for vip in shop() {
        let why = why_untold(&plan, vip).map(|why| why.reason());
        assert_eq!(why, Some("LocalInAggregate"));
    }
    for vip in crate::facts::vips() {
        assert_eq!(why_untold(&plan, vip), Some(Withheld::NoLocalEndpoint));
    }
}

#[test]
fn a_local_service_stands_against_the_aggregate_also_before_its_status_shows_it() {
    let mut facts = aggregated(&["n1"]);
    local(&mut facts, &["n1"]);
    crate::facts::change_web(&mut facts, |web| web.shown.clear());
    assert_eq!(told(&plan(&facts), "left"), Some(Vec::new()));
}

#[test]
fn aggregate_anyway_tells_it_in_spite_of_local_services_but_not_for_them_alone() {
    let mut facts = aggregated(&["n1", "n2"]);
    change_bgp(&mut facts, |a| a.aggregate_anyway = true);
    local(&mut facts, &["n2"]);
    assert_eq!(told(&plan(&facts), "left").unwrap(), AGGREGATES);
    facts.services.remove(&holder("shop").service);
    let alone = plan(&facts);
    assert_eq!(told(&alone, "left"), Some(Vec::new()), "no endpoint here");
    facts.node = NodeName::new("n2");
    assert_eq!(told(&plan(&facts), "left").unwrap(), AGGREGATES);
}

#[test]
fn a_local_service_with_an_advertisement_of_its_own_does_not_stand_against_the_aggregate() {
    let mut facts = aggregated(&["n1", "n2"]);
    local(&mut facts, &["n1"]);
    change_config(&mut facts, |config| {
        config.bgp_advertisements[0].service_selectors = vec![selector("app", "shop")];
        let mut own = advertisement("of-web");
        own.service_selectors = vec![selector("app", "web")];
        config.bgp_advertisements.push(own);
    });
    let plan = plan(&facts);
    let expected = [
        "10.99.0.0/24",
        "10.99.0.200/32",
        "fd99::/64",
        "fd99::200/128",
    ];
    assert_eq!(told(&plan, "left").unwrap(), expected);
    assert_eq!(plan.withheld.len(), 0);
}

#[test]
fn one_address_is_told_by_an_aggregate_and_by_itself_with_attributes_of_their_own() {
    let mut facts = routed(&["n1"]);
    change_config(&mut facts, |config| {
        aggregate(&mut config.bgp_advertisements[0]);
        let mut exact = advertisement("exact");
        exact.attributes = attributes(Some(100), 0, &["64512:1"]);
        config.bgp_advertisements.push(exact);
    });
    let plan = plan(&facts);
    let expected = [
        "10.99.0.0/24",
        "10.99.0.200/32 lp=100 64512:1",
        "fd99::/64",
        "fd99::200/128 lp=100 64512:1",
    ];
    assert_eq!(told(&plan, "left").unwrap(), expected);
    assert_eq!(plan.conflicts.len(), 0, "they are different routes");
}

#[test]
fn an_address_that_is_also_told_by_itself_is_advertised_although_its_aggregate_is_withheld() {
    let mut facts = routed(&["n1"]);
    local(&mut facts, &["n1"]);
    change_config(&mut facts, |config| {
        aggregate(&mut config.bgp_advertisements[0]);
        config.bgp_advertisements.push(advertisement("exact"));
    });
    let plan = plan(&facts);
    let expected = ["10.99.0.200/32", "fd99::200/128"];
    assert_eq!(told(&plan, "left").unwrap(), expected);
    for vip in crate::facts::vips() {
        assert!(plan.advertised[&vip].told);
        let why = why_untold(&plan, vip).map(|why| why.reason());
        assert_eq!(why, Some("LocalInAggregate"));
    }
}

#[test]
fn an_aggregate_is_withheld_only_from_the_peers_whose_traffic_it_would_lose() {
    let mut facts = aggregated(&["n1"]);
    local(&mut facts, &["n1"]);
    change_config(&mut facts, |config| {
        config.bgp_advertisements[0].peers = vec![PeerName::new("left")];
        let mut of_shop = advertisement("of-shop");
        aggregate(&mut of_shop);
        of_shop.service_selectors = vec![selector("app", "shop")];
        of_shop.peers = vec![PeerName::new("right")];
        config.bgp_advertisements.push(of_shop);
    });
    let plan = plan(&facts);
    assert_eq!(told(&plan, "left"), Some(Vec::new()));
    assert_eq!(told(&plan, "right").unwrap(), AGGREGATES);
    for vip in shop() {
        assert!(plan.advertised[&vip].told, "one peer is told");
        assert!(why_untold(&plan, vip).is_some(), "the other should be");
    }
}

#[test]
fn lengths_that_a_family_does_not_have_are_the_address_itself() {
    let mut facts = routed(&["n1"]);
    change_bgp(&mut facts, |a| {
        a.aggregation_length = 200;
        a.aggregation_length_v6 = 200;
    });
    let expected = ["10.99.0.200/32", "fd99::200/128"];
    assert_eq!(told(&plan(&facts), "left").unwrap(), expected);
}
