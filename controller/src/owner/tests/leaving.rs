//! Seamark is taken off the cluster.

use serde_json::json;

use super::world::{World, ip};
use crate::account::Account;

fn world() -> World {
    let mut world = World::with_pool(&["192.0.2.1-192.0.2.9"]);
    world
        .owner
        .runs_as(Some(Account::new("seamark-controller", "this")));
    world.apply_service("web", 1, &json!({}));
    world.converge();
    world
}

fn order(world: &mut World, installation: Option<&str>) {
    world.edit_config(|config| {
        config.spec.leaving = true;
        config.spec.leaving_installation = installation.map(ToOwned::to_owned);
    });
}

#[test]
fn whoever_is_ordered_to_leave_gives_and_writes_nothing_any_more() {
    for installation in [None, Some("this")] {
        let mut world = world();
        order(&mut world, installation);
        world.apply_service("mail", 2, &json!({}));
        world.apply_pool("more", &["198.51.100.0/28"]);
        world.delete_service("web");
        assert_eq!(world.effects(), []);
        assert!(world.config().spec.leaving);
    }
}

#[test]
fn an_order_that_is_taken_back_leaves_nothing_behind() {
    let mut world = world();
    order(&mut world, Some("this"));
    world.apply_service("mail", 2, &json!({}));
    assert_eq!(world.effects(), []);
    world.edit_config(|config| {
        config.spec.leaving = false;
        config.spec.leaving_installation = None;
    });
    world.converge();
    assert_eq!(world.shown("mail"), [ip("192.0.2.2")]);
}

#[test]
fn an_order_to_an_installation_before_this_one_is_taken_back() {
    let mut world = world();
    order(&mut world, Some("that"));
    world.converge();
    let spec = &world.config().spec;
    assert!(!spec.leaving && spec.leaving_installation.is_none());
    assert_eq!(world.shown("web"), [ip("192.0.2.1")], "where it was");
}

#[test]
fn whoever_cannot_tell_which_installation_it_is_obeys() {
    let mut world = world();
    world.owner.runs_as(None);
    order(&mut world, Some("that"));
    world.apply_service("mail", 2, &json!({}));
    assert_eq!(world.effects(), []);
}
