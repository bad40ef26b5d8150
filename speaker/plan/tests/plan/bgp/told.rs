//! Who is told what.

use std::sync::Arc;

use model::{IpFamily, NodeName, PeerName};
use plan::{Conflict, Withheld, plan};

use super::facts::{
    advertisement, attributes, change_bgp, change_peers, peer, planned, routed, tells, told,
    why_untold,
};
use crate::facts::{
    answers, change_config, change_web, cluster, holder, ip, local, seen_from, selector, vips,
    why_not,
};

#[test]
fn every_peer_is_told_of_what_ledger_and_status_agree_on() {
    let plan = plan(&routed(&["n1"]));
    let both = Some(vec![
        "10.99.0.200/32".to_owned(),
        "fd99::200/128".to_owned(),
    ]);
    assert_eq!(told(&plan, "left"), both);
    assert_eq!(told(&plan, "right"), both);
    assert_eq!(plan.withheld.len(), 0);
    for vip in vips() {
        let advertised = &plan.advertised[&vip];
        assert_eq!(advertised.service, holder("web"));
        assert!(advertised.told);
        let peers = ["left", "right"].map(PeerName::new);
        assert_eq!(advertised.terms.peers(), peers.iter().collect());
    }
}

#[test]
fn every_node_tells_and_none_is_elected() {
    let facts = routed(&["n1", "n2", "n3"]);
    for name in facts.nodes.keys() {
        let plan = plan(&seen_from(&facts, name));
        for vip in vips() {
            assert!(tells(&plan, vip), "{name} does not tell {vip}");
        }
    }
}

#[test]
fn a_local_service_is_told_where_an_endpoint_of_its_family_is() {
    let mut facts = routed(&["n1", "n2"]);
    local(&mut facts, &[]);
    change_web(&mut facts, |web| {
        web.local_endpoints.v4.insert(NodeName::new("n1"));
        web.local_endpoints.v6.insert(NodeName::new("n2"));
    });
    let [v4, v6] = vips();
    let plans = ["n1", "n2"].map(|name| plan(&seen_from(&facts, &NodeName::new(name))));
    for (plan, here, elsewhere) in [(&plans[0], v4, v6), (&plans[1], v6, v4)] {
        assert!(tells(plan, here));
        assert!(!tells(plan, elsewhere));
        assert_eq!(why_untold(plan, elsewhere), Some(Withheld::NoLocalEndpoint));
    }
}

#[test]
fn a_peer_is_told_the_families_that_it_exchanges() {
    let mut facts = routed(&["n1"]);
    change_config(&mut facts, |config| {
        config.bgp_peers[0].address_families = vec![IpFamily::V6];
    });
    let plan = plan(&facts);
    assert_eq!(told(&plan, "left"), Some(vec!["fd99::200/128".to_owned()]));
    assert_eq!(told(&plan, "right").map(|routes| routes.len()), Some(2));
    assert_eq!(plan.withheld.len(), 0, "somebody is told of each");
}

#[test]
fn only_the_peers_that_an_advertisement_names_are_told() {
    let mut facts = routed(&["n1"]);
    change_bgp(&mut facts, |a| {
        a.peers = ["right", "nobody"].map(PeerName::new).to_vec()
    });
    let plan = plan(&facts);
    assert_eq!(told(&plan, "left"), Some(Vec::new()));
    assert_eq!(told(&plan, "right").map(|routes| routes.len()), Some(2));
}

#[test]
fn a_node_speaks_to_the_peers_whose_selectors_admit_it_even_with_nothing_to_tell() {
    let mut facts = routed(&["n1", "n2"]);
    change_config(&mut facts, |config| {
        config.bgp_advertisements.clear();
        config.bgp_peers[0].node_selectors = vec![selector("name", "n2")];
        config.bgp_peers.push(peer("third"));
        config.bgp_peers[2].requires = vec!["tides".to_owned()];
    });
    let plan = plan(&facts);
    assert_eq!(told(&plan, "left"), None, "it is for another node");
    assert_eq!(told(&plan, "right"), Some(Vec::new()));
    assert_eq!(told(&plan, "third"), None, "it asks for what is not known");
}

#[test]
fn why_nobody_is_told_is_said() {
    let feature = || Withheld::UnknownFeature {
        feature: "tides".to_owned(),
    };
    let tides = || vec!["tides".to_owned()];
    type Change = Box<dyn Fn(&mut plan::Snapshot)>;
    let cases: [(Withheld, Change); 7] = [
        (
            Withheld::NoPeer,
            Box::new(|s| change_config(s, |config| config.bgp_peers.clear())),
        ),
        (
            Withheld::NoPeer,
            Box::new(|s| change_bgp(s, |a| a.peers = vec![PeerName::new("nobody")])),
        ),
        (
            Withheld::NoPeer,
            Box::new(|s| change_peers(s, |p| p.node_selectors = vec![selector("name", "n9")])),
        ),
        (
            feature(),
            Box::new(move |s| change_peers(s, |p| p.requires = tides())),
        ),
        (
            feature(),
            Box::new(move |s| change_bgp(s, |a| a.requires = tides())),
        ),
        (
            Withheld::NodeNotSelected,
            Box::new(|s| change_bgp(s, |a| a.node_selectors = vec![selector("name", "n9")])),
        ),
        (Withheld::NodeUnknown, Box::new(|s| s.nodes.clear())),
    ];
    for (expected, change) in cases {
        let mut facts = routed(&["n1"]);
        change(&mut facts);
        let plan = plan(&facts);
        assert!(plan.bgp.values().all(|routes| routes.is_empty()));
        for vip in vips() {
            assert_eq!(why_untold(&plan, vip), Some(expected.clone()));
            assert_eq!(why_not(&plan, vip), None, "no L2Advertisement asks for it");
            assert!(Withheld::REASONS.contains(&expected.reason()));
        }
    }
}

#[test]
fn a_node_that_is_not_known_begins_no_session() {
    let mut facts = routed(&["n1"]);
    facts.nodes.clear();
    assert_eq!(plan(&facts).bgp.len(), 0);
    facts = routed(&["n1"]);
    facts.config = None;
    assert_eq!(plan(&facts).bgp.len(), 0);
}

#[test]
fn what_one_protocol_is_asked_for_is_not_missed_in_the_other() {
    let layer2 = plan(&cluster(&["n1"]));
    let bgp = plan(&routed(&["n1"]));
    for vip in vips() {
        assert!(answers(&layer2, vip) && !layer2.withheld.contains_key(&vip));
        assert!(tells(&bgp, vip) && !bgp.withheld.contains_key(&vip));
    }
    let mut neither = cluster(&["n1"]);
    change_config(&mut neither, |config| config.l2_advertisements.clear());
    let neither = plan(&neither);
    for vip in vips() {
        let reasons: Vec<_> = neither.withheld[&vip].reasons().collect();
        let pool = model::PoolName::new("pool");
        assert_eq!(reasons, [&Withheld::NoAdvertisement { pool }]);
    }
}

#[test]
fn one_address_is_answered_by_one_node_and_told_by_all() {
    let mut facts = routed(&["n1", "n2"]);
    change_config(&mut facts, |config| {
        config.l2_advertisements = vec![crate::facts::advertisement("all")];
    });
    for vip in vips() {
        let plans = ["n1", "n2"].map(|name| plan(&seen_from(&facts, &NodeName::new(name))));
        assert!(plans.iter().all(|plan| tells(plan, vip)));
        let (owners, others): (Vec<_>, Vec<_>) = plans.iter().partition(|plan| answers(plan, vip));
        assert_eq!((owners.len(), others.len()), (1, 1));
        assert_eq!(owners[0].withheld.get(&vip), None);
        let reasons = others[0].withheld[&vip].reasons();
        let reasons: Vec<_> = reasons.map(Withheld::reason).collect();
        assert_eq!(reasons, ["OtherNode"]);
    }
}

#[test]
fn peers_that_are_told_the_same_share_it_and_what_is_as_before_is_the_same_slice() {
    let mut facts = planned(routed(&["n1"]));
    let (left, right) = (PeerName::new("left"), PeerName::new("right"));
    assert!(Arc::ptr_eq(&facts.bgp[&left], &facts.bgp[&right]));
    let again = plan(&facts);
    assert!(Arc::ptr_eq(&again.bgp[&left], &facts.bgp[&left]));

    change_config(&mut facts, |config| {
        let mut more = advertisement("more");
        more.peers = vec![PeerName::new("right")];
        more.attributes = attributes(None, 0, &["no-export"]);
        config.bgp_advertisements.push(more);
    });
    let changed = plan(&facts);
    assert!(Arc::ptr_eq(&changed.bgp[&left], &facts.bgp[&left]));
    assert_eq!(
        told(&changed, "right").unwrap()[0],
        "10.99.0.200/32 65535:65281"
    );
    assert_eq!(
        changed.conflicts,
        std::collections::BTreeSet::<Conflict>::new()
    );
    assert_eq!(ip("10.99.0.200"), changed.bgp[&right][0].prefix.address());
}
