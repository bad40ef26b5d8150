//! Peers, BGP advertisements and communities: what settles, and what is said back about them.

use runtime::watch::{WatchEvent, WatchFailure};
use serde_json::json;

use super::world::World;
use crate::effect::{ConfigKind, Effect, Outcome};
use crate::owner::Event;

fn world() -> World {
    let mut world = World::with_pool(&["10.0.0.0/24"]);
    world.apply_peer("tor", &json!({}));
    world.converge();
    world
}

/// Names of the peers that speakers are told of.
fn peers(world: &World) -> Vec<String> {
    let peers = world.config().spec.bgp_peers.iter();
    peers.map(|peer| peer.name.clone()).collect()
}

/// The communities of the only advertisement that speakers are told of.
fn communities(world: &World) -> Vec<String> {
    let advertisements = &world.config().spec.bgp_advertisements;
    assert_eq!(advertisements.len(), 1, "{advertisements:?}");
    advertisements[0].communities.clone()
}

#[test]
fn speakers_are_told_of_peers_and_advertisements_with_communities_in_numbers() {
    let mut world = world();
    world.apply_community("inside", "64512:7");
    let spec = json!({ "peers": ["tor"], "communities": ["inside", "no-export"] });
    world.apply_bgp_advertisement("all", spec);
    world.converge();
    assert_eq!(peers(&world), ["tor"]);
    assert_eq!(communities(&world), ["64512:7", "65535:65281"]);
    assert_eq!(world.peer_condition("tor").0, "Accepted");
    assert_eq!(world.bgp_advertisement_reason("all"), "Accepted");
    assert_eq!(world.effects(), [], "a converged system writes nothing");
}

#[test]
fn a_peer_that_is_edited_into_something_unreadable_stays_in_force_over_a_restart() {
    let mut world = world();
    let before = world.config().spec.bgp_peers.clone();
    world.apply_peer("tor", &json!({ "holdTime": "1s" }));
    world.converge();
    assert_eq!(world.config().spec.bgp_peers, before);
    assert_eq!(world.peer_condition("tor").0, "TimeOutOfRange");
    let degraded = &world.config().status.as_ref().unwrap().conditions[0];
    assert_eq!(degraded.reason, "InvalidObjects");
    world.start();
    assert_eq!(world.config().spec.bgp_peers, before);
    world.apply_peer("tor", &json!({ "holdTime": "9s" }));
    world.converge();
    assert_eq!(world.config().spec.bgp_peers[0].hold_time, "9s");
    assert_eq!(world.peer_condition("tor").0, "Accepted");
}

#[test]
fn the_younger_of_two_equal_peers_takes_over_when_the_older_one_goes() {
    let mut world = world();
    world.apply_peer("again", &json!({}));
    world.converge();
    assert_eq!(peers(&world), ["tor"]);
    let (reason, message) = world.peer_condition("again");
    assert_eq!(reason, "DuplicatePeer");
    assert!(message.contains("BGPPeer tor is older"), "{message}");
    world.delete_peer("tor");
    world.converge();
    assert_eq!(peers(&world), ["again"]);
    assert_eq!(world.peer_condition("again").0, "Accepted");
}

#[test]
fn an_advertisement_waits_for_the_name_of_its_community_and_keeps_its_value_without_it() {
    let mut world = world();
    world.apply_bgp_advertisement("all", json!({ "communities": ["inside"] }));
    world.converge();
    assert_eq!(world.config().spec.bgp_advertisements, []);
    assert_eq!(world.bgp_advertisement_reason("all"), "UnknownCommunity");
    world.apply_community("inside", "64512:7");
    world.converge();
    assert_eq!(communities(&world), ["64512:7"]);
    assert_eq!(world.bgp_advertisement_reason("all"), "Accepted");
    world.apply_community("inside", "many");
    world.converge();
    assert_eq!(communities(&world), ["64512:7"]);
    assert_eq!(world.bgp_advertisement_reason("all"), "UnknownCommunity");
}

#[test]
fn an_unknown_peer_is_told_until_it_is_there() {
    let mut world = world();
    world.apply_bgp_advertisement("all", json!({ "peers": ["new"] }));
    world.converge();
    assert_eq!(world.bgp_advertisement_reason("all"), "UnknownPeer");
    world.apply_peer("new", &json!({ "peerAddress": "2001:db8::1" }));
    world.converge();
    assert_eq!(world.bgp_advertisement_reason("all"), "Accepted");
}

#[test]
fn peers_whose_definition_is_gone_stay_in_force() {
    let mut world = world();
    world.delete_peer("tor");
    assert_eq!(world.effects(), [Effect::LookUpKind(ConfigKind::BgpPeer)]);
    let gone = Outcome::KindLookedUp(ConfigKind::BgpPeer, Some(false));
    world.tell(Event::Done(gone));
    world.tell_peer(WatchEvent::Failed(WatchFailure::NotFound));
    world.tell_peer(WatchEvent::Restarted(Vec::new()));
    world.converge();
    assert_eq!(peers(&world), ["tor"]);
    let degraded = &world.config().status.as_ref().unwrap().conditions[0];
    assert_eq!(degraded.reason, "KindLost");
}

#[test]
fn nothing_is_written_before_every_kind_was_read() {
    let mut world = world();
    let before = world.config().clone();
    world.restart_without_peers();
    assert_eq!(world.effects(), []);
    world.tell_peer(WatchEvent::Failed(WatchFailure::NotFound));
    assert_eq!(world.effects(), []);
    assert_eq!(*world.config(), before);
}
