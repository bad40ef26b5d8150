//! A thousand Services, and the controller starts anew.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lab::audit;
use lab::probe::{EVERY_MILLISECOND, Ear};
use lab::steps::{note, step};
use lab::{Lab, Part};

use crate::burst::{SERVICES, create_thousand};
use crate::report::Target::{AtMost, Exactly};
use crate::report::{Figure, Report};
use crate::services::{self, Families, PATIENCE, Services, nth_address};
use crate::writes::{await_quiet, ratio, since, tally};

pub(crate) const FIGURES: &[Figure] = &[
    ("burst_1000_writes_per_service", "writes", AtMost(3.0)),
    ("restart_1000_writes", "writes", Exactly(0.0)),
    ("restart_1000_ready_s", "s", AtMost(2.0)),
];

/// Longer than the least time between two writes of any status of ours.
const QUIET: Duration = Duration::from_secs(40);

pub(crate) fn measure(lab: &mut Lab, report: &mut Report) -> Result<()> {
    services::start(lab)?;
    await_quiet(lab, QUIET)?;
    let services = Services::open(lab)?;
    let before = audit::writes(lab)?.len();
    step("1,000 Services at once", || create_thousand(lab, &services))?;
    step("until nothing is written any more", || {
        await_quiet(lab, QUIET)
    })?;
    let writes = since(lab, before)?;
    note(&format!("all writes: {}", tally(&writes)))?;
    report.record(
        "burst_1000_writes_per_service",
        ratio(writes.len(), SERVICES)?,
    )?;

    let before = audit::writes(lab)?.len();
    step("the controller killed and started", || {
        lab.restart(&Part::Controller)?;
        lab.wait_ready(&Part::Controller)?;
        await_quiet(lab, QUIET)
    })?;
    let writes = since(lab, before)?;
    if !writes.is_empty() {
        note(&format!("written: {}", tally(&writes)))?;
    }
    report.record("restart_1000_writes", ratio(writes.len(), 1)?)?;

    let vip = nth_address(Families::V4, SERVICES / 2)?;
    let ear = Ear::open(&lab.client_host(), "eth0")?;
    lab.kill(&Part::Controller)?;
    lab.restart(&Part::Controller)?;
    let start = Instant::now();
    services.block_on(services.create("bench-late", Families::V4))?;
    let answer = ear.first_answer(vip, EVERY_MILLISECOND, PATIENCE)?;
    let answer = answer.with_context(|| format!("nobody answers for {vip}"))?;
    report.record("restart_1000_ready_s", (answer.at - start).as_secs_f64())
}
