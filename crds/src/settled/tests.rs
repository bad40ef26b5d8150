use model::{LabelSelector as Selector, Operator, Pool, PreferredNodeSelector as Preferred};

use super::*;

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
        ..Config::default()
    };
    let tombstones = BTreeMap::from([(PoolName::new("gone"), Labels::new())]);
    for before in [
        SpeakerConfig::default(),
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
        "bgpPeers": [],
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
    assert_eq!(error.advertisement, "odd");
    assert_eq!(error.problem, Problem::WeightOutOfRange(0));
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
