//! Addresses stay with nodes whose kube-proxy serves: they leave one that is dead, and nothing
//! moves because kube-proxy is late, restarted, or cannot be asked.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lab::capture::ARP_AND_ND;
use lab::eventually::throughout;
use lab::probe::{EVERY_MILLISECOND, Ear};
use lab::runner::Scenario;
use lab::steps::note;
use lab::{Capture, Lab, Part, Prober, Report, eventually};
use serde_json::{Value, json};

use crate::agreement::expect_one_speaks;
use crate::vips::{
    SOON, Vips, begin, create, create_with, expect_served, expect_silence, owner, pool, vips,
};

const NODES: [&str; 3] = ["n1", "n2", "n3"];
/// For so long a proxy is away before it is dead, and back before it is fit.
const PATIENCE: Duration = Duration::from_secs(10);
/// After that: two probes, a write, and a plan, on a busy machine.
const PROMISED: Duration = Duration::from_secs(4);
/// Who asks every ten milliseconds notices nothing of a move for health.
const GAP: Duration = Duration::from_millis(500);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "an address leaves a node whose kube-proxy is dead, and returns only after ten seconds of health",
            dead,
        ),
        Scenario::new(
            "with every kube-proxy dead each address is still answered",
            all_dead,
        ),
        Scenario::new(
            "a kube-proxy that hangs or is restarted moves no address",
            late,
        ),
        Scenario::new(
            "a kube-proxy without a health endpoint keeps no address back",
            no_health_endpoint,
        ),
        Scenario::new(
            "a node that has just booted answers only when its kube-proxy serves",
            boot,
        ),
        Scenario::new(
            "with policy Cluster nobody answers for a Service that has no usable endpoint anywhere",
            no_endpoint,
        ),
    ]
}

/// Seamark with Service `web`, served at all its addresses, and every proxy found healthy.
fn serving(lab: &mut Lab) -> Result<Vips> {
    begin(lab)?;
    create(lab, "web")?;
    let vips = vips(lab, "web")?;
    for vip in vips {
        expect_served(lab, vip)?;
    }
    for node in NODES {
        expect_judged(lab, node, "Healthy", SOON)?;
    }
    Ok(vips)
}

fn probers(lab: &Lab, vips: Vips) -> Result<[Prober; 2]> {
    let [v4, v6] =
        vips.map(|vip| Prober::segment(&lab.client_host(), vip, Duration::from_millis(10)));
    Ok([v4?, v6?])
}

fn dead(lab: &mut Lab) -> Result<()> {
    let vips = serving(lab)?;
    // One node owns both, and takes both back as soon as it may.
    lab.apply(
        "apiVersion: seamark.io/v1beta1\nkind: L2Advertisement\nmetadata: {name: lan}\nspec:\n\
         \x20 ipAddressPools: [lan]\n  preferredNodeSelectors:\n  - weight: 10\n    preference:\n\
         \x20     matchLabels: {kubernetes.io/hostname: n1}\n",
    )?;
    expect_owner(lab, vips, |node| node == "n1")?;

    let watching = probers(lab, vips)?;
    let killed = Instant::now();
    lab.kill_proxy("n1")?;
    expect_owner(lab, vips, |node| node != "n1")?;
    expect_moves(lab, watching, killed, "the death of kube-proxy on n1")?;

    let watching = probers(lab, vips)?;
    let started = Instant::now();
    lab.start_proxy("n1", &[])?;
    expect_owner(lab, vips, |node| node == "n1")?;
    expect_moves(lab, watching, started, "its return")
}

/// Wait until the owner of both addresses is such a node, and both are served.
fn expect_owner(lab: &Lab, vips: Vips, is_right: fn(&str) -> bool) -> Result<()> {
    for vip in vips {
        eventually(PATIENCE + 2 * PROMISED, &format!("{vip} moves"), || {
            let found = owner(lab, vip)?;
            ensure!(is_right(&found), "it is at {found}");
            Ok(())
        })?;
        expect_served(lab, vip)?;
    }
    Ok(())
}

/// Each address has moved once, not earlier than it may, not later than promised, without a gap.
fn expect_moves(lab: &Lab, watching: [Prober; 2], since: Instant, what: &str) -> Result<()> {
    for prober in watching {
        let report: Report = prober.stop()?;
        let changes = report.changes();
        let [_, (at, who)] = changes.as_slice() else {
            bail!("answered by {changes:?}, which is not one move");
        };
        let took = at.saturating_duration_since(since);
        let node = lab.node_of_mac(who.parse()?)?.unwrap_or_default();
        let ms = took.as_millis();
        note(&format!("{node} answers {ms} ms after {what}"))?;
        ensure!(
            took + Duration::from_secs(1) >= PATIENCE && took <= PATIENCE + PROMISED,
            "{node} answers {took:?} after {what}"
        );
        report.expect_no_gap(GAP)?;
    }
    Ok(())
}

fn all_dead(lab: &mut Lab) -> Result<()> {
    let vips = serving(lab)?;
    let watching = probers(lab, vips)?;
    for node in NODES {
        lab.kill_proxy(node)?;
    }
    for node in NODES {
        expect_judged(lab, node, "Dead", PATIENCE + PROMISED)?;
    }
    for vip in vips {
        expect_served(lab, vip)?;
    }
    for prober in watching {
        prober.stop()?.expect_no_gap(GAP)?;
    }
    // Also by a speaker that has never met them alive.
    for node in NODES {
        lab.restart(&Part::speaker(node))?;
    }
    for vip in vips {
        expect_served(lab, vip)?;
    }
    Ok(())
}

fn late(lab: &mut Lab) -> Result<()> {
    let vips = serving(lab)?;
    let capture = Capture::start(&lab.host("lan"), "br0", ARP_AND_ND)?;
    let watching = probers(lab, vips)?;
    for node in NODES {
        lab.pause_proxy(node)?;
    }
    for node in NODES {
        // In its status it waits for its turn.
        eventually(SOON, &format!("the proxy of {node} is late"), || {
            let metrics = lab.metrics(&Part::speaker(node))?;
            let holds = "seamark_proxy_fitness{reason=\"late\"} 1";
            ensure!(metrics.lines().any(|line| line == holds), "it is not");
            Ok(())
        })?;
    }
    for node in NODES {
        lab.resume_proxy(node)?;
    }
    for node in NODES {
        lab.kill_proxy(node)?;
    }
    throughout(Duration::from_secs(3), "served without kube-proxy", || {
        vips.iter().try_for_each(|vip| expect_served(lab, *vip))
    })?;
    for node in NODES {
        lab.start_proxy(node, &[])?;
    }
    // As long as it takes until one of them would be dead.
    throughout(PATIENCE - Duration::from_secs(2), "served", || {
        vips.iter().try_for_each(|vip| expect_served(lab, *vip))
    })?;
    for prober in watching {
        prober.stop()?.expect_no_gap(GAP)?;
    }
    expect_one_speaks(&capture.stop()?)
}

fn no_health_endpoint(lab: &mut Lab) -> Result<()> {
    for node in NODES {
        lab.start_proxy(node, &["--healthz-bind-address=127.0.0.1:10299"])?;
    }
    begin(lab)?;
    create(lab, "web")?;
    for vip in vips(lab, "web")? {
        expect_served(lab, vip)?;
    }
    for node in NODES {
        expect_judged(lab, node, "Unknown", SOON)?;
    }
    let unknown = restart_time(lab)?;
    // The health port of a Service tells the same.
    create_with(lab, "local", &json!({ "externalTrafficPolicy": "Local" }))?;
    for vip in vips(lab, "local")? {
        expect_served(lab, vip)?;
    }
    for node in NODES {
        expect_judged(lab, node, "Healthy", SOON)?;
    }
    let healthy = restart_time(lab)?;
    note(&format!(
        "a speaker's start to its first answer: {unknown:?} where nobody can be asked, {healthy:?} \
         where the proxy is healthy"
    ))?;
    let limit = Duration::from_secs(2);
    ensure!(
        unknown < limit && healthy < limit,
        "{unknown:?}, {healthy:?}"
    );
    Ok(())
}

/// From the start of the speaker of `web`'s owner to its first answer.
fn restart_time(lab: &mut Lab) -> Result<Duration> {
    let [vip, _] = vips(lab, "web")?;
    let part = Part::speaker(&owner(lab, vip)?);
    lab.kill(&part)?;
    let ear = Ear::open(&lab.client_host(), "eth0")?;
    lab.restart(&part)?;
    let started = Instant::now();
    let answer = ear.first_answer(vip, EVERY_MILLISECOND, SOON)?;
    let answer = answer.with_context(|| format!("nobody answers for {vip}"))?;
    Ok(answer.at.saturating_duration_since(started))
}

fn boot(lab: &mut Lab) -> Result<()> {
    for node in NODES {
        lab.kill_proxy(node)?;
    }
    pool(lab, &["10.99.0.200-10.99.0.250", "fd99::200-fd99::250"])?;
    lab.start_controller(&[])?;
    for node in NODES {
        lab.start_speaker_at_boot(node, Duration::from_secs(20))?;
    }
    create(lab, "web")?;
    let vips = vips(lab, "web")?;
    throughout(Duration::from_secs(3), "nobody answers", || {
        vips.iter().try_for_each(|vip| expect_silence(lab, *vip))
    })?;
    let started = Instant::now();
    lab.start_proxy("n2", &[])?;
    for vip in vips {
        let found = owner(lab, vip)?;
        let took = started.elapsed();
        note(&format!(
            "{vip}: {found} answers {took:?} after kube-proxy was started"
        ))?;
        ensure!(
            found == "n2",
            "{vip} is at {found}, whose kube-proxy does not run"
        );
        expect_served(lab, vip)?;
    }
    lab.start_proxy("n1", &[])?;
    lab.start_proxy("n3", &[])?;
    throughout(Duration::from_secs(5), "nothing moves so soon", || {
        vips.iter().try_for_each(|vip| {
            let found = owner(lab, *vip)?;
            ensure!(found == "n2", "{vip} is at {found}");
            Ok(())
        })
    })?;
    for node in NODES {
        expect_judged(lab, node, "Healthy", PATIENCE + PROMISED)?;
    }
    vips.iter().try_for_each(|vip| expect_served(lab, *vip))
}

fn no_endpoint(lab: &mut Lab) -> Result<()> {
    let vips = serving(lab)?;
    for pod in ["web-1", "web-2"] {
        lab.set_ready(pod, false)?;
    }
    for vip in vips {
        eventually(SOON, &format!("nobody answers for {vip}"), || {
            expect_silence(lab, vip)
        })?;
    }
    lab.set_ready("web-2", true)?;
    vips.iter().try_for_each(|vip| expect_served(lab, *vip))
}

/// Wait until a node's SpeakerStatus says this of its service proxy.
pub(crate) fn expect_judged(lab: &Lab, node: &str, reason: &str, time: Duration) -> Result<()> {
    eventually(time, &format!("the proxy of {node} is {reason}"), || {
        let shown = lab.kubectl(&["get", "speakerstatus", node, "-o", "json"])?;
        let object: Value = serde_json::from_str(&shown)?;
        let conditions = object["status"]["conditions"].as_array();
        let mut conditions = conditions.into_iter().flatten();
        let proxy = conditions.find(|condition| condition["type"] == "ProxyHealthy");
        let proxy = proxy.context("it says nothing of it")?;
        ensure!(proxy["reason"] == reason, "{proxy}");
        Ok(())
    })
}
