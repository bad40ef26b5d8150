//! What is read of this node's own end, in the words of the API server and of kubelet.

use plan::{Departure, Ending, departure, ending};
use serde_json::{Value, json};

use super::world::{Objects, World, applied, deleted, node, restarted};
use crate::index::Event;

/// As kubelet 1.35 writes it.
fn shutting_down(message: &str) -> Value {
    let mut node = node("n1", "False");
    node["status"]["conditions"] = json!([
        { "type": "MemoryPressure", "status": "False", "message": "node is shutting down" },
        { "type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": message },
    ]);
    node
}

#[test]
fn a_node_that_goes_is_known_by_what_is_read_of_it() {
    let with = |field: &str, value: Value| {
        let mut node = node("n1", "True");
        node[field] = value;
        node
    };
    let label = json!({ "node.kubernetes.io/exclude-from-external-load-balancers": "" });
    let mut labelled = node("n1", "True");
    labelled["metadata"]["labels"] = label;
    let mut deleting = node("n1", "True");
    deleting["metadata"]["deletionTimestamp"] = json!("2026-11-21T00:00:00Z");
    let cordoned = with("spec", json!({ "unschedulable": true }));
    for (object, drain, end) in [
        (node("n1", "True"), None, None),
        (node("n1", "False"), None, None),
        (shutting_down("container runtime is down"), None, None),
        (cordoned, None, Some(Departure::Cordoned)),
        (labelled, Some(Departure::Excluded), None),
        (deleting, Some(Departure::Deleted), None),
        (
            shutting_down("[container runtime is down, node is shutting down]"),
            Some(Departure::ShuttingDown),
            None,
        ),
    ] {
        let mut world = World::of("n1", &Objects::of(&["n1"]));
        world.read(Event::Node(applied(&object)));
        assert_eq!(departure(world.index.facts()), drain, "{object}");
        let expected = end.or(drain).map_or(Ending::Restarting, Ending::Leaving);
        assert_eq!(ending(world.index.facts()), expected);
        world.read(Event::Node(applied(&node("n1", "True"))));
        assert_eq!(departure(world.index.facts()), None);
    }
}

/// I15: a Node that is missing from a list was not seen to go.
#[test]
fn a_node_that_was_seen_deleted_goes_and_one_that_is_missing_stays() {
    let objects = Objects::of(&["n1", "n2"]);
    let mut world = World::of("n1", &objects);
    world.read(Event::Node(deleted(&objects.nodes[1])));
    assert_eq!(departure(world.index.facts()), None, "that was another one");
    world.read(Event::Node(restarted(&[])));
    assert_eq!(departure(world.index.facts()), None);
    world.read(Event::Node(applied(&objects.nodes[0])));
    world.read(Event::Node(deleted(&objects.nodes[0])));
    assert_eq!(departure(world.index.facts()), Some(Departure::Deleted));
    assert!(
        world.read(Event::Node(applied(&objects.nodes[0]))),
        "it is back"
    );
    assert_eq!(departure(world.index.facts()), None);
}
