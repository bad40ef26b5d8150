//! BFD profiles: what peers get of them, and what is said when one is missing.

use crds::SpeakerConfigBfd;
use runtime::watch::{WatchEvent, WatchFailure};
use serde_json::json;

use super::world::World;
use crate::effect::{ConfigKind, Effect, Outcome};
use crate::owner::Event;

fn fast() -> serde_json::Value {
    json!({ "receiveInterval": 50, "transmitInterval": 50 })
}

/// A peer in force with a profile.
fn world() -> World {
    let mut world = World::with_pool(&["10.0.0.0/24"]);
    world.apply_bfd_profile("fast", fast());
    world.apply_peer("tor", &json!({ "bfdProfile": "fast" }));
    world.converge();
    world
}

/// What speakers are told of BFD with each peer.
fn bfd(world: &World) -> Vec<(String, Option<SpeakerConfigBfd>)> {
    let peers = world.config().spec.bgp_peers.iter();
    peers
        .map(|peer| (peer.name.clone(), peer.bfd.clone()))
        .collect()
}

#[test]
fn speakers_are_told_the_values_of_a_profile_and_each_change_of_it() {
    let mut world = world();
    let expected = SpeakerConfigBfd {
        profile: "fast".to_owned(),
        receive_interval: 50,
        transmit_interval: 50,
        detect_multiplier: 3,
        minimum_ttl: 254,
        passive_mode: false,
    };
    assert_eq!(bfd(&world), [("tor".to_owned(), Some(expected.clone()))]);
    let accepted = ("True".to_owned(), "Accepted".to_owned());
    assert_eq!(world.bfd_profile_condition("fast"), accepted);
    assert_eq!(world.peer_condition("tor").0, "Accepted");
    assert_eq!(world.effects(), [], "a converged system writes nothing");
    world.apply_bfd_profile(
        "fast",
        json!({ "receiveInterval": 10, "transmitInterval": 50 }),
    );
    world.converge();
    let changed = SpeakerConfigBfd {
        receive_interval: 10,
        ..expected
    };
    assert_eq!(bfd(&world), [("tor".to_owned(), Some(changed))]);
}

#[test]
fn a_new_peer_waits_for_its_profile_and_says_so() {
    let mut world = World::with_pool(&["10.0.0.0/24"]);
    world.apply_peer("tor", &json!({ "bfdProfile": "fast" }));
    world.converge();
    assert_eq!(bfd(&world), []);
    let (reason, message) = world.peer_condition("tor");
    assert_eq!(reason, "UnknownBFDProfile");
    assert_eq!(
        message,
        "BGPPeer/tor: spec.bfdProfile: there is no BFDProfile fast; create it or correct the name; \
         the peer is not put in force before, so that it does not run unprotected"
    );
    let degraded = &world.config().status.as_ref().unwrap().conditions[0];
    assert_eq!(degraded.reason, "InvalidObjects");
    world.apply_bfd_profile("fast", fast());
    world.converge();
    assert_eq!(world.peer_condition("tor").0, "Accepted");
    assert!(bfd(&world)[0].1.is_some());
}

#[test]
fn a_deleted_profile_stays_with_the_peers_that_have_it_over_a_restart() {
    let mut world = world();
    let before = bfd(&world);
    world.delete_bfd_profile("fast");
    world.converge();
    assert_eq!(bfd(&world), before);
    let (reason, message) = world.peer_condition("tor");
    assert_eq!(reason, "UnknownBFDProfile");
    assert!(
        message.ends_with("its last values stay in use"),
        "{message}"
    );
    let second = json!({ "bfdProfile": "fast", "peerAddress": "2001:db8::1" });
    world.apply_peer("second", &second);
    world.start();
    assert_eq!(bfd(&world), before, "a new peer gets nothing of it");
    assert_eq!(world.peer_condition("second").0, "UnknownBFDProfile");
    world.apply_peer("tor", &json!({}));
    world.converge();
    assert_eq!(bfd(&world), [("tor".to_owned(), None)]);
    world.apply_peer("tor", &json!({ "bfdProfile": "fast" }));
    world.converge();
    assert_eq!(bfd(&world), [("tor".to_owned(), None)], "as it was");
    assert_eq!(world.peer_condition("tor").0, "UnknownBFDProfile");
}

#[test]
fn a_profile_that_is_edited_into_something_refused_says_so_and_takes_nothing_away() {
    let mut world = world();
    let before = bfd(&world);
    world.apply_bfd_profile("fast", json!({ "detectMultiplier": 1 }));
    world.converge();
    assert_eq!(bfd(&world), before);
    let refused = ("False".to_owned(), "NumberOutOfRange".to_owned());
    assert_eq!(world.bfd_profile_condition("fast"), refused);
    assert_eq!(world.peer_condition("tor").0, "BFDProfileRefused");
}

#[test]
fn profiles_whose_definition_is_gone_stay_in_force() {
    let mut world = world();
    let before = bfd(&world);
    world.delete_bfd_profile("fast");
    assert_eq!(
        world.effects(),
        [Effect::LookUpKind(ConfigKind::BfdProfile)]
    );
    let gone = Outcome::KindLookedUp(ConfigKind::BfdProfile, Some(false));
    world.tell(Event::Done(gone));
    world.tell(Event::BfdProfile(WatchEvent::Failed(
        WatchFailure::NotFound,
    )));
    world.tell(Event::BfdProfile(WatchEvent::Restarted(Vec::new())));
    world.converge();
    assert_eq!(bfd(&world), before);
    let degraded = &world.config().status.as_ref().unwrap().conditions[0];
    assert_eq!(degraded.reason, "KindLost");
}

#[test]
fn nothing_is_written_before_profiles_were_read() {
    let mut world = world();
    let before = world.config().clone();
    world.restart_without_profiles();
    assert_eq!(world.effects(), []);
    assert_eq!(*world.config(), before);
}
