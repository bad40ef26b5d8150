//! What service proxies say, of this node and of others.

use std::time::Duration;

use plan::{Answer, Fitness, History, Source, Transition, Withheld};
use serde_json::{Value, json};

use super::NODES;
use super::world::{
    Objects, VIPS, World, answers, applied, deleted, judged, local, owner, restarted, service,
    slice, status,
};
use crate::index::Event;
use crate::prober::Probe;

const SECOND: Duration = Duration::from_secs(1);
/// Of a proxy after a boot.
const FIRST_ROUND: Duration = Duration::from_secs(2);

fn probe(answer: Answer) -> Event {
    let source = Source::Proxy;
    Event::Probe(Probe { answer, source })
}

/// A node that starts with its speaker, 20 s after its boot, and has read everything.
fn booted(objects: &Objects) -> World {
    let mut world = World::empty("n1");
    let history = History::start(Some(20 * SECOND), world.now);
    world.index = crate::index::Index::new(
        model::NodeName::new("n1"),
        model::LoadBalancerClasses::new(true, []),
        history,
    );
    for event in objects.lists() {
        world.read(event);
    }
    world
}

fn why(world: &mut World) -> Vec<Withheld> {
    let withheld = world.plan().withheld.into_values();
    withheld.filter_map(|withheld| withheld.layer2).collect()
}

#[test]
fn all_nodes_go_by_what_a_status_says_of_a_proxy() {
    for vip in VIPS {
        let mut objects = Objects::of(&NODES);
        let first = owner(&objects, &NODES, vip);
        let index = NODES.iter().position(|node| *node == first).unwrap();
        for fitness in Fitness::ALL {
            objects.statuses[index] = judged(&first, fitness.reason());
            let now = owner(&objects, &NODES, vip);
            assert_eq!(now == first, fitness.is_fit(), "{fitness:?}");
        }
        objects.statuses[index] = judged(&first, "AWordOfALaterVersion");
        assert_eq!(owner(&objects, &NODES, vip), first);
    }
}

#[test]
fn a_verdict_counts_as_soon_as_it_is_read() {
    let objects = Objects::of(&NODES);
    let first = owner(&objects, &NODES, VIPS[0]);
    let mut world = World::of(&first, &objects);
    world.after(Event::SpeakerStatus(applied(&judged(&first, "Late"))));
    assert_eq!(world.transitions, []);
    world.after(Event::SpeakerStatus(applied(&judged(&first, "Dead"))));
    assert!(matches!(
        world.transitions[..],
        [
            Transition::Withdraw {
                why: Withheld::OtherNode { .. },
                ..
            },
            ..
        ]
    ));
    world.after(Event::SpeakerStatus(applied(&judged(&first, "Healthy"))));
    assert!(matches!(
        world.transitions[..],
        [Transition::Announce { .. }, ..]
    ));
}

#[test]
fn an_object_made_anew_says_nothing_until_something_is_written_in_it() {
    let objects = Objects::of(&NODES);
    let first = owner(&objects, &NODES, VIPS[0]);
    let mut world = World::of(&first, &objects);
    world.after(Event::SpeakerStatus(applied(&judged(&first, "Dead"))));
    let empty = json!({ "metadata": { "name": first } });
    let null = json!({ "metadata": { "name": first }, "status": null });
    for event in [
        deleted(&judged(&first, "Dead")),
        applied(&empty),
        applied(&null),
    ] {
        world.after(Event::SpeakerStatus(event));
        assert_eq!(world.transitions, []);
    }
    // A node that was not heard of before is no candidate yet.
    let mut fresh = Objects::of(&NODES);
    fresh.statuses[0] = json!({ "metadata": { "name": NODES[0] } });
    let newcomer = World::of(NODES[0], &fresh);
    assert!(newcomer.index.has_own_status());
    assert!(newcomer.index.facts().announced.is_empty());
    // An older version, which has nothing to say of its proxy.
    let mut older = status(&first);
    older["status"]["conditions"] = json!([{ "type": "Degraded", "status": "False" }]);
    world.after(Event::SpeakerStatus(applied(&older)));
    assert!(!world.transitions.is_empty());
}

#[test]
fn what_a_node_sees_of_its_own_proxy_moves_nothing_before_it_is_known() {
    let mut world = World::of("n1", &Objects::of(&["n1"]));
    assert!(world.read(probe(Answer::Serving)));
    assert!(!world.read(probe(Answer::Serving)), "the same again");
    for _ in 0..12 {
        world.now += SECOND;
        assert!(answers(&world.after(probe(Answer::Refused))));
    }
    assert_eq!(world.index.facts().fitness, Fitness::Dead);
    assert_eq!(world.transitions, []);
}

#[test]
fn after_a_boot_a_node_waits_for_its_proxy() {
    let mut world = booted(&Objects::of(&["n1"]));
    assert_eq!(
        why(&mut world),
        [Withheld::ProxyUnverified, Withheld::ProxyUnverified]
    );
    for answer in [
        Answer::Refused,
        Answer::Silent,
        Answer::Late,
        Answer::Starting,
    ] {
        world.now += SECOND;
        assert!(!answers(&world.after(probe(answer))), "{answer:?}");
    }
    world.read(probe(Answer::Serving));
    assert!(!answers(&world.plan()), "its first round has only begun");
    world.now += FIRST_ROUND;
    assert!(answers(&world.after(probe(Answer::Serving))));
}

#[test]
fn after_a_boot_a_node_waits_for_a_minute_at_most() {
    for answer in [Answer::Refused, Answer::Silent] {
        let mut world = booted(&Objects::of(&["n1"]));
        for _ in 0..59 {
            world.now += SECOND;
            assert!(!answers(&world.after(probe(answer))));
        }
        world.now += SECOND;
        assert!(answers(&world.after(probe(answer))), "{answer:?}");
    }
}

#[test]
fn after_a_boot_nothing_counts_that_was_known_before_it() {
    let mut objects = Objects::of(&["n1"]);
    for earlier in ["Dead", "Settling", "Healthy"] {
        objects.statuses = vec![judged("n1", earlier)];
        let mut world = booted(&objects);
        assert!(!answers(&world.plan()), "{earlier}");
        world.read(probe(Answer::Serving));
        world.now += FIRST_ROUND;
        world.read(probe(Answer::Serving));
        assert_eq!(world.index.facts().fitness, Fitness::Settling);
        assert!(answers(&world.plan()));
    }
}

#[test]
fn a_process_goes_on_from_what_the_one_before_it_has_said() {
    for (earlier, expected) in [("Dead", Fitness::Dead), ("Settling", Fitness::Settling)] {
        for probed_first in [false, true] {
            let mut objects = Objects::of(&["n1"]);
            objects.statuses = vec![judged("n1", earlier)];
            let mut world = World::empty("n1");
            if probed_first {
                world.read(probe(Answer::Serving));
            }
            for event in objects.lists() {
                world.read(event);
            }
            assert_eq!(world.index.facts().fitness, expected);
            for _ in 0..=10 {
                assert_eq!(world.index.facts().fitness, expected);
                world.read(probe(Answer::Serving));
                world.now += SECOND;
            }
            assert_eq!(world.index.facts().fitness, Fitness::Healthy, "{earlier}");
            // What it reads later is its own word.
            world.read(Event::SpeakerStatus(applied(&judged("n1", earlier))));
            world.read(Event::SpeakerStatus(restarted(&[judged("n1", earlier)])));
            assert_eq!(world.index.facts().fitness, Fitness::Healthy);
        }
    }
}

#[test]
fn a_process_on_a_node_that_has_been_up_waits_for_nothing() {
    let mut objects = Objects::of(&["n1"]);
    for earlier in ["Healthy", "Late", "Unknown", "Unverified"] {
        objects.statuses = vec![judged("n1", earlier)];
        let world = World::of("n1", &objects);
        assert!(world.index.facts().fitness.is_fit(), "{earlier}");
    }
    assert!(answers(&World::of("n1", &Objects::of(&["n1"])).plan()));
}

fn unready(name: &str, family: &str) -> Value {
    let mut slice = slice(name, "web", family, &["n1"]);
    slice["endpoints"][0]["conditions"] = json!({ "ready": false, "serving": false });
    slice
}

#[test]
fn under_cluster_the_last_endpoint_anywhere_takes_the_address_along() {
    let mut world = World::of("n1", &Objects::of(&["n1"]));
    assert!(answers(&world.plan()), "without a slice nothing is known");
    let families = [("web-4", "IPv4"), ("web-6", "IPv6")];
    for (name, family) in families {
        world.read(Event::EndpointSlice(applied(&unready(name, family))));
    }
    assert_eq!(
        why(&mut world),
        [Withheld::NoEndpoint, Withheld::NoEndpoint]
    );
    for (name, family) in families {
        let elsewhere = slice(&format!("{name}-more"), "web", family, &["n9"]);
        world.read(Event::EndpointSlice(applied(&elsewhere)));
    }
    assert!(answers(&world.plan()), "one somewhere is enough");
    for (name, family) in families {
        let more = slice(&format!("{name}-more"), "web", family, &["n9"]);
        world.read(Event::EndpointSlice(deleted(&more)));
    }
    assert!(!answers(&world.plan()));
    for (name, family) in families {
        world.read(Event::EndpointSlice(deleted(&unready(name, family))));
    }
    assert!(answers(&world.plan()), "slices that are lost are no order");
}

#[test]
fn an_endpoint_on_no_node_is_one_all_the_same() {
    let mut world = World::of("n1", &Objects::of(&["n1"]));
    for (name, family) in [("web-4", "IPv4"), ("web-6", "IPv6")] {
        let mut slice = slice(name, "web", family, &[]);
        slice["endpoints"] = json!([{ "addresses": ["192.0.2.1"] }]);
        world.read(Event::EndpointSlice(applied(&slice)));
    }
    assert!(answers(&world.plan()));
}

#[test]
fn a_service_that_becomes_cluster_knows_that_it_has_no_endpoint() {
    let mut objects = Objects::of(&["n1"]);
    objects.services = vec![local("web", &VIPS)];
    objects.slices = vec![unready("web-4", "IPv4"), unready("web-6", "IPv6")];
    let mut world = World::of("n1", &objects);
    world.read(Event::Service(applied(&service("web", &VIPS))));
    assert_eq!(
        why(&mut world),
        [Withheld::NoEndpoint, Withheld::NoEndpoint]
    );
}

#[test]
fn one_service_is_asked_for_all_as_long_as_it_is_there() {
    let with_port = |name: &str, port: u16| {
        let mut service = local(name, &[]);
        service["spec"]["healthCheckNodePort"] = json!(port);
        service
    };
    let mut world = World::of("n1", &Objects::of(&["n1"]));
    assert_eq!(world.index.order().service_port, None);
    world.read(Event::Service(applied(&with_port("m", 32001))));
    assert_eq!(world.index.order().service_port, Some(32001));
    world.read(Event::Service(applied(&with_port("a", 32002))));
    assert_eq!(
        world.index.order().service_port,
        Some(32001),
        "the new one may not be open"
    );
    world.read(Event::Service(applied(&with_port("m", 32003))));
    assert_eq!(world.index.order().service_port, Some(32002));
    world.read(Event::Service(deleted(&with_port("a", 32002))));
    assert_eq!(world.index.order().service_port, Some(32003));
    world.read(Event::Service(applied(&service("m", &[]))));
    assert_eq!(world.index.order().service_port, None);
}

#[test]
fn the_proxy_is_looked_for_at_this_nodes_own_addresses_and_often_while_something_waits() {
    let mut world = booted(&Objects::of(&["n1"]));
    let order = world.index.order();
    let addresses: [std::net::IpAddr; 2] = ["10.99.0.11", "fd99::11"].map(|ip| ip.parse().unwrap());
    assert_eq!(order.addresses, addresses);
    world.read(probe(Answer::Serving));
    world.now += FIRST_ROUND;
    world.read(probe(Answer::Serving));
    assert!(world.index.order().period > order.period);
}
