//! BGP beside the rest: layer 2, and nodes without any peer.

use anyhow::{Result, ensure};
use lab::peer::Program;
use lab::runner::Scenario;
use lab::{Lab, eventually};
use serde_json::json;

use crate::peering::{NODES, Peering, begin, expect_hops, expect_routed, hops_are, pool};
use crate::vips::{self, SOON, create, expect_served, expect_silence, owner, vips};

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
