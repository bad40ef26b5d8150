//! BFD on a node that has other things to do. The router has real-time scheduling, so that its
//! lateness is not ours.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::address::node;
use lab::capture::{BFD, Capture, bfd};
use lab::eventually::throughout;
use lab::peer::Program;
use lab::process::Process;
use lab::runner::Scenario;
use lab::steps::note;
use lab::{Lab, Witness};

use crate::bfd::{begin, shows};
use crate::peering::{Over, Peering};

/// In each family; ten minutes of it belong to the bench.
const LOADED: Duration = Duration::from_secs(30);
const INTERVAL_MS: u64 = 10;
const DETECTION: Duration = Duration::from_millis(3 * INTERVAL_MS);

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
    let nodes: Vec<IpAddr> = (1..=lab.topology().nodes).flat_map(node).collect();
    for over in Over::BOTH {
        let peering = Peering::over(over);
        let router = begin(lab, Program::Frr, &peering, 10)?;
        shows(lab, &*router, &peering, INTERVAL_MS)?;
        router.never_be_late()?;
        let witness = Witness::start()?;
        let capture = Capture::start(router.host(), "eth0", BFD)?;
        let busy = [occupy(lab, 1)?, occupy(lab, 2)?];
        throughout(LOADED, "both are busy", || {
            busy.iter().try_for_each(Process::expect_running)
        })?;
        drop(busy);
        let packets = bfd::packets(&capture.finish()?)?;
        let standstills = witness.finish()?;
        let false_downs = bfd::false_downs(&packets, &nodes, DETECTION, &standstills);
        ensure!(
            false_downs.is_empty(),
            "{over:?}: {false_downs:?}, while processors stood still: {standstills:?}"
        );
        let [packets, standstills] = [packets.len(), standstills.len()];
        note(&format!(
            "{over:?}: {packets} packets, none late; processors stood still {standstills} times"
        ))?;
        peering.delete(lab)?;
    }
    Ok(())
}

/// A process that never waits.
fn occupy(lab: &Lab, number: u8) -> Result<Process> {
    let burn = ["sh", "-c", "while :; do :; done"];
    lab.client_host().spawn(&format!("busy-{number}"), &burn)
}
