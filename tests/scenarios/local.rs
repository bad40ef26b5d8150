//! externalTrafficPolicy Local: only where an endpoint is, and with the client's own address.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::address::{CLIENT, ROUTED_CLIENT};
use lab::probe::Ear;
use lab::runner::Scenario;
use lab::steps::note;
use lab::{Lab, Prober, eventually, http};
use serde_json::json;

use crate::vips::{SOON, Vips, begin, create_with, expect_silence, node_of, vips};

/// From the API server's answer to the write that makes the new endpoint ready, to the first reply.
const PROMISED: Duration = Duration::from_secs(1);
const APP: [(&str, &str); 1] = [("app", "local")];

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "with policy Local only a node with a ready endpoint answers, and the client's address arrives",
            only_where_an_endpoint_is,
        ),
        Scenario::new(
            "with policy Local an address follows its endpoint within a second",
            follows_its_endpoint,
        ),
        Scenario::new(
            "with policy Local nobody answers without an endpoint, and somebody does again with one",
            silent_without_endpoints,
        ),
        Scenario::new(
            "with policy Local terminating endpoints count as kube-proxy counts them",
            terminating,
        ),
    ]
}

/// A dual-stack Service of policy Local for the pods of [`APP`].
fn begin_local(lab: &mut Lab) -> Result<Vips> {
    begin(lab)?;
    let fields = json!({ "externalTrafficPolicy": "Local", "selector": { "app": "local" } });
    create_with(lab, "local", &fields)?;
    vips(lab, "local")
}

fn only_where_an_endpoint_is(lab: &mut Lab) -> Result<()> {
    lab.start_pod("ready", "n2", &APP)?;
    lab.start_pod("unready", "n1", &APP)?;
    lab.set_ready("unready", false)?;
    for vip in begin_local(lab)? {
        expect_only(lab, vip, "n2")?;
        for from in [CLIENT, ROUTED_CLIENT].map(|ends| ends[usize::from(vip.is_ipv6())]) {
            // kube-proxy may still serve an earlier Service of the same address for a second.
            eventually(SOON, &format!("{vip} serves {from}"), || {
                let body = http::get_from(&lab.client_host(), from, vip, 80, PROMISED)?;
                ensure!(body == format!("ready {from}"), "{from} is told {body:?}");
                Ok(())
            })?;
        }
    }
    Ok(())
}

fn follows_its_endpoint(lab: &mut Lab) -> Result<()> {
    for node in ["n1", "n2", "n3"] {
        lab.start_pod(&pod_on(node), node, &APP)?;
        lab.set_ready(&pod_on(node), node == "n1")?;
    }
    let vips = begin_local(lab)?;
    vips.iter()
        .try_for_each(|vip| expect_only(lab, *vip, "n1"))?;
    // A gap between the endpoints: nobody may answer until the new one is there.
    for (old, new) in [("n1", "n2"), ("n2", "n3"), ("n3", "n1")] {
        expect_move(lab, vips, new, |lab| {
            lab.set_ready(&pod_on(old), false)?;
            for vip in vips {
                eventually(SOON, "nobody answers", || expect_silence(lab, vip))?;
            }
            lab.set_ready(&pod_on(new), true)
        })?;
    }
    // And the new one first: the last write decides.
    for (old, new) in [("n1", "n3"), ("n3", "n2")] {
        expect_move(lab, vips, new, |lab| {
            lab.set_ready(&pod_on(new), true)?;
            lab.set_ready(&pod_on(old), false)
        })?;
    }
    Ok(())
}

fn pod_on(node: &str) -> String {
    format!("local-{node}")
}

/// Clients ask for both addresses all the time. After the change the new node answers in time for
/// each, and then it alone.
fn expect_move(
    lab: &Lab,
    vips: Vips,
    new: &str,
    change: impl FnOnce(&Lab) -> Result<()>,
) -> Result<()> {
    let client = lab.client_host();
    let probers = vips.map(|vip| Prober::segment(&client, vip, Duration::from_millis(5)));
    change(lab)?;
    let changed = Instant::now();
    vips.iter()
        .try_for_each(|vip| expect_only(lab, *vip, new))?;
    let mac = lab.mac(new)?.to_string();
    for (vip, prober) in vips.into_iter().zip(probers) {
        let report = prober?.stop()?;
        let (by_new, by_others): (Vec<_>, Vec<_>) =
            report.answers.iter().partition(|(_, who)| *who == mac);
        let (first, _) = by_new.first().context("the new node was not heard")?;
        let took = first.saturating_duration_since(changed);
        note(&format!(
            "{vip}: {new} answers after {} ms",
            took.as_millis()
        ))?;
        ensure!(
            took <= PROMISED,
            "{new} answers for {vip} only after {took:?}"
        );
        let stale = by_others.iter().any(|(at, _)| *at > changed + PROMISED);
        ensure!(!stale, "another node still answers for {vip}");
    }
    Ok(())
}

fn silent_without_endpoints(lab: &mut Lab) -> Result<()> {
    lab.start_pod("only", "n3", &APP)?;
    for vip in begin_local(lab)? {
        expect_only(lab, vip, "n3")?;
        lab.set_ready("only", false)?;
        eventually(SOON, &format!("nobody answers for {vip}"), || {
            expect_silence(lab, vip)
        })?;
        lab.set_ready("only", true)?;
        expect_only(lab, vip, "n3")?;
        lab.stop_pod("only")?;
        eventually(SOON, &format!("nobody answers for {vip}"), || {
            expect_silence(lab, vip)
        })?;
        lab.start_pod("only", "n3", &APP)?;
        expect_only(lab, vip, "n3")?;
        let body = eventually(SOON, &format!("{vip} serves"), || {
            http::get(&lab.client_host(), vip, 80, PROMISED)
        })?;
        ensure!(body.starts_with("only "), "{vip} says {body:?}");
    }
    Ok(())
}

fn terminating(lab: &mut Lab) -> Result<()> {
    lab.start_pod("first", "n1", &APP)?;
    let vips = begin_local(lab)?;
    expect_as_kube_proxy(lab, vips, &["n1"])?;
    // Terminating, and it still serves.
    lab.terminate_pod("first")?;
    expect_as_kube_proxy(lab, vips, &["n1"])?;
    // A ready one elsewhere takes nothing from it: kube-proxy chooses on each node for itself.
    lab.start_pod("second", "n3", &APP)?;
    expect_as_kube_proxy(lab, vips, &["n1", "n3"])?;
    // Terminating, and it serves no more.
    lab.set_ready("first", false)?;
    expect_as_kube_proxy(lab, vips, &["n3"])?;
    lab.terminate_pod("second")?;
    expect_as_kube_proxy(lab, vips, &["n3"])?;
    lab.set_ready("second", false)?;
    expect_as_kube_proxy(lab, vips, &[])
}

/// kube-proxy serves the addresses on these nodes, and one of them answers for each, if there are
/// any.
fn expect_as_kube_proxy(lab: &Lab, vips: Vips, expected: &[&str]) -> Result<()> {
    for vip in vips {
        eventually(
            SOON,
            &format!("kube-proxy serves {vip} on {expected:?}"),
            || {
                let mut serving = Vec::new();
                for node in lab.nodes() {
                    if proxy_serves(lab, node.name(), vip)? {
                        serving.push(node.name().to_owned());
                    }
                }
                ensure!(serving == expected, "it does on {serving:?}");
                Ok(())
            },
        )?;
        eventually(
            SOON,
            &format!("one of {expected:?} answers for {vip}"),
            || {
                let found = answering(lab, vip)?;
                let right = found.iter().all(|node| expected.contains(&node.as_str()));
                let count = expected.len().min(1);
                ensure!(right && found.len() == count, "it is {found:?}");
                Ok(())
            },
        )?;
    }
    Ok(())
}

/// Whether a client that takes this node for the owner of the address is served.
fn proxy_serves(lab: &Lab, node: &str, vip: IpAddr) -> Result<bool> {
    let client = lab.client_host();
    let (vip_text, mac) = (vip.to_string(), lab.mac(node)?.to_string());
    let neighbour = ["ip", "neigh", "replace", &vip_text, "lladdr", &mac];
    client.run(&[&neighbour[..], &["nud", "permanent", "dev", "eth0"]].concat())?;
    let answer = http::get(&client, vip, 80, Duration::from_millis(200));
    client.run(&["ip", "neigh", "del", &vip_text, "dev", "eth0"])?;
    Ok(answer.is_ok())
}

/// This node answers, and nobody else does.
fn expect_only(lab: &Lab, vip: IpAddr, node: &str) -> Result<()> {
    eventually(SOON, &format!("{node} alone answers for {vip}"), || {
        let found = answering(lab, vip)?;
        ensure!(found.iter().eq([node]), "it is {found:?}");
        Ok(())
    })
}

/// All nodes that answer for an address, asked for a while.
fn answering(lab: &Lab, vip: IpAddr) -> Result<BTreeSet<String>> {
    let ear = Ear::open(&lab.client_host(), "eth0")?;
    let (every, window) = (Duration::from_millis(20), Duration::from_millis(200));
    let answers = ear.answers(vip, every, window)?;
    let macs: BTreeSet<_> = answers.iter().map(|answer| answer.mac).collect();
    macs.into_iter().map(|mac| node_of(lab, mac)).collect()
}
