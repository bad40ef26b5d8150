//! What a speaker takes of a machine with three BGP peers that have been told 1,000 Services: three
//! BIRDs, with the hold time of a BGPPeer that says nothing.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::peer::{Program, Router};
use lab::steps::step;
use lab::{Lab, Topology, eventually};

use super::peering::{config, established, start};
use crate::burst::SERVICES;
use crate::footprint::{IDLE_SECONDS, SETTLING, idle, is_speaker, mib, used};
use crate::report::Target::AtMost;
use crate::report::{Figure, Report};
use crate::services::{Families, PATIENCE, Services};

pub(crate) const FIGURES: &[Figure] = &[
    ("bgp_idle_cpu_percent", "%", AtMost(0.2)),
    ("speaker_rss_bgp_mib", "MiB", AtMost(14.0)),
];

const ROUTERS: u8 = 3;

pub(crate) fn lab() -> Topology {
    Topology::default().with_routers(ROUTERS)
}

pub(crate) fn measure(lab: &mut Lab, report: &mut Report) -> Result<()> {
    let routers: Vec<Box<dyn Router>> = (1..=ROUTERS)
        .map(|number| Program::Bird.start(&lab.host(&format!("r{number}")), &config(lab, number)))
        .collect::<Result<_>>()?;
    start(lab)?;
    for router in &routers {
        established(lab, &**router)?;
    }
    let services = Services::open(lab)?;
    step("1,000 Services, told to three routers", || {
        let all: Vec<(String, Families)> = (0..SERVICES)
            .map(|index| (format!("bench-{index:04}"), Families::alternating(index)))
            .collect();
        services.block_on(services.create_all(&all))?;
        routers
            .iter()
            .try_for_each(|router| converged(lab, &**router))
    })?;
    idle(lab, SETTLING)?;
    let before = used(lab)?;
    step("60 s of idleness", || {
        idle(lab, Duration::from_secs(IDLE_SECONDS.into()))
    })?;
    let after = used(lab)?;
    // The speaker that takes most stands for all of them.
    let speakers = before
        .iter()
        .zip(&after)
        .filter(|(_, after)| is_speaker(&after.part));
    let ticks = speakers
        .clone()
        .map(|(before, after)| after.ticks - before.ticks);
    let ticks = u32::try_from(ticks.max().context("no speaker")?)?;
    let rss = speakers.map(|(_, after)| after.rss_kib);
    report.record(
        "bgp_idle_cpu_percent",
        f64::from(ticks) / f64::from(IDLE_SECONDS),
    )?;
    report.record(
        "speaker_rss_bgp_mib",
        mib(rss.max().context("no speaker")?)?,
    )
}

/// Wait until a router has a path to every Service from every node.
fn converged(lab: &Lab, router: &dyn Router) -> Result<()> {
    eventually(PATIENCE, "all is told", || {
        let mut paths = 0;
        for is_v4 in [true, false] {
            let routes = router.routes(is_v4)?;
            // The router's own networks are none of the pool's.
            let ours = routes
                .iter()
                .filter(|(prefix, _)| prefix.starts_with("10.97.") || prefix.starts_with("fd97:"));
            paths += ours.map(|(_, paths)| paths.len()).sum::<usize>();
        }
        let wanted = SERVICES * usize::from(lab.topology().nodes);
        ensure!(paths == wanted, "{paths} paths of {wanted}");
        Ok(())
    })
}
