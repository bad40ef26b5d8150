//! Two controllers: how soon one follows the other.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::steps::step;
use lab::{Lab, Part, eventually};

use crate::report::Target::AtMost;
use crate::report::{Figure, Report};
use crate::services::{self, Families, PATIENCE, Services, shown};

pub(crate) const FIGURES: &[Figure] = &[
    ("leader_handover_ms", "ms", AtMost(1_000.0)),
    // As long as a lease, and what a write takes.
    ("leader_takeover_s", "s", AtMost(16.0)),
];

const HANDOVERS: usize = 10;
const TAKEOVERS: usize = 3;

/// The slowest of a few: from the signal to the addresses of a Service that was created at that
/// moment.
pub(crate) fn measure(lab: &mut Lab, report: &mut Report) -> Result<()> {
    services::start(lab)?;
    lab.start(&Part::OtherController, &[])?;
    lab.wait_ready(&Part::OtherController)?;
    let services = Services::open(lab)?;
    let (mut handovers, mut takeovers) = (Vec::new(), Vec::new());
    step("10 hand-overs", || {
        for run in 0..HANDOVERS {
            handovers.push(follow(
                lab,
                &services,
                &format!("handover-{run}"),
                Lab::stop,
            )?);
        }
        Ok(())
    })?;
    step("3 take-overs", || {
        for run in 0..TAKEOVERS {
            takeovers.push(follow(
                lab,
                &services,
                &format!("takeover-{run}"),
                Lab::kill,
            )?);
        }
        Ok(())
    })?;
    let slowest = |times: &[Duration]| times.iter().max().copied().unwrap_or_default();
    report.record(
        "leader_handover_ms",
        slowest(&handovers).as_secs_f64() * 1e3,
    )?;
    report.record("leader_takeover_s", slowest(&takeovers).as_secs_f64())
}

fn follow(
    lab: &mut Lab,
    services: &Services,
    name: &str,
    end: fn(&mut Lab, &Part) -> Result<()>,
) -> Result<Duration> {
    let leader = leader(lab)?;
    let mut seen = services.watch()?;
    let begun = Instant::now();
    end(lab, &leader)?;
    services.block_on(services.create(name, Families::Dual))?;
    services.block_on(shown(&mut seen, name))?;
    let time = begun.elapsed();
    lab.start(&leader, &[])?;
    lab.wait_ready(&leader)?;
    Ok(time)
}

fn leader(lab: &Lab) -> Result<Part> {
    eventually(PATIENCE, "one of both leads", || {
        let leads = |part: &Part| {
            let metrics = lab.metrics(part).unwrap_or_default();
            metrics
                .lines()
                .any(|line| line == "seamark_controller_leading 1")
        };
        let leading: Vec<Part> = [Part::Controller, Part::OtherController]
            .into_iter()
            .filter(leads)
            .collect();
        ensure!(leading.len() == 1, "{leading:?} do");
        leading.into_iter().next().context("none")
    })
}
