//! Others write too.

use k8s_openapi::jiff::SignedDuration;
use runtime::watch::WatchEvent;
use serde_json::json;

use super::world::{World, ip};
use crate::effect::{Effect, Outcome};
use crate::owner::Event;

#[test]
fn an_address_that_is_in_the_ledger_after_all_is_left_to_its_holder() {
    let mut world = World::with_pool(&["10.0.0.1-10.0.0.2"]);
    world.put_entry("10.0.0.1", "other");
    world.apply_service("web", 1, &json!({}));
    let settle = world.one_settle();
    assert_eq!(settle.claims[0].address, ip("10.0.0.1"));
    let outcome = world.carry_out(Effect::Settle(Box::new(settle)));
    world.tell(Event::Done(outcome));
    let effects = world.service_effects();
    let again = effects.iter().find_map(|effect| {
        if let Effect::Settle(settle) = effect {
            Some(settle.claims[0].address)
        } else {
            None
        }
    });
    assert_eq!(again, Some(ip("10.0.0.2")));
}

#[test]
fn a_status_that_was_decided_on_an_older_version_is_decided_again() {
    let mut world = World::with_pool(&["10.0.0.1-10.0.0.2"]);
    world.apply_service("web", 1, &json!({}));
    let settle = world.one_settle();
    let newer = world.put_service(
        "web",
        1,
        &json!({ "annotations": { "seamark.io/loadBalancerIPs": "10.0.0.2" } }),
    );
    let outcome = world.carry_out(Effect::Settle(Box::new(settle)));
    world.tell(Event::Done(outcome));
    assert_eq!(
        world.service_effects(),
        [],
        "what is true now is not known yet"
    );
    world.tell_service(WatchEvent::Applied(newer));
    world.converge();
    assert_eq!(world.shown("web"), [ip("10.0.0.2")]);
    assert_eq!(world.holder("10.0.0.2").as_deref(), Some("web"));
    assert_eq!(world.holder("10.0.0.1"), None);
}

#[test]
fn an_older_state_from_a_slow_watch_changes_nothing() {
    let mut world = World::with_pool(&["10.0.0.1"]);
    let fresh = world.put_service("web", 1, &json!({}));
    world.tell_service(WatchEvent::Applied(fresh.clone()));
    world.converge();
    world.tell_service(WatchEvent::Applied(fresh));
    assert_eq!(world.service_effects(), []);
}

#[test]
fn an_entry_that_vanished_is_written_again_and_nobody_else_gets_its_address() {
    let mut world = World::with_pool(&["10.0.0.1"]);
    world.apply_service("web", 1, &json!({}));
    world.converge();
    let before = world.delete_entry("10.0.0.1");
    world.apply_service("older", 0, &json!({}));
    let effects = world.service_effects();
    let claims = effects.iter().filter_map(|effect| {
        if let Effect::Settle(settle) = effect {
            Some((settle.uid.as_str(), settle.claims.as_slice()))
        } else {
            None
        }
    });
    let again = model::Allocation::try_from(&before).unwrap();
    let claims: Vec<_> = claims.collect();
    assert_eq!(
        claims,
        [("older", &[][..]), ("web", &[again][..])],
        "who holds it, and since when"
    );
}

#[test]
fn an_overwritten_status_is_put_right_once_and_then_reported_also_after_a_restart() {
    let mut world = World::with_pool(&["10.0.0.1"]);
    world.apply_service("web", 1, &json!({}));
    world.converge();
    world.apply_service("web", 1, &json!({ "shows": ["192.0.2.1"] }));
    world.converge();
    assert_eq!(world.shown("web"), [ip("10.0.0.1")]);
    world.apply_service("web", 1, &json!({ "shows": ["192.0.2.2"] }));
    let settle = world.one_settle();
    assert_eq!(settle.note.as_ref().unwrap().reason, "StatusOverwritten");
    let status = settle.status.clone().unwrap();
    assert_eq!(status.body["status"].get("loadBalancer"), None);
    assert!(!status.force);
    let outcome = world.carry_out(Effect::Settle(Box::new(settle)));
    world.tell(Event::Done(outcome));
    assert_eq!(world.service_effects(), []);
    world.restart();
    assert_eq!(world.service_effects(), [], "a restart begins no new fight");
    world.now += SignedDuration::from_mins(10);
    assert!(
        world.one_settle().status.unwrap().force,
        "after a while it is tried again"
    );
}

#[test]
fn a_write_that_failed_is_tried_again_later_with_the_same_address() {
    let mut world = World::with_pool(&["10.0.0.1-10.0.0.9"]);
    world.apply_service("web", 1, &json!({}));
    let settle = world.one_settle();
    world.tell(Event::Done(refused(&settle)));
    assert_eq!(world.service_effects(), []);
    world.now = world.owner.deadline().unwrap();
    assert_eq!(world.one_settle().claims, settle.claims);
}

#[test]
fn what_was_never_written_is_free_again_once_it_is_no_longer_wanted() {
    let mut world = World::with_pool(&["10.0.0.1-10.0.0.2"]);
    world.apply_service("web", 1, &json!({}));
    let settle = world.one_settle();
    world.tell(Event::Done(refused(&settle)));
    let other = json!({ "annotations": { "seamark.io/loadBalancerIPs": "10.0.0.2" } });
    world.apply_service("web", 1, &other);
    let claims = world.one_settle().claims;
    assert_eq!(
        claims.iter().map(|c| c.address).collect::<Vec<_>>(),
        [ip("10.0.0.2")]
    );
    world.apply_service("next", 2, &json!({}));
    assert_eq!(world.one_settle().claims[0].address, ip("10.0.0.1"));
}

/// The API server refused everything.
fn refused(settle: &crate::effect::Settle) -> Outcome {
    Outcome::Settled(Box::new(crate::effect::Settled {
        uid: settle.uid.clone(),
        decided_on: settle.decided_on.clone(),
        claimed: Vec::new(),
        read: Vec::new(),
        released: Vec::new(),
        service: None,
        failure: Some(crate::effect::WriteFailure::Refused(
            "out of order".to_owned(),
        )),
    }))
}
