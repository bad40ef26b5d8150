use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use model::{
    BgpAdvertisement, BgpAttributes, BgpPeer, Cidr, InterfaceName, IpFamily,
    LabelSelector as Selector, Operator, PasswordKey, PeerAsn, PeerName, Pool,
    PreferredNodeSelector as Preferred, Remote, Role, Uid,
};

use super::*;
use crate::speaker_config::{SpeakerConfigBfd, SpeakerConfigBgpPeer};

fn labels(value: &str) -> Labels {
    Labels::from([("zone".to_owned(), value.to_owned())])
}

fn pool(name: &str) -> Pool {
    Pool {
        name: PoolName::new(name),
        created: 0,
        labels: labels("living"),
        addresses: Vec::new(),
        exclude: Vec::new(),
        auto_assign: true,
        avoid_buggy_ips: false,
        service_allocation: model::ServiceAllocation::default(),
    }
}

fn advertisement(name: &str) -> L2Advertisement {
    let set = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect();
    let requirement = |operator| model::Requirement {
        key: "rack".to_owned(),
        operator,
    };
    let every_operator = Selector {
        match_labels: labels("a"),
        match_expressions: [
            Operator::In(set(&["a", "b"])),
            Operator::NotIn(set(&["c"])),
            Operator::Exists,
            Operator::DoesNotExist,
        ]
        .map(requirement)
        .to_vec(),
    };
    L2Advertisement {
        name: AdvertisementName::new(name),
        pools: vec![PoolName::new("lan"), PoolName::new("gone")],
        pool_selectors: vec![Selector::default()],
        service_selectors: vec![every_operator.clone()],
        node_selectors: vec![Selector::of_labels([("a", "b")]), Selector::default()],
        interfaces: vec![InterfacePattern::new("eth*")],
        preferred_node_selectors: vec![Preferred {
            weight: 100,
            preference: every_operator,
        }],
        requires: vec!["beacons".to_owned()],
    }
}

fn bare(name: &str) -> L2Advertisement {
    L2Advertisement {
        name: AdvertisementName::new(name),
        pools: Vec::new(),
        pool_selectors: Vec::new(),
        service_selectors: Vec::new(),
        node_selectors: Vec::new(),
        interfaces: Vec::new(),
        preferred_node_selectors: Vec::new(),
        requires: Vec::new(),
    }
}

/// Peers that between them have every field in every form.
fn peers() -> Vec<BgpPeer> {
    let small = BgpPeer {
        name: PeerName::new("small"),
        uid: None,
        my_asn: 1,
        peer_asn: PeerAsn::Internal,
        remote: Remote::Address("2001:db8::1".parse().unwrap()),
        port: 179,
        source_address: None,
        router_id: None,
        node_selectors: Vec::new(),
        hold_time: Duration::ZERO,
        keepalive_time: None,
        connect_time: None,
        ebgp_multi_hop: false,
        ttl_security: true,
        password: None,
        role: None,
        max_prefixes: 1,
        address_families: vec![IpFamily::V4],
        passive: false,
        bfd: None,
        bfd_strict: false,
        graceful_restart: model::GracefulRestart::default(),
        graceful_shutdown: model::GracefulShutdown::default(),
        vrf: None,
        requires: Vec::new(),
    };
    let role = |role| BgpPeer {
        name: PeerName::new(format!("{role:?}")),
        uid: Some(Uid::new("6b1f")),
        my_asn: u32::MAX,
        peer_asn: PeerAsn::Exactly(u32::MAX),
        remote: Remote::Address("192.0.2.1".parse().unwrap()),
        port: u16::MAX,
        source_address: Some("192.0.2.2".parse().unwrap()),
        router_id: Some(Ipv4Addr::new(192, 0, 2, 2)),
        node_selectors: vec![Selector::of_labels([("rack", "a")])],
        hold_time: Duration::from_secs(65_535),
        keepalive_time: Some(Duration::from_secs(1)),
        connect_time: Some(Duration::from_secs(65_535)),
        ebgp_multi_hop: true,
        ttl_security: false,
        password: Some(PasswordKey::new("peer.tor")),
        role: Some(role),
        max_prefixes: u32::MAX,
        address_families: IpFamily::ALL.to_vec(),
        passive: true,
        bfd: Some(model::BfdProfile {
            name: model::BfdProfileName::new("fast"),
            receive_interval: Duration::from_millis(10),
            transmit_interval: Duration::from_mins(1),
            detect_multiplier: std::num::NonZeroU8::MAX,
            minimum_ttl: 1,
            passive: true,
        }),
        bfd_strict: true,
        graceful_restart: model::GracefulRestart {
            enabled: false,
            restart_time: Duration::from_secs(4095),
            notification: true,
            bfd_budget: Duration::ZERO,
        },
        graceful_shutdown: model::GracefulShutdown {
            enabled: false,
            wait: Duration::from_mins(1),
        },
        vrf: Some("red".to_owned()),
        requires: vec!["bfd".to_owned()],
    };
    let any = BgpPeer {
        name: PeerName::new("any"),
        peer_asn: PeerAsn::External,
        ..small.clone()
    };
    let on_link = BgpPeer {
        name: PeerName::new("on-link"),
        remote: Remote::Interface(InterfaceName::new("eth1.100")),
        ..small.clone()
    };
    let range = Cidr::new("2001:db8::".parse().unwrap(), 64);
    let range = BgpPeer {
        name: PeerName::new("range"),
        remote: Remote::Range(range.unwrap()),
        ..small.clone()
    };
    let roles = [
        Role::Provider,
        Role::RouteServer,
        Role::RouteServerClient,
        Role::Customer,
        Role::Peer,
    ];
    let others = roles.map(role).into_iter().chain([on_link, range]);
    [small, any].into_iter().chain(others).collect()
}

fn bgp_advertisements() -> Vec<BgpAdvertisement> {
    let communities = [
        "64512:1",
        "large:1:2:3",
        "rt:64512:1",
        "extended:4304000000000001",
    ];
    let full = BgpAdvertisement {
        name: AdvertisementName::new("full"),
        pools: vec![PoolName::new("lan")],
        pool_selectors: vec![Selector::default()],
        service_selectors: vec![Selector::of_labels([("a", "b")])],
        node_selectors: vec![Selector::of_labels([("c", "d")])],
        peers: vec![PeerName::new("small")],
        aggregation_length: 24,
        aggregation_length_v6: 48,
        aggregate_anyway: true,
        attributes: Arc::new(BgpAttributes {
            local_pref: Some(u32::MAX),
            med: Some(0),
            as_path_prepend: 10,
            communities: communities.map(|text| text.parse().unwrap()).into(),
        }),
        requires: vec!["moonlight".to_owned()],
    };
    let bare = BgpAdvertisement {
        name: AdvertisementName::new("bare"),
        pools: Vec::new(),
        pool_selectors: Vec::new(),
        service_selectors: Vec::new(),
        node_selectors: Vec::new(),
        peers: Vec::new(),
        aggregation_length: 32,
        aggregation_length_v6: 128,
        aggregate_anyway: false,
        attributes: Arc::default(),
        requires: Vec::new(),
    };
    vec![bare, full]
}

#[test]
fn vanished_pools_that_are_still_referenced_leave_a_tombstone_with_their_last_labels() {
    let config = Config {
        pools: vec![pool("lan")],
        l2_advertisements: vec![bare("all")],
        ..Config::default()
    };
    let referenced = ["gone", "lan"]
        .map(|name| (PoolName::new(name), labels("last")))
        .into_iter()
        .collect();
    let known = |labels, vanished| SpeakerPool { labels, vanished };
    let expected = SpeakerConfig {
        pools: BTreeMap::from([
            (PoolName::new("gone"), known(labels("last"), true)),
            (PoolName::new("lan"), known(labels("living"), false)),
        ]),
        l2_advertisements: vec![bare("all")],
        ..SpeakerConfig::default()
    };
    assert_eq!(speaker_config(&config, &referenced), expected);
}

#[test]
fn a_configuration_goes_over_the_wire_and_back() {
    let config = Config {
        pools: vec![pool("lan"), pool("wan")],
        l2_advertisements: vec![bare("all"), advertisement("some")],
        bgp_advertisements: bgp_advertisements(),
        bgp_peers: peers(),
    };
    let tombstones = BTreeMap::from([(PoolName::new("gone"), Labels::new())]);
    for before in [
        SpeakerConfig::default(),
        SpeakerConfig {
            leaving: true,
            ..SpeakerConfig::default()
        },
        speaker_config(&config, &tombstones),
    ] {
        let wire = serde_json::to_string(&SpeakerConfigSpec::from(&before)).unwrap();
        let spec: SpeakerConfigSpec = serde_json::from_str(&wire).unwrap();
        assert_eq!(SpeakerConfig::try_from(&spec), Ok(before));
    }
}

#[test]
fn fields_of_a_newer_controller_are_no_obstacle() {
    let spec: SpeakerConfigSpec = serde_json::from_value(serde_json::json!({
        "pools": [{ "name": "lan", "colour": "blue" }],
        "l2Advertisements": [{ "name": "all", "requires": ["moonlight"], "moon": 1 }],
        "moons": [],
    }))
    .unwrap();
    let config = SpeakerConfig::try_from(&spec).unwrap();
    assert_eq!(config.l2_advertisements[0].requires, ["moonlight"]);
}

#[test]
fn an_item_that_cannot_be_read_is_named() {
    let mut spec = SpeakerConfigSpec::default();
    spec.l2_advertisements.push((&advertisement("odd")).into());
    spec.l2_advertisements[0].preferred_node_selectors[0].weight = 0;
    let error = SpeakerConfig::try_from(&spec).unwrap_err();
    assert_eq!(error.item.to_string(), "L2Advertisement/odd");
    assert_eq!(*error.problem, Problem::WeightOutOfRange(0));
}

#[test]
fn above_one_mebibyte_nothing_fits() {
    let spec_of = |bytes: usize| {
        let mut config = SpeakerConfig::default();
        let empty = serde_json::to_vec(&SpeakerConfigSpec::default())
            .unwrap()
            .len();
        let item = r#"{"name":""}"#.len();
        let name = "p".repeat(bytes - empty - item);
        config
            .pools
            .insert(PoolName::new(name), SpeakerPool::default());
        SpeakerConfigSpec::from(&config)
    };
    assert!(fits(&spec_of(1 << 20)));
    assert!(!fits(&spec_of((1 << 20) + 1)));
}

#[test]
fn a_peer_that_cannot_be_read_is_named() {
    let mut spec = SpeakerConfigSpec::default();
    spec.bgp_peers.push((&peers()[0]).into());
    for (spoil, reason) in [
        (
            (|item| item.dynamic_asn = Some("nobody".to_owned())) as fn(&mut SpeakerConfigBgpPeer),
            "UnknownWord",
        ),
        (|item| item.my_asn = 0, "NumberOutOfRange"),
        (|item| item.hold_time = "soon".to_owned(), "NotADuration"),
        (|item| item.role = Some("king".to_owned()), "UnknownWord"),
        (|item| item.peer_address = None, "InvalidPeer"),
        (
            |item| item.bfd = Some(SpeakerConfigBfd::default()),
            "NumberOutOfRange",
        ),
        (
            |item| item.graceful_restart.restart_time = "2h0m".to_owned(),
            "TimeOutOfRange",
        ),
    ] {
        let mut spec = spec.clone();
        spoil(&mut spec.bgp_peers[0]);
        let error = SpeakerConfig::try_from(&spec).unwrap_err();
        assert_eq!(error.item.to_string(), "BGPPeer/small");
        assert_eq!(error.problem.reason(), reason);
    }
}

#[test]
fn an_item_that_says_nothing_of_restart_and_shutdown_has_the_defaults() {
    let mut spec = SpeakerConfigSpec::default();
    spec.bgp_peers.push((&peers()[0]).into());
    let mut value = serde_json::to_value(&spec).unwrap();
    let item = value["bgpPeers"][0].as_object_mut().unwrap();
    item.remove("gracefulRestart");
    item.remove("gracefulShutdown");
    let read: SpeakerConfigSpec = serde_json::from_value(value).unwrap();
    assert_eq!(read, spec);
}
