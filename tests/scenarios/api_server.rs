//! Without the API server nothing changes on the wire, and with it again everything goes on.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::capture::ARP_AND_ND;
use lab::eventually::throughout;
use lab::probe;
use lab::runner::Scenario;
use lab::steps::note;
use lab::{Capture, Lab, Prober, eventually, http};

use crate::agreement::{expect_agreement, expect_one_speaks};
use crate::vips::{SOON, begin, create, delete, vips};

/// Long enough for every watch to break and for every pause between attempts to have its full
/// length.
const CUT: Duration = Duration::from_secs(30);
/// Long enough for every connection to be refused a few times.
const STOPPED: Duration = Duration::from_secs(5);
/// Our processes try again every five seconds at least; the rest is for a busy machine.
const RECOVERY: Duration = Duration::from_secs(8);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "an API server cut off for half a minute changes nothing on the wire",
            cut_off,
        )
        .within(Duration::from_secs(180)),
        Scenario::new(
            "an API server that stops and starts changes nothing on the wire",
            stopped,
        ),
    ]
}

fn cut_off(lab: &mut Lab) -> Result<()> {
    let watch = Watch::begin(lab)?;
    lab.cut_api_server()?;
    // kubectl still reaches it, and our processes do not see what it does.
    create(lab, "made")?;
    delete(lab, "deleted")?;
    expect_all_run(lab, CUT)?;
    let healed = Instant::now();
    lab.restore_api_server()?;
    expect_recovery(lab, healed)?;
    watch.expect_no_change()?;
    expect_served(lab)
}

fn stopped(lab: &mut Lab) -> Result<()> {
    let watch = Watch::begin(lab)?;
    lab.stop_api_server()?;
    expect_all_run(lab, STOPPED)?;
    lab.start_api_server()?;
    let started = Instant::now();
    create(lab, "made")?;
    delete(lab, "deleted")?;
    expect_recovery(lab, started)?;
    watch.expect_no_change()?;
    expect_served(lab)
}

/// All that a client sees of the Service `kept`.
struct Watch {
    capture: Capture,
    probers: Vec<Prober>,
}

impl Watch {
    /// Two Services are served, and from now on a client asks for the one that stays.
    fn begin(lab: &mut Lab) -> Result<Self> {
        begin(lab)?;
        create(lab, "kept")?;
        create(lab, "deleted")?;
        let kept = vips(lab, "kept")?;
        expect_agreement(lab)?;
        let client = lab.client_host();
        for vip in kept {
            eventually(SOON, &format!("{vip} serves"), || {
                http::get(&client, vip, 80, Duration::from_secs(1))
            })?;
        }
        let capture = Capture::start(&lab.host("lan"), "br0", ARP_AND_ND)?;
        let mut probers = Vec::new();
        for vip in kept {
            probers.push(Prober::segment(&client, vip, Duration::from_millis(20))?);
            probers.push(Prober::http(&client, vip, Duration::from_millis(100))?);
        }
        Ok(Self { capture, probers })
    }

    fn expect_no_change(self) -> Result<()> {
        for prober in self.probers {
            prober.stop()?.expect_no_gap(Duration::from_millis(500))?;
        }
        expect_one_speaks(&self.capture.stop()?)
    }
}

fn expect_all_run(lab: &Lab, span: Duration) -> Result<()> {
    throughout(span, "our processes run", || {
        let mut parts = lab.parts().into_iter();
        parts.try_for_each(|part| lab.process(&part)?.expect_running())
    })
}

/// What was made meanwhile is answered for soon, what was deleted is not.
fn expect_recovery(lab: &Lab, since: Instant) -> Result<()> {
    let client = lab.client_host();
    for vip in vips(lab, "made")? {
        let answer = probe::first_answer(&client, "eth0", vip, RECOVERY)?;
        let answer = answer.with_context(|| format!("nobody answers for {vip}"))?;
        let took = answer.at.saturating_duration_since(since);
        note(&format!("{vip} is answered {} ms after", took.as_millis()))?;
        ensure!(took <= RECOVERY, "{vip} is answered only after {took:?}");
    }
    expect_agreement(lab)
}

/// A client is served by what was made meanwhile, once kube-proxy and the controller manager, which
/// were cut off as well, know of it.
fn expect_served(lab: &mut Lab) -> Result<()> {
    lab.restart_clients()?;
    for vip in vips(lab, "made")? {
        let body = eventually(SOON, &format!("{vip} serves"), || {
            http::get(&lab.client_host(), vip, 80, Duration::from_secs(1))
        })?;
        ensure!(body.starts_with("web-"), "{vip} says {body:?}");
    }
    Ok(())
}
