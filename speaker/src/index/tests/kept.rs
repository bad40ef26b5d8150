//! Missing data is never an order.

use std::time::Duration;

use runtime::watch::WatchEvent;
use serde_json::json;

use super::NODES;
use super::world::{
    Objects, VIPS, World, answers, applied, config, deleted, entry, failed, owner, restarted,
    service, status,
};
use crate::index::Event;

fn announcing() -> (World, Objects) {
    let objects = Objects::of(&["n1"]);
    let mut world = World::of("n1", &objects);
    assert!(answers(&world.plan()));
    (world, objects)
}

#[test]
fn a_deleted_ledger_entry_withdraws_nothing() {
    let (mut world, objects) = announcing();
    for entry in &objects.entries {
        assert!(answers(&world.after(Event::Allocation(deleted(entry)))));
    }
    // The controller makes it again.
    for entry in &objects.entries {
        assert!(answers(&world.after(Event::Allocation(applied(entry)))));
    }
}

#[test]
fn an_overwritten_status_withdraws_nothing() {
    let (mut world, _) = announcing();
    for shown in [&[][..], &["203.0.113.1"][..]] {
        assert!(answers(
            &world.after(Event::Service(applied(&service("web", shown))))
        ));
    }
}

#[test]
fn entry_and_status_both_gone_withdraw_nothing_while_the_service_is_there() {
    let (mut world, objects) = announcing();
    for entry in &objects.entries {
        world.after(Event::Allocation(deleted(entry)));
    }
    assert!(answers(
        &world.after(Event::Service(applied(&service("web", &[]))))
    ));
}

#[test]
fn a_deleted_configuration_stays_in_force() {
    let (mut world, _) = announcing();
    assert!(answers(
        &world.after(Event::SpeakerConfig(deleted(&config())))
    ));
    assert!(answers(&world.after(Event::SpeakerConfig(restarted(&[])))));
    assert_eq!(world.index.config_generation(), Some(1));
}

#[test]
fn a_service_that_is_only_missing_from_a_list_stays_and_its_return_changes_nothing() {
    let (mut world, objects) = announcing();
    let others = [service("other", &[])];
    assert!(answers(&world.after(Event::Service(restarted(&others)))));
    assert_eq!(world.transitions, []);
    assert!(answers(
        &world.after(Event::Service(applied(&objects.services[0])))
    ));
    assert_eq!(world.transitions, []);
}

#[test]
fn a_list_that_is_empty_after_a_failure_takes_nothing_away_of_any_kind() {
    let objects = Objects::of(&NODES);
    let failures: [fn() -> [Event; 2]; 6] = [
        || [Event::Service(failed()), Event::Service(restarted(&[]))],
        || {
            [
                Event::EndpointSlice(failed()),
                Event::EndpointSlice(restarted(&[])),
            ]
        },
        || [Event::Node(failed()), Event::Node(restarted(&[]))],
        || {
            [
                Event::Allocation(failed()),
                Event::Allocation(restarted(&[])),
            ]
        },
        || {
            [
                Event::SpeakerConfig(failed()),
                Event::SpeakerConfig(restarted(&[])),
            ]
        },
        || {
            [
                Event::SpeakerStatus(failed()),
                Event::SpeakerStatus(restarted(&[])),
            ]
        },
    ];
    for vip in VIPS {
        let node = owner(&objects, &NODES, vip);
        let mut world = World::of(&node, &objects);
        let facts = world.index.facts().clone();
        for failure in failures {
            failure()
                .into_iter()
                .for_each(|event| assert!(!world.read(event)));
        }
        world.wait(Duration::from_secs(3600));
        assert_eq!(*world.index.facts(), facts);
        assert!(facts.announced.contains_key(&vip.parse().unwrap()));
    }
}

#[test]
fn an_empty_list_is_believed_once_something_of_the_kind_is_read() {
    let (mut world, objects) = announcing();
    world.read(Event::Allocation(failed()));
    world.read(Event::Allocation(restarted(&[])));
    assert_eq!(world.index.facts().ledger.len(), VIPS.len());
    world.read(Event::Allocation(applied(&objects.entries[0])));
    assert_eq!(world.index.facts().ledger.len(), 1);
    assert!(
        answers(&world.plan()),
        "and the Service keeps both all the same"
    );
}

#[test]
fn a_watch_that_went_on_after_a_failure_has_missed_nothing() {
    let (mut world, objects) = announcing();
    world.read(Event::Service(failed()));
    world.read(Event::Service(WatchEvent::Resumed));
    world.read(Event::Service(restarted(&[])));
    for entry in &objects.entries {
        world.after(Event::Allocation(deleted(entry)));
    }
    assert!(
        !answers(&world.plan()),
        "the list was empty without a failure before it"
    );
}

#[test]
fn an_entry_that_is_not_understood_says_what_it_said_before() {
    let (mut world, _) = announcing();
    let mut strange = entry(VIPS[0], None);
    strange["metadata"]["name"] = json!("another-name");
    assert!(!world.read(Event::Allocation(applied(&strange))));
    assert!(answers(&world.plan()));
}

#[test]
fn all_speaker_statuses_deleted_and_made_again_much_later_move_nothing() {
    for vip in VIPS {
        let objects = Objects::of(&NODES);
        let node = owner(&objects, &NODES, vip);
        let mut world = World::of(&node, &objects);
        for name in NODES {
            world.after(Event::SpeakerStatus(deleted(&status(name))));
            assert_eq!(world.transitions, []);
        }
        world.wait(Duration::from_secs(3600));
        assert_eq!(world.transitions, []);
        for name in NODES {
            world.after(Event::SpeakerStatus(applied(&status(name))));
            assert_eq!(world.transitions, []);
            world.wait(Duration::from_secs(1));
        }
        world.wait(Duration::from_secs(3600));
        assert_eq!(world.transitions, []);
        assert!(
            world
                .index
                .facts()
                .announced
                .contains_key(&vip.parse().unwrap())
        );
    }
}
