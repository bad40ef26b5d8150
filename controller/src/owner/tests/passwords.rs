//! Passwords, copied into the one Secret that speakers read.

use std::collections::BTreeMap;

use crds::SPEAKER_SECRET_NAME;
use runtime::watch::{WatchEvent, WatchFailure};
use serde_json::json;

use super::world::World;
use crate::effect::Effect;
use crate::owner::Event;

fn with_password() -> serde_json::Value {
    json!({ "passwordSecret": { "name": "router", "key": "bgp" } })
}

/// A peer with a password that was copied.
fn world() -> World {
    let mut world = World::with_pool(&["10.0.0.1"]);
    world.apply_secret("router", "bgp", "first");
    world.apply_peer("tor", &with_password());
    world.converge();
    world
}

fn copies(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn a_password_is_copied_and_speakers_are_told_only_its_key() {
    let mut world = world();
    assert_eq!(world.copied(), copies(&[("peer.tor", "first")]));
    assert_eq!(world.peer_condition("tor").0, "Accepted");
    let peer = &world.config().spec.bgp_peers[0];
    assert_eq!(peer.password_key.as_deref(), Some("peer.tor"));
    let text = serde_json::to_string(world.config()).unwrap();
    assert!(!text.contains("first"), "{text}");
    assert_eq!(world.effects(), [], "a converged system writes nothing");
    world.start();
    assert_eq!(world.effects(), [], "nor does one that starts");
}

#[test]
fn an_answer_that_is_later_than_the_watch_brings_no_passwords_back() {
    let mut world = world();
    world.apply_secret("router", "bgp", "second");
    let mut effects = world.effects();
    effects.retain(|effect| matches!(effect, Effect::WriteSpeakerSecret(_)));
    let late = world.carry_out(effects.remove(0));
    world.delete_secret(SPEAKER_SECRET_NAME);
    world.tell(Event::Done(late));
    world.converge();
    assert_eq!(world.copied(), copies(&[("peer.tor", "second")]));
}

#[test]
fn no_password_is_ever_printed() {
    let mut world = World::with_pool(&["10.0.0.1"]);
    world.apply_secret("router", "bgp", "sesame");
    world.apply_peer("tor", &with_password());
    let effects = world.effects();
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::WriteSpeakerSecret(_)))
    );
    let printed = format!("{effects:?} {:?}", world.owner);
    assert!(printed.contains("peer.tor"));
    assert!(!printed.contains("sesame"), "{printed}");
    assert!(!printed.contains("115, 101, 115"), "as bytes: {printed}");
}

#[test]
fn a_changed_password_is_copied_again() {
    let mut world = world();
    world.apply_secret("router", "bgp", "second");
    world.converge();
    assert_eq!(world.copied(), copies(&[("peer.tor", "second")]));
}

#[test]
fn keys_of_peers_that_are_gone_or_use_none_are_taken_out_and_others_left() {
    let mut world = world();
    let mut other = with_password();
    other["peerAddress"] = json!("2001:db8::1");
    world.apply_peer("other", &other);
    world.converge();
    world.tamper("beacon", "not ours to judge");
    world.delete_peer("other");
    world.converge();
    let both = [("beacon", "not ours to judge"), ("peer.tor", "first")];
    assert_eq!(world.copied(), copies(&both));
    world.apply_peer("tor", &json!({}));
    world.converge();
    assert_eq!(world.copied(), copies(&both[..1]));
}

#[test]
fn what_somebody_else_writes_under_a_key_of_a_peer_is_put_right() {
    let mut world = world();
    world.tamper("peer.tor", "foreign");
    world.tamper("peer.nobody", "foreign");
    world.converge();
    assert_eq!(world.copied(), copies(&[("peer.tor", "first")]));
    world.delete_secret(SPEAKER_SECRET_NAME);
    world.converge();
    assert_eq!(world.copied(), copies(&[("peer.tor", "first")]));
}

#[test]
fn what_is_missing_for_a_password_is_said_and_healed() {
    let mut world = World::with_pool(&["10.0.0.1"]);
    world.apply_peer("tor", &with_password());
    world.converge();
    let (reason, message) = world.peer_condition("tor");
    assert_eq!(reason, "SecretMissing");
    assert_eq!(
        message,
        "BGPPeer/tor: spec.passwordSecret: there is no Secret router in namespace seamark-system; \
         create it with the key bgp; no session is opened before"
    );
    let degraded = &world.config().status.as_ref().unwrap().conditions[0];
    assert_eq!(degraded.status, "True");
    for (key, value, reason) in [
        ("password", "first", "SecretKeyMissing"),
        ("bgp", "", "InvalidPassword"),
        ("bgp", "with a line break\n", "InvalidPassword"),
    ] {
        world.apply_secret("router", key, value);
        world.converge();
        assert_eq!(world.peer_condition("tor").0, reason, "{key}: {value:?}");
        assert_eq!(world.copied(), copies(&[]));
    }
    world.apply_secret("router", "bgp", "first");
    world.converge();
    assert_eq!(world.peer_condition("tor").0, "Accepted");
    assert_eq!(world.copied(), copies(&[("peer.tor", "first")]));
}

#[test]
fn a_secret_that_goes_away_takes_no_password_away() {
    let mut world = world();
    world.delete_secret("router");
    world.converge();
    let (reason, message) = world.peer_condition("tor");
    assert_eq!(reason, "SecretMissing");
    assert!(
        message.ends_with("the password copied last stays in use"),
        "{message}"
    );
    assert_eq!(world.copied(), copies(&[("peer.tor", "first")]));
    world.start();
    assert_eq!(world.copied(), copies(&[("peer.tor", "first")]));
    world.delete_secret(SPEAKER_SECRET_NAME);
    world.converge();
    assert_eq!(world.copied(), copies(&[("peer.tor", "first")]));
}

#[test]
fn a_peer_that_stays_as_it_was_keeps_its_password() {
    let mut world = world();
    world.apply_peer("tor", &json!({ "holdTime": "1s" }));
    world.converge();
    assert_eq!(world.peer_condition("tor").0, "TimeOutOfRange");
    assert_eq!(world.copied(), copies(&[("peer.tor", "first")]));
}

#[test]
fn secrets_that_cannot_be_read_are_unknown_and_not_gone() {
    let mut world = world();
    let forbidden = || Event::Secret(WatchEvent::Failed(WatchFailure::Forbidden));
    world.tell(forbidden());
    world.converge();
    assert_eq!(world.peer_condition("tor").0, "Accepted", "it is known");
    let mut other = with_password();
    other["peerAddress"] = json!("2001:db8::1");
    other["passwordSecret"]["name"] = json!("unknown");
    world.apply_peer("other", &other);
    world.converge();
    assert_eq!(world.peer_condition("other").0, "SecretsUnreadable");
    assert_eq!(world.copied(), copies(&[("peer.tor", "first")]));
    world.restart_without_secrets();
    world.tell(forbidden());
    world.converge();
    assert_eq!(world.peer_condition("tor").0, "SecretsUnreadable");
    assert_eq!(world.copied(), copies(&[("peer.tor", "first")]));
}
