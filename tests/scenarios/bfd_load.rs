//! BFD on a node that has other things to do.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::eventually::throughout;
use lab::peer::Program;
use lab::process::Process;
use lab::runner::Scenario;
use lab::steps::note;
use lab::{Host, Lab, Part};

use crate::bfd::{begin, shows};
use crate::peering::{NODES, Over, Peering, times_established};

/// Ten minutes of it belong to the bench.
const LOADED: Duration = Duration::from_secs(20);
/// Whatever is late is not to be the router.
const REAL_TIME: &str = "50";

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "10 ms of BFD stay up beside two busy processes, by IPv4 and by IPv6",
            busy,
        )
        .within(Duration::from_secs(180)),
    ]
}

fn busy(lab: &mut Lab) -> Result<()> {
    for over in Over::BOTH {
        let peering = Peering::over(over);
        let router = begin(lab, Program::Frr, &peering, 10)?;
        shows(lab, &*router, &peering, 10)?;
        prefer(router.host(), "bfdd")?;
        let established = times_established(&*router)?;
        let failures = failures(lab, &peering.name)?;
        let busy = [occupy(lab)?, occupy(lab)?];
        throughout(LOADED, "every session stays up", || {
            let now = self::failures(lab, &peering.name)?;
            ensure!(now == failures, "{now:?} failures, {failures:?} before");
            let now = times_established(&*router)?;
            ensure!(now == established, "{now:?}, {established:?} before");
            Ok(())
        })?;
        drop(busy);
        note(&format!("{over:?}: no failure in {LOADED:?}"))?;
        peering.delete(lab)?;
    }
    Ok(())
}

/// A process that never waits.
fn occupy(lab: &Lab) -> Result<Process> {
    lab.client_host()
        .spawn("busy", &["sh", "-c", "while :; do :; done"])
}

/// Has a program of a host run before all others.
fn prefer(host: &Host, program: &str) -> Result<()> {
    let pids = host.run(&["ip", "netns", "pids", &host.namespace()])?;
    for pid in pids.split_whitespace() {
        // One that has ended meanwhile is not the one.
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
        if name.is_ok_and(|name| name.trim() == program) {
            host.run(&["chrt", "-f", "-p", REAL_TIME, pid])?;
        }
    }
    Ok(())
}

/// How often each node has seen the path to a peer fail.
fn failures(lab: &Lab, peer: &str) -> Result<Vec<String>> {
    let line = format!("seamark_bfd_failures{{peer=\"{peer}\"}} ");
    let of_node = |node: &&str| {
        let metrics = lab.metrics(&Part::speaker(node))?;
        let value = metrics.lines().find_map(|shown| shown.strip_prefix(&line));
        value.map(ToOwned::to_owned).context("it counts none")
    };
    NODES.iter().map(of_node).collect()
}
