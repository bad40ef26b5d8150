//! What a sequence of watch events comes to.

mod absent;
mod departures;
mod health;
mod kept;
mod passwords;
mod stopped;
pub(crate) mod world;

use std::time::Duration;

use plan::Transition;
use serde_json::json;

use super::Event;
use world::{
    Objects, VIPS, World, answers, applied, config, deleted, failed, interfaces, node, owner,
    restarted, service, status,
};

const NODES: [&str; 3] = ["n1", "n2", "n3"];

#[test]
fn nothing_is_complete_before_every_list_and_the_interfaces_were_read() {
    let lists = Objects::of(&["n1"]).lists().len();
    for missing in 0..lists {
        let mut world = World::empty("n1");
        let events = Objects::of(&["n1"]).lists().into_iter().enumerate();
        for (_, event) in events.filter(|(index, _)| *index != missing) {
            world.read(event);
        }
        assert!(!world.index.is_complete(), "without list {missing}");
    }
    assert!(World::of("n1", &Objects::of(&["n1"])).index.is_complete());
}

#[test]
fn a_service_that_holds_and_shows_both_addresses_is_announced() {
    let mut world = World::of("n1", &Objects::of(&["n1"]));
    assert!(answers(&world.plan()));
}

#[test]
fn a_service_is_announced_only_when_the_last_of_entry_and_status_has_come() {
    let full = Objects::of(&["n1"]);
    let bare = Objects {
        services: Vec::new(),
        entries: Vec::new(),
        ..full.clone()
    };
    let mut world = World::of("n1", &bare);
    assert!(!answers(
        &world.after(Event::Service(applied(&service("web", &[]))))
    ));
    for entry in &full.entries {
        assert!(!answers(&world.after(Event::Allocation(applied(entry)))));
    }
    assert!(answers(
        &world.after(Event::Service(applied(&full.services[0])))
    ));
    assert_eq!(world.transitions.len(), VIPS.len());
}

#[test]
fn a_restarted_speaker_plans_what_it_planned_before_and_nothing_of_others() {
    let objects = Objects::of(&NODES);
    for node in NODES {
        let before = World::of(node, &objects).plan();
        let restarted = World::of(node, &objects).plan();
        assert_eq!(restarted, before);
    }
    for vip in VIPS {
        owner(&objects, &NODES, vip);
    }
}

#[test]
fn services_of_other_types_and_classes_are_not_ours() {
    for spec in [
        json!({ "type": "ClusterIP" }),
        json!({ "type": "NodePort" }),
        json!({ "type": "ExternalName" }),
        json!({}),
        json!({ "type": "LoadBalancer", "loadBalancerClass": "foreign.example/lb" }),
    ] {
        let mut objects = Objects::of(&["n1"]);
        objects.services[0]["spec"] = spec;
        let world = World::of("n1", &objects);
        assert!(
            world.index.facts().services.is_empty(),
            "{:?}",
            objects.services
        );
    }
    let mut ours = Objects::of(&["n1"]);
    ours.services[0]["spec"]["loadBalancerClass"] = json!("seamark.io/lb");
    assert!(answers(&World::of("n1", &ours).plan()));
}

#[test]
fn what_no_plan_could_see_is_of_no_interest() {
    let objects = Objects::of(&["n1"]);
    let mut world = World::of("n1", &objects);
    let mut heartbeat = objects.nodes[0].clone();
    heartbeat["status"]["conditions"][0]["lastHeartbeatTime"] = json!("2026-11-21T00:00:00Z");
    let mut annotated = objects.services[0].clone();
    annotated["metadata"]["annotations"] = json!({ "note": "changed" });
    let slice = world::slice("web-a", "web", "IPv4", &["n1"]);
    for (what, event) in [
        ("a heartbeat", Event::Node(applied(&heartbeat))),
        ("an annotation", Event::Service(applied(&annotated))),
        (
            "an endpoint of a Service of policy Cluster",
            Event::EndpointSlice(applied(&slice)),
        ),
        (
            "a Service that is not ours",
            Event::Service(deleted(&service("other", &[]))),
        ),
        (
            "a status that is there already",
            Event::SpeakerStatus(applied(&objects.statuses[0])),
        ),
        (
            "the same configuration",
            Event::SpeakerConfig(applied(&objects.configs[0])),
        ),
        (
            "the same entry",
            Event::Allocation(applied(&objects.entries[0])),
        ),
        ("the same interfaces", interfaces()),
        ("a watch that fails", Event::Service(failed())),
        (
            "a watch that goes on",
            Event::Service(runtime::watch::WatchEvent::Resumed),
        ),
        (
            "the same list",
            Event::Service(restarted(&objects.services)),
        ),
    ] {
        assert!(!world.read(event), "{what}");
    }
}

#[test]
fn a_better_node_takes_over_from_one_that_is_not_ready() {
    for vip in VIPS {
        let mut objects = Objects::of(&NODES);
        let first = owner(&objects, &NODES, vip);
        let mut world = World::of(&first, &objects);
        world.after(Event::Node(applied(&node(&first, "Unknown"))));
        let withdrawn = |transition: &Transition| match transition {
            Transition::Withdraw { address, .. } => {
                *address == vip.parse::<std::net::IpAddr>().unwrap()
            }
            Transition::Announce { .. } | Transition::Advertise { .. } => false,
        };
        assert!(
            world.transitions.iter().any(withdrawn),
            "{:?}",
            world.transitions
        );
        objects.nodes.iter_mut().for_each(|node| {
            node["status"]["conditions"][0]["status"] = json!("Unknown");
        });
        assert_eq!(
            owner(&objects, &NODES, vip),
            first,
            "all alike: the first one again"
        );
    }
}

#[test]
fn the_generation_in_force_is_that_of_the_configuration_last_understood() {
    let mut world = World::of("n1", &Objects::of(&["n1"]));
    assert_eq!(world.index.config_generation(), Some(1));
    let mut next = config();
    next["metadata"]["generation"] = json!(2);
    assert!(world.read(Event::SpeakerConfig(applied(&next))));
    assert_eq!(world.index.config_generation(), Some(2));
    next["metadata"]["generation"] = json!(3);
    next["spec"]["l2Advertisements"][0]["nodeSelectors"] =
        json!([{ "matchExpressions": [{ "key": "a", "operator": "Near", "values": [] }] }]);
    world.read(Event::SpeakerConfig(applied(&next)));
    assert_eq!(world.index.config_generation(), Some(2));
    assert!(answers(&world.plan()));
}

#[test]
fn a_deleted_speaker_status_counts_for_a_while_and_its_return_changes_nothing() {
    let objects = Objects::of(&["n1", "n2"]);
    let vip = VIPS[0];
    let first = owner(&objects, &["n1", "n2"], vip);
    let mut world = World::of(&first, &objects);
    assert!(world.read(Event::SpeakerStatus(deleted(&status(&first)))));
    assert!(
        !world.index.has_own_status(),
        "so that it is made again at once"
    );
    world.wait(Duration::from_secs(1));
    assert_eq!(world.transitions, []);
    world.after(Event::SpeakerStatus(applied(&status(&first))));
    assert!(world.index.has_own_status());
    world.wait(Duration::from_secs(60));
    assert_eq!(world.transitions, []);
}

#[test]
fn a_node_whose_speaker_status_stays_away_is_no_candidate() {
    let objects = Objects::of(&["n1", "n2"]);
    for vip in VIPS {
        let first = owner(&objects, &["n1", "n2"], vip);
        let mut world = World::of(&first, &objects);
        world.read(Event::SpeakerStatus(deleted(&status(&first))));
        assert!(world.index.deadline().is_some());
        world.wait(Duration::from_secs(5));
        assert!(!world.transitions.is_empty());
        assert_eq!(world.index.deadline(), None);
        assert!(
            !world
                .index
                .facts()
                .announced
                .contains_key(&vip.parse().unwrap())
        );
    }
}
