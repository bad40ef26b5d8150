//! How soon a silent router is noticed: from the last packet that it was heard by to the first of
//! ours that says so, on the wire of each of three nodes. The router's bridge port goes deaf and dumb
//! while all keep their carriers. BIRD is measured likewise, in the place of a speaker.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use lab::address::{node, router};
use lab::capture::{BFD, Capture, bfd};
use lab::peer::{Bfd, Bird, Config, Peer, Program, Router};
use lab::steps::step;
use lab::{Lab, eventually};

use super::ground::{self, config, protected, rest, set_profile, settle, start_router};
use crate::bgp::peering::{OUR_AS, ROUTER_AS};
use crate::report::Target::{AtMost, Stated};
use crate::report::{Figure, Report};
use crate::services::PATIENCE;

pub(crate) const FIGURES: &[Figure] = &[
    ("bfd_detect_10x3_ms_p50", "ms", Stated),
    ("bfd_detect_10x3_ms_p99", "ms", AtMost(33.0)),
    ("bfd_detect_50x3_ms_p50", "ms", Stated),
    ("bfd_detect_50x3_ms_p99", "ms", AtMost(160.0)),
];

pub(crate) const BIRD: &[Figure] = &[
    ("bird_bfd_detect_10x3_ms_p50", "ms", Stated),
    ("bird_bfd_detect_10x3_ms_p99", "ms", Stated),
];

const SAMPLES: usize = 100;
/// Longer than any detection time here.
const SILENT: Duration = Duration::from_millis(400);

pub(crate) fn measure(lab: &mut Lab, report: &mut Report) -> Result<()> {
    ground::start(lab, 10)?;
    for interval in [10, 50] {
        set_profile(lab, interval)?;
        let frr = start_router(lab, Program::Frr, Bfd::new(interval, 3))?;
        protected(lab, &*frr, interval)?;
        let all_up = |lab: &Lab| protected(lab, &*frr, interval);
        let times = step(&format!("100 silences at {interval} ms"), || {
            silences(lab, &all_up)
        })?;
        report.percentiles(&format!("bfd_detect_{interval}x3_ms"), &times)?;
    }
    Ok(())
}

pub(crate) fn with_bird(lab: &mut Lab, report: &mut Report) -> Result<()> {
    let mut birds = Vec::new();
    for number in 1..=lab.topology().nodes {
        birds.push(bird(lab, number)?);
    }
    let bfd = Bfd::new(10, 3);
    let frr = Program::Frr.start(&lab.host("r1"), &config(lab, 1, bfd))?;
    frr.never_be_late()?;
    let [r4, _] = router(1);
    let all_up = |_: &Lab| birds.iter().try_for_each(|bird| fast(bird, r4));
    all_up(lab)?;
    let times = step("100 silences, noticed by BIRD", || silences(lab, &all_up))?;
    report.percentiles("bird_bfd_detect_10x3_ms", &times)
}

/// Wait until BIRD and the router send each other packets as fast as they shall.
fn fast(bird: &Bird, router: IpAddr) -> Result<()> {
    eventually(PATIENCE, "BIRD has BFD at 10 ms", || {
        let session = bird.wait_bfd_up(router, PATIENCE)?;
        let fast = Duration::from_millis(10);
        ensure!(session.interval == fast, "it is {session:?}");
        Ok(())
    })
}

/// BIRD in the place of a speaker.
fn bird(lab: &Lab, number: u8) -> Result<Bird> {
    let [r4, _] = router(1);
    let peer = Peer::new(r4, ROUTER_AS).hold_time(90).bfd(Bfd::new(10, 3));
    let config = Config::new(OUR_AS, Ipv4Addr::new(10, 99, 0, 10 + number)).peer(peer);
    Bird::start(&lab.node(&format!("n{number}")), &config)
}

/// How long each silence of the router lasted before each node said that it is one.
fn silences(lab: &Lab, all_up: &dyn Fn(&Lab) -> Result<()>) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for attempt in 0.. {
        if times.len() >= SAMPLES {
            break;
        }
        ensure!(
            attempt < SAMPLES,
            "only {} of {SAMPLES} silences counted",
            times.len()
        );
        all_up(lab)?;
        settle();
        all_up(lab)?;
        let captures: Vec<Capture> = lab
            .nodes()
            .iter()
            .map(|host| Capture::start(host, "eth0", BFD))
            .collect::<Result<_>>()?;
        // Some packets of each side are seen before it.
        rest(SILENT);
        let since = SystemTime::now();
        lab.host("r1").isolate()?;
        rest(SILENT);
        lab.host("r1").rejoin()?;
        for (number, capture) in (1..).zip(captures) {
            times.extend(noticed(number, since, &capture.finish()?)?);
        }
    }
    times.truncate(SAMPLES);
    Ok(times)
}

/// The silence that a node declared. Routers that give BFD up for a while when BGP ends are silent
/// once more, or say nothing at all, which is another matter; `None` where that was so already.
fn noticed(number: u8, since: SystemTime, file: &PathBuf) -> Result<Option<Duration>> {
    let addresses = node(number);
    let packets = bfd::packets(file)?;
    let mut own = packets.iter().filter(|one| addresses.contains(&one.source));
    let before = own.rfind(|one| one.time <= since);
    if before.is_none_or(|before| before.state != bfd::UP) {
        return Ok(None);
    }
    let silences = bfd::silences(&packets);
    let mut ours = silences
        .iter()
        .filter(|one| addresses.contains(&one.by) && one.at > since);
    let first = ours.next();
    let first = first.with_context(|| format!("{} has no silence", file.display()))?;
    std::fs::remove_file(file)?;
    Ok(Some(first.length))
}
