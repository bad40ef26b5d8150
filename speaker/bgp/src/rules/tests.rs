use std::net::IpAddr;

use super::{FamilyWithheld, Rules};
use crate::fixtures::{V4, V6, config};
use crate::wire::{NextHop, Session};
use crate::{Asn, Attributes, Community, Config, Families, Family};

fn rules(config: &Config, local: &str, session: &Session) -> Rules {
    Rules::new(config, local.parse::<IpAddr>().unwrap(), session)
}

fn session() -> Session {
    Session {
        families: Families::BOTH,
        ..Session::default()
    }
}

fn bare() -> Config {
    Config {
        next_hop_v4: None,
        next_hop_v6: None,
        ..config(0)
    }
}

fn next_hop(rules: &Rules, family: Family) -> Option<NextHop> {
    let attributes = rules.path_attributes(family, &Attributes::default());
    attributes.map(|attributes| attributes.next_hop)
}

fn v6(text: &str) -> NextHop {
    NextHop::V6 {
        global: text.parse().unwrap(),
        link_local: None,
    }
}

#[test]
fn the_connections_own_address_is_the_next_hop_of_its_family() {
    let over_v4 = rules(&bare(), "192.0.2.1", &session());
    assert_eq!(
        next_hop(&over_v4, V4),
        Some(NextHop::V4("192.0.2.1".parse().unwrap()))
    );
    let over_v6 = rules(&bare(), "fd00::1", &session());
    assert_eq!(next_hop(&over_v6, V6), Some(v6("fd00::1")));
}

#[test]
fn a_configured_next_hop_comes_first_over_either_family() {
    let configured = Config {
        next_hop_v4: Some("192.0.2.9".parse().unwrap()),
        next_hop_v6: Some("fd00::9".parse().unwrap()),
        ..bare()
    };
    for local in ["192.0.2.1", "fd00::1"] {
        let rules = rules(&configured, local, &session());
        assert_eq!(
            next_hop(&rules, V4),
            Some(NextHop::V4("192.0.2.9".parse().unwrap()))
        );
        assert_eq!(next_hop(&rules, V6), Some(v6("fd00::9")));
    }
}

#[test]
fn a_family_without_a_next_hop_is_withheld_and_says_why() {
    let over_v4 = rules(&bare(), "192.0.2.1", &session());
    assert_eq!(next_hop(&over_v4, V6), None);
    assert_eq!(over_v4.families().iter().collect::<Vec<_>>(), [V4]);
    assert_eq!(over_v4.withheld().v6, Some(FamilyWithheld::NextHopUnknown));
    let over_v6 = rules(&bare(), "fd00::1", &session());
    assert_eq!(over_v6.families().iter().collect::<Vec<_>>(), [V6]);
    assert_eq!(over_v6.withheld().v4, Some(FamilyWithheld::NextHopUnknown));
}

#[test]
fn a_family_that_one_side_leaves_out_is_withheld_and_says_whose_it_is() {
    let only = |family| Families::from_iter([family]);
    let ours = Config {
        families: only(V4),
        ..config(0)
    };
    let rules_of_ours = rules(&ours, "192.0.2.1", &session());
    assert_eq!(
        rules_of_ours.withheld().v6,
        Some(FamilyWithheld::NotConfigured)
    );
    let theirs = Session {
        families: only(V4),
        ..session()
    };
    let rules_of_theirs = rules(&config(0), "192.0.2.1", &theirs);
    assert_eq!(
        rules_of_theirs.withheld().v6,
        Some(FamilyWithheld::NotNegotiated)
    );
}

/// RFC 8950 §4.
#[test]
fn ipv4_routes_go_over_ipv6_with_an_ipv6_next_hop_where_that_was_negotiated() {
    let extended = Session {
        extended_next_hop: true,
        ..session()
    };
    let rules = rules(&bare(), "fe80::1", &extended);
    assert_eq!(next_hop(&rules, V4), Some(v6("fe80::1")));
}

/// RFC 4271 §5.1.2.
#[test]
fn our_as_is_prepended_to_external_peers_and_never_to_internal_ones() {
    let thrice = Attributes {
        as_path_prepend: 2,
        ..Attributes::default()
    };
    let as_path = |ebgp| {
        let session = Session { ebgp, ..session() };
        let rules = rules(&config(0), "192.0.2.1", &session);
        rules.path_attributes(V4, &thrice).unwrap().as_path
    };
    assert_eq!(as_path(true), [Asn(65_000); 3]);
    assert_eq!(as_path(false), []);
}

#[test]
fn rules_differ_for_the_families_whose_routes_change() {
    let before = rules(&bare(), "192.0.2.1", &session());
    let after = Config {
        next_hop_v6: Some("fd00::9".parse().unwrap()),
        ..bare()
    };
    let after = rules(&after, "192.0.2.1", &session());
    assert!(after.differ(&before, V6));
    assert!(!after.differ(&before, V4));
}

/// RFC 8326 §4.2, §4.3.
#[test]
fn whoever_leaves_marks_every_route_once_and_prefers_nothing_to_it_within_an_as() {
    let internal = Session {
        ebgp: false,
        ..session()
    };
    for (session, local_pref) in [(session(), Some(200)), (internal, Some(0))] {
        let mut rules = rules(&bare(), "192.0.2.1", &session);
        let before = rules.clone();
        rules.set_graceful_shutdown(true);
        assert!([V4, V6].map(|family| rules.differ(&before, family)) == [true; 2]);
        let other = Community::new(64_512, 7);
        for communities in [vec![other], vec![other, Community::GRACEFUL_SHUTDOWN]] {
            let attributes = Attributes {
                local_pref: Some(200),
                communities,
                ..Attributes::default()
            };
            let told = rules.path_attributes(V4, &attributes).unwrap();
            assert_eq!(told.communities, [other, Community::GRACEFUL_SHUTDOWN]);
            assert_eq!(told.local_pref, local_pref);
        }
        rules.set_graceful_shutdown(false);
        assert_eq!(rules, before);
    }
}
