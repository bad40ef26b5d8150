//! What becomes of sessions and routes while one of our own processes or the API server is away.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lab::eventually::throughout;
use lab::peer::{Program, Router};
use lab::runner::Scenario;
use lab::steps::note;
use lab::{Lab, Part, Prober, eventually, http, seamark};
use serde_json::json;

use crate::peering::{NODES, Peering, begin, hops_are, times_established};
use crate::told::{by_node, expect_same, hops};
use crate::vips::{SOON, Vips, create, create_with, vips};

/// Longer than the hold time, so that KEEPALIVEs are what holds the sessions.
const CUT: Duration = Duration::from_secs(20);
/// Our processes try again every five seconds at least; the rest is for a busy machine.
const RECOVERY: Duration = Duration::from_secs(8);
/// Who asks through the router every 50 ms notices nothing.
const GAP: Duration = Duration::from_millis(500);
const APP: [(&str, &str); 1] = [("app", "local")];

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "while the controller or the API server is away sessions and routes stay",
            away,
        ),
        Scenario::new(
            "a speaker that starts without the API server says so, and begins no session before it can read",
            blind,
        ),
    ]
}

/// A router, Service `web` told by all nodes, and served by each of them: kube-proxy is up to a
/// second behind, and a packet that comes to it before goes to and fro until it is dropped.
fn serving(lab: &mut Lab, peering: &Peering) -> Result<(Box<dyn Router>, Vips)> {
    let router = begin(lab, Program::Frr, peering)?;
    create(lab, "web")?;
    let shown = vips(lab, "web")?;
    hops(lab, router.host(), shown, &NODES)?;
    for (vip, node) in shown.iter().flat_map(|vip| NODES.map(|node| (*vip, node))) {
        let what = format!("{node} serves {vip}");
        eventually(SOON, &what, || by_node(lab, node, vip, 80))?;
    }
    Ok((router, shown))
}

fn clients(lab: &Lab, vips: Vips) -> Result<[Prober; 2]> {
    let [v4, v6] = vips.map(|vip| Prober::http(&lab.client_host(), vip, GAP / 10));
    Ok([v4?, v6?])
}

fn expect_served(clients: [Prober; 2]) -> Result<()> {
    let mut clients = clients.into_iter();
    clients.try_for_each(|client| client.stop()?.expect_no_gap(GAP))
}

fn away(lab: &mut Lab) -> Result<()> {
    lab.start_pod("first", "n1", &APP)?;
    lab.start_pod("second", "n2", &APP)?;
    let (router, shown) = serving(lab, &Peering::default())?;
    let fields = json!({ "externalTrafficPolicy": "Local", "selector": { "app": "local" } });
    create_with(lab, "local", &fields)?;
    let local = vips(lab, "local")?;
    hops(lab, router.host(), local, &["n1", "n2"])?;
    let before = times_established(&*router)?;
    let clients = clients(lab, shown)?;

    // Speakers do without the controller what they do with it.
    lab.kill(&Part::Controller)?;
    lab.set_ready("first", false)?;
    hops(lab, router.host(), local, &["n2"])?;
    lab.set_ready("first", true)?;
    hops(lab, router.host(), local, &["n1", "n2"])?;

    lab.cut_api_server()?;
    throughout(CUT, "routes stay", || {
        for vip in shown {
            hops_are(lab, router.host(), vip, &NODES)?;
        }
        for vip in local {
            hops_are(lab, router.host(), vip, &["n1", "n2"])?;
        }
        Ok(())
    })?;
    lab.restore_api_server()?;
    lab.restart(&Part::Controller)?;
    create(lab, "later")?;
    hops(lab, router.host(), vips(lab, "later")?, &NODES)?;
    expect_served(clients)?;
    expect_same(&before, &*router)
}

/// n1 and n2 start anew while nothing can be read; n3 goes on.
fn blind(lab: &mut Lab) -> Result<()> {
    const RESTARTED: [&str; 2] = ["n1", "n2"];
    let peering = Peering::default();
    let (router, shown) = serving(lab, &peering)?;
    let clients = clients(lab, shown)?;
    lab.cut_api_server()?;
    for node in RESTARTED {
        lab.restart(&Part::speaker(node))?;
    }
    for node in RESTARTED {
        let what = format!("the speaker of {node} says what it waits for");
        let said = eventually(SOON, &what, || {
            let said = readiness(lab, node)?;
            ensure!(said.contains("waiting for"), "{said}");
            Ok(said)
        })?;
        note(&format!("{node} says: {said}"))?;
        for gate in ["first plan", "watch speakerconfigs", "watch ipallocations"] {
            ensure!(said.contains(gate), "{node} says: {said}");
        }
    }
    // The router keeps what it was told, and is told nothing.
    throughout(Duration::from_secs(4), "they begin no session", || {
        for number in [1, 2] {
            let session = router.session(peering.node(number))?;
            ensure!(!session.is_established(), "n{number}: {session:?}");
        }
        let mut vips = shown.into_iter();
        vips.try_for_each(|vip| hops_are(lab, router.host(), vip, &NODES))
    })?;
    let restored = Instant::now();
    lab.restore_api_server()?;
    for number in [1, 2] {
        router.wait_established(peering.node(number), RECOVERY)?;
    }
    hops(lab, router.host(), shown, &NODES)?;
    let ms = restored.elapsed().as_millis();
    note(&format!(
        "told by all {ms} ms after the API server was back"
    ))?;
    for node in RESTARTED {
        lab.wait_ready(&Part::speaker(node))?;
    }
    expect_served(clients)
}

/// What `/readyz` of a speaker says, whatever its status code.
fn readiness(lab: &Lab, node: &str) -> Result<String> {
    let (at, second) = (seamark::ADMIN.parse()?, Duration::from_secs(1));
    let answer = http::get_path(&lab.node(node), at, "/readyz", second);
    Ok(answer.unwrap_or_else(|error| format!("{error:#}")))
}
