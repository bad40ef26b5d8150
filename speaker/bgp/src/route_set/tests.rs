use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use proptest::prelude::*;

use super::{Route, RouteSet, SHARDS, shard_of};
use crate::{Attributes, Prefix};

fn prefix(text: &str) -> Prefix {
    Prefix::host(text.parse::<IpAddr>().unwrap())
}

fn attributes(med: u32) -> Arc<Attributes> {
    Arc::new(Attributes {
        multi_exit_disc: Some(med),
        ..Attributes::default()
    })
}

fn route(text: &str, med: u32) -> Route {
    Route {
        prefix: prefix(text),
        attributes: attributes(med),
    }
}

fn v4(count: u32) -> impl Iterator<Item = Prefix> {
    (0..count).map(|n| Prefix::host(Ipv4Addr::from_bits(0x0a00_0000 + n).into()))
}

fn v6(count: u32) -> impl Iterator<Item = Prefix> {
    let first = 0xfd99_u128 << 112;
    (0..count).map(move |n| Prefix::host(Ipv6Addr::from_bits(first + u128::from(n)).into()))
}

fn set_of(prefixes: impl Iterator<Item = Prefix>) -> RouteSet {
    let attributes = attributes(0);
    let routes = prefixes.map(|prefix| Route {
        prefix,
        attributes: Arc::clone(&attributes),
    });
    RouteSet::build(routes, &RouteSet::default())
}

fn shared(a: &RouteSet, b: &RouteSet) -> usize {
    let pairs = a.shards().iter().zip(b.shards());
    pairs.filter(|(a, b)| Arc::ptr_eq(a, b)).count()
}

#[test]
fn a_set_rebuilt_from_the_same_routes_shares_every_shard() {
    let before = set_of(v4(5_000).chain(v6(5_000)));
    let again = RouteSet::build(before.iter().cloned(), &before);
    assert_eq!(again, before);
    assert_eq!(shared(&again, &before), SHARDS);
}

#[test]
fn one_changed_route_costs_one_shard() {
    let before = set_of(v4(10_000));
    let changed = prefix("10.0.3.7");
    let routes = before.iter().cloned().map(|mut route| {
        if route.prefix == changed {
            route.attributes = attributes(7);
        }
        route
    });
    let after = RouteSet::build(routes, &before);
    assert_eq!(shared(&after, &before), SHARDS - 1);
    assert_eq!(after.route(changed).unwrap().attributes, attributes(7));
    assert_eq!(before.with([(changed, Some(attributes(7)))]), after);
}

#[test]
fn a_change_to_what_is_there_already_changes_nothing() {
    let before = set_of(v6(1_000));
    let after = before.with([
        (prefix("fd99::5"), Some(attributes(0))),
        (prefix("fd98::"), None),
    ]);
    assert_eq!(shared(&after, &before), SHARDS);
}

#[test]
fn of_two_routes_to_one_prefix_the_later_counts() {
    let routes = [route("10.0.0.1", 1), route("10.0.0.1", 2)];
    let set = RouteSet::build(routes, &RouteSet::default());
    assert_eq!(set.iter().collect::<Vec<_>>(), [&route("10.0.0.1", 2)]);
}

#[test]
fn equal_attributes_are_kept_once() {
    let routes = (0..100).map(|n| Route {
        prefix: Prefix::host(Ipv4Addr::from_bits(n).into()),
        attributes: attributes(n % 2),
    });
    let set = RouteSet::build(routes, &RouteSet::default());
    let mut kept: Vec<_> = set
        .iter()
        .map(|route| Arc::as_ptr(&route.attributes))
        .collect();
    kept.sort_unstable();
    kept.dedup();
    assert_eq!(kept.len(), 2);
}

#[test]
fn prefixes_of_a_pool_are_spread_over_the_shards() {
    let networks = (0..10_000_u32).map(|n| {
        let network = Ipv4Addr::from_bits(0x0a00_0000 + (n << 8));
        Prefix::new(network.into(), 24).unwrap()
    });
    let subnets = (0..10_000_u128).map(|n| {
        let network = Ipv6Addr::from_bits((0xfd99_u128 << 112) + (n << 64));
        Prefix::new(network.into(), 64).unwrap()
    });
    for prefixes in [
        v4(10_000).collect::<Vec<_>>(),
        v6(10_000).collect(),
        networks.collect(),
        subnets.collect(),
    ] {
        let mut counts = [0; SHARDS];
        prefixes
            .iter()
            .for_each(|prefix| counts[shard_of(*prefix)] += 1);
        assert!(counts.iter().max().unwrap() < &120, "{counts:?}");
    }
}

#[test]
fn a_route_takes_32_bytes() {
    assert_eq!(size_of::<Route>(), 32);
}

proptest! {
    #[test]
    fn a_set_changed_step_by_step_is_the_set_built_whole(
        steps in proptest::collection::vec((0..40_u32, any::<bool>(), 0..3_u32), 0..60),
    ) {
        let mut model = std::collections::BTreeMap::new();
        let mut set = RouteSet::default();
        for (n, announced, med) in steps {
            let address: IpAddr = if n % 2 == 0 {
                Ipv4Addr::from_bits(n).into()
            } else {
                Ipv6Addr::from_bits(n.into()).into()
            };
            let prefix = Prefix::host(address);
            if announced {
                model.insert(prefix, attributes(med));
            } else {
                model.remove(&prefix);
            }
            set = set.with([(prefix, announced.then(|| attributes(med)))]);
            let routes = model.iter().map(|(prefix, attributes)| Route {
                prefix: *prefix,
                attributes: Arc::clone(attributes),
            });
            prop_assert_eq!(&RouteSet::build(routes, &RouteSet::default()), &set);
            prop_assert_eq!(set.len(), model.len());
            prop_assert_eq!(set.is_empty(), model.is_empty());
        }
    }
}
