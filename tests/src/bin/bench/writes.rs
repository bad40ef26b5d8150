//! How much we write to the API server, as the API server counts it.

use std::collections::BTreeMap;
use std::env;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::audit::{self, Request};
use lab::eventually::throughout;
use lab::steps::{note, step};
use lab::{Lab, Topology, eventually};

use crate::report::Target::{Exactly, Stated};
use crate::report::{Figure, Report};
use crate::services::{self, Families, Services, shown};

pub(crate) const FIGURES: &[Figure] = &[
    ("api_writes_per_service_single", "writes", Exactly(2.0)),
    ("api_writes_per_service_dual", "writes", Exactly(3.0)),
    ("api_writes_pool_status_100", "writes", Stated),
    ("api_writes_events_100", "writes", Stated),
    ("api_writes_speaker_status_100", "writes", Stated),
    ("idle_api_writes_10min", "writes", Exactly(0.0)),
];

/// Of each sort; together the hundred that the idle system holds.
const SERVICES: usize = 50;

/// Longer than the least time between two writes of any status of ours.
const QUIET: Duration = Duration::from_secs(40);

/// What comes of a Service's creation has been written by then, but for what is written rarely.
const SETTLED: Duration = Duration::from_secs(2);

/// A lab whose API server notes what we write.
pub(crate) fn lab() -> Topology {
    Topology {
        audit: true,
        ..Topology::default()
    }
}

pub(crate) fn measure(lab: &mut Lab, report: &mut Report) -> Result<()> {
    services::start(lab)?;
    await_quiet(lab, SETTLED)?;
    let services = Services::open(lab)?;
    let begun = audit::writes(lab)?.len();
    for (sort, families) in [
        ("single", Families::alternating as fn(usize) -> Families),
        ("dual", |_| Families::Dual),
    ] {
        let before = audit::writes(lab)?.len();
        step(&format!("50 Services one by one, {sort}"), || {
            create(&services, sort, families)
        })?;
        await_quiet(lab, SETTLED)?;
        let writes = since(lab, before)?;
        let own = writes.iter().filter(|write| is_for_service(write)).count();
        let name = format!("api_writes_per_service_{sort}");
        report.record(&name, ratio(own, SERVICES)?)?;
    }
    step("until nothing is written any more", || {
        await_quiet(lab, QUIET)
    })?;
    let writes = since(lab, begun)?;
    for (name, resource) in [
        ("api_writes_pool_status_100", "ipaddresspools/status"),
        ("api_writes_events_100", "events"),
        ("api_writes_speaker_status_100", "speakerstatuses/status"),
    ] {
        let count = writes
            .iter()
            .filter(|write| write.resource == resource)
            .count();
        report.record(name, ratio(count, 1)?)?;
    }
    note(&format!("all writes: {}", tally(&writes)))?;
    idle(lab, report)
}

/// Nothing happens, for ten minutes.
fn idle(lab: &Lab, report: &mut Report) -> Result<()> {
    let seconds = match env::var("BENCH_IDLE_SECONDS") {
        Ok(seconds) => seconds
            .parse()
            .context("BENCH_IDLE_SECONDS is a number of seconds")?,
        Err(_) => 600,
    };
    let before = audit::writes(lab)?.len();
    step(&format!("{seconds} s of idleness"), || {
        throughout(Duration::from_secs(seconds), "all run", || {
            lab.parts()
                .iter()
                .try_for_each(|part| lab.process(part)?.expect_running())
        })
    })?;
    let writes = since(lab, before)?;
    if !writes.is_empty() {
        note(&format!("written: {}", tally(&writes)))?;
    }
    report.record("idle_api_writes_10min", ratio(writes.len(), 1)?)
}

fn create(services: &Services, sort: &str, families: fn(usize) -> Families) -> Result<()> {
    let mut seen = services.watch()?;
    for index in 0..SERVICES {
        let name = format!("bench-{sort}-{index:04}");
        services.block_on(services.create(&name, families(index)))?;
        services.block_on(shown(&mut seen, &name))?;
    }
    Ok(())
}

/// Wait until nothing was written for so long.
pub(crate) fn await_quiet(lab: &Lab, span: Duration) -> Result<()> {
    let mut count = 0;
    let mut since = Instant::now();
    eventually(span * 6, "nothing is written", || {
        let now = audit::writes(lab)?.len();
        if now != count {
            count = now;
            since = Instant::now();
        }
        ensure!(
            since.elapsed() >= span,
            "{now} writes, the last {:?} ago",
            since.elapsed()
        );
        Ok(())
    })
}

/// The writes after so many.
pub(crate) fn since(lab: &Lab, before: usize) -> Result<Vec<Request>> {
    Ok(audit::writes(lab)?.split_off(before))
}

/// How often what was written.
pub(crate) fn tally(writes: &[Request]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for write in writes {
        let what = format!("{} {} {}", write.verb, write.resource, write.code);
        *counts.entry(what).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(what, n)| format!("{n} × {what}"))
        .collect();
    counts.join(", ")
}

/// A write to the Service, its status, or its ledger entries.
fn is_for_service(write: &Request) -> bool {
    ["services", "services/status", "ipallocations"].contains(&write.resource.as_str())
}

pub(crate) fn ratio(count: usize, of: usize) -> Result<f64> {
    Ok(f64::from(u32::try_from(count)?) / f64::from(u32::try_from(of)?))
}
