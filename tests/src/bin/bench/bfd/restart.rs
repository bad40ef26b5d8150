//! What a client behind the router loses when speakers restart, crash, or their node is drained: it
//! sends a datagram every millisecond in each family, and counts those that nobody answers.

use std::time::Duration;

use anyhow::{Context, Result};
use lab::peer::{Bfd, Program, Router};
use lab::prober::Prober;
use lab::steps::step;
use lab::{Lab, Part, eventually, kernel};

use super::ground::{self, VIPS, node_of, protected, rest, settle, start_router, vip};
use crate::report::Target::Exactly;
use crate::report::{Figure, Report};
use crate::services::PATIENCE;

pub(crate) const FRR: &[Figure] = &[
    ("bgp_restart_lost_packets", "packets", Exactly(0.0)),
    ("bgp_crash_lost_packets", "packets", Exactly(0.0)),
    ("bgp_drain_lost_packets", "packets", Exactly(0.0)),
];
pub(crate) const BIRD: &[Figure] = &[("bgp_restart_lost_packets_bird", "packets", Exactly(0.0))];

const RUNS: usize = 30;
const EVERY: Duration = Duration::from_millis(1);
/// How long the speakers are away.
const AWAY: Duration = Duration::from_secs(1);
const INTERVAL_MS: u64 = 100;
const EXCLUDE: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

pub(crate) fn with_frr(lab: &mut Lab, report: &mut Report) -> Result<()> {
    let router = ready(lab, Program::Frr)?;
    let lost = step("30 restarts of all speakers", || {
        count(lab, &*router, restart)
    })?;
    report.record("bgp_restart_lost_packets", lost)?;
    let lost = step("30 crashes of all speakers", || count(lab, &*router, crash))?;
    report.record("bgp_crash_lost_packets", lost)?;
    let lost = step("30 drains of the node that serves", || {
        count(lab, &*router, drain)
    })?;
    report.record("bgp_drain_lost_packets", lost)
}

pub(crate) fn with_bird(lab: &mut Lab, report: &mut Report) -> Result<()> {
    let router = ready(lab, Program::Bird)?;
    let lost = step("30 restarts of all speakers", || {
        count(lab, &*router, restart)
    })?;
    report.record("bgp_restart_lost_packets_bird", lost)
}

fn ready(lab: &mut Lab, program: Program) -> Result<Box<dyn Router>> {
    ground::start(lab, INTERVAL_MS)?;
    let router = start_router(lab, program, Bfd::new(INTERVAL_MS, 3))?;
    protected(lab, &*router, INTERVAL_MS)?;
    Ok(router)
}

/// What happens while the client asks; the router and who answers in each family are given.
type Event = fn(&mut Lab, &dyn Router, [&str; 2]) -> Result<()>;

/// All packets that are lost in 30 runs.
fn count(lab: &mut Lab, router: &dyn Router, event: Event) -> Result<f64> {
    let mut lost = 0;
    for _ in 0..RUNS {
        settle();
        let probers = [true, false].map(|is_v4| {
            let address = vip(is_v4)?;
            Prober::udp(&lab.client_host(), address, EVERY)
        });
        let [v4, v6] = probers;
        let (v4, v6) = (v4?, v6?);
        rest(Duration::from_millis(300));
        let serving = [v4.answering(), v6.answering()];
        let [Some(one), Some(other)] = &serving else {
            anyhow::bail!("nobody answers: {serving:?}");
        };
        let (one, other) = (node_of(one)?, node_of(other)?);
        event(lab, router, [&one, &other])?;
        protected(lab, router, INTERVAL_MS)?;
        rest(Duration::from_millis(500));
        for report in [v4.stop()?, v6.stop()?] {
            lost += report.unanswered();
        }
    }
    Ok(f64::from(u32::try_from(lost)?))
}

fn speakers(lab: &Lab) -> Vec<Part> {
    let all = lab.parts().into_iter();
    all.filter(crate::footprint::is_speaker).collect()
}

fn restart(lab: &mut Lab, _: &dyn Router, _: [&str; 2]) -> Result<()> {
    let speakers = speakers(lab);
    for part in &speakers {
        lab.stop(part)?;
    }
    rest(AWAY);
    speakers.iter().try_for_each(|part| lab.restart(part))
}

fn crash(lab: &mut Lab, _: &dyn Router, _: [&str; 2]) -> Result<()> {
    let speakers = speakers(lab);
    for part in &speakers {
        lab.kill(part)?;
    }
    rest(AWAY);
    speakers.iter().try_for_each(|part| lab.restart(part))
}

/// The label comes, the routes go, and it is taken away again.
fn drain(lab: &mut Lab, router: &dyn Router, [node, _]: [&str; 2]) -> Result<()> {
    lab.set_node_label(node, EXCLUDE, Some(""))?;
    let nodes = usize::from(lab.topology().nodes);
    eventually(PATIENCE, "the router goes elsewhere", || {
        for vip in VIPS {
            let hops = kernel::next_hops(router.host(), vip)?;
            anyhow::ensure!(hops.len() == nodes - 1, "{vip} leads to {hops:?}");
        }
        Ok(())
    })?;
    // Past the withdrawal too, which comes when the router has had its time.
    rest(Duration::from_secs(8));
    lab.set_node_label(node, EXCLUDE, None)
        .context("taking the label away")
}
