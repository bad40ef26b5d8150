//! The settled configuration and what is said back about it.

use runtime::watch::{WatchEvent, WatchFailure};
use serde_json::json;

use super::world::World;
use crate::effect::{ConfigKind, Effect, Outcome};
use crate::owner::Event;

/// Names of the pools in a configuration, and whether each has vanished.
fn pools(world: &World) -> Vec<(String, bool)> {
    let pools = world.config().spec.pools.iter();
    pools
        .map(|pool| (pool.name.clone(), pool.vanished))
        .collect()
}

#[test]
fn what_changes_while_the_configuration_is_written_is_written_next() {
    let mut world = World::with_pool(&["10.0.0.1"]);
    world.apply_pool("second", &["10.0.1.1"]);
    let mut effects = world.effects();
    effects.retain(|effect| matches!(effect, Effect::WriteSpeakerConfig { .. }));
    assert_eq!(effects.len(), 1);
    world.apply_pool("third", &["10.0.2.1"]);
    let others = world.effects();
    assert!(
        !others
            .iter()
            .any(|effect| matches!(effect, Effect::WriteSpeakerConfig { .. })),
        "one at a time"
    );
    let outcome = world.carry_out(effects.remove(0));
    // The watch may tell of it before the answer comes, and once more after it.
    let told = world.config().clone();
    world.tell(Event::SpeakerConfig(WatchEvent::Applied(told.clone())));
    assert!(world.effects().is_empty());
    world.tell(Event::Done(outcome));
    world.tell(Event::SpeakerConfig(WatchEvent::Applied(told)));
    for effect in others {
        let outcome = world.carry_out(effect);
        world.tell(Event::Done(outcome));
    }
    world.converge();
    let names: Vec<_> = pools(&world).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["lan", "second", "third"]);
}

#[test]
fn a_vanished_pool_leaves_a_tombstone_while_an_entry_or_its_rewriting_names_it() {
    let mut world = World::with_pool(&["10.0.0.1"]);
    world.apply_service("web", 1, &json!({}));
    world.converge();
    world.delete_pool("lan");
    world.delete_entry("10.0.0.1");
    world.converge();
    assert_eq!(pools(&world), [("lan".to_owned(), true)]);
    assert_eq!(world.condition("web").reason, "OrphanAddress");
    assert_eq!(world.holder("10.0.0.1").as_deref(), Some("web"));
    world.delete_service("web");
    world.converge();
    assert_eq!(pools(&world), []);
}

#[test]
fn no_configuration_without_the_tombstone_is_ever_written() {
    let mut world = World::with_pool(&["10.0.0.1"]);
    world.apply_service("web", 1, &json!({}));
    world.converge();
    world.delete_pool("lan");
    world.delete_entry("10.0.0.1");
    let whole = Outcome::KindLookedUp(ConfigKind::Pool, Some(true));
    world.tell(Event::Done(whole));
    let effects = world.effects();
    let written = effects.iter().find_map(|effect| {
        if let Effect::WriteSpeakerConfig { spec, .. } = effect {
            Some(&spec.pools)
        } else {
            None
        }
    });
    assert!(
        written
            .unwrap()
            .iter()
            .any(|pool| pool.name == "lan" && pool.vanished),
        "{effects:#?}"
    );
}

#[test]
fn a_pool_whose_definition_is_gone_stays_in_force() {
    let mut world = World::with_pool(&["10.0.0.1"]);
    world.delete_pool("lan");
    assert_eq!(world.effects(), [Effect::LookUpKind(ConfigKind::Pool)]);
    world.tell(Event::Done(Outcome::KindLookedUp(
        ConfigKind::Pool,
        Some(false),
    )));
    world.converge();
    world.tell(Event::Pool(WatchEvent::Failed(WatchFailure::NotFound)));
    world.tell(Event::Pool(WatchEvent::Restarted(Vec::new())));
    world.converge();
    assert_eq!(pools(&world), [("lan".to_owned(), false)]);
    let status = world.config().status.as_ref().unwrap();
    assert_eq!(status.conditions[0].status, "True");
    world.apply_service("web", 1, &json!({}));
    world.converge();
    assert_eq!(
        world.holder("10.0.0.1").as_deref(),
        Some("web"),
        "it gives on"
    );
    world.apply_pool("lan", &["10.0.0.1"]);
    world.converge();
    assert_eq!(
        world.config().status.as_ref().unwrap().conditions[0].status,
        "False"
    );
}

#[test]
fn deleted_configuration_is_written_again_as_it_was() {
    let mut world = World::with_pool(&["10.0.0.1"]);
    let before = world.config().clone();
    world.delete_config();
    let effects = world.effects();
    let [
        Effect::WriteSpeakerConfig {
            spec,
            resource_version: None,
        },
    ] = effects.as_slice()
    else {
        panic!("{effects:#?}");
    };
    assert_eq!(**spec, before.spec);
}

#[test]
fn an_answer_that_is_later_than_the_watch_brings_no_configuration_back() {
    let mut world = World::with_pool(&["10.0.0.1"]);
    world.apply_pool("second", &["10.0.1.1"]);
    let mut effects = world.effects();
    effects.retain(|effect| matches!(effect, Effect::WriteSpeakerConfig { .. }));
    let late = world.carry_out(effects.remove(0));
    world.delete_config();
    world.tell(Event::Done(late));
    world.converge();
    let names: Vec<_> = pools(&world).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["lan", "second"], "it is written again");
}

#[test]
fn a_pool_that_comes_back_heals_what_it_left() {
    let mut world = World::with_pool(&["10.0.0.1"]);
    world.apply_service("web", 1, &json!({}));
    world.converge();
    world.delete_pool("lan");
    world.converge();
    world.apply_service("late", 2, &json!({}));
    world.converge();
    assert_eq!(world.condition("late").reason, "NoPool");
    world.apply_pool("lan", &["10.0.0.1-10.0.0.2"]);
    world.converge();
    assert_eq!(world.condition("web").reason, "Allocated");
    assert_eq!(world.condition("late").reason, "Allocated");
    assert_eq!(pools(&world), [("lan".to_owned(), false)]);
}

#[test]
fn what_an_older_kind_does_not_know_is_said_and_not_written_over_and_over() {
    let reason = |world: &World| {
        let status = world.config().status.clone().unwrap();
        status.conditions[0].reason.clone()
    };
    let mut world = World::with_pool(&["10.0.0.1"]);
    world.prune = |spec| spec.bgp_advertisements.clear();
    world.apply_bgp_advertisement("all", json!({}));
    world.converge();
    assert_eq!(reason(&world), "KindsOutdated");
    // With the kinds of this version everything is written with the next change.
    world.prune = |_| {};
    world.apply_pool("second", &["10.0.1.1"]);
    world.converge();
    assert_eq!(world.config().spec.bgp_advertisements.len(), 1);
    assert_eq!(reason(&world), "Settled");
}
