//! A speaker with 100,000 routes and one peer, which only reads: a stub of the lab that completes
//! the session and counts prefixes. The speaker is its BGP driver alone, see [`super::driver`];
//! BIRD is in its place for comparison, on the same node, told the same prefixes as static routes.
//!
//! - `*_announce_prefixes_per_s`: from the KEEPALIVE with which the stub answers the OPEN, and
//!   without which there is no session, to the last prefix that it reads. The speaker knows all
//!   routes before. The median of some sessions.
//! - `bgp_bytes_per_path`: how much the resident set of this process grows while an established
//!   session without routes is given them, from before the planned routes are made until the peer
//!   has read them all. It counts the planned routes, the peer's table, and what the allocator
//!   wastes.
//! - `bgp_service_change_ms`: from a changed plan, handed to the driver as the owner does, until
//!   the stub has read the UPDATE. A Service's attributes change, it goes, it comes, by turns. What
//!   the plan itself takes is `plan_10k_ms`.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::address::{node, router};
use lab::peer::stub::{Heard, Identity, Manner, Stub};
use lab::peer::{Announced, Bird, Config, Peer};
use lab::steps::step;
use lab::{Lab, Topology, eventually};

use super::driver::{Driver, OUR_AS, ROUTER_AS, ROUTES, attributes, routes};
use crate::report::Target::{AtLeast, AtMost, Stated};
use crate::report::{Figure, Report};

pub(crate) const FIGURES: &[Figure] = &[
    ("bgp_announce_prefixes_per_s", "/s", AtLeast(300_000.0)),
    ("bird_announce_prefixes_per_s", "/s", Stated),
    ("bgp_bytes_per_path", "B", AtMost(120.0)),
    ("bgp_service_change_ms_p50", "ms", Stated),
    ("bgp_service_change_ms_p99", "ms", AtMost(1.0)),
];

const SESSIONS: usize = 5;
const CHANGES: usize = 600;
/// From one change to the next, so that what follows the first is not measured with the second.
const PACE: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(30);

/// A node and a router: nothing of Kubernetes is asked.
pub(crate) fn lab() -> Topology {
    Topology {
        nodes: 1,
        proxy: None,
        pods: Vec::new(),
        seamark: false,
        ..Topology::default()
    }
}

pub(crate) fn measure(lab: &mut Lab, report: &mut Report) -> Result<()> {
    let identity = Identity {
        asn: ROUTER_AS,
        router_id: [10, 99, 0, 1],
        hold_time: 90,
    };
    let stub = Stub::start(&lab.host("r1"), identity, Manner::Civil)?;
    // First of all, as memory that others have freed would be taken for nothing.
    let driver = step("100,000 routes in memory", || {
        let (driver, bytes) = memory(lab, &stub)?;
        report.record("bgp_bytes_per_path", bytes)?;
        Ok(driver)
    })?;
    step("600 changes among 100,000 routes", || {
        let times = changes(&driver, &stub)?;
        report.percentiles("bgp_service_change_ms", &times)
    })?;
    drop(driver);
    step("100,000 routes by Seamark and by BIRD", || {
        let ours = rate(&stub, || Driver::start(&lab.node("n1"), routes().into()))?;
        report.record("bgp_announce_prefixes_per_s", ours)?;
        let config = bird();
        let theirs = rate(&stub, || Bird::start(&lab.node("n1"), &config))?;
        report.record("bird_announce_prefixes_per_s", theirs)
    })
}

/// A driver whose peer has been told all, and how many bytes of memory a route took.
fn memory(lab: &Lab, stub: &Stub) -> Result<(Driver, f64)> {
    let driver = Driver::start(&lab.node("n1"), Arc::default())?;
    eventually(PATIENCE, "a session", || {
        ensure!(stub.heard().sessions == 1, "{:?}", stub.heard());
        Ok(())
    })?;
    let before = resident()?;
    driver.hold(routes().into())?;
    told(stub, ROUTES.into())?;
    let grown = resident()?.saturating_sub(before);
    let bytes = f64::from(u32::try_from(grown)?) / f64::from(ROUTES);
    Ok((driver, bytes))
}

fn changes(driver: &Driver, stub: &Stub) -> Result<Vec<Duration>> {
    let mut routes = routes();
    let mut gone = None;
    let mut times = Vec::with_capacity(CHANGES);
    for change in 0..CHANGES {
        let at = change / 3 * 7_919 % (routes.len() - 1);
        match change % 3 {
            0 => {
                let route = routes.get_mut(at).context("a route")?;
                route.attributes = attributes(u32::try_from(change)? + 1);
            }
            1 => gone = Some(routes.remove(at)),
            _ => routes.insert(at, gone.take().context("a route")?),
        }
        let planned = Arc::from(routes.as_slice());
        thread::sleep(PACE);
        let before = stub.heard();
        let start = driver.hold(planned)?;
        let heard = eventually(PATIENCE, "the UPDATE", || {
            let heard = stub.heard();
            ensure!(count(&heard) > count(&before), "{heard:?}");
            Ok(heard)
        })?;
        let updates = heard.updates - before.updates;
        ensure!(
            updates == 1 && count(&heard) == count(&before) + 1,
            "a change took {updates} UPDATEs: {heard:?}"
        );
        times.push(heard.last_told.context("no time")? - start);
    }
    Ok(times)
}

/// How many prefixes a second a speaker tells after its session has begun.
fn rate<T>(stub: &Stub, start: impl Fn() -> Result<T>) -> Result<f64> {
    let mut rates = Vec::with_capacity(SESSIONS);
    for _ in 0..SESSIONS {
        let before = stub.heard();
        let speaker = start()?;
        let heard = told(stub, before.told + u64::from(ROUTES))?;
        ensure!(heard.sessions == before.sessions + 1, "{heard:?}");
        let since = heard.since.context("no session")?;
        let took = heard.last_told.context("nothing was told")? - since;
        rates.push(f64::from(ROUTES) / took.as_secs_f64());
        drop(speaker);
    }
    rates.sort_by(f64::total_cmp);
    rates.get(SESSIONS / 2).copied().context("no rate")
}

/// Wait until the stub was told so many prefixes, all counted.
fn told(stub: &Stub, prefixes: u64) -> Result<Heard> {
    eventually(PATIENCE, "all prefixes", || {
        let heard = stub.heard();
        ensure!(heard.told == prefixes, "{heard:?}");
        Ok(heard)
    })
}

fn count(heard: &Heard) -> u64 {
    heard.told + heard.withdrawn
}

/// The same prefixes as static routes.
fn bird() -> Config {
    let [hop4, hop6] = node(1);
    let config = Config::new(OUR_AS, Ipv4Addr::new(10, 99, 0, 11));
    let config = config.peer(Peer::new(router(1)[0], ROUTER_AS).hold_time(90));
    routes().iter().fold(config, |config, route| {
        let hop = if route.prefix.address().is_ipv4() {
            hop4
        } else {
            hop6
        };
        let announced = Announced::new(&route.prefix.to_string(), hop).community(64513, 1);
        config.announce(announced)
    })
}

/// Octets of this process that are in memory.
fn resident() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(kib.context("no VmRSS")?.parse::<u64>()? * 1024)
}
