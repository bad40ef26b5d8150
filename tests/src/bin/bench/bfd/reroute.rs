//! A node dies silently: how long a client behind the router waits until another node's pod answers.
//! It asks every millisecond, and begins to wait with the first question that finds nobody.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use lab::Lab;
use lab::capture::{BFD, Capture, bfd};
use lab::kernel::Changes;
use lab::peer::{Bfd, Program};
use lab::prober::Prober;
use lab::steps::step;

use super::ground::{self, node_of, protected, rest, settle, start_router, vip};
use crate::report::Target::{AtMost, Stated};
use crate::report::{Figure, Report};
use crate::services::PATIENCE;

pub(crate) const FIGURES: &[Figure] = &[
    ("bgp_node_dead_to_reroute_ms_p50", "ms", Stated),
    ("bgp_node_dead_to_reroute_ms_p99", "ms", AtMost(260.0)),
    ("frr_bfd_down_to_kernel_ms_p50", "ms", Stated),
    ("frr_bfd_down_to_kernel_ms_p99", "ms", Stated),
];

const DEATHS: usize = 30;
const EVERY: Duration = Duration::from_millis(1);
/// Before a death, so that it is known who answers.
const BEFORE: Duration = Duration::from_millis(300);
/// After it, for the client to find another node.
const AFTER: Duration = Duration::from_millis(1_000);

pub(crate) fn measure(lab: &mut Lab, report: &mut Report) -> Result<()> {
    ground::start(lab, 50)?;
    let router = start_router(lab, Program::Frr, Bfd::new(50, 3))?;
    let (mut gaps, mut router_times) = (Vec::new(), Vec::new());
    step("30 silent deaths", || {
        for death in 0..DEATHS {
            protected(lab, &*router, 50)?;
            settle();
            let (gap, router_time) = die(lab, death % 2 == 0)?;
            gaps.push(gap);
            router_times.push(router_time);
        }
        Ok(())
    })?;
    report.percentiles("bgp_node_dead_to_reroute_ms", &gaps)?;
    report.percentiles("frr_bfd_down_to_kernel_ms", &router_times)
}

/// One death of the node that serves the client: what the client waits, and what the router takes
/// of that from its BFD's verdict to its kernel's route.
fn die(lab: &Lab, is_v4: bool) -> Result<(Duration, Duration)> {
    let address = vip(is_v4)?;
    let prober = Prober::udp(&lab.client_host(), address, EVERY)?;
    rest(BEFORE);
    let serving = prober.answering().context("nobody answers")?;
    let node = lab.node(&node_of(&serving)?);
    let capture = Capture::start(&lab.host("r1"), "eth0", BFD)?;
    let changes = Changes::of(&lab.host("r1"))?;
    let clocks = (SystemTime::now(), Instant::now());
    node.isolate()?;
    let changed = changes.wait(clocks.1 + PATIENCE, |change| change.address == address);
    rest(AFTER);
    node.rejoin()?;
    let (changed, report) = (changed?, prober.stop()?);
    let packets = bfd::packets(&capture.finish()?)?;
    let verdict = packets
        .iter()
        .find(|one| one.state == bfd::DOWN && one.diagnostic == 1 && one.time > clocks.0)
        .context("the router's BFD has not noticed")?;
    let verdict = verdict.time.duration_since(clocks.0)?;
    let gaps = report.gaps(Duration::from_millis(20));
    let gap = gaps.iter().map(|gap| gap.length).max();
    let gap = gap.context("the client noticed nothing")?;
    let others = report.changes().len();
    ensure!(others >= 2, "nobody else answered");
    Ok((gap, (changed.at - clocks.1).saturating_sub(verdict)))
}
