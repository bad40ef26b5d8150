mod bgp;
mod remote;
mod resilience;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use model::{InterfacePattern, Labels, Operator, Pool, PoolName, Requirement};
use serde_json::{Value, json};

use super::*;
use crate::l2_advertisement::L2Advertisement as AdvertisementObject;

/// Nothing was in force before.
fn parse(pools: &[&IPAddressPool], l2_advertisements: &[&AdvertisementObject]) -> Parsed {
    let objects = Objects {
        pools: pools.to_vec(),
        l2_advertisements: l2_advertisements.to_vec(),
        ..Objects::default()
    };
    super::parse(&objects, &Last::default())
}

fn pool(name: &str, spec: Value) -> IPAddressPool {
    IPAddressPool::new(name, serde_json::from_value(spec).unwrap())
}

fn advertisement(name: &str, spec: Value) -> AdvertisementObject {
    AdvertisementObject::new(name, serde_json::from_value(spec).unwrap())
}

fn parse_pool(spec: Value) -> Parsed {
    parse(&[&pool("lan", spec)], &[])
}

fn said(parsed: &Parsed) -> Vec<String> {
    parsed.problems.iter().map(Invalid::to_string).collect()
}

#[test]
fn a_pool_with_every_field_means_what_it_says() {
    let mut object = pool(
        "lan",
        json!({
            "addresses": ["10.0.0.0/24", "fd00::1-fd00::ff"],
            "exclude": ["10.0.0.1"],
            "autoAssign": false,
            "avoidBuggyIPs": true,
            "serviceAllocation": {
                "priority": 7,
                "namespaces": ["shop"],
                "namespaceSelectors": [{ "matchLabels": { "team": "a" } }],
                "serviceSelectors": [{ "matchExpressions": [{ "key": "x", "operator": "Exists" }] }],
            },
        }),
    );
    object.metadata.creation_timestamp = Some(Time(Timestamp::from_second(1000).unwrap()));
    object.metadata.labels = Some(Labels::from([("zone".to_owned(), "a".to_owned())]));
    let range = |text: &str| crate::address::parse(text).unwrap();
    let exists = Requirement {
        key: "x".to_owned(),
        operator: Operator::Exists,
    };
    let expected = Pool {
        name: PoolName::new("lan"),
        created: 1000,
        labels: Labels::from([("zone".to_owned(), "a".to_owned())]),
        addresses: vec![range("10.0.0.0/24"), range("fd00::1-fd00::ff")],
        exclude: vec![range("10.0.0.1")],
        auto_assign: false,
        avoid_buggy_ips: true,
        service_allocation: model::ServiceAllocation {
            priority: Some(7),
            namespaces: vec!["shop".to_owned()],
            namespace_selectors: vec![model::LabelSelector::of_labels([("team", "a")])],
            service_selectors: vec![model::LabelSelector {
                match_expressions: vec![exists],
                ..model::LabelSelector::default()
            }],
        },
    };
    let parsed = parse(&[&object], &[]);
    assert_eq!(parsed.problems, []);
    assert_eq!(parsed.config.pools, [expected]);
}

#[test]
fn what_is_not_written_has_its_default() {
    let parsed = parse_pool(json!({ "addresses": ["10.0.0.1", "fd00::1"] }));
    let pool = &parsed.config.pools[0];
    assert!(pool.auto_assign && !pool.avoid_buggy_ips);
    assert_eq!(pool.service_allocation, model::ServiceAllocation::default());
    assert_eq!(
        pool.created,
        i64::MAX,
        "what is not created yet is the youngest"
    );
    let zero = json!({ "addresses": ["10.0.0.1"], "serviceAllocation": { "priority": 0 } });
    assert_eq!(
        parse_pool(zero).config.pools[0].service_allocation.priority,
        None
    );
}

#[test]
fn one_bad_object_stops_none_of_the_others() {
    let parsed = parse(
        &[
            &pool("broken", json!({ "addresses": ["10.0.1.1/24"] })),
            &pool("b", json!({ "addresses": ["fd00::/120"] })),
            &pool("a", json!({ "addresses": ["10.0.0.0/24"] })),
        ],
        &[
            &advertisement("wide", json!({ "interfaces": ["eth 0"] })),
            &advertisement("good", json!({ "ipAddressPools": ["broken"] })),
        ],
    );
    let pools: Vec<&str> = parsed
        .config
        .pools
        .iter()
        .map(|p| p.name.as_str())
        .collect();
    assert_eq!(pools, ["a", "b"]);
    let advertisements = &parsed.config.l2_advertisements;
    assert_eq!(advertisements.len(), 1);
    assert_eq!(advertisements[0].name, AdvertisementName::new("good"));
    assert_eq!(
        said(&parsed),
        [
            "IPAddressPool/broken: spec.addresses[0]: 10.0.1.1/24 has host bits set; write \
             10.0.1.0/24",
            "L2Advertisement/wide: spec.interfaces[0]: \"eth 0\" can match no interface; write a \
             name or a glob (eth0, eth*) of 1 to 15 characters without slash or space",
        ]
    );
}

#[test]
fn every_problem_of_an_object_is_reported() {
    let parsed = parse_pool(json!({
        "addresses": ["10.0.0.0/24", "ten", "10.0.0.9-10.0.1.0", "fd00::2-fd00::1"],
        "exclude": ["10.0.0.0/33"],
        "serviceAllocation": {
            "priority": -1,
            "namespaceSelectors": [{}, { "matchExpressions": [{ "key": "x", "operator": "In" }] }],
            "serviceSelectors": [
                { "matchExpressions": [{ "key": "x", "operator": "Exists", "values": ["a"] }] },
                { "matchExpressions": [{ "key": "x", "operator": "Like", "values": ["a"] }] },
            ],
        },
    }));
    assert_eq!(parsed.config.pools, []);
    let found: Vec<(&str, &str)> = parsed
        .problems
        .iter()
        .map(|p| (p.field.as_str(), p.reason.reason()))
        .collect();
    assert_eq!(
        found,
        [
            ("spec.addresses[1]", "NotAnAddress"),
            ("spec.addresses[2]", "OverlappingEntries"),
            ("spec.addresses[3]", "ReversedRange"),
            ("spec.exclude[0]", "InvalidPrefixLength"),
            ("spec.serviceAllocation.priority", "PriorityOutOfRange"),
            (
                "spec.serviceAllocation.namespaceSelectors[1]",
                "ValuesMissing"
            ),
            (
                "spec.serviceAllocation.serviceSelectors[0]",
                "ValuesUnwanted"
            ),
            (
                "spec.serviceAllocation.serviceSelectors[1]",
                "UnknownOperator"
            ),
        ]
    );
}

#[test]
fn entries_of_a_pool_may_touch_but_not_overlap() {
    let touching = parse_pool(json!({ "addresses": ["10.0.0.0/25", "10.0.0.128/25"] }));
    assert_eq!(touching.problems, []);
    let overlapping = parse_pool(json!({ "addresses": ["fd00::/120", "10.0.0.1", "fd00::ff"] }));
    assert_eq!(
        said(&overlapping),
        [
            "IPAddressPool/lan: spec.addresses[2]: fd00::ff overlaps fd00::/120; remove one of them \
          or make them meet without overlap"
        ]
    );
    assert_eq!(overlapping.config.pools, []);
}

#[test]
fn a_pool_without_addresses_is_refused() {
    let parsed = parse_pool(json!({ "addresses": [] }));
    assert_eq!(parsed.config.pools, []);
    assert_eq!(parsed.problems[0].reason, Problem::NoAddresses);
}

#[test]
fn an_exclusion_outside_the_pool_is_a_warning() {
    let parsed =
        parse_pool(json!({ "addresses": ["10.0.0.0/24"], "exclude": ["10.0.0.7", "fd00::7"] }));
    assert_eq!(parsed.config.pools.len(), 1);
    assert_eq!(parsed.problems[0].severity(), Severity::Warning);
    assert_eq!(
        said(&parsed),
        [
            "IPAddressPool/lan: spec.exclude[1]: fd00::7 is outside the pool's addresses and \
          excludes nothing; correct or remove it"
        ]
    );
}

#[test]
fn an_advertisement_with_every_field_means_what_it_says() {
    let selector = |key: &str| model::LabelSelector::of_labels([(key, "y")]);
    let object = advertisement(
        "all",
        json!({
            "ipAddressPools": ["lan"],
            "ipAddressPoolSelectors": [{ "matchLabels": { "pool": "y" } }],
            "serviceSelectors": [{ "matchLabels": { "service": "y" } }],
            "nodeSelectors": [{ "matchLabels": { "node": "y" } }],
            "interfaces": ["eth*"],
            "preferredNodeSelectors": [
                { "weight": 100, "preference": { "matchLabels": { "best": "y" } } },
            ],
        }),
    );
    let expected = L2Advertisement {
        name: AdvertisementName::new("all"),
        pools: vec![PoolName::new("lan")],
        pool_selectors: vec![selector("pool")],
        service_selectors: vec![selector("service")],
        node_selectors: vec![selector("node")],
        interfaces: vec![InterfacePattern::new("eth*")],
        preferred_node_selectors: vec![model::PreferredNodeSelector {
            weight: 100,
            preference: selector("best"),
        }],
        requires: Vec::new(),
    };
    let lan = pool("lan", json!({ "addresses": ["10.0.0.1"] }));
    let parsed = parse(&[&lan], &[&object]);
    assert_eq!(parsed.problems, []);
    assert_eq!(parsed.config.l2_advertisements, [expected]);
}

#[test]
fn an_advertisement_that_names_an_unknown_pool_is_in_force_with_a_warning() {
    let parsed = parse(
        &[],
        &[&advertisement("all", json!({ "ipAddressPools": ["lna"] }))],
    );
    assert_eq!(parsed.config.l2_advertisements.len(), 1);
    assert_eq!(parsed.problems[0].severity(), Severity::Warning);
    assert_eq!(
        said(&parsed),
        [
            "L2Advertisement/all: spec.ipAddressPools[0]: there is no IPAddressPool \"lna\"; create \
          it or correct the name"
        ]
    );
}

#[test]
fn weights_and_interfaces_outside_their_bounds_are_refused() {
    for weight in [0, -1, 101, i64::MAX] {
        let spec = json!({ "preferredNodeSelectors": [{ "weight": weight, "preference": {} }] });
        let parsed = parse(&[], &[&advertisement("a", spec)]);
        assert_eq!(parsed.problems[0].reason, Problem::WeightOutOfRange(weight));
        assert_eq!(parsed.config.l2_advertisements, []);
    }
    for pattern in ["", "a/b", "eth\t0", "sixteen-letters-"] {
        let parsed = parse(
            &[],
            &[&advertisement("a", json!({ "interfaces": [pattern] }))],
        );
        assert_eq!(
            parsed.problems[0].reason,
            Problem::InterfacePattern(pattern.to_owned())
        );
    }
}

#[test]
fn an_advertisement_that_is_refused_stays_as_it_was_in_force() {
    let good = advertisement("all", json!({ "interfaces": ["eth0"] }));
    let before = parse(&[], &[&good]).config.l2_advertisements;
    let last = Last {
        l2_advertisements: before.iter().map(|a| (a.name.clone(), a.clone())).collect(),
        ..Last::default()
    };
    let bad = advertisement("all", json!({ "interfaces": ["eth 0"] }));
    let objects = Objects {
        l2_advertisements: vec![&bad],
        ..Objects::default()
    };
    let parsed = super::parse(&objects, &last);
    assert_eq!(parsed.config.l2_advertisements, before);
    assert_eq!(parsed.problems.len(), 1);
    let gone = super::parse(&Objects::default(), &last);
    assert_eq!(gone, Parsed::default(), "what was deleted is gone");
}
