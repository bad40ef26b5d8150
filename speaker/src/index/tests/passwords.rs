//! Which passwords of peers are known.

use serde_json::{Value, json};

use super::world::{Objects, World, answers, applied, config, deleted, failed, restarted};
use crate::index::Event;

/// "first", "second".
const VALUES: [&str; 2] = ["Zmlyc3Q=", "c2Vjb25k"];

fn secret(data: &Value) -> Value {
    json!({ "metadata": { "name": "seamark-speaker" }, "data": data })
}

/// A configuration with these peers, each with a password.
fn with_peers(names: &[&str]) -> Value {
    let mut config = config();
    let peer = |name: &&str| {
        json!({
            "name": name,
            "myASN": 64512,
            "peerASN": 64513,
            "peerAddress": "192.0.2.1",
            "peerPort": 179,
            "holdTime": "90s",
            "passwordKey": format!("peer.{name}"),
            "maxPrefixes": 1,
            "addressFamilies": ["IPv4"],
        })
    };
    config["spec"]["bgpPeers"] = names.iter().map(peer).collect();
    config
}

/// A node that has read everything, with a peer `tor` whose password is "first".
fn world() -> World {
    let mut objects = Objects::of(&["n1"]);
    objects.configs = vec![with_peers(&["tor"])];
    let mut world = World::of("n1", &objects);
    let secret = secret(&json!({ "peer.tor": VALUES[0] }));
    assert!(world.read(Event::Secret(restarted(&[secret]))));
    world
}

fn passwords(world: &World) -> Vec<(String, String)> {
    let passwords = world.index.passwords().into_iter();
    passwords
        .map(|(peer, password)| {
            let text = String::from_utf8(password.as_bytes().to_vec()).unwrap();
            (peer.to_string(), text)
        })
        .collect()
}

fn tor(password: &str) -> Vec<(String, String)> {
    vec![("tor".to_owned(), password.to_owned())]
}

#[test]
fn layer_2_does_not_wait_for_passwords() {
    let world = World::of("n1", &Objects::of(&["n1"]));
    assert!(world.index.is_complete());
    assert_eq!(passwords(&world), []);
}

#[test]
fn a_password_is_known_once_its_peer_and_the_secret_were_read() {
    let mut world = world();
    assert_eq!(passwords(&world), tor("first"));
    let both = json!({ "peer.tor": VALUES[0], "peer.new": VALUES[1] });
    world.read(Event::Secret(applied(&secret(&both))));
    assert_eq!(passwords(&world), tor("first"));
    let config = with_peers(&["new", "tor"]);
    assert!(world.read(Event::SpeakerConfig(applied(&config))));
    let new = ("new".to_owned(), "second".to_owned());
    assert_eq!(passwords(&world), [vec![new], tor("first")].concat());
}

#[test]
fn a_changed_password_is_of_interest_and_the_same_again_is_not() {
    let mut world = world();
    let second = secret(&json!({ "peer.tor": VALUES[1] }));
    assert!(world.read(Event::Secret(applied(&second))));
    assert_eq!(passwords(&world), tor("second"));
    assert!(!world.read(Event::Secret(applied(&second))));
}

#[test]
fn a_secret_or_key_that_vanishes_changes_nothing() {
    let none = secret(&json!({}));
    let events: [fn(&Value) -> Vec<Event>; 5] = [
        |none| vec![Event::Secret(deleted(none))],
        |none| vec![Event::Secret(applied(none))],
        |_| vec![Event::Secret(restarted(&[]))],
        |_| vec![Event::Secret(failed()), Event::Secret(restarted(&[]))],
        |_| vec![Event::SpeakerConfig(deleted(&config()))],
    ];
    for events in events {
        let mut world = world();
        assert!(answers(&world.plan()));
        for event in events(&none) {
            assert!(!world.read(event));
        }
        assert_eq!(passwords(&world), tor("first"));
    }
}

#[test]
fn a_password_that_no_peer_uses_any_more_is_forgotten() {
    let mut world = world();
    world.read(Event::Secret(deleted(&secret(&json!({})))));
    world.read(Event::SpeakerConfig(applied(&with_peers(&[]))));
    world.read(Event::SpeakerConfig(applied(&with_peers(&["tor"]))));
    assert_eq!(passwords(&world), []);
}

#[test]
fn other_secrets_and_values_that_are_no_password_say_nothing() {
    let mut world = world();
    let mut other = secret(&json!({ "peer.tor": VALUES[1] }));
    other["metadata"]["name"] = json!("other");
    assert!(!world.read(Event::Secret(applied(&other))));
    // "line" with a line break
    let broken = secret(&json!({ "peer.tor": "bGluZQo=", "beacon": VALUES[1] }));
    assert!(!world.read(Event::Secret(applied(&broken))));
    assert_eq!(passwords(&world), tor("first"));
}
