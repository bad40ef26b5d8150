//! Peers that tell a million routes, and peers that end every session at once. r1 is a router like
//! any other: what it has must not change meanwhile.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::address::node;
use lab::capture::{BGP, Capture, select};
use lab::peer::stub::Manner;
use lab::peer::{Program, Router, Session};
use lab::runner::Scenario;
use lab::{Lab, Part, Topology, eventually, kernel};
use serde_json::json;

use crate::bgp_faults::stub;
use crate::peering::{NODES, Over, Peering, SESSION, begin, expect_hops, hops_are};
use crate::vips::{create, vips};

/// Of each family; a million together.
const FLOOD: u32 = 500_000;
/// What a speaker may hold more after it has refused a flood: what it read before it did.
const REFUSED_KIB: u64 = 4 * 1024;
/// What it may hold more with all prefixes counted: 64 octets for each.
const COUNTED_KIB: u64 = 64 * 1024;
/// Cease/Maximum Number of Prefixes Reached, RFC 4486.
const TOO_MANY: (u8, u8) = (6, 1);

pub(crate) fn scenarios() -> Vec<Scenario> {
    let three = || Topology::default().with_routers(3);
    vec![
        Scenario::new(
            "a million routes of a peer are refused, or counted where they are allowed, and no more",
            million,
        )
        .on(three()),
        Scenario::new(
            "a peer that resets every session is dialled ever more seldom",
            fickle,
        )
        .on(three()),
    ]
}

/// r2 tells more than it may, r3 as much as it may.
fn million(lab: &mut Lab) -> Result<()> {
    let good = begin(lab, Program::Frr, &Peering::default())?;
    create(lab, "web")?;
    let shown = vips(lab, "web")?;
    for vip in shown {
        expect_hops(lab, good.host(), vip, &NODES)?;
    }
    let before = good.sessions()?;
    let memory = memory(lab)?;

    let flood = stub(lab, 2, Manner::Flooding(FLOOD))?;
    Peering::with(2).apply(lab)?;
    eventually(SESSION, "every node refuses it", || {
        let heard = flood.heard();
        let refused = heard.notifications >= 3 && heard.last_notification == Some(TOO_MANY);
        ensure!(refused, "{heard:?}");
        Ok(())
    })?;
    let sessions = flood.heard().sessions;
    unmoved(&*good, &before)?;
    expect_grown(lab, &memory, REFUSED_KIB)?;

    let allowed = Peering {
        over: Over::Ipv6,
        max_prefixes: Some(2 * FLOOD),
        ..Peering::with(3)
    };
    let counted = stub(lab, 3, Manner::Flooding(FLOOD))?;
    allowed.apply(lab)?;
    let all = 3 * 2 * u64::from(FLOOD);
    eventually(SESSION, "every node is told all", || {
        let heard = counted.heard();
        ensure!(heard.announced == all, "{heard:?}");
        for node in NODES {
            let metrics = lab.metrics(&Part::speaker(node))?;
            expect_received(&metrics).with_context(|| node.to_owned())?;
        }
        Ok(())
    })?;
    expect_grown(lab, &memory, COUNTED_KIB)?;
    for host in lab.nodes() {
        for prefix in ["20.0.0.1/32", "2001:db8::1/128"] {
            let hops = kernel::next_hops(&host, prefix)?;
            ensure!(
                hops.is_empty(),
                "{} sends {prefix} to {hops:?}",
                host.name()
            );
        }
    }
    // All the while the good one heard of nothing, and hears of a change as always.
    unmoved(&*good, &before)?;
    create(lab, "meanwhile")?;
    for vip in vips(lab, "meanwhile")? {
        expect_hops(lab, good.host(), vip, &NODES)?;
    }
    for vip in shown {
        hops_are(lab, good.host(), vip, &NODES)?;
    }
    let heard = counted.heard();
    ensure!(heard.sessions == 3 && heard.notifications == 0, "{heard:?}");
    // The other one is left alone.
    ensure!(flood.heard().sessions == sessions, "{:?}", flood.heard());
    Ok(())
}

/// Resident memory of each speaker in KiB.
fn memory(lab: &Lab) -> Result<Vec<u64>> {
    let each = NODES.map(|node| lab.process(&Part::speaker(node))?.rss_kib());
    each.into_iter().collect()
}

/// No speaker holds so much more than before.
fn expect_grown(lab: &Lab, before: &[u64], less_than: u64) -> Result<()> {
    let now = memory(lab)?;
    let grown = before.iter().zip(&now);
    let small = grown
        .clone()
        .all(|(old, new)| new.saturating_sub(*old) < less_than);
    ensure!(small, "resident memory was {before:?}, is {now:?} KiB");
    Ok(())
}

/// Each session stands, is the one it was, and has brought nothing new.
fn unmoved(router: &dyn Router, before: &BTreeMap<IpAddr, Session>) -> Result<()> {
    let now = router.sessions()?;
    for (peer, old) in before {
        let new = now.get(peer).context("it is gone")?;
        let same = new.is_established()
            && new.times_established == old.times_established
            && new.updates_received == old.updates_received;
        ensure!(same, "the session with {peer} was {old:?}, is {new:?}");
    }
    Ok(())
}

/// By IPv4 and by IPv6 at once, with the settings that a BGPPeer has if it says nothing.
fn fickle(lab: &mut Lab) -> Result<()> {
    /// Dials come after a session of a second and waits of about 1, 2, 4 and 8 s.
    const WATCHED: Duration = Duration::from_secs(20);
    let manner = Manner::Fickle(Duration::from_secs(1));
    let good = begin(lab, Program::Frr, &Peering::default())?;
    create(lab, "web")?;
    let shown = vips(lab, "web")?;
    for vip in shown {
        expect_hops(lab, good.host(), vip, &NODES)?;
    }
    let before = good.sessions()?;
    let mut watched = Vec::new();
    for (number, over) in [(2, Over::Ipv4), (3, Over::Ipv6)] {
        let peering = Peering {
            over,
            ..Peering::with(number)
        };
        let capture = Capture::start(&peering.host(lab), "eth0", BGP)?;
        let stub = stub(lab, number, manner.clone())?;
        let address = over.of(lab::address::router(number));
        peering.apply_at(lab, address, &json!({ "connectTime": null }))?;
        watched.push((over, capture, stub));
    }
    eventually::throughout(WATCHED, "the good router's routes stay", || {
        for vip in shown {
            hops_are(lab, good.host(), vip, &NODES)?;
        }
        unmoved(&*good, &before)
    })?;
    for (over, capture, stub) in watched {
        let heard = stub.heard();
        ensure!(heard.sessions >= 6, "{over:?}: {heard:?}");
        let file = capture.finish()?;
        for number in 1..=lab.topology().nodes {
            expect_seldom(&file, over.of(node(number)))?;
        }
    }
    Ok(())
}

/// Each wait of this node was longer than the one before.
fn expect_seldom(file: &Path, from: IpAddr) -> Result<()> {
    let family = if from.is_ipv4() { "ip" } else { "ipv6" };
    let dials = format!("tcp.flags.syn == 1 && tcp.flags.ack == 0 && {family}.src == {from}");
    let times = select(file, &dials, "frame.time_relative")?;
    let times: Vec<f64> = times
        .iter()
        .map(|time| Ok(time.parse()?))
        .collect::<Result<_>>()?;
    let waits: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let grow = waits.windows(2).all(|pair| pair[0] < pair[1]);
    ensure!(
        (3..=6).contains(&times.len()) && grow,
        "{from} dials at {times:?}"
    );
    Ok(())
}

/// The speaker says that it counts them, from one peer.
fn expect_received(metrics: &str) -> Result<()> {
    for family in ["ipv4", "ipv6"] {
        let line = metrics.lines().find(|line| {
            line.starts_with("seamark_bgp_prefixes_received")
                && line.contains("r3")
                && line.contains(family)
        });
        let line = line.with_context(|| format!("no figure for {family}"))?;
        ensure!(line.ends_with(&format!(" {FLOOD}")), "{line}");
    }
    Ok(())
}
