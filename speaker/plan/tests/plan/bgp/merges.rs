//! Several advertisements that tell one peer one route.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{AdvertisementName, BgpAttributes, PeerName};
use plan::{Attribute, Conflict, plan};

use super::facts::{advertisement, attributes, routed, told};
use crate::facts::{change_config, hold, ip, selector, service};

fn set(facts: &mut plan::Snapshot, advertisements: &[(&str, Arc<BgpAttributes>)]) {
    change_config(facts, |config| {
        let named = advertisements.iter().map(|(name, attributes)| {
            let mut named = advertisement(name);
            named.attributes = Arc::clone(attributes);
            named
        });
        config.bgp_advertisements = named.collect();
    });
}

fn conflict(attribute: Attribute, names: &[&str]) -> Conflict {
    let advertisements = names.iter().map(|name| AdvertisementName::new(*name));
    Conflict {
        attribute,
        advertisements: advertisements.collect(),
    }
}

#[test]
fn communities_unite_without_a_conflict() {
    let mut facts = routed(&["n1"]);
    let one = attributes(None, 0, &["64512:1", "large:64512:1:2"]);
    let other = attributes(Some(100), 0, &["64512:2", "64512:1"]);
    set(&mut facts, &[("one", one), ("other", other)]);
    let plan = plan(&facts);
    let expected = [
        "10.99.0.200/32 lp=100 64512:1 64512:2 large:64512:1:2",
        "fd99::200/128 lp=100 64512:1 64512:2 large:64512:1:2",
    ];
    assert_eq!(told(&plan, "left").unwrap(), expected);
    assert_eq!(plan.conflicts, BTreeSet::new());
}

#[test]
fn of_different_numbers_the_highest_is_told_and_the_conflict_is_named() {
    let mut facts = routed(&["n1"]);
    let advertisements = [
        ("a", attributes(Some(100), 3, &[])),
        ("b", attributes(Some(200), 1, &[])),
        ("c", attributes(None, 0, &[])),
    ];
    for rotation in 0..advertisements.len() {
        let mut advertisements = advertisements.clone();
        advertisements.rotate_left(rotation);
        set(&mut facts, &advertisements);
        let plan = plan(&facts);
        let expected = ["10.99.0.200/32 lp=200 pre=3", "fd99::200/128 lp=200 pre=3"];
        assert_eq!(told(&plan, "left").unwrap(), expected);
        let conflicts = [
            conflict(Attribute::LocalPref, &["a", "b"]),
            conflict(Attribute::AsPathPrepend, &["a", "b"]),
        ];
        assert_eq!(plan.conflicts, BTreeSet::from(conflicts));
    }
}

#[test]
fn advertisements_for_different_peers_do_not_meet() {
    let mut facts = routed(&["n1"]);
    let (low, high) = (attributes(Some(100), 0, &[]), attributes(Some(200), 0, &[]));
    set(&mut facts, &[("left", low), ("right", high)]);
    change_config(&mut facts, |config| {
        for advertisement in &mut config.bgp_advertisements {
            advertisement.peers = vec![PeerName::new(advertisement.name.as_str())];
        }
    });
    let plan = plan(&facts);
    assert_eq!(told(&plan, "left").unwrap()[0], "10.99.0.200/32 lp=100");
    assert_eq!(told(&plan, "right").unwrap()[0], "10.99.0.200/32 lp=200");
    assert_eq!(plan.conflicts, BTreeSet::new());
}

#[test]
fn advertisements_of_different_services_meet_in_an_aggregate() {
    let mut facts = routed(&["n1"]);
    let shown = [ip("10.99.0.201"), ip("fd99::201")];
    let shop = service("shop", &shown);
    shown.iter().for_each(|vip| hold(&mut facts, *vip, "shop"));
    let key = shop.holder.service.clone();
    facts
        .services
        .insert(key, plan::ServiceState::Present(Arc::new(shop)));
    let of_web = attributes(Some(100), 0, &["64512:1"]);
    let of_shop = attributes(Some(200), 0, &["64512:2"]);
    set(&mut facts, &[("web", of_web), ("shop", of_shop)]);
    change_config(&mut facts, |config| {
        for advertisement in &mut config.bgp_advertisements {
            let app = advertisement.name.as_str();
            advertisement.service_selectors = vec![selector("app", app)];
            advertisement.aggregation_length = 24;
            advertisement.aggregation_length_v6 = 64;
        }
    });
    let plan = plan(&facts);
    let expected = [
        "10.99.0.0/24 lp=200 64512:1 64512:2",
        "fd99::/64 lp=200 64512:1 64512:2",
    ];
    assert_eq!(told(&plan, "left").unwrap(), expected);
    let conflict = conflict(Attribute::LocalPref, &["shop", "web"]);
    assert_eq!(plan.conflicts, BTreeSet::from([conflict]));
}
