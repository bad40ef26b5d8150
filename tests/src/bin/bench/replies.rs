//! How fast a question for an address is answered, and whether a client believes an announcement.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::probe::{Ear, who_has};
use lab::steps::step;
use lab::{Host, Lab, address, eventually};

use crate::report::Target::{AtMost, Exactly, Stated};
use crate::report::{Figure, Report};
use crate::services::{self, Families, PATIENCE, Services, shown};

pub(crate) const FIGURES: &[Figure] = &[
    ("arp_reply_us_p50", "us", AtMost(130.0)),
    ("arp_reply_us_p99", "us", Stated),
    ("ns_reply_us_p50", "us", AtMost(130.0)),
    ("ns_reply_us_p99", "us", Stated),
    ("kernel_arp_reply_us_p50", "us", Stated),
    ("kernel_ns_reply_us_p50", "us", Stated),
    ("announcement_accepted_of_200", "neighbours", Exactly(200.0)),
];

const QUESTIONS: usize = 500;
/// A client's questions are not so close that an answer finds the speaker awake.
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(1);

/// The longest time from one announcement to the next, before the slow refresh.
const ANNOUNCEMENTS: Duration = Duration::from_millis(2_500);

/// In each family.
const MOVES: usize = 100;
const EXCLUDE: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
/// For that long Linux takes no other answer for an entry, unless it is an announcement.
const LOCK_TIME: Duration = Duration::from_secs(1);

pub(crate) fn measure(lab: &mut Lab, report: &mut Report) -> Result<()> {
    services::start(lab)?;
    let services = Services::open(lab)?;
    let mut seen = services.watch()?;
    services.block_on(services.create("bench", Families::Dual))?;
    let seen = services.block_on(shown(&mut seen, "bench"))?;
    let ear = Ear::open(&lab.client_host(), "eth0")?;
    for vip in &seen.addresses {
        eventually(PATIENCE, "the last announcement is over", || {
            let heard = ear.next_answer(Instant::now() + ANNOUNCEMENTS)?;
            ensure!(heard.is_none(), "{heard:?}");
            Ok(())
        })?;
        let (ours, kernel, own) = match vip {
            IpAddr::V4(_) => ("arp_reply_us", "kernel_arp_reply_us", address::node(1)[0]),
            IpAddr::V6(_) => ("ns_reply_us", "kernel_ns_reply_us", address::node(1)[1]),
        };
        step(
            &format!("500 questions for {vip}, and as many for {own}"),
            || {
                report.percentiles(ours, &ask(&ear, *vip)?)?;
                report.percentiles(kernel, &ask(&ear, own)?)
            },
        )?;
    }
    let mut accepted = 0;
    for vip in seen.addresses {
        accepted += step(&format!("100 moves of {vip}"), || moves(lab, vip))?;
    }
    report.record("announcement_accepted_of_200", f64::from(accepted))
}

/// From a question to its answer, one by one. What comes unasked could be taken for the answer to
/// the next question, and makes the figure worthless: there is to be none.
fn ask(ear: &Ear, wanted: IpAddr) -> Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(QUESTIONS);
    for _ in 0..QUESTIONS {
        let asked = Instant::now();
        ear.ask(wanted)?;
        let answer = next_about(ear, wanted, asked + Duration::from_millis(200))?;
        let at = answer.with_context(|| format!("{wanted} is not answered for"))?;
        times.push(at - asked);
        let second = next_about(ear, wanted, at + BETWEEN_QUESTIONS)?;
        ensure!(second.is_none(), "{wanted} is answered for unasked");
    }
    Ok(times)
}

/// When somebody next speaks for an address.
fn next_about(ear: &Ear, wanted: IpAddr, until: Instant) -> Result<Option<Instant>> {
    while let Some((address, _, at)) = ear.next_answer(until)? {
        if address == wanted {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// Move a VIP to and fro. Each time the client has only just learnt the neighbour, and has no reason
/// to ask again; how often it knows the new one within its lock time, which it can from an
/// announcement only.
fn moves(lab: &Lab, vip: IpAddr) -> Result<u32> {
    let client = lab.client_host();
    let home = owner(lab, vip)?;
    let mut accepted = 0;
    for turn in 0..MOVES {
        learn(&client, vip)?;
        let learnt = Instant::now();
        let before = client.neighbour(vip)?;
        let away = turn.is_multiple_of(2);
        lab.set_node_label(&home, EXCLUDE, away.then_some(""))?;
        let told = eventually(
            LOCK_TIME.saturating_sub(learnt.elapsed()),
            "the neighbour",
            || {
                let now = client.neighbour(vip)?;
                ensure!(now.is_some() && now != before, "it is {now:?}");
                Ok(())
            },
        );
        accepted += u32::from(told.is_ok() && learnt.elapsed() < LOCK_TIME);
    }
    Ok(accepted)
}

/// Have the client forget a neighbour and learn it anew, as by its first packet.
fn learn(client: &Host, vip: IpAddr) -> Result<()> {
    let text = vip.to_string();
    client.run(&["ip", "neigh", "flush", "to", &text, "dev", "eth0"])?;
    client.within(|| {
        let any = if vip.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        UdpSocket::bind(any)?.send_to(b"x", SocketAddr::new(vip, 9))?;
        Ok(())
    })?;
    eventually(PATIENCE, "the neighbour is reachable", || {
        let entry = client.run(&["ip", "neigh", "show", "to", &text, "dev", "eth0"])?;
        ensure!(entry.contains("REACHABLE"), "it is {entry}");
        Ok(())
    })
}

fn owner(lab: &Lab, vip: IpAddr) -> Result<String> {
    let mac = who_has(&lab.client_host(), "eth0", vip, PATIENCE)?;
    let mac = mac.with_context(|| format!("nobody answers for {vip}"))?;
    lab.node_of_mac(mac)?
        .with_context(|| format!("{mac} is no node's"))
}
