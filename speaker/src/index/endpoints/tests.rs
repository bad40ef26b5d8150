use std::collections::BTreeSet;

use plan::LocalEndpoints;
use serde_json::{Value, json};

use super::*;
use crate::index::Event;
use crate::index::tests::world::{Objects, VIPS, World, applied, deleted, local, restarted, slice};

fn nodes(names: &[&str]) -> BTreeSet<NodeName> {
    names.iter().map(|name| NodeName::new(*name)).collect()
}

/// A node that knows Service `web` of policy Local and these slices.
fn reading(slices: &[Value]) -> World {
    let mut objects = Objects::of(&["n1"]);
    objects.services = vec![local("web", &VIPS)];
    objects.slices = slices.to_vec();
    World::of("n1", &objects)
}

fn of(world: &World, service: &str) -> LocalEndpoints {
    let state = &world.index.facts().services[&ServiceKey::new("default", service)];
    state.service().local_endpoints.clone()
}

#[test]
fn usable_is_what_kube_proxy_uses() {
    for (ready, serving, terminating, usable) in [
        (json!(true), json!(true), json!(false), true),
        (json!(null), json!(null), json!(null), true),
        (json!(false), json!(false), json!(false), false),
        (json!(false), json!(true), json!(false), false),
        (json!(false), json!(true), json!(true), true),
        (json!(false), json!(null), json!(true), true),
        (json!(false), json!(false), json!(true), false),
        (json!(true), json!(false), json!(false), true),
        (json!(true), json!(true), json!(true), true),
    ] {
        let conditions = json!({ "ready": ready, "serving": serving, "terminating": terminating });
        let mut slice = slice("web-a", "web", "IPv4", &["n1"]);
        slice["endpoints"][0]["conditions"] = conditions.clone();
        let expected = if usable { nodes(&["n1"]) } else { nodes(&[]) };
        assert_eq!(of(&reading(&[slice]), "web").v4, expected, "{conditions}");
    }
}

#[test]
fn each_family_has_its_own_nodes_and_several_slices_add_up() {
    let world = reading(&[
        slice("web-a", "web", "IPv4", &["n1"]),
        slice("web-b", "web", "IPv4", &["n2", "n1"]),
        slice("web-c", "web", "IPv6", &["n3"]),
        slice("web-d", "web", "FQDN", &["n4"]),
        slice("other-a", "other", "IPv4", &["n5"]),
    ]);
    let expected = LocalEndpoints {
        v4: nodes(&["n1", "n2"]),
        v6: nodes(&["n3"]),
    };
    assert_eq!(of(&world, "web"), expected);
}

#[test]
fn slices_may_come_before_their_service_or_after_it() {
    let slices = [slice("web-a", "web", "IPv4", &["n1"])];
    let mut before = reading(&slices);
    before.read(Event::Service(deleted(&local("web", &VIPS))));
    before.read(Event::Service(applied(&local("web", &VIPS))));
    let mut after = reading(&[]);
    assert!(after.read(Event::EndpointSlice(applied(&slices[0]))));
    assert_eq!(of(&before, "web"), of(&after, "web"));
    assert_eq!(of(&after, "web").v4, nodes(&["n1"]));
}

#[test]
fn a_deleted_slice_takes_only_its_own_nodes_away() {
    let slices = [
        slice("web-a", "web", "IPv4", &["n1", "n2"]),
        slice("web-b", "web", "IPv4", &["n2"]),
    ];
    let mut world = reading(&slices);
    assert!(world.read(Event::EndpointSlice(deleted(&slices[0]))));
    assert_eq!(of(&world, "web").v4, nodes(&["n2"]));
}

#[test]
fn a_list_replaces_all_slices_at_once() {
    let mut world = reading(&[slice("web-a", "web", "IPv4", &["n1"])]);
    let moved = [slice("web-b", "web", "IPv4", &["n1"])];
    assert!(
        !world.read(Event::EndpointSlice(restarted(&moved))),
        "n1 was never without"
    );
    let gone = [slice("other-a", "other", "IPv4", &["n1"])];
    assert!(world.read(Event::EndpointSlice(restarted(&gone))));
    assert_eq!(of(&world, "web").v4, nodes(&[]));
}

#[test]
fn a_hand_made_slice_may_be_given_to_another_service() {
    let mut world = reading(&[slice("mine", "web", "IPv4", &["n1"])]);
    world.read(Event::Service(applied(&local("other", &[]))));
    assert!(world.read(Event::EndpointSlice(applied(&slice(
        "mine",
        "other",
        "IPv4",
        &["n1"]
    )))));
    assert_eq!(of(&world, "web").v4, nodes(&[]));
    assert_eq!(of(&world, "other").v4, nodes(&["n1"]));
}

#[test]
fn odd_slices_are_read_without_complaint() {
    let mut null = slice("web-a", "web", "IPv4", &[]);
    null["endpoints"] = json!(null);
    let mut nowhere = slice("web-b", "web", "IPv4", &["n1"]);
    nowhere["endpoints"] = json!([{ "addresses": ["10.0.0.1"] }, { "nodeName": "n2" }]);
    let mut nobodys = slice("web-c", "web", "IPv4", &["n3"]);
    nobodys["metadata"]["labels"] = json!(null);
    let world = reading(&[null, nowhere, nobodys]);
    assert_eq!(of(&world, "web").v4, nodes(&["n2"]));
}

#[test]
fn a_service_that_becomes_local_knows_its_endpoints() {
    let mut world = reading(&[slice("web-a", "web", "IPv4", &["n1"])]);
    world.read(Event::Service(applied(
        &crate::index::tests::world::service("web", &VIPS),
    )));
    assert_eq!(of(&world, "web"), LocalEndpoints::default());
    world.read(Event::Service(applied(&local("web", &VIPS))));
    assert_eq!(of(&world, "web").v4, nodes(&["n1"]));
}
