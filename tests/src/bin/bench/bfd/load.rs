//! BFD at 10 ms while two busy processes of ordinary priority have both cores: ten minutes without a
//! false down, and what BFD takes of a core.
//!
//! The router has real-time scheduling, so that its lateness is not ours. A down is false if the
//! capture shows that our own packets were too late (the router declares it), or that the router's
//! came in time (we do). Time in which a processor itself stood still is not counted.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use lab::address::node;
use lab::capture::{BFD, Capture, bfd};
use lab::peer::{Bfd, Program, Router};
use lab::process::Process;
use lab::steps::step;
use lab::{Lab, Topology, Witness};

use super::ground::{self, config, protected, settle, start_router};
use crate::footprint::{idle, is_speaker, used};
use crate::report::Target::{AtMost, Exactly, Stated};
use crate::report::{Figure, Report};

pub(crate) const FALSE_DOWNS: &[Figure] = &[
    ("bfd_false_downs", "downs", Exactly(0.0)),
    ("bfd_longest_own_gap_ms", "ms", Stated),
    ("machine_longest_standstill_ms", "ms", Stated),
];
pub(crate) const CPU: &[Figure] = &[("bfd_cpu_percent_10x3_3_peers", "%", AtMost(1.5))];

const INTERVAL_MS: u64 = 10;
const DETECTION: Duration = Duration::from_millis(3 * INTERVAL_MS);
const LOADED: Duration = Duration::from_secs(600);
const CPU_SECONDS: u32 = 60;
const ROUTERS: u8 = 3;

pub(crate) fn three_routers() -> Topology {
    Topology::default().with_routers(ROUTERS)
}

pub(crate) fn false_downs(lab: &mut Lab, report: &mut Report) -> Result<()> {
    ground::start(lab, INTERVAL_MS)?;
    let router = start_router(lab, Program::Frr, Bfd::new(INTERVAL_MS, 3))?;
    protected(lab, &*router, INTERVAL_MS)?;
    settle();
    let witness = Witness::start()?;
    let capture = Capture::start(&lab.host("r1"), "eth0", BFD)?;
    let busy: Vec<Process> = (1..=2)
        .map(|number| {
            let burn = ["sh", "-c", "while :; do :; done"];
            lab.client_host().spawn(&format!("busy-{number}"), &burn)
        })
        .collect::<Result<_>>()?;
    step("10 minutes beside two busy processes", || idle(lab, LOADED))?;
    drop(busy);
    let packets = bfd::packets(&capture.finish()?)?;
    let nodes: Vec<IpAddr> = (1..=lab.topology().nodes).flat_map(node).collect();
    let standstills = witness.finish()?;
    let false_downs = bfd::false_downs(&packets, &nodes, DETECTION, &standstills);
    let own_gap = nodes.iter().map(|node| longest_gap(&packets, *node)).max();
    let own_gap = own_gap.context("no node")?;
    report.record("bfd_longest_own_gap_ms", own_gap.as_secs_f64() * 1e3)?;
    let stood = standstills.iter().map(|one| one.within(one.from, one.to));
    let stood = stood.max().unwrap_or_default();
    report.record("machine_longest_standstill_ms", stood.as_secs_f64() * 1e3)?;
    report.record(
        "bfd_false_downs",
        f64::from(u32::try_from(false_downs.len())?),
    )
}

/// The longest time between two packets of a node.
fn longest_gap(packets: &[bfd::Packet], of: IpAddr) -> Duration {
    let sent: Vec<&bfd::Packet> = packets.iter().filter(|one| one.source == of).collect();
    let gaps = sent.windows(2).filter_map(|pair| match pair {
        [one, next] => next.time.duration_since(one.time).ok(),
        _ => None,
    });
    gaps.max().unwrap_or_default()
}

pub(crate) fn cpu(lab: &mut Lab, report: &mut Report) -> Result<()> {
    ground::start(lab, INTERVAL_MS)?;
    let bfd = Bfd::new(INTERVAL_MS, 3);
    let routers: Vec<Box<dyn Router>> = (1..=ROUTERS)
        .map(|number| {
            let host = lab.host(&format!("r{number}"));
            Program::Bird.start(&host, &config(lab, number, bfd))
        })
        .collect::<Result<_>>()?;
    for router in &routers {
        protected(lab, &**router, INTERVAL_MS)?;
    }
    settle();
    let before = used(lab)?;
    step("60 s of BFD at 10 ms with three routers", || {
        idle(lab, Duration::from_secs(CPU_SECONDS.into()))
    })?;
    let after = used(lab)?;
    // The speaker that takes most stands for all of them.
    let speakers = before.iter().zip(&after);
    let speakers = speakers.filter(|(_, after)| is_speaker(&after.part));
    let ticks = speakers.map(|(before, after)| after.ticks - before.ticks);
    let ticks = u32::try_from(ticks.max().context("no speaker")?)?;
    report.record(
        "bfd_cpu_percent_10x3_3_peers",
        f64::from(ticks) / f64::from(CPU_SECONDS),
    )
}
