//! What is decided for whom, and what is written of it.

use k8s_openapi::jiff::SignedDuration;
use model::Uid;
use runtime::watch::WatchEvent;
use serde_json::json;

use super::world::{World, ip};
use crate::effect::Effect;
use crate::owner::Event;

#[test]
fn nothing_is_decided_before_everything_was_read() {
    let mut world = World::new();
    let service = world.put_service("web", 1, &json!({}));
    world.tell_service(WatchEvent::Restarted(vec![service]));
    let pool = world.put_pool("lan", &["10.0.0.1"]);
    world.tell(Event::Pool(WatchEvent::Restarted(vec![pool])));
    world.tell(Event::L2Advertisement(WatchEvent::Restarted(Vec::new())));
    world.tell(Event::BgpAdvertisement(WatchEvent::Restarted(Vec::new())));
    world.tell_peer(WatchEvent::Restarted(Vec::new()));
    world.tell(Event::BfdProfile(WatchEvent::Restarted(Vec::new())));
    world.tell(Event::Community(WatchEvent::Restarted(Vec::new())));
    world.tell(Event::SpeakerConfig(WatchEvent::Restarted(Vec::new())));
    assert_eq!(world.effects(), []);
    world.tell(Event::Allocation(WatchEvent::Restarted(Vec::new())));
    assert_eq!(world.one_settle().uid, Uid::new("web"));
}

#[test]
fn an_address_is_claimed_before_it_is_shown_and_then_nothing_is_left_to_do() {
    let mut world = World::with_pool(&["10.0.0.1", "fd00::1"]);
    let both = json!({ "ipFamilies": ["IPv6", "IPv4"], "ipFamilyPolicy": "RequireDualStack" });
    world.apply_service("web", 1, &both);
    let settle = world.one_settle();
    let claimed: Vec<_> = settle.claims.iter().map(|claim| claim.address).collect();
    assert_eq!(claimed, [ip("10.0.0.1"), ip("fd00::1")]);
    let body = settle.status.clone().unwrap().body;
    let shown = &body["status"]["loadBalancer"]["ingress"];
    assert_eq!(
        *shown,
        json!([{ "ip": "fd00::1", "ipMode": "VIP" }, { "ip": "10.0.0.1", "ipMode": "VIP" }]),
        "in the order of the Service's families"
    );
    assert_eq!(body["metadata"]["resourceVersion"], settle.decided_on);
    assert_eq!(settle.note, None);
    let outcome = world.carry_out(Effect::Settle(Box::new(settle)));
    world.tell(Event::Done(outcome));
    assert_eq!(world.service_effects(), []);
}

#[test]
fn what_is_shown_is_adopted_before_anything_is_given() {
    let mut world = World::new();
    world.put_pool("lan", &["10.0.0.1-10.0.0.9", "fd00::1-fd00::9"]);
    let prefers = json!({
        "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "PreferDualStack", "shows": ["10.0.0.1"],
    });
    world.put_service("older", 1, &prefers);
    world.put_service("fresh", 2, &json!({ "ipFamilies": ["IPv6"] }));
    world.put_service(
        "younger",
        3,
        &json!({ "ipFamilies": ["IPv6"], "shows": ["fd00::1"] }),
    );
    world.start();
    assert_eq!(world.shown("younger"), [ip("fd00::1")]);
    assert_eq!(world.shown("older"), [ip("10.0.0.1"), ip("fd00::2")]);
    assert_eq!(world.shown("fresh"), [ip("fd00::3")]);
    assert_eq!(world.holder("fd00::1").as_deref(), Some("younger"));
}

#[test]
fn of_two_that_show_one_address_the_older_keeps_it() {
    let mut world = World::new();
    world.put_pool("lan", &["10.0.0.1-10.0.0.9"]);
    world.put_service("a-younger", 2, &json!({ "shows": ["10.0.0.5"] }));
    world.put_service("z-older", 1, &json!({ "shows": ["10.0.0.5"] }));
    world.start();
    assert_eq!(world.holder("10.0.0.5").as_deref(), Some("z-older"));
    assert_eq!(world.condition("a-younger").reason, "ForeignAddress");
    assert_eq!(
        world.shown("a-younger"),
        [ip("10.0.0.5")],
        "it is left alone"
    );
}

#[test]
fn a_restart_of_a_settled_system_changes_nothing() {
    let mut world = World::with_pool(&["10.0.0.1-10.0.0.2", "fd00::1-fd00::9"]);
    for (at, name) in ["a", "b", "c"].into_iter().enumerate() {
        world.apply_service(name, at as i64, &json!({}));
    }
    world.apply_service(
        "both",
        9,
        &json!({ "ipFamilies": ["IPv6", "IPv4"] , "ipFamilyPolicy": "PreferDualStack" }),
    );
    world.converge();
    assert_eq!(world.condition("c").reason, "PoolExhausted");
    assert_eq!(world.condition("both").reason, "FamilyMissing");
    world.restart();
    assert_eq!(world.effects(), []);
    world.now += SignedDuration::from_mins(5);
    assert_eq!(world.effects(), []);
}

#[test]
fn a_refusal_is_noted_once_in_the_words_of_its_condition() {
    let mut world = World::with_pool(&["10.0.0.1"]);
    world.apply_service("web", 1, &json!({ "ipFamilies": ["IPv6"] }));
    let settle = world.one_settle();
    let note = settle.note.clone().unwrap();
    let condition = &settle.status.as_ref().unwrap().body["status"]["conditions"][0];
    assert_eq!(condition["reason"], note.reason);
    assert_eq!(condition["message"], note.message.as_str());
    assert!(settle.claims.is_empty());
    let outcome = world.carry_out(Effect::Settle(Box::new(settle)));
    world.tell(Event::Done(outcome));
    assert_eq!(world.service_effects(), []);
    world.restart();
    assert_eq!(world.service_effects(), []);
}

#[test]
fn a_family_that_waits_is_noted_as_well() {
    let mut world = World::with_pool(&["10.0.0.1"]);
    let prefers = json!({ "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "PreferDualStack" });
    world.apply_service("web", 1, &prefers);
    let settle = world.one_settle();
    assert_eq!(settle.claims.len(), 1);
    assert_eq!(settle.note.unwrap().reason, "FamilyMissing");
}
