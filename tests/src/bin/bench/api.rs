//! What our processes are to the API server: how many watches, by how many connections.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use lab::{Lab, Part, Topology, audit};

use crate::footprint::idle;
use crate::report::Target::{AtMost, Exactly};
use crate::report::{Figure, Report};
use crate::services;

pub(crate) const FIGURES: &[Figure] = &[
    ("api_watches_per_speaker", "watches", AtMost(7.0)),
    ("api_connections_per_speaker", "connections", Exactly(1.0)),
    ("api_connections_controller", "connections", Exactly(1.0)),
];

pub(crate) fn lab() -> Topology {
    Topology {
        audit: true,
        ..Topology::default()
    }
}

pub(crate) fn measure(lab: &mut Lab, report: &mut Report) -> Result<()> {
    services::start(lab)?;
    // Watches begin anew within that time, and a connection too many is closed.
    idle(lab, std::time::Duration::from_secs(60))?;
    let watches: BTreeSet<String> = audit::requests(lab)?
        .into_iter()
        .filter(|one| one.account == "seamark-speaker" && one.verb == "watch")
        .map(|one| format!("{}.{}", one.resource, one.group))
        .collect();
    report.record("api_watches_per_speaker", number(watches.len())?)?;
    let of_speaker = connections(lab, &Part::speaker("n1"))?;
    report.record("api_connections_per_speaker", number(of_speaker)?)?;
    let of_controller = connections(lab, &Part::Controller)?;
    report.record("api_connections_controller", number(of_controller)?)
}

fn connections(lab: &Lab, part: &Part) -> Result<usize> {
    let host = lab.host(part.host());
    let mark = format!("pid={},", lab.process(part)?.pid());
    let all = host.run(&["ss", "-Htnp", "state", "established", "dport = :6443"])?;
    Ok(all.lines().filter(|line| line.contains(&mark)).count())
}

fn number(count: usize) -> Result<f64> {
    Ok(f64::from(u32::try_from(count).context("too many")?))
}
