//! Addresses come free, and go to who waits.

use k8s_openapi::jiff::SignedDuration;
use model::{ServiceKey, Uid};
use runtime::watch::WatchEvent;
use serde_json::json;

use super::world::{World, ip};
use crate::effect::Effect;
use crate::owner::Event;

/// One holds the only address, an older and a younger one wait.
fn two_waiting() -> World {
    let mut world = World::with_pool(&["10.0.0.1"]);
    world.apply_service("holder", 1, &json!({}));
    world.converge();
    world.apply_service("a-younger", 3, &json!({}));
    world.apply_service("z-older", 2, &json!({}));
    world.converge();
    world
}

#[test]
fn an_address_is_released_by_confirmation_and_goes_to_the_oldest_that_waits() {
    let mut world = two_waiting();
    world.delete_service("holder");
    let release = world.one_release();
    let holder = (ServiceKey::new("shop", "holder"), Uid::new("holder"));
    assert_eq!(
        release.holder,
        Some(holder),
        "the writer asks whether it is gone"
    );
    let outcome = world.carry_out(Effect::Release(Box::new(release)));
    assert_eq!(
        world.service_effects(),
        [],
        "nobody gets it before the answer"
    );
    world.tell(Event::Done(outcome));
    world.converge();
    assert_eq!(world.shown("z-older"), [ip("10.0.0.1")]);
    assert_eq!(world.condition("a-younger").reason, "PoolExhausted");
}

#[test]
fn the_oldest_gets_it_also_while_a_write_of_its_own_is_under_way() {
    let mut world = two_waiting();
    world.apply_service(
        "z-older",
        2,
        &json!({ "annotations": { "seamark.io/address-pool": "wan" } }),
    );
    let under_way = world.one_settle();
    world.delete_service("holder");
    let release = world.one_release();
    let newer = world.put_service("z-older", 2, &json!({}));
    world.tell_service(WatchEvent::Applied(newer));
    let outcome = world.carry_out(Effect::Release(Box::new(release)));
    world.tell(Event::Done(outcome));
    assert_eq!(world.service_effects(), [], "it is kept for who is first");
    let outcome = world.carry_out(Effect::Settle(Box::new(under_way)));
    world.tell(Event::Done(outcome));
    world.converge();
    assert_eq!(world.shown("z-older"), [ip("10.0.0.1")]);
}

#[test]
fn a_service_that_is_still_there_keeps_its_address() {
    let mut world = two_waiting();
    let holder = world.put_service("holder", 1, &json!({}));
    world.tell_service(WatchEvent::Deleted(holder.clone()));
    let release = world.one_release();
    let outcome = world.carry_out(Effect::Release(Box::new(release)));
    world.tell(Event::Done(outcome));
    assert_eq!(world.service_effects(), []);
    world.tell_service(WatchEvent::Applied(holder));
    world.converge();
    assert_eq!(world.holder("10.0.0.1").as_deref(), Some("holder"));
    assert!(world.shown("z-older").is_empty());
}

#[test]
fn a_service_that_was_still_there_is_asked_after_again_until_the_watch_tells_of_it() {
    let mut world = two_waiting();
    let holder = world.put_service("holder", 1, &json!({}));
    world.tell_service(WatchEvent::Deleted(holder));
    let release = world.one_release();
    let outcome = world.carry_out(Effect::Release(Box::new(release.clone())));
    world.tell(Event::Done(outcome));
    world.forget_service("holder");
    assert_eq!(world.service_effects(), []);
    world.now += SignedDuration::from_secs(1);
    assert_eq!(world.one_release(), release);
    let outcome = world.carry_out(Effect::Release(Box::new(release)));
    world.tell(Event::Done(outcome));
    world.converge();
    assert_eq!(world.holder("10.0.0.1").as_deref(), Some("z-older"));
}

#[test]
fn an_answer_that_is_later_than_the_watch_brings_no_service_back() {
    let mut world = World::with_pool(&["10.0.0.1"]);
    world.apply_service("web", 1, &json!({}));
    let settle = world.one_settle();
    let late = world.carry_out(Effect::Settle(Box::new(settle)));
    world.delete_service("web");
    world.tell(Event::Done(late));
    world.converge();
    assert_eq!(world.holder("10.0.0.1"), None);
    world.apply_service("next", 2, &json!({}));
    world.converge();
    assert_eq!(world.shown("next"), [ip("10.0.0.1")]);
}

#[test]
fn a_late_answer_to_a_release_takes_nothing_from_the_next_holder() {
    let mut world = two_waiting();
    world.delete_service("holder");
    let release = world.one_release();
    let late = world.carry_out(Effect::Release(Box::new(release.clone())));
    let gone = world.past_entry(&release.entry);
    world.tell(Event::Allocation(WatchEvent::Deleted(gone)));
    let next = world.one_settle();
    assert_eq!(next.uid, Uid::new("z-older"));
    world.tell(Event::Done(late));
    assert_eq!(
        world.service_effects(),
        [],
        "nobody else is given the address"
    );
    let outcome = world.carry_out(Effect::Settle(Box::new(next)));
    world.tell(Event::Done(outcome));
    world.converge();
    assert_eq!(world.holder("10.0.0.1").as_deref(), Some("z-older"));
}

#[test]
fn what_a_slow_watch_still_tells_of_a_released_entry_is_past() {
    let mut world = World::with_pool(&["10.0.0.1"]);
    world.apply_service("web", 1, &json!({}));
    world.converge();
    world.delete_service("web");
    let release = world.one_release();
    let outcome = world.carry_out(Effect::Release(Box::new(release.clone())));
    world.tell(Event::Done(outcome));
    let emptied = world.past_entry(&release.entry);
    world.tell(Event::Allocation(WatchEvent::Applied(emptied.clone())));
    assert_eq!(world.service_effects(), []);
    world.tell(Event::Allocation(WatchEvent::Deleted(emptied)));
    world.apply_service("next", 2, &json!({}));
    assert_eq!(world.one_settle().claims[0].address, ip("10.0.0.1"));
}

#[test]
fn a_service_deleted_while_nobody_looked_is_asked_after_and_released() {
    let mut world = two_waiting();
    world.forget_service("holder");
    world.restart();
    let release = world.one_release();
    assert_eq!(release.entry.allocation.address, ip("10.0.0.1"));
    let outcome = world.carry_out(Effect::Release(Box::new(release)));
    world.tell(Event::Done(outcome));
    world.converge();
    assert_eq!(world.holder("10.0.0.1").as_deref(), Some("z-older"));
}

#[test]
fn a_release_that_failed_is_tried_again() {
    let mut world = two_waiting();
    world.delete_service("holder");
    let release = world.one_release();
    let failure = crate::effect::WriteFailure::Refused("out of order".to_owned());
    world.tell(Event::Done(crate::effect::Outcome::Released {
        address: ip("10.0.0.1"),
        entry: release.entry.uid.clone(),
        result: Err(failure),
    }));
    assert_eq!(world.service_effects(), []);
    world.now += SignedDuration::from_secs(1);
    assert_eq!(world.one_release(), release);
}

#[test]
fn a_replaced_address_goes_only_after_the_new_one_is_shown() {
    let mut world = World::with_pool(&["10.0.0.1-10.0.0.9"]);
    world.apply_service("web", 1, &json!({}));
    world.converge();
    world.apply_service(
        "web",
        1,
        &json!({ "annotations": { "seamark.io/loadBalancerIPs": "10.0.0.7" } }),
    );
    let settle = world.one_settle();
    assert_eq!(settle.claims[0].address, ip("10.0.0.7"));
    assert_eq!(settle.release[0].allocation.address, ip("10.0.0.1"));
    assert!(settle.status.is_some());
    // The first of the two writes of the release is told before the answer: it is ours already.
    let emptied = world.past_entry(&settle.release[0]);
    world.tell(Event::Allocation(WatchEvent::Applied(emptied)));
    assert_eq!(world.service_effects(), []);
    let outcome = world.carry_out(Effect::Settle(Box::new(settle)));
    world.tell(Event::Done(outcome));
    assert_eq!(world.service_effects(), []);
    assert_eq!(
        (
            world.holder("10.0.0.1"),
            world.holder("10.0.0.7").as_deref()
        ),
        (None, Some("web"))
    );
}

#[test]
fn a_refused_service_that_leaves_is_asked_after_for_its_condition() {
    let mut world = two_waiting();
    let service = world.put_service("z-older", 2, &json!({ "type": "ClusterIP" }));
    world.tell_service(WatchEvent::Deleted(service));
    let expected = Effect::Leave(ServiceKey::new("shop", "z-older"), Uid::new("z-older"));
    assert_eq!(world.service_effects(), [expected]);
}
