//! A speaker that does not run for a while, or runs little: its sessions recover, and no router is
//! told what has left meanwhile.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lab::capture::bgp::Told;
use lab::eventually::throughout;
use lab::runner::Scenario;
use lab::steps::{note, step};
use lab::{Lab, Part, Prober, eventually};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::bfd::two;
use crate::pair::Pair;
use crate::peering::{NODES, expect_routed};
use crate::vips::{Vips, create, create_with, delete, vips};

/// The speaker of this node does not run.
pub(crate) const SLEEPER: &str = "n1";
const OTHERS: [&str; 2] = ["n2", "n3"];
const POD: &str = "moves";
const APP: [(&str, &str); 1] = [("app", "local")];
const SHORT: Duration = Duration::from_secs(1);
/// Longer than the hold time of 9 s.
const LONG: Duration = Duration::from_secs(10);
/// Of 50 ms three times, FRR's own 63 ms, and three times both for a busy machine.
const DETECTED: Duration = Duration::from_millis(3 * (150 + 63));
/// How long a router may have what left while the speaker slept, from the moment it wakes.
const STALE: Duration = Duration::from_secs(1);
/// Until BGP and BFD stand again.
pub(crate) const RECOVERED: Duration = Duration::from_secs(10);
/// For what must not happen.
pub(crate) const AFTERWARDS: Duration = Duration::from_secs(3);
const EVERY: Duration = Duration::from_millis(50);
/// A client's longest silence: a busy machine may cost the others their BFD of 150 ms for a moment.
const GAP: Duration = Duration::from_secs(2);
/// A quarter of the time is left to a starved speaker: this, then the rest between two looks.
const STOPPED: Duration = Duration::from_millis(150);
const STARVED: Duration = Duration::from_secs(10);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "a speaker that slept 1 s or 10 s beside BFD is back in seconds and tells nothing stale",
            watched_sleep,
        )
        .on(two()),
        Scenario::new(
            "without BFD a sleep of 1 s is no event, and one of 10 s ends with the present told",
            unwatched_sleep,
        )
        .on(two()),
        Scenario::new(
            "speakers that run a quarter of the time lose no session watched by BFD at 300 ms",
            starved,
        )
        .on(two()),
    ]
}

fn watched_sleep(lab: &mut Lab) -> Result<()> {
    let pair = Pair::begin(lab, Some(50))?;
    let local = local(lab)?;
    for time in [SHORT, LONG] {
        step(&format!("beside BFD, {time:?}"), || {
            nap(lab, &pair, local, time, Some(DETECTED))
        })?;
    }
    Ok(())
}

fn unwatched_sleep(lab: &mut Lab) -> Result<()> {
    let pair = Pair::begin(lab, None)?;
    let local = local(lab)?;
    step("without BFD, 1 s", || {
        let quiet = pair.quiet()?;
        nap(lab, &pair, local, SHORT, None)?;
        quiet.expect()
    })?;
    step("without BFD, 10 s", || {
        nap(lab, &pair, local, LONG, Some(LONG))
    })
}

/// A Service with policy Local and one pod, which is to move.
fn local(lab: &mut Lab) -> Result<Vips> {
    lab.start_pod(POD, OTHERS[1], &APP)?;
    let fields = json!({ "externalTrafficPolicy": "Local", "selector": { "app": "local" } });
    create_with(lab, "local", &fields)?;
    vips(lab, "local")
}

/// The sleeper sleeps for that long, which routers notice in time or not at all. Meanwhile the pod
/// behind `local` leaves its node and Service `gone` is deleted.
fn nap(
    lab: &mut Lab,
    pair: &Pair,
    local: Vips,
    time: Duration,
    noticed: Option<Duration>,
) -> Result<()> {
    lab.move_pod(POD, SLEEPER, &APP)?;
    create(lab, "gone")?;
    let gone = vips(lab, "gone")?;
    pair.hops(lab, local, &[SLEEPER], RECOVERED)?;
    pair.hops(lab, gone, &NODES, RECOVERED)?;
    for vip in pair.web {
        expect_routed(lab, vip)?;
    }
    let client = lab.client_host();
    let ask = |vip| Prober::http(&client, vip, EVERY);
    let clients: Vec<Prober> = pair.web.into_iter().map(ask).collect::<Result<_>>()?;
    let captures = pair.listen()?;

    let part = Part::speaker(SLEEPER);
    lab.process(&part)?.signal(Signal::SIGSTOP)?;
    let slept = Instant::now();
    if let Some(within) = noticed {
        pair.hops(lab, pair.web, &OTHERS, within)?;
        note(&format!("noticed after {} ms", slept.elapsed().as_millis()))?;
    }
    lab.move_pod(POD, OTHERS[1], &APP)?;
    delete(lab, "gone")?;
    let left = time.saturating_sub(slept.elapsed());
    throughout(left, "it sleeps", || Ok(()))?;
    lab.process(&part)?.signal(Signal::SIGCONT)?;

    let woke = Instant::now();
    let stale = [local, gone];
    let none_stale = || {
        stale
            .iter()
            .try_for_each(|vips| pair.none_by(lab, *vips, SLEEPER))
    };
    eventually(STALE, "nothing stale is left", none_stale)?;
    note(&format!(
        "nothing stale {} ms after",
        woke.elapsed().as_millis()
    ))?;
    recover(lab, pair, woke, noticed == Some(DETECTED))?;
    for client in clients {
        client.stop()?.expect_no_gap(GAP)?;
    }
    throughout(AFTERWARDS, "nothing stale comes", none_stale)?;
    pair.hops(lab, local, &OTHERS[1..], RECOVERED)?;
    pair.hops(lab, gone, &[], RECOVERED)?;
    lab.process(&part)?.expect_running()?;
    expect_told(&pair.told(captures)?, pair, stale, noticed.is_some())
}

/// Waits until the sleeper's sessions stand again and its routes are back.
fn recover(lab: &Lab, pair: &Pair, woke: Instant, is_watched: bool) -> Result<()> {
    for (peering, router) in &pair.routers {
        let left = RECOVERED.saturating_sub(woke.elapsed());
        router.wait_established(peering.node(1), left)?;
        if is_watched {
            router.wait_bfd_up(peering.node(1), left)?;
        }
    }
    pair.hops(lab, pair.web, &NODES, RECOVERED)?;
    note(&format!(
        "as before {} ms after",
        woke.elapsed().as_millis()
    ))?;
    Ok(())
}

/// What the sleeper told each router: nothing of what is stale, and all the rest if its session was
/// a new one.
fn expect_told(told: &[Told], pair: &Pair, stale: [Vips; 2], is_new: bool) -> Result<()> {
    for told in told {
        let mut stale = stale.as_flattened().iter();
        let has_stale = stale.any(|vip| told.announced.contains(vip));
        let has_all = pair.web.iter().all(|vip| told.announced.contains(vip));
        ensure!(!has_stale && has_all == is_new, "{told:?} was told");
    }
    Ok(())
}

fn starved(lab: &mut Lab) -> Result<()> {
    let pair = Pair::begin(lab, Some(300))?;
    let quiet = pair.quiet()?;
    starve(lab, STARVED / 2)?;
    create(lab, "late")?;
    starve(lab, STARVED / 2)?;
    // What came meanwhile was done meanwhile.
    pair.hops_are(lab, vips(lab, "late")?, &NODES)?;
    throughout(AFTERWARDS, "all is as it was", || quiet.expect())?;
    pair.hops_are(lab, pair.web, &NODES)
}

/// All speakers get a quarter of the time, in turns of a fifth of a second.
fn starve(lab: &Lab, time: Duration) -> Result<()> {
    let signal = |signal| {
        let mut parts = NODES.into_iter().map(Part::speaker);
        parts.try_for_each(|part| lab.process(&part)?.signal(signal))
    };
    throughout(time, "the speakers starve", || {
        signal(Signal::SIGSTOP)?;
        throughout(STOPPED, "they stand still", || Ok(()))?;
        signal(Signal::SIGCONT)
    })
}
