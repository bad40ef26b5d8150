//! How long a router waits for a new Service, and what it is told of it.
//!
//! r1 is FRR with three nodes as its peers. A time begins with the request to the API server, and
//! ends with the message in which r1's kernel tells of the first route to the address, or of the
//! last one that went. Services are created and deleted one by one, IPv4 and IPv6 by turns.
//!
//! A stub in FRR's place, which only reads, then tells our share of that time: it ends when the last
//! of three nodes has told the stub. It counts UPDATEs as well.
//!
//! `bgp_updates_per_service_change`: UPDATEs that one session carries for a Service of one family
//! that comes or goes, over all three sessions. A dual-stack Service is one in each family.

use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kube::api::DeleteParams;
use lab::kernel::{Change, Changes};
use lab::peer::Program;
use lab::peer::stub::{Heard, Identity, Manner, Stub};
use lab::steps::step;
use lab::{Lab, eventually};

use super::driver::ROUTER_AS;
use super::peering::{config, established, start};
use crate::report::Target::{AtMost, Exactly, Stated};
use crate::report::{Figure, Report};
use crate::services::{Families, PATIENCE, Services};
use crate::writes::ratio;

pub(crate) const FIGURES: &[Figure] = &[
    ("bgp_create_to_router_kernel_ms_p50", "ms", AtMost(80.0)),
    ("bgp_create_to_router_kernel_ms_p99", "ms", AtMost(105.0)),
    ("bgp_delete_to_router_kernel_ms_p50", "ms", AtMost(68.0)),
    ("bgp_create_to_told_ms_p50", "ms", Stated),
    ("bgp_create_to_told_ms_p99", "ms", Stated),
    ("bgp_delete_to_told_ms_p50", "ms", Stated),
    ("bgp_updates_per_service_change", "UPDATEs", Exactly(1.0)),
];

const SAMPLES: usize = 100;
/// What follows a change, the other nodes' routes and kube-proxy's work above all, has ended then.
const PACE: Duration = Duration::from_millis(100);
/// Services that come and go before the stub.
const COUNTED: usize = 50;
/// In which an UPDATE too many would come.
const QUIET: Duration = Duration::from_secs(1);

pub(crate) fn measure(lab: &mut Lab, report: &mut Report) -> Result<()> {
    let router = Program::Frr.start(&lab.host("r1"), &config(lab, 1))?;
    start(lab)?;
    established(lab, &*router)?;
    let services = Services::open(lab)?;
    step("100 Services one by one: the router's kernel", || {
        let changes = Changes::of(&lab.host("r1"))?;
        let (created, deleted) = one_by_one(&services, &changes)?;
        report.percentiles("bgp_create_to_router_kernel_ms", &created)?;
        report.percentiles("bgp_delete_to_router_kernel_ms", &deleted)
    })?;
    drop(router);
    step("50 Services one by one: UPDATEs", || {
        updates(lab, &services, report)
    })
}

fn one_by_one(services: &Services, changes: &Changes) -> Result<(Vec<Duration>, Vec<Duration>)> {
    let (mut created, mut deleted) = (Vec::new(), Vec::new());
    for index in 0..SAMPLES {
        let name = format!("bench-{index:04}");
        let sent = Instant::now();
        services.block_on(services.create(&name, Families::alternating(index)))?;
        let came = changes.wait(sent + PATIENCE, |change| is_ours(change, true))?;
        created.push(came.at - sent);
        thread::sleep(PACE);
        let sent = Instant::now();
        delete(services, &name)?;
        let went = changes.wait(sent + PATIENCE, |change| {
            is_ours(change, false) && change.address == came.address
        })?;
        deleted.push(went.at - sent);
        thread::sleep(PACE);
    }
    Ok((created, deleted))
}

/// Whether a route to an address of the pool came, or went.
fn is_ours(change: &Change, is_there: bool) -> bool {
    let (in_pool, length) = match change.address {
        IpAddr::V4(address) => (address.octets().starts_with(&[10, 97]), 32),
        IpAddr::V6(address) => (address.segments().starts_with(&[0xfd97]), 128),
    };
    in_pool && change.length == length && change.is_there == is_there
}

fn delete(services: &Services, name: &str) -> Result<()> {
    let deleted = services.block_on(async {
        let params = DeleteParams::default();
        services.api().delete(name, &params).await
    });
    deleted
        .map(drop)
        .with_context(|| format!("deleting {name}"))
}

/// UPDATEs for each Service that came or went, and each session; and how soon they came.
fn updates(lab: &Lab, services: &Services, report: &mut Report) -> Result<()> {
    let identity = Identity {
        asn: ROUTER_AS,
        router_id: [10, 99, 255, 1],
        hold_time: 90,
    };
    let stub = Stub::start(&lab.host("r1"), identity, Manner::Civil)?;
    let sessions = u64::from(lab.topology().nodes);
    await_heard(&stub, "all sessions", |heard| heard.sessions == sessions)?;
    thread::sleep(QUIET);
    let before = stub.heard();
    let mut expected = before;
    let (mut created, mut deleted) = (Vec::new(), Vec::new());
    for index in 0..COUNTED {
        let name = format!("counted-{index:04}");
        let sent = Instant::now();
        services.block_on(services.create(&name, Families::alternating(index)))?;
        expected.told += sessions;
        let at = await_heard(&stub, "all told", |heard| heard.told == expected.told)?;
        created.push(at.saturating_duration_since(sent));
        thread::sleep(PACE);
        let sent = Instant::now();
        delete(services, &name)?;
        expected.withdrawn += sessions;
        let all = expected.withdrawn;
        let at = await_heard(&stub, "taken back", |heard| heard.withdrawn == all)?;
        deleted.push(at.saturating_duration_since(sent));
        thread::sleep(PACE);
    }
    report.percentiles("bgp_create_to_told_ms", &created)?;
    report.percentiles("bgp_delete_to_told_ms", &deleted)?;
    thread::sleep(QUIET);
    let after = stub.heard();
    ensure!(after.sessions == sessions, "a session ended: {after:?}");
    let changes = 2 * COUNTED * usize::from(lab.topology().nodes);
    let updates = usize::try_from(after.updates - before.updates)?;
    report.record("bgp_updates_per_service_change", ratio(updates, changes)?)
}

/// Wait until the stub has heard something; when it was last told anything.
fn await_heard(stub: &Stub, what: &str, holds: impl Fn(&Heard) -> bool) -> Result<Instant> {
    eventually(PATIENCE, what, || {
        let heard = stub.heard();
        ensure!(holds(&heard), "{heard:?}");
        Ok(heard.last_told.unwrap_or_else(Instant::now))
    })
}
