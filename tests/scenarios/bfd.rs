//! What BFD scenarios begin with, and that both sides agree: on intervals, on death and on what the
//! router shows.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::kernel::Changes;
use lab::peer::{Bfd, Distance, Program, Router};
use lab::runner::Scenario;
use lab::{Lab, Part, Topology, eventually};
use serde_json::{Value, json};

use crate::peering::{NODES, Over, Peering, SESSION, expect_hops, pool};
use crate::vips::{Vips, create, start, vips};

/// The name of the BFDProfile that all peers have.
pub(crate) const PROFILE: &str = "watched";
/// FRR holds each change of a route back by some 63 ms, and a machine of two cores with fifteen
/// processes is late now and then.
const FRR: Duration = Duration::from_millis(63);
/// How often what a figure should be is allowed for.
const FACTOR: u32 = 3;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "routers show the detection time that the profile asks for, at 50 ms and at 10 ms",
            agreed,
        )
        .within(Duration::from_secs(240)),
        Scenario::new(
            "a peer that may be further away is watched over several hops",
            far,
        )
        .within(Duration::from_secs(180)),
        Scenario::new(
            "routes to a node that dies without a word go within BFD's detection time",
            silence,
        )
        .within(Duration::from_secs(180)),
        Scenario::new(
            "routes to a node whose cable is pulled go within BFD's detection time",
            unplugged,
        )
        .within(Duration::from_secs(180)),
    ]
}

/// The BFDProfile, with the same interval for both directions.
pub(crate) fn profile(lab: &Lab, interval_ms: u32, fields: &Value) -> Result<()> {
    let mut spec = json!({
        "receiveInterval": interval_ms,
        "transmitInterval": interval_ms,
        "detectMultiplier": 3,
    });
    for (field, value) in fields.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    let object = json!({
        "apiVersion": "seamark.io/v1beta1",
        "kind": "BFDProfile",
        "metadata": { "name": PROFILE },
        "spec": spec,
    });
    lab.apply(&object.to_string())
}

/// Our side of a peering that BFD watches, with these fields besides.
pub(crate) fn watched(lab: &Lab, peering: &Peering, fields: &Value) -> Result<()> {
    let mut all = json!({ "bfdProfile": PROFILE });
    for (field, value) in fields.as_object().into_iter().flatten() {
        all[field] = value.clone();
    }
    let address = peering.over.of(lab::address::router(peering.router));
    peering.apply_at(lab, address, &all)
}

/// A router that watches all nodes, or none.
pub(crate) fn router(
    lab: &Lab,
    program: Program,
    peering: &Peering,
    bfd: Option<Bfd>,
) -> Result<Box<dyn Router>> {
    let config = watching(lab, peering, bfd)?;
    program.start(&peering.host(lab), &config)
}

fn watching(lab: &Lab, peering: &Peering, bfd: Option<Bfd>) -> Result<lab::peer::Config> {
    let nodes = 1..=lab.topology().nodes;
    let peers = nodes.map(|number| {
        // BIRD watches over several hops only from an address that it is given.
        let source = peering.over.of(lab::address::router(peering.router));
        let peer = peering.peer(peering.node(number)).source(source);
        match bfd {
            Some(bfd) => peer.bfd(bfd),
            None => peer,
        }
    });
    let identifier = crate::peering::identifier(peering.router)?;
    Ok(lab::peer::Config::new(peering.router_asn, identifier).peers(peers))
}

/// A router and all nodes that watch each other every so many milliseconds, up on both sides.
pub(crate) fn begin(
    lab: &mut Lab,
    program: Program,
    peering: &Peering,
    interval_ms: u32,
) -> Result<Box<dyn Router>> {
    let bfd = Bfd::new(interval_ms.into(), 3);
    let router = router(lab, program, peering, Some(bfd))?;
    pool(lab)?;
    profile(lab, interval_ms, &json!({}))?;
    watched(lab, peering, &json!({}))?;
    start(lab)?;
    up(lab, &*router, peering)?;
    Ok(router)
}

/// Waits for BGP and BFD with all nodes, as the router and the nodes see it.
pub(crate) fn up(lab: &Lab, router: &dyn Router, peering: &Peering) -> Result<()> {
    peering.wait(lab, router)?;
    for number in 1..=lab.topology().nodes {
        router.wait_bfd_up(peering.node(number), SESSION)?;
        expect_bfd(lab, &format!("n{number}"), &peering.name, "Up")?;
    }
    Ok(())
}

/// Waits until a node shows BFD with a peer in this state.
pub(crate) fn expect_bfd(lab: &Lab, node: &str, peer: &str, state: &str) -> Result<()> {
    eventually(
        SESSION,
        &format!("{node} shows BFD with {peer} {state}"),
        || {
            let shown = session(lab, node, peer)?;
            ensure!(shown["bfd"]["state"] == state, "it shows {shown}");
            Ok(())
        },
    )
}

/// What a node shows of its session with a peer.
pub(crate) fn session(lab: &Lab, node: &str, peer: &str) -> Result<Value> {
    let shown = lab.kubectl(&["get", "speakerstatus", node, "-o", "json"])?;
    let shown: Value = serde_json::from_str(&shown)?;
    let sessions = shown["status"]["sessions"].as_array();
    let mut sessions = sessions.into_iter().flatten();
    let found = sessions.find(|session| session["peer"] == peer);
    found
        .cloned()
        .with_context(|| format!("{node} shows no session with {peer}"))
}

/// Whether Events of a peer that a node told have this reason.
pub(crate) fn told(lab: &Lab, node: &str, peer: &str, reason: &str) -> Result<Option<String>> {
    let selector = format!("--field-selector=involvedObject.name={peer},reason={reason}");
    let shown = lab.kubectl(&["get", "events", "-o", "json", &selector])?;
    let shown: Value = serde_json::from_str(&shown)?;
    let events = shown["items"].as_array();
    let mut of_node = events
        .into_iter()
        .flatten()
        .filter(|event| event["reportingInstance"] == node);
    Ok(of_node
        .next_back()
        .and_then(|event| Some(event["message"].as_str()?.to_owned())))
}

pub(crate) fn expect_told(lab: &Lab, node: &str, peer: &str, reason: &str) -> Result<String> {
    eventually(SESSION, &format!("{node} tells {reason} of {peer}"), || {
        told(lab, node, peer, reason)?.context("it has not told it")
    })
}

/// Services that the router sends to all nodes.
pub(crate) fn served(lab: &Lab, router: &dyn Router) -> Result<Vips> {
    create(lab, "web")?;
    let shown = vips(lab, "web")?;
    everywhere(lab, router, shown, &NODES)?;
    Ok(shown)
}

pub(crate) fn everywhere(lab: &Lab, router: &dyn Router, vips: Vips, nodes: &[&str]) -> Result<()> {
    vips.iter()
        .try_for_each(|vip| expect_hops(lab, router.host(), *vip, nodes))
}

fn agreed(lab: &mut Lab) -> Result<()> {
    for (over, program) in [(Over::Ipv4, Program::Frr), (Over::Ipv6, Program::Bird)] {
        let peering = Peering::over(over);
        let router = begin(lab, program, &peering, 50)?;
        shows(lab, &*router, &peering, 50)?;
        drop(router);
        // The router is another one, with other intervals, and ours follow on live sessions.
        let faster = self::router(lab, program, &peering, Some(Bfd::new(10, 3)))?;
        profile(lab, 10, &json!({}))?;
        up(lab, &*faster, &peering)?;
        shows(lab, &*faster, &peering, 10)?;
        peering.delete(lab)?;
    }
    Ok(())
}

/// Waits until a router shows the interval, and both sides three times that as the detection time.
pub(crate) fn shows(lab: &Lab, router: &dyn Router, peering: &Peering, ms: u64) -> Result<()> {
    detects(lab, router, peering, ms)?;
    for (node, session) in router.bfd_sessions()? {
        let right = session.interval == Duration::from_millis(ms);
        ensure!(right, "with {node} the router has {session:?}");
    }
    Ok(())
}

/// Waits until both sides show three times the interval as the detection time.
pub(crate) fn detects(lab: &Lab, router: &dyn Router, peering: &Peering, ms: u64) -> Result<()> {
    let detection = Duration::from_millis(3 * ms);
    for number in 1..=lab.topology().nodes {
        let node: IpAddr = peering.node(number);
        eventually(
            SESSION,
            &format!("both agree on {ms} ms with {node}"),
            || {
                let sessions = router.bfd_sessions()?;
                let shown = sessions.get(&node).context("it has no session")?;
                let agreed = shown.detection_time == detection && shown.is_up();
                ensure!(agreed, "the router shows {shown:?}");
                let ours = detection_time(lab, &format!("n{number}"), &peering.name)?;
                ensure!(ours == detection, "the node waits for {ours:?}");
                Ok(())
            },
        )?;
    }
    Ok(())
}

/// RFC 5883: port 4784, and nothing at 3784. BIRD sends with a hop limit of 64 then, which the default
/// of `minimumTtl` does not let in.
fn far(lab: &mut Lab) -> Result<()> {
    for (over, program) in [(Over::Ipv4, Program::Frr), (Over::Ipv6, Program::Bird)] {
        let peering = Peering {
            distance: Distance::Multihop(2),
            ..Peering::over(over)
        };
        let router = self::router(lab, program, &peering, Some(Bfd::new(50, 3)))?;
        pool(lab)?;
        profile(lab, 50, &json!({ "minimumTtl": 64 }))?;
        watched(lab, &peering, &json!({}))?;
        start(lab)?;
        up(lab, &*router, &peering)?;
        shows(lab, &*router, &peering, 50)?;
        let ports = lab.node("n1").run(&["ss", "-Hlun"])?;
        let has = |port: &str| ports.contains(port);
        ensure!(has(":4784 ") && !has(":3784 "), "n1 listens on {ports}");
        peering.delete(lab)?;
    }
    Ok(())
}

/// How long a node waits for a peer. SpeakerStatus says so as well, but not at once.
fn detection_time(lab: &Lab, node: &str, peer: &str) -> Result<Duration> {
    let line = format!("seamark_bfd_detection_time_seconds{{peer=\"{peer}\"}} ");
    let metrics = lab.metrics(&Part::speaker(node))?;
    let mut lines = metrics.lines();
    let value = lines.find_map(|shown| shown.strip_prefix(&line));
    let seconds: f64 = value.context("it watches nothing")?.parse()?;
    Ok(Duration::try_from_secs_f64(seconds)?)
}

fn silence(lab: &mut Lab) -> Result<()> {
    dies(
        lab,
        50,
        |lab| lab.node("n1").isolate(),
        |lab| lab.node("n1").rejoin(),
    )
}

fn unplugged(lab: &mut Lab) -> Result<()> {
    dies(
        lab,
        100,
        |lab| lab.node("n1").unplug(),
        |lab| lab.node("n1").plug(),
    )
}

type Act = fn(&Lab) -> Result<()>;

/// The routes by a node go in time when it dies, and come back with it.
fn dies(lab: &mut Lab, interval_ms: u32, kill: Act, revive: Act) -> Result<()> {
    let allowed = (Duration::from_millis(3 * u64::from(interval_ms)) + FRR) * FACTOR;
    for (over, program) in [(Over::Ipv4, Program::Frr), (Over::Ipv6, Program::Bird)] {
        let peering = Peering::over(over);
        let router = begin(lab, program, &peering, interval_ms)?;
        let vips = served(lab, &*router)?;
        let changes = Changes::of(router.host())?;
        let died = Instant::now();
        kill(lab)?;
        for vip in vips {
            let of_vip = |change: &lab::kernel::Change| change.address == vip;
            let change = changes.wait(died + allowed, of_vip)?;
            lab::steps::note(&format!(
                "{program:?}: {vip} went elsewhere after {} ms",
                change.at.saturating_duration_since(died).as_millis()
            ))?;
        }
        let left = everywhere(lab, &*router, vips, &["n2", "n3"]);
        revive(lab)?;
        left?;
        up(lab, &*router, &peering)?;
        everywhere(lab, &*router, vips, &NODES)?;
        peering.delete(lab)?;
        lab.kubectl(&["delete", "service", "web"])?;
    }
    Ok(())
}

/// Two routers.
pub(crate) fn two() -> Topology {
    Topology::default().with_routers(2)
}
