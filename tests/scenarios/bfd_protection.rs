//! What BFD does to BGP: it ends sessions when the path fails, and leaves them alone otherwise.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::capture::{BGP, Capture, select};
use lab::eventually::throughout;
use lab::peer::{Bfd, Frr, Program};
use lab::runner::Scenario;
use lab::{Lab, eventually};
use serde_json::json;

use crate::bfd::{
    begin, detects, everywhere, expect_bfd, expect_told, profile, router, served, session, two, up,
    watched,
};
use crate::peering::{NODES, Over, Peering, SESSION, pool, times_established};
use crate::vips::{create, start, vips};

/// RFC 9384, as tshark writes it.
const BFD_DOWN: &str = "10";
/// For what must not happen: several detection times, and what FRR takes to begin BFD anew.
const A_WHILE: Duration = Duration::from_secs(5);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "a router that dies without a word is given up with BFD Down, and another one serves",
            router_death,
        )
        .on(two())
        .within(Duration::from_secs(180)),
        Scenario::new(
            "a session with a peer that never answers BFD stands, and is told to be unprotected",
            unanswered,
        )
        .within(Duration::from_secs(180)),
        Scenario::new(
            "with bfdStrict there is no session before BFD is up, and it is told why",
            strict,
        )
        .within(Duration::from_secs(180)),
        Scenario::new(
            "BFD that the router holds down on purpose leaves the BGP session alone",
            held_down,
        )
        .within(Duration::from_secs(180)),
        Scenario::new("a profile that changes takes no session down", changed)
            .within(Duration::from_secs(180)),
        Scenario::new(
            "BFD that comes up after BGP does takes no session down",
            belated,
        )
        .within(Duration::from_secs(180)),
    ]
}

/// By IPv4 r1 is an FRR that falls silent, by IPv6 a BIRD; r2 is the other.
fn router_death(lab: &mut Lab) -> Result<()> {
    let peerings = [
        Peering::default(),
        Peering {
            over: Over::Ipv6,
            ..Peering::with(2)
        },
    ];
    let bfd = Some(Bfd::new(50, 3));
    let second = router(lab, Program::Bird, &peerings[1], bfd)?;
    profile(lab, 50, &json!({}))?;
    watched(lab, &peerings[1], &json!({}))?;
    let first = begin(lab, Program::Frr, &peerings[0], 50)?;
    up(lab, &*second, &peerings[1])?;
    let shown = served(lab, &*first)?;
    everywhere(lab, &*second, shown, &NODES)?;
    let routers = [first, second];
    for (dead, other) in [(0, 1), (1, 0)] {
        let (dying, peering) = (&routers[dead], &peerings[dead]);
        let capture = Capture::start(&lab.node("n1"), "eth0", BGP)?;
        dying.host().isolate()?;
        // FRR has ended the first session itself, to begin BFD anew.
        let ended = eventually(SESSION, "n1 tells what BFD found", || {
            let told = expect_told(lab, "n1", &peering.name, "SessionEnded")?;
            ensure!(told.contains("detection time"), "it was told: {told}");
            Ok(())
        });
        let serving = everywhere(lab, &*routers[other], shown, &NODES);
        dying.host().rejoin()?;
        ended?;
        serving?;
        let file = capture.finish()?;
        let codes = select(&file, "bgp.type == 3", "bgp.notify.minor_error_cease")?;
        ensure!(
            codes.iter().any(|code| code == BFD_DOWN),
            "Ceases were {codes:?}"
        );
        up(lab, &**dying, peering)?;
        everywhere(lab, &**dying, shown, &NODES)?;
    }
    Ok(())
}

fn unanswered(lab: &mut Lab) -> Result<()> {
    for (over, program) in [(Over::Ipv4, Program::Frr), (Over::Ipv6, Program::GoBgp)] {
        let peering = Peering {
            name: format!("{over:?}").to_lowercase(),
            ..Peering::over(over)
        };
        let router = router(lab, program, &peering, None)?;
        pool(lab)?;
        profile(lab, 50, &json!({}))?;
        watched(lab, &peering, &json!({}))?;
        start(lab)?;
        peering.wait(lab, &*router)?;
        for node in NODES {
            expect_bfd(lab, node, &peering.name, "Down")?;
            let told = expect_told(lab, node, &peering.name, "SessionUnprotected")?;
            ensure!(told.contains("configure BFD for this node"), "{told}");
        }
        let before = times_established(&*router)?;
        throughout(A_WHILE, "the sessions stand", || {
            let now = times_established(&*router)?;
            ensure!(now == before, "{now:?}, {before:?} before");
            Ok(())
        })?;
        peering.delete(lab)?;
    }
    Ok(())
}

fn strict(lab: &mut Lab) -> Result<()> {
    for (over, program) in [(Over::Ipv4, Program::Frr), (Over::Ipv6, Program::Bird)] {
        let peering = Peering {
            name: format!("{over:?}").to_lowercase(),
            ..Peering::over(over)
        };
        let without = router(lab, program, &peering, None)?;
        pool(lab)?;
        profile(lab, 50, &json!({}))?;
        watched(lab, &peering, &json!({ "bfdStrict": true }))?;
        start(lab)?;
        for node in NODES {
            let told = expect_told(lab, node, &peering.name, "SessionFailing")?;
            ensure!(told.contains("bfdStrict"), "{told}");
            eventually(SESSION, &format!("{node} shows why"), || {
                let shown = session(lab, node, &peering.name)?;
                let error = shown["lastError"].as_str().context("no error")?;
                ensure!(error.contains("bfdStrict"), "{error}");
                Ok(())
            })?;
        }
        peering.expect_none(lab, &*without)?;
        drop(without);
        let with = router(lab, program, &peering, Some(Bfd::new(50, 3)))?;
        up(lab, &*with, &peering)?;
        peering.delete(lab)?;
    }
    Ok(())
}

/// On the router's side, by a word of FRR's. FRR and BIRD themselves end BGP where we hold BFD down:
/// nothing of that is ours to show.
fn held_down(lab: &mut Lab) -> Result<()> {
    for over in Over::BOTH {
        let peering = Peering::over(over);
        let bfd = Bfd::new(50, 3);
        let nodes = 1..=lab.topology().nodes;
        let peers = nodes.map(|number| peering.peer(peering.node(number)).bfd(bfd));
        let identifier = crate::peering::identifier(1)?;
        let config = lab::peer::Config::new(peering.router_asn, identifier).peers(peers);
        let frr = Frr::start(&peering.host(lab), &config)?;
        pool(lab)?;
        profile(lab, 50, &json!({}))?;
        watched(lab, &peering, &json!({}))?;
        start(lab)?;
        up(lab, &frr, &peering)?;
        let before = times_established(&frr)?;
        let stand = |what: &str| {
            throughout(A_WHILE, what, || {
                let now = times_established(&frr)?;
                ensure!(now == before, "{now:?}, {before:?} before");
                Ok(())
            })
        };
        frr.enter_bfd(&["bfd", "profile p50x3", "shutdown"])?;
        for node in NODES {
            expect_bfd(lab, node, &peering.name, "AdminDown")?;
            expect_told(lab, node, &peering.name, "SessionUnprotected")?;
        }
        stand("the sessions outlive BFD that the router holds down")?;
        frr.enter_bfd(&["bfd", "profile p50x3", "no shutdown"])?;
        up(lab, &frr, &peering)?;
        stand("the sessions outlive BFD that comes back")?;
        peering.delete(lab)?;
    }
    Ok(())
}

fn changed(lab: &mut Lab) -> Result<()> {
    for (over, program) in [(Over::Ipv4, Program::Frr), (Over::Ipv6, Program::Bird)] {
        let peering = Peering::over(over);
        let router = begin(lab, program, &peering, 50)?;
        let before = times_established(&*router)?;
        for interval in [200, 50, 100] {
            profile(lab, interval, &json!({}))?;
            // The router stays at 50 ms: the slower side counts.
            detects(lab, &*router, &peering, interval.into())?;
        }
        profile(lab, 50, &json!({ "detectMultiplier": 10 }))?;
        eventually(SESSION, "the router waits for ten packets", || {
            for session in router.bfd_sessions()?.values() {
                let long = session.detection_time == Duration::from_millis(500);
                ensure!(long && session.is_up(), "{session:?}");
            }
            Ok(())
        })?;
        let now = times_established(&*router)?;
        ensure!(now == before, "{now:?}, {before:?} before");
        peering.delete(lab)?;
    }
    Ok(())
}

/// The router is killed and started: FRR begins BFD some seconds after BGP.
fn belated(lab: &mut Lab) -> Result<()> {
    for over in Over::BOTH {
        let peering = Peering::over(over);
        let mut router = begin(lab, Program::Frr, &peering, 50)?;
        create(lab, "web")?;
        let shown = vips(lab, "web")?;
        router.kill()?;
        router.start_again()?;
        let begun = Instant::now();
        up(lab, &*router, &peering)?;
        let took = begun.elapsed();
        let before = times_established(&*router)?;
        throughout(A_WHILE, "no session ends for a BFD that is younger", || {
            let now = times_established(&*router)?;
            ensure!(
                now == before,
                "{now:?}, {before:?} before, up after {took:?}"
            );
            Ok(())
        })?;
        everywhere(lab, &*router, shown, &NODES)?;
        peering.delete(lab)?;
        lab.kubectl(&["delete", "service", "web"])?;
    }
    Ok(())
}
