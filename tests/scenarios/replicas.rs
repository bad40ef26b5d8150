//! Two controllers, of which one decides.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lab::eventually::throughout;
use lab::runner::Scenario;
use lab::steps::note;
use lab::{Lab, Part, eventually};
use nix::sys::signal::Signal;

use crate::vips::{begin, create, delete, held, vips};

/// A Lease holds for this long after it was last renewed.
const LEASE: Duration = Duration::from_secs(15);
const PAIR: [Part; 2] = [Part::Controller, Part::OtherController];

pub(crate) fn scenarios() -> Vec<Scenario> {
    let within = Duration::from_secs(180);
    vec![
        Scenario::new(
            "a controller that is stopped is followed within a second, one that is killed within its lease",
            followed,
        )
        .within(within),
        Scenario::new(
            "a controller that was paused past its lease gives nothing, whatever it had read",
            paused,
        )
        .within(within),
        Scenario::new(
            "a controller that comes back in its place goes on at once",
            comes_back,
        ),
    ]
}

fn begin_with_two(lab: &mut Lab) -> Result<()> {
    begin(lab)?;
    lab.start(&Part::OtherController, &[])?;
    lab.wait_ready(&Part::OtherController)?;
    create(lab, "first")?;
    vips(lab, "first").map(drop)
}

/// Which of both says that it leads.
fn leader(lab: &Lab) -> Result<Part> {
    let leads = |part: &Part| {
        let metrics = lab.metrics(part).unwrap_or_default();
        metrics
            .lines()
            .any(|line| line == "seamark_controller_leading 1")
    };
    let leading: Vec<Part> = PAIR.into_iter().filter(leads).collect();
    ensure!(leading.len() == 1, "{leading:?} lead");
    Ok(leading[0].clone())
}

fn other(part: &Part) -> Part {
    match part {
        Part::Controller => Part::OtherController,
        Part::OtherController | Part::Speaker(_) => Part::Controller,
    }
}

/// How long after now a new Service has its addresses.
fn time_to_serve(lab: &Lab, name: &str) -> Result<Duration> {
    let begun = Instant::now();
    create(lab, name)?;
    eventually(LEASE * 2, &format!("{name} has addresses"), || {
        let service = lab.block_on(crate::vips::services(lab).get(name))?;
        crate::vips::vips_of(&service)
    })?;
    Ok(begun.elapsed())
}

fn followed(lab: &mut Lab) -> Result<()> {
    begin_with_two(lab)?;
    let first = leader(lab)?;
    lab.stop(&first)?;
    let time = time_to_serve(lab, "after-a-stop")?;
    note(&format!("after a stop: {time:?}"))?;
    ensure!(time < Duration::from_secs(3), "it took {time:?}");
    ensure!(leader(lab)? == other(&first), "nobody follows");
    lab.start(&first, &[])?;
    lab.wait_ready(&first)?;
    lab.kill(&other(&first))?;
    let time = time_to_serve(lab, "after-a-death")?;
    note(&format!("after a death: {time:?}"))?;
    ensure!(time < LEASE + Duration::from_secs(3), "it took {time:?}");
    ensure!(leader(lab)? == first, "nobody follows");
    ensure!(held(lab)?.len() == 6, "{:?}", held(lab)?);
    Ok(())
}

fn paused(lab: &mut Lab) -> Result<()> {
    begin_with_two(lab)?;
    let first = leader(lab)?;
    lab.process(&first)?.signal(Signal::SIGSTOP)?;
    // What it finds when it wakes up: Services that want addresses, and one that is gone.
    create(lab, "second")?;
    delete(lab, "first")?;
    let second = eventually(LEASE * 2, "the other one gives addresses", || {
        let service = lab.block_on(crate::vips::services(lab).get("second"))?;
        crate::vips::vips_of(&service)
    })?;
    let follower = other(&first);
    lab.process(&first)?.signal(Signal::SIGCONT)?;
    throughout(Duration::from_secs(5), "it stands by", || {
        ensure!(leader(lab)? == follower, "it leads again");
        ensure!(vips(lab, "second")? == second, "the addresses moved");
        ensure!(held(lab)?.len() == 2, "the ledger is {:?}", held(lab)?);
        Ok(())
    })?;
    create(lab, "third")?;
    vips(lab, "third").map(drop)
}

fn comes_back(lab: &mut Lab) -> Result<()> {
    begin(lab)?;
    lab.kill(&Part::Controller)?;
    lab.restart(&Part::Controller)?;
    let time = time_to_serve(lab, "web")?;
    note(&format!("{time:?}"))?;
    ensure!(time < Duration::from_secs(5), "it took {time:?}");
    Ok(())
}
