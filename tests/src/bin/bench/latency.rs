//! How long a new Service waits: for its address, for the first answer on the segment, and for the
//! first HTTP reply. Each is measured apart, so that looking at one costs the others nothing.

use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use futures::Stream;
use futures::future::try_join;
use lab::probe::{EVERY_MILLISECOND, Ear};
use lab::steps::step;
use lab::{Host, Lab, eventually, http};

use crate::floor;
use crate::report::Target::{AtMost, Stated};
use crate::report::{Figure, Report};
use crate::services::{self, Families, PATIENCE, Seen, Services, nth_address, shown};

pub(crate) const FIGURES: &[Figure] = &[
    ("create_to_address_ms_p50", "ms", AtMost(16.0)),
    ("create_to_address_ms_p99", "ms", AtMost(35.0)),
    ("create_answered_ms_p50", "ms", Stated),
    ("create_answered_ms_p99", "ms", Stated),
    ("floor_create_ms_p50", "ms", Stated),
    ("floor_ledger_ms_p50", "ms", Stated),
    ("floor_status_ms_p50", "ms", Stated),
    ("floor_all_ms_p50", "ms", Stated),
    ("floor_all_ms_p99", "ms", Stated),
    ("create_to_first_reply_ms_p50", "ms", AtMost(18.0)),
    ("create_to_first_reply_ms_p99", "ms", AtMost(45.0)),
    ("address_to_first_reply_ms_p50", "ms", Stated),
    ("address_to_first_reply_ms_p99", "ms", Stated),
    ("create_to_first_http_ms_p50", "ms", Stated),
    ("create_to_first_http_ms_p99", "ms", Stated),
];

const SAMPLES: usize = 200;

/// Each of them waits a second or so for kube-proxy.
const HTTP_SAMPLES: usize = 40;

/// From one Service to the next, so that what follows the first (kube-proxy's work above all) is
/// not measured with the second.
const PACE: Duration = Duration::from_millis(100);

pub(crate) fn measure(lab: &mut Lab, report: &mut Report) -> Result<()> {
    let services = Services::open(lab)?;
    step("what the API server takes alone", || {
        floor::measure(&services, report)
    })?;
    services::start(lab)?;
    step("200 Services one by one: their addresses", || {
        addresses(&services, report)
    })?;
    services.delete_all()?;
    let client = lab.client_host();
    step("200 Services one by one: the first answers", || {
        let mut seen = services.watch()?;
        let mut ours = Vec::with_capacity(SAMPLES);
        let times = one_by_one(&services, SAMPLES, |name, index| {
            let asked = create_and_ask(&services, &mut seen, &client, name, index)?;
            ours.push(asked.answered.saturating_duration_since(asked.shown));
            Ok(asked.answered - asked.sent)
        })?;
        report.percentiles("create_to_first_reply_ms", &times)?;
        report.percentiles("address_to_first_reply_ms", &ours)
    })?;
    services.delete_all()?;
    step("40 Services one by one: the first HTTP replies", || {
        let mut seen = services.watch()?;
        let times = one_by_one(&services, HTTP_SAMPLES, |name, index| {
            let asked = create_and_ask(&services, &mut seen, &client, name, index)?;
            eventually(PATIENCE, "the Service is served", || {
                http::get(&client, asked.vip, 80, Duration::from_millis(50))
            })?;
            Ok(asked.sent.elapsed())
        })?;
        report.percentiles("create_to_first_http_ms", &times)
    })?;
    services.delete_all()
}

/// From the request to the watch event with the address; and to the request's own answer, which is
/// the API server's share.
fn addresses(services: &Services, report: &mut Report) -> Result<()> {
    let mut seen = services.watch()?;
    let mut answers = Vec::with_capacity(SAMPLES);
    let times = one_by_one(services, SAMPLES, |name, index| {
        let sent = Instant::now();
        let create = async {
            services.create(name, Families::alternating(index)).await?;
            Ok(sent.elapsed())
        };
        let (answered, seen) = services.block_on(try_join(create, shown(&mut seen, name)))?;
        answers.push(answered);
        Ok(seen.at - sent)
    })?;
    report.percentiles("create_to_address_ms", &times)?;
    report.percentiles("create_answered_ms", &answers)
}

/// A Service that was created while a client asked for its address.
struct Asked {
    vip: IpAddr,
    /// When the request was sent.
    sent: Instant,
    /// When its status showed the address.
    shown: Instant,
    /// When the first answer came, perhaps before that.
    answered: Instant,
}

/// Create the nth Service while a client asks for the address that it will have.
fn create_and_ask(
    services: &Services,
    seen: &mut (impl Stream<Item = Result<Seen>> + Unpin),
    client: &Host,
    name: &str,
    index: usize,
) -> Result<Asked> {
    let families = Families::alternating(index);
    let vip = nth_address(families, index / 2)?;
    let ear = Ear::open(client, "eth0")?;
    thread::scope(|scope| {
        let asking = scope.spawn(|| ear.first_answer(vip, EVERY_MILLISECOND, PATIENCE));
        let sent = Instant::now();
        let create = services.create(name, families);
        let ((), seen) = services.block_on(try_join(create, shown(seen, name)))?;
        let answer = asking
            .join()
            .map_err(|_| anyhow!("the asking thread panicked"))??;
        let answer = answer.with_context(|| format!("nobody answers for {vip}"))?;
        Ok(Asked {
            vip,
            sent,
            shown: seen.at,
            answered: answer.at,
        })
    })
}

fn one_by_one(
    services: &Services,
    samples: usize,
    mut sample: impl FnMut(&str, usize) -> Result<Duration>,
) -> Result<Vec<Duration>> {
    let mut pace = services.pace(PACE);
    let numbered = (0..samples).map(|index| {
        services.block_on(pace.tick());
        sample(&format!("bench-{index:04}"), index)
    });
    numbered.collect()
}
