//! A node is a next hop only where it can serve: endpoints as kube-proxy counts them, and a
//! kube-proxy that is there.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lab::eventually::throughout;
use lab::peer::{Program, Router};
use lab::runner::Scenario;
use lab::steps::note;
use lab::{Lab, Prober, eventually, http};
use serde_json::json;

use crate::health::expect_judged;
use crate::peering::{NODES, Peering, begin, expect_routed, hops_are, pool, times_established};
use crate::told::{by_node, expect_same, hops};
use crate::vips::{SOON, Vips, create, create_with, vips};

const APP: [(&str, &str); 1] = [("app", "local")];
/// For so long a proxy is away before it is dead, and back before it is fit.
const PATIENCE: Duration = Duration::from_secs(10);
/// After that: two probes, a plan and the router's own work, on a busy machine.
const PROMISED: Duration = Duration::from_secs(4);
/// Who asks through the router every 50 ms notices nothing.
const GAP: Duration = Duration::from_millis(500);
/// Connections of their own, so that each next hop gets some.
const FLOWS: usize = 12;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "with policy Local the next hops are where kube-proxy serves, all through a rollout",
            rollout,
        ),
        Scenario::new(
            "routes go with the last usable endpoint and come back with the next",
            no_endpoint,
        ),
        Scenario::new(
            "a node whose kube-proxy is dead is no next hop, and one whose kube-proxy hangs stays one",
            dead,
        ),
        Scenario::new(
            "a node that has just booted is a next hop only when its kube-proxy serves",
            boot,
        ),
    ]
}

fn create_local(lab: &Lab) -> Result<Vips> {
    let fields = json!({ "externalTrafficPolicy": "Local", "selector": { "app": "local" } });
    create_with(lab, "local", &fields)?;
    vips(lab, "local")
}

/// Pods of a new kind take the place of the old ones, node after node.
fn rollout(lab: &mut Lab) -> Result<()> {
    lab.start_pod("old-1", "n1", &APP)?;
    lab.start_pod("old-2", "n2", &APP)?;
    let router = begin(lab, Program::Frr, &Peering::default())?;
    let shown = create_local(lab)?;
    let before = times_established(&*router)?;
    expect_as_kube_proxy(lab, &*router, shown, &["n1", "n2"])?;
    for (old, new, node, during, after) in [
        ("old-1", "new-1", "n3", &NODES[..], &["n2", "n3"][..]),
        ("old-2", "new-2", "n1", &NODES[..], &["n1", "n3"][..]),
    ] {
        lab.start_pod(new, node, &APP)?;
        expect_as_kube_proxy(lab, &*router, shown, during)?;
        // It still serves, and so does its node, with ready ones elsewhere.
        lab.terminate_pod(old)?;
        expect_as_kube_proxy(lab, &*router, shown, during)?;
        lab.set_ready(old, false)?;
        expect_as_kube_proxy(lab, &*router, shown, after)?;
        lab.stop_pod(old)?;
    }
    // Terminating ones are all that is left, then one serves no more.
    lab.terminate_pod("new-1")?;
    lab.terminate_pod("new-2")?;
    expect_as_kube_proxy(lab, &*router, shown, &["n1", "n3"])?;
    lab.set_ready("new-1", false)?;
    expect_as_kube_proxy(lab, &*router, shown, &["n1"])?;
    expect_same(&before, &*router)
}

/// The router sends both addresses to exactly these nodes, which are those on which kube-proxy
/// serves, and each flow by the router is served.
fn expect_as_kube_proxy(
    lab: &Lab,
    router: &dyn Router,
    vips: Vips,
    expected: &[&str],
) -> Result<()> {
    hops(lab, router.host(), vips, expected)?;
    for vip in vips {
        let what = format!("kube-proxy serves {vip} on {expected:?}");
        eventually(SOON, &what, || {
            let mut serving = NODES.to_vec();
            serving.retain(|node| by_node(lab, node, vip, 80).is_ok());
            ensure!(serving == expected, "it does on {serving:?}");
            Ok(())
        })?;
        for _ in 0..FLOWS {
            http::get(&lab.client_host(), vip, 80, Duration::from_secs(1))?;
        }
        hops_are(lab, router.host(), vip, expected)?;
    }
    Ok(())
}

fn no_endpoint(lab: &mut Lab) -> Result<()> {
    lab.start_pod("only", "n3", &APP)?;
    let router = begin(lab, Program::Frr, &Peering::default())?;
    create(lab, "web")?;
    let cluster = vips(lab, "web")?;
    let local = create_local(lab)?;
    let host = router.host();
    hops(lab, host, cluster, &NODES)?;
    hops(lab, host, local, &["n3"])?;
    let set_all = |lab: &Lab, pods: &[&str], ready| {
        let mut pods = pods.iter();
        pods.try_for_each(|pod| lab.set_ready(pod, ready))
    };
    for (pods, shown, back) in [
        (&["web-1", "web-2"][..], cluster, &NODES[..]),
        (&["only"][..], local, &["n3"][..]),
    ] {
        set_all(lab, pods, false)?;
        hops(lab, host, shown, &[])?;
        set_all(lab, &pods[..1], true)?;
        hops(lab, host, shown, back)?;
        shown
            .iter()
            .try_for_each(|vip| expect_routed(lab, *vip).map(drop))?;
    }
    // The other policy's addresses were none of its business.
    hops(lab, host, cluster, &NODES)?;
    lab.stop_pod("only")?;
    hops(lab, host, local, &[])?;
    lab.start_pod("next", "n1", &APP)?;
    hops(lab, host, local, &["n1"])
}

/// kube-proxy of n2 is killed and that of n3 hangs; both serve on in the kernel, so that clients
/// notice nothing.
fn dead(lab: &mut Lab) -> Result<()> {
    for node in NODES {
        lab.start_pod(&format!("on-{node}"), node, &APP)?;
    }
    let router = begin(lab, Program::Frr, &Peering::default())?;
    create(lab, "web")?;
    let all = [vips(lab, "web")?, create_local(lab)?];
    for node in NODES {
        expect_judged(lab, node, "Healthy", SOON)?;
    }
    for vips in all {
        expect_as_kube_proxy(lab, &*router, vips, &NODES)?;
    }
    let before = times_established(&*router)?;
    let probers = all
        .as_flattened()
        .iter()
        .map(|vip| Prober::http(&lab.client_host(), *vip, Duration::from_millis(50)));
    let probers: Vec<Prober> = probers.collect::<Result<_>>()?;

    let killed = Instant::now();
    lab.kill_proxy("n2")?;
    lab.pause_proxy("n3")?;
    expect_in_time(lab, &*router, all, &["n1", "n3"], killed)?;
    throughout(Duration::from_secs(2), "the others stay", || {
        each_is(lab, &*router, all, &["n1", "n3"])
    })?;

    let started = Instant::now();
    lab.start_proxy("n2", &[])?;
    lab.resume_proxy("n3")?;
    expect_in_time(lab, &*router, all, &NODES, started)?;
    for prober in probers {
        prober.stop()?.expect_no_gap(GAP)?;
    }
    expect_same(&before, &*router)
}

/// All next hops change at the time that is promised for what began at `since`, and not before.
fn expect_in_time(
    lab: &Lab,
    router: &dyn Router,
    all: [Vips; 2],
    nodes: &[&str],
    since: Instant,
) -> Result<()> {
    let what = format!("the next hops are {nodes:?}");
    eventually(PATIENCE + PROMISED, &what, || {
        each_is(lab, router, all, nodes)
    })?;
    let took = since.elapsed();
    note(&format!("{what} after {} ms", took.as_millis()))?;
    ensure!(
        took + Duration::from_secs(1) >= PATIENCE && took <= PATIENCE + PROMISED,
        "{what} after {took:?}"
    );
    Ok(())
}

fn each_is(lab: &Lab, router: &dyn Router, all: [Vips; 2], nodes: &[&str]) -> Result<()> {
    let mut vips = all.as_flattened().iter();
    vips.try_for_each(|vip| hops_are(lab, router.host(), *vip, nodes))
}

/// Each node comes up without any rule of kube-proxy in its kernel.
fn boot(lab: &mut Lab) -> Result<()> {
    for node in NODES {
        lab.kill_proxy(node)?;
        lab.node(node).run(&["nft", "flush", "ruleset"])?;
    }
    lab.start_pod("on-n2", "n2", &APP)?;
    let peering = Peering::default();
    let router = peering.start(lab, Program::Frr)?;
    peering.apply(lab)?;
    pool(lab)?;
    lab.start_controller(&[])?;
    for node in NODES {
        lab.start_speaker_at_boot(node, Duration::from_secs(20))?;
    }
    peering.wait(lab, &*router)?;
    create(lab, "web")?;
    let (cluster, local) = (vips(lab, "web")?, create_local(lab)?);
    let all = [cluster, local];
    throughout(Duration::from_secs(3), "no node is a next hop", || {
        each_is(lab, &*router, all, &[])
    })?;
    let started = Instant::now();
    lab.start_proxy("n2", &[])?;
    for vips in all {
        for vip in vips {
            first_hop_serves(lab, &*router, vip, "n2")?;
        }
    }
    let ms = started.elapsed().as_millis();
    note(&format!(
        "n2 is a next hop {ms} ms after kube-proxy was started"
    ))?;
    for node in ["n1", "n3"] {
        lab.start_proxy(node, &[])?;
    }
    hops(lab, router.host(), cluster, &NODES)?;
    hops(lab, router.host(), local, &["n2"])
}

/// At the very moment at which the router has the route, a client is served.
fn first_hop_serves(lab: &Lab, router: &dyn Router, vip: IpAddr, node: &str) -> Result<()> {
    eventually(SOON, &format!("{node} is the next hop for {vip}"), || {
        hops_are(lab, router.host(), vip, &[node])
    })?;
    http::get(&lab.client_host(), vip, 80, Duration::from_secs(1)).map(drop)
}
