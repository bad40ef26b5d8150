//! What goes wrong with one router or one peer stays with it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::capture::{BGP, Capture, select};
use lab::peer::stub::{Identity, Manner, Stub};
use lab::peer::{Program, Router};
use lab::runner::Scenario;
use lab::{Lab, Part, Topology, eventually, process};
use nix::sys::signal::Signal;

use crate::peering::{
    NODES, Over, Peering, ROUTER_AS, SESSION, begin, expect_hops, expect_paths, expect_routed,
    hops_are, identifier, times_established,
};
use crate::vips::{Vips, create, vips};

const LONG: Duration = Duration::from_secs(240);
/// What a speaker may hold while somebody floods it.
const MOST_MEMORY_KIB: u64 = 96 * 1024;
/// RFC 4271 §4.5, as tshark writes it.
const HOLD_TIMER_EXPIRED: &str = "4";
/// A message whose length is shorter than its header (RFC 4271 §6.1).
const TOO_SHORT: [u8; 19] = {
    let mut bytes = [0xff; 19];
    bytes[16] = 0;
    bytes[17] = 18;
    bytes[18] = 2;
    bytes
};

pub(crate) fn scenarios() -> Vec<Scenario> {
    let three = || Topology::default().with_routers(3);
    vec![
        Scenario::new(
            "a router that was killed and started gets sessions and routes again",
            restarted,
        )
        .within(LONG),
        Scenario::new(
            "a router that hangs longer than the hold time is given up and taken back",
            paused,
        ),
        Scenario::new(
            "a speaker that hangs longer than the hold time is left out and taken back",
            speaker_paused,
        )
        .on(three()),
        Scenario::new(
            "peers that say nothing, say nonsense or do not listen leave the others' sessions alone",
            hostile,
        )
        .on(three())
        .within(LONG),
    ]
}

fn restarted(lab: &mut Lab) -> Result<()> {
    for (over, program) in [(Over::Ipv4, Program::Frr), (Over::Ipv6, Program::Bird)] {
        let peering = Peering::over(over);
        let mut router = begin(lab, program, &peering)?;
        if over == Over::Ipv4 {
            create(lab, "web")?;
        }
        let shown = vips(lab, "web")?;
        everywhere(lab, &*router, shown)?;
        router.kill()?;
        router.start_again()?;
        peering.wait(lab, &*router)?;
        everywhere(lab, &*router, shown)?;
        peering.delete(lab)?;
    }
    Ok(())
}

fn everywhere(lab: &Lab, router: &dyn Router, vips: Vips) -> Result<()> {
    vips.iter()
        .try_for_each(|vip| expect_hops(lab, router.host(), *vip, &NODES))
}

/// The kernel of a process that hangs still acknowledges: only the hold timer tells.
fn paused(lab: &mut Lab) -> Result<()> {
    let peering = Peering::default();
    let router = begin(lab, Program::Frr, &peering)?;
    create(lab, "web")?;
    let shown = vips(lab, "web")?;
    everywhere(lab, &*router, shown)?;
    let capture = Capture::start(router.host(), "eth0", BGP)?;
    router.pause()?;
    let given_up = || -> Result<usize> {
        // Nodes that still have the connection; the router's side cannot be asked.
        let nodes = lab.nodes();
        let count = nodes.iter().map(|node| {
            let all = node.run(&["ss", "-Htn", "state", "established", "dport = :179"])?;
            Ok(all.lines().count())
        });
        count.sum()
    };
    eventually(
        Duration::from_secs(20),
        "all nodes have given it up",
        || {
            let left = given_up()?;
            ensure!(left == 0, "{left} connections stand");
            Ok(())
        },
    )?;
    router.resume()?;
    peering.wait(lab, &*router)?;
    everywhere(lab, &*router, shown)?;
    let file = capture.finish()?;
    let filter = "bgp.type == 3 && ip.dst == 10.99.0.1";
    let codes = select(&file, filter, "bgp.notify.major_error")?;
    let expired = codes.iter().filter(|code| *code == HOLD_TIMER_EXPIRED);
    ensure!(
        expired.count() >= NODES.len(),
        "NOTIFICATIONs were {codes:?}"
    );
    Ok(())
}

/// Two routers by either family find n1's speaker silent; what n1 forwards meanwhile is served.
fn speaker_paused(lab: &mut Lab) -> Result<()> {
    const SILENT: &str = "n1";
    const OTHERS: [&str; 2] = ["n2", "n3"];
    let first = Peering {
        hold_time: 3,
        ..Peering::default()
    };
    let second = Peering {
        over: Over::Ipv6,
        hold_time: 3,
        ..Peering::with(2)
    };
    let bird = second.start(lab, Program::Bird)?;
    second.apply(lab)?;
    let frr = begin(lab, Program::Frr, &first)?;
    second.wait(lab, &*bird)?;
    create(lab, "web")?;
    let shown = vips(lab, "web")?;
    for router in [&frr, &bird] {
        everywhere(lab, &**router, shown)?;
    }
    for vip in shown {
        expect_routed(lab, vip)?;
    }
    let before = frr.sessions()?;
    let capture = Capture::start(frr.host(), "eth0", BGP)?;
    let part = Part::speaker(SILENT);
    lab.process(&part)?.signal(Signal::SIGSTOP)?;
    for router in [&frr, &bird] {
        for vip in shown {
            expect_paths(lab, &**router, vip, &OTHERS)?;
            expect_hops(lab, router.host(), vip, &OTHERS)?;
        }
    }
    for vip in shown {
        expect_routed(lab, vip)?;
    }
    lab.process(&part)?.signal(Signal::SIGCONT)?;
    for router in [&frr, &bird] {
        everywhere(lab, &**router, shown)?;
    }
    let [silent, _] = lab::address::node(1);
    for (peer, session) in &before {
        let now = frr.session(*peer)?.times_established;
        let lost = now != session.times_established;
        ensure!(
            lost == (*peer == silent),
            "{peer}: {session:?}, now {now:?}"
        );
    }
    let filter = "bgp.type == 3 && ip.src == 10.99.0.1 && ip.dst == 10.99.0.11";
    let codes = select(&capture.finish()?, filter, "bgp.notify.major_error")?;
    ensure!(
        codes.iter().any(|code| code == HOLD_TIMER_EXPIRED),
        "{codes:?}"
    );
    Ok(())
}

/// r1 is a router like any other, r2 by IPv4 and r3 by IPv6 are not; what r1 has must not change
/// while they misbehave.
fn hostile(lab: &mut Lab) -> Result<()> {
    const WHILE: Duration = Duration::from_secs(3);
    let good = begin(lab, Program::Frr, &Peering::default())?;
    create(lab, "web")?;
    let shown = vips(lab, "web")?;
    everywhere(lab, &*good, shown)?;
    let before = times_established(&*good)?;
    Peering::with(2).apply(lab)?;
    let by_v6 = Peering {
        over: Over::Ipv6,
        ..Peering::with(3)
    };
    by_v6.apply(lab)?;
    let manners = [
        Manner::Mute,
        Manner::Babbling,
        Manner::Saying(TOO_SHORT.to_vec()),
        Manner::Saying(vec![0; 4096]),
        Manner::Deaf,
    ];
    for (number, manner) in manners.into_iter().enumerate() {
        let shown_manner = format!("{manner:?}");
        let stubs = [stub(lab, 2, manner.clone())?, stub(lab, 3, manner)?];
        eventually(SESSION, &format!("{shown_manner} is dialled"), || {
            let heard = stubs.each_ref().map(Stub::heard);
            ensure!(heard.iter().all(|one| one.opens >= 3), "{heard:?}");
            Ok(())
        })?;
        // Something changes meanwhile, and arrives as always.
        let name = format!("meanwhile-{number}");
        create(lab, &name)?;
        everywhere(lab, &*good, vips(lab, &name)?)?;
        eventually::throughout(WHILE, &shown_manner, || {
            shown
                .iter()
                .try_for_each(|vip| hops_are(lab, good.host(), *vip, &NODES))?;
            let now = times_established(&*good)?;
            ensure!(now == before, "a session was lost: {now:?}");
            Ok(())
        })?;
        expect_small(lab)?;
    }
    Ok(())
}

/// A router, played by a stub.
pub(crate) fn stub(lab: &Lab, number: u8, manner: Manner) -> Result<Stub> {
    let identity = Identity {
        asn: ROUTER_AS,
        router_id: identifier(number)?.octets(),
        hold_time: 9,
    };
    Stub::start(&lab.host(&format!("r{number}")), identity, manner)
}

/// No speaker has grown beyond reason.
fn expect_small(lab: &Lab) -> Result<()> {
    for node in NODES {
        let process = lab.process(&Part::speaker(node))?;
        let kib = process::rss_kib(process.pid()).context("the speaker has ended")?;
        ensure!(kib < MOST_MEMORY_KIB, "the speaker of {node} has {kib} KiB");
    }
    Ok(())
}
