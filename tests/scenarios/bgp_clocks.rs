//! A speaker whose wall clock jumps: its timers know another clock.

use anyhow::{Context, Result, ensure};
use k8s_openapi::jiff::Timestamp;
use lab::eventually::throughout;
use lab::runner::Scenario;
use lab::steps::note;
use lab::{Lab, Part, Topology, WallClock, audit};
use serde_json::Value;

use crate::bfd::{session, two, up};
use crate::bgp_pauses::{AFTERWARDS, RECOVERED, SLEEPER};
use crate::pair::Pair;
use crate::peering::NODES;

const HOUR: i64 = 3600;
/// Of all processes while nothing happens: what each had still to say after its start.
const FEW_WRITES: usize = 4;

pub(crate) fn scenarios() -> Vec<Scenario> {
    let audited = Topology {
        audit: true,
        ..two()
    };
    vec![
        Scenario::new(
            "a wall clock that jumps an hour ahead and back ends no session and moves no time shown",
            jumps,
        )
        .on(audited),
    ]
}

fn jumps(lab: &mut Lab) -> Result<()> {
    let mut pair = Pair::begin(lab, Some(300))?;
    let clock = lab.start_speaker_by_clock(SLEEPER)?;
    lab.wait_ready(&Part::speaker(SLEEPER))?;
    for (peering, router) in &pair.routers {
        up(lab, &**router, peering)?;
    }
    pair.hops(lab, pair.web, &NODES, RECOVERED)?;
    jump(lab, &pair, &clock, HOUR)?;

    // A real change has the time of the clock that has jumped, and nothing else has.
    let [first, second] = ["r1", "r2"].map(|peer| since(lab, peer));
    let (first, second) = (first?, second?);
    let (peering, router) = &mut pair.routers[0];
    router.kill()?;
    router.start_again()?;
    up(lab, &**router, peering)?;
    let ahead = since(lab, "r1")?.as_second() - first.as_second();
    ensure!(ahead >= HOUR, "it moved by {ahead} s");
    ensure!(since(lab, "r2")? == second, "that of r2 moved");
    pair.hops(lab, pair.web, &NODES, RECOVERED)?;
    jump(lab, &pair, &clock, 0)
}

/// The clock jumps, and nobody notices.
fn jump(lab: &Lab, pair: &Pair, clock: &WallClock, ahead: i64) -> Result<()> {
    let quiet = pair.quiet()?;
    let (times, writes) = (times(lab)?, audit::writes(lab)?.len());
    clock.jump(ahead)?;
    throughout(AFTERWARDS, "nothing happens", || quiet.expect())?;
    let now = self::times(lab)?;
    ensure!(now == times, "{times:?}, then {now:?}");
    let new = audit::writes(lab)?.split_off(writes);
    note(&format!("{ahead:+} s: {} writes", new.len()))?;
    ensure!(new.len() <= FEW_WRITES, "{new:#?}");
    Ok(())
}

/// All that the sleeper's SpeakerStatus says of times.
fn times(lab: &Lab) -> Result<Vec<String>> {
    let shown = lab.kubectl(&["get", "speakerstatus", SLEEPER, "-o", "json"])?;
    let shown: Value = serde_json::from_str(&shown)?;
    let all = ["/status/sessions", "/status/conditions"].map(|path| shown.pointer(path));
    let all = all.into_iter().flatten().filter_map(Value::as_array);
    let of = |one: &Value| {
        let times =
            ["/since", "/bfd/since", "/lastTransitionTime"].map(|at| one.pointer(at).cloned());
        format!("{} {times:?}", one["peer"].as_str().unwrap_or_default())
    };
    Ok(all.flatten().map(of).collect())
}

fn since(lab: &Lab, peer: &str) -> Result<Timestamp> {
    let shown = session(lab, SLEEPER, peer)?;
    let since = shown["since"].as_str().context("it has no time")?;
    Ok(since.parse()?)
}
