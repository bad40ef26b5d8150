//! BGP beside the rest: layer 2, an absent API server, and nodes without any peer.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::address::ROUTED_CLIENT;
use lab::peer::{Program, Router};
use lab::runner::Scenario;
use lab::{Lab, eventually, http};
use serde_json::json;

use crate::peering::{NODES, Peering, begin, expect_hops, expect_routed, hops_are, pool};
use crate::vips::{self, SOON, Vips, create, expect_served, expect_silence, owner, vips};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "one pool is told by layer 2 and by BGP at once",
            layer2_as_well,
        ),
        Scenario::new(
            "an address that BGP alone tells is not answered for on the segment",
            silent_on_the_segment,
        ),
        Scenario::new(
            "a speaker without a BGPPeer opens no port and dials nobody",
            closed,
        ),
        Scenario::new(
            "while the API server is away sessions and routes stay",
            api_server_away,
        ),
    ]
}

/// The pool of the segment, announced both ways.
fn layer2_as_well(lab: &mut Lab) -> Result<()> {
    let peering = Peering::default();
    let router = peering.start(lab, Program::Frr)?;
    peering.apply(lab)?;
    vips::begin(lab)?;
    let object = json!({
        "apiVersion": "seamark.io/v1beta1",
        "kind": "BGPAdvertisement",
        "metadata": { "name": "lan" },
        "spec": { "ipAddressPools": ["lan"] },
    });
    lab.apply(&object.to_string())?;
    peering.wait(lab, &*router)?;
    create(lab, "web")?;
    for vip in vips(lab, "web")? {
        owner(lab, vip)?;
        expect_served(lab, vip)?;
        expect_hops(lab, router.host(), vip, &NODES)?;
        expect_routed(lab, vip)?;
    }
    lab.kubectl(&["delete", "l2advertisements.seamark.io", "lan"])?;
    for vip in vips(lab, "web")? {
        eventually(SOON, "nobody answers", || expect_silence(lab, vip))?;
        hops_are(lab, router.host(), vip, &NODES)?;
    }
    Ok(())
}

fn silent_on_the_segment(lab: &mut Lab) -> Result<()> {
    let router = begin(lab, Program::Frr, &Peering::default())?;
    create(lab, "web")?;
    for vip in vips(lab, "web")? {
        expect_hops(lab, router.host(), vip, &NODES)?;
        expect_silence(lab, vip)?;
    }
    Ok(())
}

fn closed(lab: &mut Lab) -> Result<()> {
    vips::begin(lab)?;
    pool(lab)?;
    create(lab, "web")?;
    vips(lab, "web")?;
    expect_no_bgp(lab)?;
    // With a peer it dials, and still opens nothing; without it again, it leaves.
    let peering = Peering::default();
    let router = peering.start(lab, Program::Frr)?;
    peering.apply(lab)?;
    peering.wait(lab, &*router)?;
    for node in lab.nodes() {
        let listening = node.run(&["ss", "-Hltn", "sport = :179"])?;
        ensure!(listening.is_empty(), "{}: {listening}", node.name());
    }
    peering.delete(lab)?;
    eventually(SOON, "nothing of BGP is left", || expect_no_bgp(lab))
}

fn expect_no_bgp(lab: &Lab) -> Result<()> {
    for node in lab.nodes() {
        for filter in ["sport = :179", "dport = :179"] {
            let sockets = node.run(&["ss", "-Hatn", filter])?;
            let live = sockets.lines().find(|line| !line.starts_with("TIME-WAIT"));
            ensure!(live.is_none(), "{}: {live:?}", node.name());
        }
    }
    Ok(())
}

/// Longer than the hold time, so that KEEPALIVEs are what holds the sessions.
fn api_server_away(lab: &mut Lab) -> Result<()> {
    stays(lab, Lab::cut_api_server)?;
    lab.restore_api_server()
}

fn stays(lab: &mut Lab, trouble: impl FnOnce(&mut Lab) -> Result<()>) -> Result<()> {
    const AWAY: Duration = Duration::from_secs(15);
    let router = begin(lab, Program::Frr, &Peering::default())?;
    create(lab, "web")?;
    let shown = vips(lab, "web")?;
    for vip in shown {
        expect_hops(lab, router.host(), vip, &NODES)?;
        expect_routed(lab, vip)?;
    }
    let before = times_established(&*router)?;
    trouble(lab)?;
    eventually::throughout(AWAY, "routes stay", || served(lab, &*router, shown))?;
    ensure!(times_established(&*router)? == before, "a session was lost");
    Ok(())
}

fn served(lab: &Lab, router: &dyn Router, vips: Vips) -> Result<()> {
    for vip in vips {
        hops_are(lab, router.host(), vip, &NODES)?;
        let from = ROUTED_CLIENT[usize::from(vip.is_ipv6())];
        let second = Duration::from_secs(1);
        http::get_from(&lab.client_host(), from, vip, 80, second)?;
    }
    Ok(())
}

fn times_established(router: &dyn Router) -> Result<Vec<Option<u64>>> {
    let sessions = router.sessions()?;
    let stands = sessions.values().all(lab::peer::Session::is_established);
    ensure!(stands, "{sessions:?}");
    let times = sessions.values().map(|session| session.times_established);
    Ok(times.collect())
}
