//! A thousand Services at once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use futures::future::try_join;
use lab::eventually::throughout;
use lab::probe::Ear;
use lab::steps::step;
use lab::{Lab, Part};

use crate::report::Target::{AtMost, Stated};
use crate::report::{Figure, Report};
use crate::services::{self, Families, PATIENCE, Services, all_shown};

pub(crate) const FIGURES: &[Figure] = &[
    ("burst_1000_s", "s", AtMost(2.0)),
    ("burst_1000_created_s", "s", Stated),
    ("burst_1000_controller_cpu_s", "s", AtMost(1.5)),
];

pub(crate) const SERVICES: usize = 1_000;

/// The controller's work for a burst has ended by then.
const AFTERWARDS: Duration = Duration::from_secs(3);

pub(crate) fn measure(lab: &mut Lab, report: &mut Report) -> Result<()> {
    services::start(lab)?;
    let services = Services::open(lab)?;
    let before = lab.process(&Part::Controller)?.cpu_ticks()?;
    let burst = step("1,000 Services at once", || create_thousand(lab, &services))?;
    report.record("burst_1000_created_s", burst.created.as_secs_f64())?;
    report.record("burst_1000_s", burst.tail.as_secs_f64())?;
    throughout(AFTERWARDS, "the controller runs", || {
        lab.process(&Part::Controller)?.expect_running()
    })?;
    let ticks = lab.process(&Part::Controller)?.cpu_ticks()? - before;
    report.record(
        "burst_1000_controller_cpu_s",
        f64::from(u32::try_from(ticks)?) / 100.0,
    )
}

/// What a thousand Services took.
pub(crate) struct Burst {
    /// From the first request to the answer to the last one: the API server's share.
    created: Duration,
    /// From there until all show an address, and every address is spoken for on the segment.
    tail: Duration,
}

/// Create a thousand Services, half of them IPv4 and half IPv6.
pub(crate) fn create_thousand(lab: &Lab, services: &Services) -> Result<Burst> {
    let numbered = (0..SERVICES).map(|index| {
        let families = Families::alternating(index);
        (format!("bench-{index:04}"), families)
    });
    let all: Vec<(String, Families)> = numbered.collect();
    let names: BTreeSet<String> = all.iter().map(|(name, _)| name.clone()).collect();
    let ear = Ear::open(&lab.client_host(), "eth0")?;
    let (shown, to_hear) = mpsc::channel();
    thread::scope(|scope| {
        let hearing = scope.spawn(move || hear(&ear, &to_hear));
        let mut seen = services.watch()?;
        let start = Instant::now();
        let tell = |seen: &services::Seen| {
            for address in &seen.addresses {
                // The ear tells itself why it stopped listening.
                let _ = shown.send(*address);
            }
        };
        let created = services.create_all(&all);
        let (created, settled) =
            services.block_on(try_join(created, all_shown(&mut seen, names, tell)))?;
        drop(shown);
        let heard = hearing.join().map_err(|_| anyhow!("the ear panicked"))??;
        Ok(Burst {
            created: created - start,
            tail: settled.max(heard).saturating_duration_since(created),
        })
    })
}

/// How long an address is only listened for, before it is asked for.
const LISTENING: Duration = Duration::from_millis(50);

/// Listen until every address that is told was spoken for; when the last one was. An address that
/// keeps silent is asked for now and then, a few at a time: a thousand questions at once would be
/// a burden that no client is.
fn hear(ear: &Ear, told: &Receiver<IpAddr>) -> Result<Instant> {
    const TURN: Duration = Duration::from_millis(5);
    const QUESTIONS: usize = 50;
    let mut spoken: BTreeMap<IpAddr, Instant> = BTreeMap::new();
    let mut silent: BTreeMap<IpAddr, Instant> = BTreeMap::new();
    let mut last = Instant::now();
    let mut quiet_since = Instant::now();
    loop {
        let all_told = loop {
            match told.try_recv() {
                Ok(address) => match spoken.get(&address) {
                    Some(at) => last = last.max(*at),
                    None => drop(silent.insert(address, Instant::now())),
                },
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Disconnected) => break true,
            }
        };
        if all_told && silent.is_empty() {
            return Ok(last);
        }
        let turn = Instant::now();
        let due = silent
            .iter_mut()
            .filter(|(_, asked)| turn - **asked > LISTENING);
        for (address, asked) in due.take(QUESTIONS) {
            *asked = turn;
            ear.ask(*address)?;
        }
        while let Some((address, _, at)) = ear.next_answer(turn + TURN)? {
            spoken.entry(address).or_insert(at);
            if silent.remove(&address).is_some() {
                last = at;
                quiet_since = at;
            }
        }
        ensure!(
            quiet_since.elapsed() < PATIENCE,
            "{} keep silent",
            silent.len()
        );
    }
}
