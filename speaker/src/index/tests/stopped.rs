//! What stops an announcement.

use plan::{Transition, Withheld};
use serde_json::json;

use super::world::{
    Objects, VIPS, World, answers, applied, deleted, entry, local, node, restarted, service, slice,
};
use crate::index::Event;

fn announcing() -> (World, Objects) {
    let objects = Objects::of(&["n1"]);
    let mut world = World::of("n1", &objects);
    assert!(answers(&world.plan()));
    (world, objects)
}

/// Why the last plan withdrew each address.
fn withdrawn(world: &World) -> Vec<Withheld> {
    let transitions = world.transitions.iter();
    transitions
        .filter_map(|transition| match transition {
            Transition::Withdraw { why, .. } => Some(why.clone()),
            Transition::Announce { .. } | Transition::Advertise { .. } => None,
        })
        .collect()
}

#[test]
fn a_deleted_service_is_silent_at_once() {
    let (mut world, objects) = announcing();
    assert!(!answers(
        &world.after(Event::Service(deleted(&objects.services[0])))
    ));
    assert_eq!(
        withdrawn(&world),
        [Withheld::ServiceGone, Withheld::ServiceGone]
    );
}

#[test]
fn a_service_made_cluster_ip_is_silent_at_once() {
    let (mut world, objects) = announcing();
    // The field selector makes it a deletion; seen as a change it comes to the same.
    let mut changed = objects.services[0].clone();
    changed["spec"]["type"] = json!("ClusterIP");
    let mut other = World::of("n1", &objects);
    assert!(!answers(&world.after(Event::Service(deleted(&changed)))));
    assert!(!answers(&other.after(Event::Service(applied(&changed)))));
}

#[test]
fn a_released_entry_withdraws_its_address() {
    let (mut world, _) = announcing();
    for vip in VIPS {
        world.read(Event::Allocation(applied(&entry(vip, None))));
    }
    assert!(!answers(&world.plan()));
    assert_eq!(withdrawn(&world), [Withheld::Released, Withheld::Released]);
}

#[test]
fn a_release_whose_two_writes_are_read_in_one_breath_withdraws_its_address() {
    let (mut world, objects) = announcing();
    let (mut listed, _) = announcing();
    let mut moved = objects.services[0].clone();
    moved["status"] = json!({});
    for world in [&mut world, &mut listed] {
        world.read(Event::Service(applied(&moved)));
        for vip in VIPS {
            world.read(Event::Allocation(applied(&entry(vip, None))));
        }
    }
    for vip in VIPS {
        world.read(Event::Allocation(deleted(&entry(vip, None))));
    }
    listed.read(Event::Allocation(restarted(&[])));
    for world in [&mut world, &mut listed] {
        assert!(!answers(&world.plan()));
        assert_eq!(withdrawn(world), [Withheld::Released, Withheld::Released]);
        assert!(world.index.facts().ledger.is_empty(), "and forgotten");
    }
}

#[test]
fn an_address_released_and_given_again_in_one_breath_is_announced_for_its_new_holder() {
    let (mut world, objects) = announcing();
    let mut moved = objects.services[0].clone();
    moved["status"] = json!({});
    world.read(Event::Service(applied(&moved)));
    let next = service("next", &VIPS);
    for vip in VIPS {
        world.read(Event::Allocation(deleted(&entry(vip, None))));
        world.read(Event::Allocation(applied(&entry(vip, Some("next")))));
    }
    assert!(answers(&world.after(Event::Service(applied(&next)))));
    assert_eq!(world.index.facts().ledger.len(), 2);
}

#[test]
fn a_missing_service_is_withdrawn_when_the_controller_releases_its_entries() {
    let (mut world, _) = announcing();
    assert!(answers(
        &world.after(Event::Service(restarted(&[service("other", &[])])))
    ));
    for vip in VIPS {
        world.read(Event::Allocation(applied(&entry(vip, None))));
    }
    assert!(!answers(&world.plan()));
    assert_eq!(world.index.facts().services.len(), 1, "and forgotten");
}

#[test]
fn a_missing_service_is_withdrawn_when_its_entries_are_gone_too() {
    let (mut world, objects) = announcing();
    world.after(Event::Service(restarted(&[service("other", &[])])));
    for entry in &objects.entries {
        world.read(Event::Allocation(deleted(entry)));
    }
    assert!(!answers(&world.plan()));
    assert_eq!(
        withdrawn(&world),
        [Withheld::ServiceGone, Withheld::ServiceGone]
    );
}

#[test]
fn a_missing_service_that_is_not_announced_here_is_forgotten() {
    let mut objects = Objects::of(&["n1"]);
    objects.entries.clear();
    let mut world = World::of("n1", &objects);
    world.after(Event::Service(restarted(&[])));
    assert!(world.index.facts().services.is_empty());
}

#[test]
fn a_later_service_of_the_same_name_inherits_nothing() {
    let (mut world, objects) = announcing();
    let mut later = objects.services[0].clone();
    later["metadata"]["uid"] = json!("a-later-one");
    assert!(!answers(&world.after(Event::Service(restarted(&[later])))));
}

#[test]
fn the_exclude_label_with_any_value_withdraws() {
    for value in ["", "true", "false"] {
        let (mut world, _) = announcing();
        let mut excluded = node("n1", "True");
        excluded["metadata"]["labels"] =
            json!({ "node.kubernetes.io/exclude-from-external-load-balancers": value });
        assert!(!answers(&world.after(Event::Node(applied(&excluded)))));
        assert_eq!(
            withdrawn(&world),
            [Withheld::NodeExcluded, Withheld::NodeExcluded]
        );
    }
}

#[test]
fn under_local_the_last_endpoint_takes_the_address_along_and_brings_it_back() {
    let mut objects = Objects::of(&["n1"]);
    objects.services = vec![local("web", &VIPS)];
    let on = |nodes: &[&str]| {
        [("web-4", "IPv4"), ("web-6", "IPv6")]
            .map(|(name, family)| slice(name, "web", family, nodes))
    };
    objects.slices = on(&["n1", "n2"]).to_vec();
    let mut world = World::of("n1", &objects);
    assert!(answers(&world.plan()));
    for slice in on(&["n2"]) {
        world.read(Event::EndpointSlice(applied(&slice)));
    }
    assert!(!answers(&world.plan()));
    assert_eq!(
        withdrawn(&world),
        [Withheld::NoLocalEndpoint, Withheld::NoLocalEndpoint]
    );
    for slice in on(&["n1"]) {
        world.read(Event::EndpointSlice(applied(&slice)));
    }
    assert!(answers(&world.plan()));
}

#[test]
fn a_configuration_without_advertisements_withdraws() {
    let (mut world, objects) = announcing();
    let mut bare = objects.configs[0].clone();
    bare["spec"]["l2Advertisements"] = json!([]);
    assert!(!answers(&world.after(Event::SpeakerConfig(applied(&bare)))));
}
