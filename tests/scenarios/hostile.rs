//! Whatever a station on the segment sends: what is no question gets no answer, and who asks
//! honestly meanwhile is answered.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use lab::frame::{self, Asker};
use lab::probe::Ear;
use lab::runner::Scenario;
use lab::{Capture, Lab, Mac, Packet, Part, Prober};

use crate::vips::{begin, create, expect_served, owner, vips};
use crate::wire::{Owned, hear_announcements};

mod frames;

/// Frames a second, and for how long.
const STORM_RATE: f64 = 50_000.0;
const STORM: Duration = Duration::from_millis(1_500);
/// Who asks ten milliseconds apart while a storm rages waits at most this long for an answer.
const PATIENCE: Duration = Duration::from_millis(500);
/// What a process may have more of after a storm than before it, in KiB.
const GROWTH: u64 = 256;
/// ARP and neighbor discovery, but for what [`frames::STRANGERS`] send.
const BUT_STRANGERS: &str = "(arp or icmp6) and not ether[6:4] = 0x02bd0000";
/// The longest Ethernet frame.
const LONGEST: usize = 1514;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "no malformed question is answered, and every honest one between them is",
            malformed,
        ),
        Scenario::new(
            "a storm of 50,000 questions a second keeps nobody waiting and leaves nothing behind",
            storms,
        ),
    ]
}

fn malformed(lab: &mut Lab) -> Result<()> {
    begin(lab)?;
    let ear = Ear::open(&lab.client_host(), "eth0")?;
    create(lab, "web")?;
    // What is heard after the last announcement are answers.
    let owned = hear_announcements(lab, &ear)?;
    let capture = Capture::start(&lab.client_host(), "eth0", BUT_STRANGERS)?;
    let mut asked = [0; 2];
    for (owned, asked) in owned.into_iter().zip(&mut asked) {
        for hostile in frames::all(owned.vip) {
            ear.send(&hostile.frame)?;
            expect_answer(&ear, owned, &frame::question(&ear.asker(), owned.vip))
                .with_context(|| format!("after {}", hostile.fault))?;
            *asked += 1;
        }
        // Padding of any length is none of anybody's business.
        let mut padded = frame::question(&ear.asker(), owned.vip);
        padded.resize(LONGEST, 0xa5);
        expect_answer(&ear, owned, &padded).context("a question in the longest frame")?;
        *asked += 1;
    }
    let packets = capture.stop()?;
    for (owned, asked) in owned.into_iter().zip(asked) {
        expect_answers_to(&packets, owned, ear.asker().mac, asked)?;
        ensure!(asked > 25, "only {asked} questions for {}", owned.vip);
    }
    expect_all_running(lab)
}

/// Asked so, the owner answers.
fn expect_answer(ear: &Ear, owned: Owned, question: &[u8]) -> Result<()> {
    ear.send(question)?;
    let end = Instant::now() + Duration::from_secs(1);
    while let Some((address, mac, _)) = ear.next_answer(end)? {
        if address == owned.vip {
            ensure!(mac == owned.mac, "{mac} answers, not {}", owned.mac);
            return Ok(());
        }
    }
    Err(anyhow!("an honest question is not answered"))
}

/// All that was said of the address, but by the strangers, were so many answers to this asker.
fn expect_answers_to(packets: &[Packet], owned: Owned, asker: Mac, asked: usize) -> Result<()> {
    let said = packets
        .iter()
        .filter(|packet| packet.speaks_for().is_some_and(|(ip, _)| ip == owned.vip));
    let (due, wrong): (Vec<_>, Vec<_>) = said.partition(|packet| packet.destination == asker);
    ensure!(
        wrong.is_empty(),
        "what asks nothing was answered: {wrong:#?}"
    );
    ensure!(
        due.len() == asked,
        "{} answers to {asked} questions",
        due.len()
    );
    Ok(())
}

fn storms(lab: &mut Lab) -> Result<()> {
    begin(lab)?;
    create(lab, "web")?;
    let vips = vips(lab, "web")?;
    for vip in vips {
        let part = Part::speaker(&owner(lab, vip)?);
        let before = lab.process(&part)?.rss_kib()?;
        for stations in [1, 200] {
            storm(lab, vip, stations)
                .with_context(|| format!("{stations} stations storm for {vip}"))?;
        }
        let after = lab.process(&part)?.rss_kib()?;
        ensure!(
            after <= before + GROWTH,
            "{part:?} grew from {before} to {after} KiB"
        );
    }
    expect_all_running(lab)?;
    vips.into_iter().try_for_each(|vip| expect_served(lab, vip))
}

/// Stations ask for an address as often as they can, and another one asks in peace.
fn storm(lab: &Lab, vip: IpAddr, stations: u8) -> Result<()> {
    let owner = lab.mac(&owner(lab, vip)?)?;
    let ear = Ear::open(&lab.client_host(), "eth0")?;
    let asker = ear.asker();
    let questions: Vec<Vec<u8>> = (0..stations)
        .map(|station| Mac([2, 0xbe, 0, 0, 0, station]))
        .map(|mac| frame::question(&Asker { mac, ..asker }, vip))
        .collect();
    let honest = Prober::segment(&lab.host("r1"), vip, Duration::from_millis(10))?;
    let rate = rage(&ear, &questions)?;
    let report = honest.stop()?;
    ensure!(
        rate > STORM_RATE / 4.0,
        "{rate:.0} questions a second are no storm"
    );
    report.expect_no_gap(PATIENCE)?;
    let who = report.who();
    ensure!(
        who.iter().eq([&owner.to_string()]),
        "{who:?} answer, not {owner} alone"
    );
    Ok(())
}

/// Send these frames in turn; how many a second there were.
fn rage(ear: &Ear, frames: &[Vec<u8>]) -> Result<f64> {
    let (start, mut sent) = (Instant::now(), 0.0);
    let mut frames = frames.iter().cycle();
    while start.elapsed() < STORM {
        let due = start.elapsed().as_secs_f64() * STORM_RATE;
        while sent < due {
            ear.send(frames.next().context("a storm of nothing")?)?;
            sent += 1.0;
        }
        // As a station does, it takes in what it is told.
        ear.next_answer(Instant::now() + Duration::from_millis(1))?;
    }
    Ok(sent / start.elapsed().as_secs_f64())
}

fn expect_all_running(lab: &Lab) -> Result<()> {
    let mut parts = lab.parts().into_iter();
    parts.try_for_each(|part| lab.process(&part)?.expect_running())
}
