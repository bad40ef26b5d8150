//! One of several replicas decides, and the others could at any moment.

use serde_json::json;

use super::world::{World, ip};
use crate::effect::{Effect, Outcome, WriteFailure};

const POOL: &[&str] = &["192.0.2.1-192.0.2.9"];

#[test]
fn whoever_stands_by_reads_everything_and_writes_nothing() {
    let mut world = World::with_pool(POOL);
    world.owner.lead(false);
    world.apply_service("web", 1, &json!({}));
    world.delete_service("web");
    world.apply_service("mail", 2, &json!({}));
    world.apply_pool("more", &["198.51.100.0/28"]);
    assert_eq!(world.effects(), []);
    world.owner.lead(true);
    world.converge();
    assert_eq!(world.shown("mail"), [ip("192.0.2.1")]);
    assert_eq!(world.holder("192.0.2.1").as_deref(), Some("mail"));
}

#[test]
fn whoever_begins_to_lead_finds_a_converged_system_converged() {
    let mut world = World::with_pool(POOL);
    world.apply_service("web", 1, &json!({}));
    world.converge();
    world.owner.lead(false);
    world.owner.lead(true);
    assert_eq!(world.effects(), []);
}

#[test]
fn what_was_decided_and_not_written_is_forgotten_with_the_lead() {
    let mut world = World::with_pool(POOL);
    world.apply_service("web", 1, &json!({}));
    let settle = world.one_settle();
    assert_eq!(settle.claims[0].address, ip("192.0.2.1"));
    world.owner.lead(false);
    // The replica that leads now gives the address to another Service.
    world.apply_service("mail", 2, &json!({}));
    let entry = world.put_entry("192.0.2.1", "mail");
    world.tell_entry(entry);
    world.owner.lead(true);
    world.converge();
    assert_eq!(world.shown("mail"), [ip("192.0.2.1")]);
    assert_eq!(world.shown("web"), [ip("192.0.2.2")]);
}

#[test]
fn what_comes_of_a_write_after_the_lead_is_lost_changes_nothing() {
    let mut world = World::with_pool(POOL);
    world.apply_service("web", 1, &json!({}));
    let effects = world.service_effects();
    let [Effect::Settle(settle)] = effects.as_slice() else {
        panic!("{effects:#?}");
    };
    let mut settled = world.settle((**settle).clone());
    settled.failure = Some(WriteFailure::NotLeading);
    world.owner.lead(false);
    world.tell(crate::owner::Event::Done(Outcome::Settled(Box::new(
        settled,
    ))));
    assert_eq!(world.effects(), []);
    assert_eq!(world.owner.deadline(), None);
}
