//! What routers that watch us by BFD notice of a speaker that restarts: nothing, as they are asked to
//! bear its absence, and its BFD session goes on. What they do about a speaker that crashes is
//! theirs to say.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lab::capture::{BFD, BGP, Capture, bfd, select};
use lab::eventually::throughout;
use lab::kernel::{Change, Changes};
use lab::peer::{Bfd, Program};
use lab::runner::Scenario;
use lab::steps::{note, step};
use lab::{Lab, Part};
use serde_json::{Value, json};

use crate::bfd::{profile, router, shows, up, watched};
use crate::bgp_restart::{Stand, Watch, away, service, speakers};
use crate::peering::{NODES, Over, Peering, pool, times_established};
use crate::told::hops;
use crate::vips::start;

const LONG: Duration = Duration::from_secs(240);
/// In milliseconds, three of which are waited for.
const INTERVAL: u32 = 100;
/// The detection time and what FRR holds a change back, three times over: the machine is busy.
const DETECTED: Duration = Duration::from_millis(3 * (300 + 63));
/// A BFD session that ends late would end the new BGP session within this.
const TRAP: Duration = Duration::from_secs(5);
const BRIEFLY: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(3)];
/// Nearly all of bfdBudget.
const LENGTHY: Duration = Duration::from_secs(9);

/// How a router watches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watching {
    pub(crate) name: &'static str,
    program: Program,
    /// It looks at its control plane as well.
    graceful: bool,
}

pub(crate) const F1: Watching = Watching::by("FRR's bfd", Program::Frr, false);
pub(crate) const F2: Watching =
    Watching::by("FRR's check-control-plane-failure", Program::Frr, true);
pub(crate) const B1: Watching = Watching::by("BIRD's bfd on", Program::Bird, false);
pub(crate) const B2: Watching = Watching::by("BIRD's bfd graceful", Program::Bird, true);

impl Watching {
    const fn by(name: &'static str, program: Program, graceful: bool) -> Self {
        Self {
            name,
            program,
            graceful,
        }
    }

    /// A router that does, and our BGPPeer with these fields besides.
    pub(crate) fn stand(self, lab: &Lab, peering: Peering, fields: &Value) -> Result<Stand> {
        let bfd = Bfd::new(INTERVAL.into(), 3);
        let bfd = if self.graceful { bfd.graceful() } else { bfd };
        let router = router(lab, self.program, &peering, Some(bfd))?;
        // Its lateness is not ours.
        router.never_be_late()?;
        watched(lab, &peering, fields)?;
        let stand = Stand::of(lab, router, peering)?;
        agreed(lab, &stand)?;
        Ok(stand)
    }
}

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "speakers that restart under BFD cost FRR no route and clients no packet",
            |lab| planned(lab, [F1, F2]),
        )
        .within(LONG),
        Scenario::new(
            "speakers that restart under BFD cost BIRD no route and clients no packet",
            |lab| planned(lab, [B1, B2]),
        )
        .within(LONG),
        Scenario::new(
            "speakers that crash under BFD cost FRR no route, however soon they are back",
            |lab| crashed(lab, [F1, F2]),
        )
        .within(LONG),
        Scenario::new(
            "speakers that crash under BFD cost a BIRD routes that come back, and a patient one none",
            |lab| crashed(lab, [B1, B2]),
        )
        .within(LONG),
        Scenario::new(
            "speakers that are upgraded under BFD cost no route of any of two routers",
            upgraded,
        )
        .on(lab::Topology::default().with_routers(2))
        .within(LONG),
        Scenario::new(
            "without bfdBudget a router is told after TCP that BFD is taken down, and most keep the routes",
            unbudgeted,
        )
        .within(LONG),
    ]
}

pub(crate) fn begin(lab: &mut Lab) -> Result<()> {
    pool(lab)?;
    profile(lab, INTERVAL, &json!({}))?;
    start(lab)?;
    service(lab)
}

/// BGP and BFD stand, and the router shows the intervals of the profile.
pub(crate) fn agreed(lab: &Lab, stand: &Stand) -> Result<()> {
    up(lab, &*stand.router, &stand.peering)?;
    shows(lab, &*stand.router, &stand.peering, INTERVAL.into())
}

pub(crate) fn everywhere(lab: &Lab, stand: &Stand) -> Result<()> {
    hops(lab, stand.router.host(), stand.shown, &NODES)
}

/// No session ends for a BFD session that the router still had.
pub(crate) fn expect_no_trap(stand: &Stand) -> Result<()> {
    let before = times_established(&*stand.router)?;
    throughout(TRAP, "the new sessions stand", || {
        let now = times_established(&*stand.router)?;
        ensure!(now == before, "{now:?}, {before:?} before");
        Ok(())
    })
}

fn planned(lab: &mut Lab, settings: [Watching; 2]) -> Result<()> {
    begin(lab)?;
    for setting in settings {
        let stand = setting.stand(lab, Peering::default(), &json!({}))?;
        // A router that is as patient as this is no other with a lengthy absence.
        let lengthy = (!setting.graceful).then_some(LENGTHY);
        for time in BRIEFLY.into_iter().chain(lengthy) {
            let what = format!("{}, back after {time:?}", setting.name);
            step(&what, || unnoticed(lab, &stand, time, &what))?;
        }
        step(&format!("{}, death right after", setting.name), || {
            away(lab, &stand, BRIEFLY[0], Lab::stop)?;
            agreed(lab, &stand)?;
            dies(lab, &stand, setting)
        })?;
        stand.end(lab)?;
    }
    Ok(())
}

/// A planned restart is no event: for the kernel, for clients, for BFD.
fn unnoticed(lab: &mut Lab, stand: &Stand, time: Duration, what: &str) -> Result<()> {
    let watch = Watch::begin(lab, stand)?;
    let filter = format!("{BGP} or {BFD}");
    let capture = Capture::start(stand.router.host(), "eth0", &filter)?;
    away(lab, stand, time, Lab::stop)?;
    agreed(lab, stand)?;
    expect_no_trap(stand)?;
    watch.expect_nothing(what)?;
    let file = capture.finish()?;
    let said = select(&file, "bgp.type == 3", "bgp.notify.major_error")?;
    ensure!(said.is_empty(), "there were NOTIFICATIONs: {said:?}");
    let packets = bfd::packets(&file)?;
    let other = packets.iter().find(|packet| packet.state != bfd::UP);
    ensure!(other.is_none(), "BFD was not Up all the time: {other:?}");
    Ok(())
}

/// A node dies without a word: its BFD session goes within the detection time of the profile, and
/// with it the routes, unless the router asks its control plane first.
fn dies(lab: &Lab, stand: &Stand, setting: Watching) -> Result<()> {
    let changes = Changes::of(stand.router.host())?;
    let died = Instant::now();
    lab.node("n1").isolate()?;
    let noticed = if setting.graceful {
        lab::eventually(DETECTED, "the router shows BFD down", || {
            let sessions = stand.router.bfd_sessions()?;
            let shown = sessions.get(&stand.peering.node(1));
            let is_up = shown.is_some_and(lab::peer::BfdSession::is_up);
            ensure!(!is_up, "it shows {shown:?}");
            Ok(Instant::now())
        })
    } else {
        last_change(stand, &changes, died + DETECTED)
    };
    lab.node("n1").rejoin()?;
    let ms = noticed?.saturating_duration_since(died).as_millis();
    note(&format!("{}: noticed after {ms} ms", setting.name))
}

/// When the routes to both addresses have changed.
fn last_change(stand: &Stand, changes: &Changes, end: Instant) -> Result<Instant> {
    let mut last = Instant::now();
    for vip in stand.shown {
        let of_vip = |change: &Change| change.address == vip;
        last = changes.wait(end, of_vip)?.at;
    }
    Ok(last)
}

fn crashed(lab: &mut Lab, settings: [Watching; 2]) -> Result<()> {
    unprepared(lab, &settings, &json!({}), &BRIEFLY, Lab::kill)
}

fn unbudgeted(lab: &mut Lab) -> Result<()> {
    let fields = json!({ "gracefulRestart": { "bfdBudget": "0s" } });
    let settings = [F1, F2, B1, B2];
    unprepared(lab, &settings, &fields, &BRIEFLY[..1], Lab::stop)
}

/// BFD was not asked to bear it.
fn unprepared(
    lab: &mut Lab,
    settings: &[Watching],
    fields: &Value,
    times: &[Duration],
    end: fn(&mut Lab, &Part) -> Result<()>,
) -> Result<()> {
    begin(lab)?;
    for setting in settings {
        let stand = setting.stand(lab, Peering::default(), fields)?;
        for time in times {
            let what = format!("{}, back after {time:?}", setting.name);
            step(&what, || {
                let watch = Watch::begin(lab, &stand)?;
                away(lab, &stand, *time, end)?;
                agreed(lab, &stand)?;
                expect_no_trap(&stand)?;
                noticed_by_few(watch, *setting, &what)?;
                everywhere(lab, &stand)
            })?;
        }
        stand.end(lab)?;
    }
    Ok(())
}

/// BIRD's `bfd on` drops the routes of whoever is silent; nobody else does.
fn noticed_by_few(watch: Watch, setting: Watching, what: &str) -> Result<()> {
    match (setting.program, setting.graceful) {
        (Program::Bird, false) => watch.end(what).map(drop),
        (Program::Bird | Program::Frr | Program::GoBgp, _) => watch.expect_nothing(what),
    }
}

/// One node after the other, as a DaemonSet does it.
fn upgraded(lab: &mut Lab) -> Result<()> {
    begin(lab)?;
    let second = Peering {
        over: Over::Ipv6,
        ..Peering::with(2)
    };
    let stands = [
        F1.stand(lab, Peering::default(), &json!({}))?,
        B1.stand(lab, second, &json!({}))?,
    ];
    let watches = [
        Watch::begin(lab, &stands[0])?,
        Watch::begin(lab, &stands[1])?,
    ];
    for part in speakers() {
        lab.stop(&part)?;
        lab.replace(&part)?;
        lab.wait_ready(&part)?;
        stands.iter().try_for_each(|stand| stand.wait_again(lab))?;
    }
    for (stand, watch) in stands.iter().zip(watches) {
        agreed(lab, stand)?;
        expect_no_trap(stand)?;
        watch.expect_nothing(&stand.peering.name)?;
    }
    Ok(())
}
