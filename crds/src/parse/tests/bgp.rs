//! Peers, BGP advertisements and communities.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use model::{BgpAttributes, BgpPeer, IpFamily, PasswordKey, PeerAsn, PoolName, Role, Uid};
use serde_json::{Value, json};

use super::*;
use crate::problem::BgpProblem;

/// A peer that was created at this second, with these fields besides the ones it needs; `null`
/// takes one away.
pub(super) fn peer(name: &str, second: i64, fields: &Value) -> BGPPeer {
    let mut spec = json!({ "myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.1" });
    for (field, value) in fields.as_object().unwrap() {
        spec[field] = value.clone();
    }
    let mut object = BGPPeer::new(name, serde_json::from_value(spec).unwrap());
    object.metadata.uid = Some(format!("uid-{name}"));
    object.metadata.creation_timestamp = Some(Time(Timestamp::from_second(second).unwrap()));
    object
}

fn bgp_advertisement(fields: Value) -> BGPAdvertisement {
    BGPAdvertisement::new("all", serde_json::from_value(fields).unwrap())
}

fn community(name: &str, second: i64, pairs: &[(&str, &str)]) -> Community {
    let items = pairs.iter();
    let items: Vec<Value> = items
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    let spec = serde_json::from_value(json!({ "communities": items })).unwrap();
    let mut object = Community::new(name, spec);
    object.metadata.creation_timestamp = Some(Time(Timestamp::from_second(second).unwrap()));
    object
}

pub(super) fn parse_peers(peers: &[&BGPPeer]) -> Parsed {
    let objects = Objects {
        bgp_peers: peers.to_vec(),
        ..Objects::default()
    };
    super::super::parse(&objects, &Last::default())
}

pub(super) fn parse_peer(fields: &Value) -> Parsed {
    parse_peers(&[&peer("tor", 1, fields)])
}

fn parse_advertisement(fields: Value, communities: &[&Community]) -> Parsed {
    let advertisement = bgp_advertisement(fields);
    let objects = Objects {
        bgp_advertisements: vec![&advertisement],
        communities: communities.to_vec(),
        ..Objects::default()
    };
    super::super::parse(&objects, &Last::default())
}

/// Field and reason of every problem.
pub(super) fn found(parsed: &Parsed) -> Vec<(&str, &'static str)> {
    let problems = parsed.problems.iter();
    problems
        .map(|p| (p.field.as_str(), p.reason.reason()))
        .collect()
}

pub(super) fn names(parsed: &Parsed) -> Vec<&str> {
    let peers = parsed.config.bgp_peers.iter();
    peers.map(|peer| peer.name.as_str()).collect()
}

#[test]
fn a_peer_with_every_field_means_what_it_says() {
    let parsed = parse_peer(&json!({
        "myASN": 4_200_000_000_u32,
        "peerAddress": "2001:db8::1",
        "peerPort": 1790,
        "sourceAddress": "2001:db8::10",
        "routerID": "192.0.2.10",
        "nodeSelectors": [{ "matchLabels": { "rack": "a" } }],
        "holdTime": "1m30s",
        "keepaliveTime": "20s",
        "connectTime": "2m0s",
        "ebgpMultiHop": true,
        "passwordSecret": { "name": "tor", "key": "bgp" },
        "role": "rs-client",
        "maxPrefixes": 100,
        "addressFamilies": ["IPv6"],
        "passive": true,
        "vrf": "red",
    }));
    let name = PeerName::new("tor");
    let expected = BgpPeer {
        my_asn: 4_200_000_000,
        peer_asn: PeerAsn::Exactly(64_513),
        remote: model::Remote::Address("2001:db8::1".parse().unwrap()),
        port: 1790,
        source_address: Some("2001:db8::10".parse().unwrap()),
        router_id: Some(Ipv4Addr::new(192, 0, 2, 10)),
        node_selectors: vec![model::LabelSelector::of_labels([("rack", "a")])],
        hold_time: Duration::from_secs(90),
        keepalive_time: Some(Duration::from_secs(20)),
        connect_time: Some(Duration::from_mins(2)),
        ebgp_multi_hop: true,
        ttl_security: false,
        password: Some(PasswordKey::of(&name)),
        role: Some(Role::RouteServerClient),
        max_prefixes: 100,
        address_families: vec![IpFamily::V6],
        passive: true,
        bfd: None,
        bfd_strict: false,
        graceful_restart: model::GracefulRestart::default(),
        graceful_shutdown: model::GracefulShutdown::default(),
        vrf: Some("red".to_owned()),
        requires: Vec::new(),
        uid: Some(Uid::new("uid-tor")),
        name,
    };
    assert_eq!(parsed.problems, []);
    assert_eq!(parsed.config.bgp_peers, [expected]);
}

#[test]
fn what_a_peer_does_not_say_has_its_default() {
    let parsed = parse_peer(&json!({ "peerASN": null, "dynamicASN": "external" }));
    let peer = &parsed.config.bgp_peers[0];
    assert_eq!(peer.peer_asn, PeerAsn::External);
    assert_eq!((peer.port, peer.max_prefixes), (179, 10_000));
    assert_eq!(peer.hold_time, Duration::from_secs(90));
    assert_eq!((peer.keepalive_time, peer.connect_time), (None, None));
    assert_eq!(peer.address_families, IpFamily::ALL);
    assert_eq!((&peer.password, &peer.vrf), (&None, &None));
}

#[test]
fn either_time_gives_the_other_one() {
    let seconds = |number| Some(Duration::from_secs(number));
    for (fields, hold, keepalive) in [
        (json!({ "holdTime": "30s" }), 30, None),
        (json!({ "keepaliveTime": "20s" }), 60, seconds(20)),
        (
            json!({ "holdTime": "30s", "keepaliveTime": "30s" }),
            30,
            seconds(30),
        ),
        (json!({ "holdTime": "0s", "keepaliveTime": "0s" }), 0, None),
        (json!({ "keepaliveTime": "0s" }), 0, None),
    ] {
        let parsed = parse_peer(&fields);
        let peer = &parsed.config.bgp_peers[0];
        let expected = (Duration::from_secs(hold), keepalive);
        assert_eq!((peer.hold_time, peer.keepalive_time), expected, "{fields}");
    }
}

#[test]
fn every_problem_of_a_peer_is_reported() {
    let parsed = parse_peer(&json!({
        "myASN": 0,
        "dynamicASN": "internal",
        "peerAddress": "fe80::1",
        "peerPort": 0,
        "sourceAddress": "eth0",
        "routerID": "0.0.0.0",
        "nodeSelectors": [{ "matchExpressions": [{ "key": "x", "operator": "In" }] }],
        "holdTime": "2s",
        "keepaliveTime": "1ms",
        "connectTime": "0s",
        "ttlSecurity": true,
        "ebgpMultiHop": true,
        "passwordSecret": { "name": "", "key": "a b" },
        "role": "transit",
        "maxPrefixes": 0,
        "addressFamilies": ["IPv4", "ipx"],
        "vrf": "red/blue",
    }));
    assert_eq!(parsed.config.bgp_peers, []);
    let found: BTreeSet<_> = found(&parsed).into_iter().collect();
    let expected = BTreeSet::from([
        ("spec.myASN", "NumberOutOfRange"),
        ("spec.peerASN", "InvalidPeerASN"),
        ("spec.peerAddress", "InvalidPeerAddress"),
        ("spec.peerPort", "NumberOutOfRange"),
        ("spec.sourceAddress", "InvalidPeerAddress"),
        ("spec.routerID", "InvalidRouterID"),
        ("spec.nodeSelectors[0]", "ValuesMissing"),
        ("spec.holdTime", "TimeOutOfRange"),
        ("spec.keepaliveTime", "NotADuration"),
        ("spec.connectTime", "TimeOutOfRange"),
        ("spec.ttlSecurity", "TTLSecurityWithMultiHop"),
        ("spec.passwordSecret.name", "InvalidSecretReference"),
        ("spec.passwordSecret.key", "InvalidSecretReference"),
        ("spec.role", "UnknownWord"),
        ("spec.maxPrefixes", "NumberOutOfRange"),
        ("spec.addressFamilies[1]", "UnknownWord"),
        ("spec.vrf", "InvalidVRF"),
    ]);
    assert_eq!(found, expected);
}

#[test]
fn fields_that_contradict_each_other_are_refused() {
    for (fields, expected) in [
        (
            json!({ "sourceAddress": "2001:db8::1" }),
            ("spec.sourceAddress", "DifferentFamilies"),
        ),
        (
            json!({ "peerASN": 64512, "role": "peer" }),
            ("spec.role", "ExternalPeersOnly"),
        ),
        (
            json!({ "peerASN": null, "dynamicASN": "internal", "ebgpMultiHop": true }),
            ("spec.ebgpMultiHop", "ExternalPeersOnly"),
        ),
        (
            json!({ "holdTime": "30s", "keepaliveTime": "31s" }),
            ("spec.keepaliveTime", "KeepaliveTooLong"),
        ),
        (
            json!({ "holdTime": "30s", "keepaliveTime": "0s" }),
            ("spec.keepaliveTime", "KeepaliveTooLong"),
        ),
    ] {
        let parsed = parse_peer(&fields);
        assert_eq!(found(&parsed), [expected]);
        assert_eq!(parsed.config.bgp_peers, []);
    }
}

#[test]
fn of_two_peers_that_are_the_same_to_a_node_the_older_one_is_in_force() {
    let none = json!({});
    let parsed = parse_peers(&[&peer("a", 2, &none), &peer("b", 1, &none)]);
    assert_eq!(names(&parsed), ["b"]);
    assert_eq!(
        said(&parsed),
        [
            "BGPPeer/a: spec.peerAddress: BGPPeer b is older and has the same address, port and VRF \
             on nodes that this one may select too; delete one, or write nodeSelectors that no node \
             can match both of"
        ]
    );
    let parsed = parse_peers(&[&peer("b", 1, &none), &peer("a", 1, &none)]);
    assert_eq!(names(&parsed), ["a"], "equally old: the earlier name");
}

#[test]
fn peers_that_differ_to_every_node_are_all_in_force() {
    let rack = |rack: &str| json!({ "nodeSelectors": [{ "matchLabels": { "rack": rack } }] });
    let parsed = parse_peers(&[
        &peer("a", 1, &rack("a")),
        &peer("b", 2, &rack("b")),
        &peer("port", 3, &json!({ "peerPort": 1790 })),
        &peer("vrf", 4, &json!({ "vrf": "red" })),
        &peer("address", 5, &json!({ "peerAddress": "2001:db8::1" })),
    ]);
    assert_eq!(parsed.problems, []);
    assert_eq!(names(&parsed), ["a", "address", "b", "port", "vrf"]);
}

#[test]
fn a_peer_that_is_refused_stays_as_it_was_in_force_unless_an_older_one_is_the_same() {
    let before = parse_peers(&[&peer("tor", 2, &json!({ "peerPort": 1790 }))]);
    let before = before.config.bgp_peers[0].clone();
    let last = Last {
        bgp_peers: BTreeMap::from([(before.name.clone(), before.clone())]),
        ..Last::default()
    };
    let after = |objects: &[&BGPPeer]| {
        let objects = Objects {
            bgp_peers: objects.to_vec(),
            ..Objects::default()
        };
        super::super::parse(&objects, &last).config.bgp_peers
    };
    let unreadable = peer("tor", 2, &json!({ "holdTime": "1s" }));
    assert_eq!(after(&[&unreadable]), std::slice::from_ref(&before));
    let older = peer("older", 1, &json!({}));
    let twin = peer("tor", 2, &json!({}));
    let both = after(&[&twin, &older]);
    assert_eq!(both.len(), 2);
    assert_eq!(both[1], before);
    let usurper = peer("older", 1, &json!({ "peerPort": 1790 }));
    let names: Vec<_> = after(&[&unreadable, &usurper]);
    assert_eq!(names.len(), 1);
    assert_eq!(names[0].name.as_str(), "older");
    assert_eq!(after(&[]), []);
}

#[test]
fn an_advertisement_with_every_field_of_bgp_means_what_it_says() {
    let selector = |key: &str| model::LabelSelector::of_labels([(key, "y")]);
    let named = community(
        "named",
        1,
        &[("inside", "64512:7"), ("wide", "large:1:2:3")],
    );
    let parsed = parse_advertisement(
        json!({
            "ipAddressPoolSelectors": [{ "matchLabels": { "pool": "y" } }],
            "serviceSelectors": [{ "matchLabels": { "service": "y" } }],
            "nodeSelectors": [{ "matchLabels": { "node": "y" } }],
            "aggregationLength": 24,
            "aggregationLengthV6": 64,
            "aggregateAnyway": true,
            "localPref": 200,
            "med": 0,
            "asPathPrepend": 3,
            "communities": ["wide", "inside", "no-export", "rt:64512:1", "64512:7"],
        }),
        &[&named],
    );
    let communities = ["64512:7", "65535:65281", "large:1:2:3", "rt:64512:1"];
    let expected = BgpAdvertisement {
        name: AdvertisementName::new("all"),
        pools: Vec::new(),
        pool_selectors: vec![selector("pool")],
        service_selectors: vec![selector("service")],
        node_selectors: vec![selector("node")],
        peers: Vec::new(),
        aggregation_length: 24,
        aggregation_length_v6: 64,
        aggregate_anyway: true,
        attributes: Arc::new(BgpAttributes {
            local_pref: Some(200),
            med: Some(0),
            as_path_prepend: 3,
            communities: communities.map(|text| text.parse().unwrap()).into(),
        }),
        requires: Vec::new(),
    };
    assert_eq!(parsed.problems, []);
    assert_eq!(parsed.config.bgp_advertisements, [expected]);
}

#[test]
fn an_advertisement_that_says_nothing_tells_every_address_to_every_peer() {
    let parsed = parse_advertisement(json!({ "localPref": 0 }), &[]);
    let advertisement = &parsed.config.bgp_advertisements[0];
    assert_eq!(advertisement.aggregation_length, 32);
    assert_eq!(advertisement.aggregation_length_v6, 128);
    assert!(advertisement.pools.is_empty() && advertisement.peers.is_empty());
    assert_eq!(*advertisement.attributes, BgpAttributes::default());
}

#[test]
fn names_that_nothing_has_are_told() {
    let parsed = parse_advertisement(json!({ "ipAddressPools": ["lan"], "peers": ["tor"] }), &[]);
    assert_eq!(
        found(&parsed),
        [
            ("spec.ipAddressPools[0]", "UnknownPool"),
            ("spec.peers[0]", "UnknownPeer")
        ]
    );
    assert_eq!(parsed.config.bgp_advertisements.len(), 1, "in force");
}

#[test]
fn an_advertisement_whose_communities_are_not_known_is_not_told_without_them() {
    for (text, reason) in [
        ("inside", "UnknownCommunity"),
        ("65536:1", "InvalidCommunity"),
        ("large:1", "InvalidCommunity"),
    ] {
        let parsed = parse_advertisement(json!({ "communities": [text] }), &[]);
        assert_eq!(found(&parsed), [("spec.communities[0]", reason)]);
        assert_eq!(parsed.config.bgp_advertisements, []);
    }
}

#[test]
fn numbers_of_an_advertisement_outside_their_range_are_refused() {
    let parsed = parse_advertisement(
        json!({
            "aggregationLength": 33, "aggregationLengthV6": 0, "localPref": -1,
            "med": 4_294_967_296_i64, "asPathPrepend": 11,
        }),
        &[],
    );
    assert_eq!(parsed.config.bgp_advertisements, []);
    let fields: Vec<&str> = found(&parsed).into_iter().map(|(field, _)| field).collect();
    assert_eq!(
        fields,
        [
            "spec.aggregationLength",
            "spec.aggregationLengthV6",
            "spec.localPref",
            "spec.med",
            "spec.asPathPrepend"
        ]
    );
}

#[test]
fn of_two_values_for_a_name_the_older_object_counts_and_the_rest_of_the_other_stays() {
    let young = community("a", 2, &[("inside", "64512:2"), ("outside", "64512:3")]);
    let old = community("b", 1, &[("inside", "64512:1")]);
    let same = community("c", 3, &[("inside", "64512:1")]);
    let parsed = parse_advertisement(
        json!({ "communities": ["inside", "outside"] }),
        &[&young, &old, &same],
    );
    assert_eq!(
        said(&parsed),
        [
            "Community/a: spec.communities[0].name: Community b is older and gives \"inside\" \
             another value; remove one of them"
        ]
    );
    assert_eq!(parsed.problems[0].severity(), Severity::Partial);
    let communities = &parsed.config.bgp_advertisements[0].attributes.communities;
    let communities: Vec<String> = communities.iter().map(ToString::to_string).collect();
    assert_eq!(communities, ["64512:1", "64512:3"]);
}

#[test]
fn names_and_values_that_mean_nothing_are_refused() {
    let bad = community(
        "bad",
        1,
        &[("a:b", "64512:1"), ("No_Export", "64512:1"), ("x", "many")],
    );
    let parsed = parse_advertisement(json!({}), &[&bad]);
    assert_eq!(
        found(&parsed),
        [
            ("spec.communities[0].name", "InvalidCommunityName"),
            ("spec.communities[1].name", "WellKnownName"),
            ("spec.communities[2].value", "InvalidCommunity"),
        ]
    );
}

#[test]
fn a_prefix_that_holds_more_than_the_pool_is_told_of() {
    let whole = pool(
        "whole",
        json!({ "addresses": ["10.0.0.0/23", "fd00::/48"] }),
    );
    let part = pool(
        "part",
        json!({ "addresses": ["10.0.9.1-10.0.9.9", "fd01::/64"] }),
    );
    let parse = |fields: Value| {
        let advertisement = bgp_advertisement(fields);
        let objects = Objects {
            pools: vec![&whole, &part],
            bgp_advertisements: vec![&advertisement],
            ..Objects::default()
        };
        super::super::parse(&objects, &Last::default()).problems
    };
    let lengths = json!({ "aggregationLength": 24, "aggregationLengthV6": 64 });
    let problems = parse(lengths);
    assert_eq!(problems.len(), 1);
    let expected = BgpProblem::AggregateBeyondPool {
        length: 24,
        range: crate::address::parse("10.0.9.1-10.0.9.9").unwrap(),
        pool: "part".to_owned(),
    };
    assert_eq!(problems[0].reason, expected.into());
    assert_eq!(problems[0].severity(), Severity::Warning);
    let wide = json!({ "aggregationLengthV6": 63, "ipAddressPools": ["part"] });
    assert_eq!(parse(wide)[0].field, "spec.aggregationLengthV6");
    let chosen = json!({ "aggregationLength": 23, "ipAddressPools": ["whole"] });
    assert_eq!(parse(chosen), []);
    assert_eq!(parse(json!({})), [], "single addresses hold no others");
}

#[test]
fn pools_are_known_by_name_even_if_they_are_refused() {
    let broken = pool("broken", json!({ "addresses": ["10.0.0.1/24"] }));
    let advertisement = bgp_advertisement(json!({ "ipAddressPools": ["broken"] }));
    let objects = Objects {
        pools: vec![&broken],
        bgp_advertisements: vec![&advertisement],
        ..Objects::default()
    };
    let parsed = super::super::parse(&objects, &Last::default());
    let advertisement = &parsed.config.bgp_advertisements[0];
    assert_eq!(advertisement.pools, [PoolName::new("broken")]);
    assert_eq!(parsed.problems.len(), 1);
}
