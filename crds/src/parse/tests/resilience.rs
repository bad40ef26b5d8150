//! BFD profiles, and how sessions with a peer fail, pause and end.

use std::num::NonZeroU8;
use std::time::Duration;

use model::{BfdProfileName, BgpPeer, GracefulRestart, GracefulShutdown, PeerName};
use serde_json::{Value, json};

use super::bgp::{found, names, parse_peer, peer};
use super::*;

fn profile(name: &str, spec: Value) -> BFDProfile {
    BFDProfile::new(name, serde_json::from_value(spec).unwrap())
}

/// What becomes of these, after what was in force before.
fn parse_after(last: &[BgpPeer], peers: &[&BGPPeer], profiles: &[&BFDProfile]) -> Parsed {
    let last = last.iter().map(|peer| (peer.name.clone(), peer.clone()));
    let last = Last {
        bgp_peers: last.collect(),
        ..Last::default()
    };
    let objects = Objects {
        bgp_peers: peers.to_vec(),
        bfd_profiles: profiles.to_vec(),
        ..Objects::default()
    };
    super::super::parse(&objects, &last)
}

fn parse_profile(spec: Value) -> Parsed {
    parse_after(&[], &[], &[&profile("fast", spec)])
}

fn fast() -> BFDProfile {
    profile(
        "fast",
        json!({ "receiveInterval": 50, "transmitInterval": 50 }),
    )
}

/// A peer that names the profile.
fn tor(fields: &Value) -> BGPPeer {
    let mut all = json!({ "bfdProfile": "fast" });
    for (field, value) in fields.as_object().unwrap() {
        all[field] = value.clone();
    }
    peer("tor", 1, &all)
}

/// The same, in force with the profile.
fn settled() -> BgpPeer {
    let parsed = parse_after(&[], &[&tor(&json!({}))], &[&fast()]);
    assert_eq!(parsed.problems, []);
    parsed.config.bgp_peers[0].clone()
}

#[test]
fn a_peer_has_the_values_of_its_profile() {
    let full = profile(
        "fast",
        json!({
            "receiveInterval": 10, "transmitInterval": 60_000, "detectMultiplier": 255,
            "minimumTtl": 1, "passiveMode": true,
        }),
    );
    let parsed = parse_after(&[], &[&tor(&json!({ "bfdStrict": true }))], &[&full]);
    assert_eq!(parsed.problems, []);
    let expected = model::BfdProfile {
        name: BfdProfileName::new("fast"),
        receive_interval: Duration::from_millis(10),
        transmit_interval: Duration::from_mins(1),
        detect_multiplier: NonZeroU8::MAX,
        minimum_ttl: 1,
        passive: true,
    };
    let peer = &parsed.config.bgp_peers[0];
    assert_eq!((&peer.bfd, peer.bfd_strict), (&Some(expected), true));
}

#[test]
fn a_profile_that_says_nothing_has_the_defaults() {
    let parsed = parse_after(&[], &[&tor(&json!({}))], &[&profile("fast", json!({}))]);
    let expected = model::BfdProfile {
        name: BfdProfileName::new("fast"),
        receive_interval: Duration::from_millis(300),
        transmit_interval: Duration::from_millis(300),
        detect_multiplier: NonZeroU8::new(3).unwrap(),
        minimum_ttl: 254,
        passive: false,
    };
    assert_eq!(parsed.config.bgp_peers[0].bfd, Some(expected));
}

#[test]
fn every_problem_of_a_profile_is_reported() {
    let parsed = parse_profile(json!({
        "receiveInterval": 9, "transmitInterval": 60_001, "detectMultiplier": 1,
        "minimumTtl": 255, "echoMode": true, "echoInterval": 50,
    }));
    let found: BTreeSet<_> = found(&parsed).into_iter().collect();
    let expected = BTreeSet::from([
        ("spec.receiveInterval", "NumberOutOfRange"),
        ("spec.transmitInterval", "NumberOutOfRange"),
        ("spec.detectMultiplier", "NumberOutOfRange"),
        ("spec.minimumTtl", "NumberOutOfRange"),
        ("spec.echoMode", "EchoModeUnsupported"),
        ("spec.echoInterval", "EchoModeUnsupported"),
    ]);
    assert_eq!(found, expected);
}

#[test]
fn a_new_peer_without_its_profile_is_not_in_force() {
    let parsed = parse_after(&[], &[&tor(&json!({}))], &[]);
    assert_eq!(names(&parsed), [""; 0]);
    assert_eq!(
        said(&parsed),
        [
            "BGPPeer/tor: spec.bfdProfile: there is no BFDProfile fast; create it or correct the \
             name; the peer is not put in force before, so that it does not run unprotected"
        ]
    );
    assert_eq!(parsed.problems[0].severity(), Severity::Rejected);
    let refused = profile("fast", json!({ "detectMultiplier": 0 }));
    let parsed = parse_after(&[], &[&tor(&json!({}))], &[&refused]);
    assert_eq!(names(&parsed), [""; 0]);
    let peers_own = ("spec.bfdProfile", "BFDProfileRefused");
    assert!(found(&parsed).contains(&peers_own), "{:?}", found(&parsed));
}

#[test]
fn a_peer_keeps_the_values_of_a_profile_that_cannot_be_had_and_takes_all_other_changes() {
    let before = settled();
    let edited = tor(&json!({ "holdTime": "9s" }));
    let refused = profile("fast", json!({ "echoMode": true }));
    for profiles in [&[][..], &[&refused]] {
        let parsed = parse_after(std::slice::from_ref(&before), &[&edited], profiles);
        let own = parsed.problems.iter().find(|p| p.object.name == "tor");
        let own = own.unwrap();
        assert_eq!(own.severity(), Severity::Warning);
        let text = own.to_string();
        assert!(text.ends_with("its last values stay in use"), "{text}");
        let peer = &parsed.config.bgp_peers[0];
        assert_eq!(peer.bfd, before.bfd);
        assert_eq!(peer.hold_time, Duration::from_secs(9));
    }
    let slower = profile("fast", json!({}));
    let parsed = parse_after(&[before], &[&edited], &[&slower]);
    assert_eq!(parsed.problems, []);
    let bfd = parsed.config.bgp_peers[0].bfd.as_ref().unwrap();
    assert_eq!(bfd.receive_interval, Duration::from_millis(300));
}

#[test]
fn a_peer_that_names_another_profile_which_is_missing_stays_whole_as_it_was() {
    let before = settled();
    let edited = tor(&json!({ "bfdProfile": "faster", "holdTime": "9s" }));
    let parsed = parse_after(std::slice::from_ref(&before), &[&edited], &[&fast()]);
    assert_eq!(found(&parsed), [("spec.bfdProfile", "UnknownBFDProfile")]);
    assert_eq!(parsed.config.bgp_peers, std::slice::from_ref(&before));
    // Taking it away is an order.
    let without = tor(&json!({ "bfdProfile": null }));
    let parsed = parse_after(&[before], &[&without], &[]);
    assert_eq!(parsed.problems, []);
    assert_eq!(parsed.config.bgp_peers[0].bfd, None);
}

#[test]
fn waiting_for_bfd_needs_a_profile() {
    let parsed = parse_peer(&json!({ "bfdStrict": true }));
    assert_eq!(found(&parsed), [("spec.bfdStrict", "StrictWithoutBFD")]);
    assert_eq!(names(&parsed), [""; 0]);
}

#[test]
fn restart_and_shutdown_are_graceful_unless_a_peer_says_otherwise() {
    let parsed = parse_peer(&json!({}));
    let peer = &parsed.config.bgp_peers[0];
    assert_eq!(peer.name, PeerName::new("tor"));
    assert_eq!(peer.graceful_restart, GracefulRestart::default());
    assert_eq!(peer.graceful_shutdown, GracefulShutdown::default());
    let parsed = parse_peer(&json!({
        "gracefulRestart": { "restartTime": "2m0s", "notification": true, "bfdBudget": "0s" },
        "gracefulShutdown": { "enabled": false },
    }));
    let peer = &parsed.config.bgp_peers[0];
    let expected = GracefulRestart {
        enabled: true,
        restart_time: Duration::from_mins(2),
        notification: true,
        bfd_budget: Duration::ZERO,
    };
    assert_eq!(peer.graceful_restart, expected);
    assert!(!peer.graceful_shutdown.enabled);
    assert_eq!(peer.graceful_shutdown.wait, Duration::from_secs(5));
}

#[test]
fn times_outside_what_can_be_kept_are_refused() {
    for (field, values) in [
        ("restartTime", &["0s", "4096s", "1h30m", "30", "500ms"][..]),
        ("bfdBudget", &["301s", "-1s"]),
    ] {
        for value in values {
            let parsed = parse_peer(&json!({ "gracefulRestart": { field: value } }));
            let found: Vec<_> = parsed.problems.iter().map(|p| p.field.as_str()).collect();
            assert_eq!(found, [format!("spec.gracefulRestart.{field}")], "{value}");
            assert_eq!(names(&parsed), [""; 0]);
        }
    }
    let parsed = parse_peer(&json!({ "gracefulShutdown": { "wait": "61s" } }));
    let expected = ("spec.gracefulShutdown.wait", "TimeOutOfRange");
    assert_eq!(found(&parsed), [expected]);
}
