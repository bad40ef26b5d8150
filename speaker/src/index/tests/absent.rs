//! Speakers that were told to end, and are to be back.

use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::NODES;
use super::world::{Objects, VIPS, World, applied, deleted, owner, restarted, status};
use crate::index::{ABSENCE, Event};

/// What a speaker has written that was told to end so many seconds ago.
fn restarting(node: &str, seconds: i64) -> Value {
    let since = Timestamp::now() - SignedDuration::from_secs(seconds);
    let mut status = status(node);
    status["status"]["conditions"] = json!([{
        "type": "Restarting",
        "status": "True",
        "reason": "ToldToEnd",
        "lastTransitionTime": since.to_string(),
    }]);
    status
}

/// Whether a node has taken over the first address.
fn announces(world: &World) -> bool {
    let vip = VIPS[0].parse().unwrap();
    world.index.facts().announced.contains_key(&vip)
}

/// The world of the node that follows the owner, and the owner's name.
fn heir() -> (World, String) {
    let all = Objects::of(&NODES);
    let owner_of_all = owner(&all, &NODES, VIPS[0]);
    let rest: Vec<&str> = NODES
        .into_iter()
        .filter(|name| *name != owner_of_all)
        .collect();
    let heir = owner(&Objects::of(&rest), &rest, VIPS[0]);
    (World::of(&heir, &all), owner_of_all)
}

#[test]
fn a_node_whose_speaker_restarts_keeps_its_addresses_for_half_a_minute() {
    let (mut world, owner) = heir();
    world.after(Event::SpeakerStatus(applied(&restarting(&owner, 0))));
    assert!(!announces(&world));
    world.wait(ABSENCE - Duration::from_secs(1));
    assert!(!announces(&world));
    world.wait(Duration::from_secs(1));
    assert!(announces(&world));
    // That its status is read again does not bring it back; that its speaker is there does.
    world.after(Event::SpeakerStatus(applied(&restarting(&owner, 31))));
    assert!(announces(&world));
    world.after(Event::SpeakerStatus(applied(&status(&owner))));
    assert!(!announces(&world));
    world.wait(ABSENCE);
    assert!(!announces(&world));
}

#[test]
fn a_speaker_that_is_back_in_time_moves_nothing() {
    let (mut world, owner) = heir();
    world.after(Event::SpeakerStatus(applied(&restarting(&owner, 0))));
    world.wait(ABSENCE / 2);
    world.after(Event::SpeakerStatus(applied(&status(&owner))));
    world.wait(ABSENCE);
    assert!(!announces(&world));
}

#[test]
fn whoever_reads_late_that_a_speaker_is_away_waits_no_longer_than_the_rest() {
    let mut objects = Objects::of(&NODES);
    let (world, owner) = heir();
    let heir = world.index.facts().node.clone();
    for (seconds, left) in [(20, 10), (31, 0), (-3600, 30)] {
        for status in &mut objects.statuses {
            if status["metadata"]["name"] == owner.as_str() {
                *status = restarting(&owner, seconds);
            }
        }
        let mut world = World::of(heir.as_str(), &objects);
        assert_eq!(announces(&world), left == 0, "{seconds} s ago");
        world.wait(Duration::from_secs(left));
        assert!(announces(&world), "{seconds} s ago");
    }
}

/// I15: nothing is known of any speaker then.
#[test]
fn the_time_does_not_run_while_all_statuses_are_gone() {
    let (mut world, owner) = heir();
    world.after(Event::SpeakerStatus(applied(&restarting(&owner, 0))));
    for name in NODES {
        world.after(Event::SpeakerStatus(deleted(&status(name))));
    }
    world.wait(Duration::from_secs(3600));
    assert!(!announces(&world));
    world.read(Event::SpeakerStatus(restarted(&[])));
    world.wait(Duration::from_secs(3600));
    assert!(!announces(&world));
}
