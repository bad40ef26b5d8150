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

use crate::bfd::{expect_told, profile, router, shows, up, watched};
use crate::bgp_restart::{Stand, Watch, away, service, speakers};
use crate::peering::{NODES, Over, Peering, expect_paths, pool, times_established};
use crate::told::hops;
use crate::vips::start;

const LONG: Duration = Duration::from_secs(240);
/// In milliseconds, three of which are waited for.
const INTERVAL: u32 = 100;
/// The detection time and what FRR holds a change back, three times over: the machine is busy.
const DETECTED: Duration = Duration::from_millis(3 * (300 + 63));
/// A BFD session that ends late would end the new BGP session within this.
const TRAP: Duration = Duration::from_secs(5);
/// How much later than it should things happen on a busy machine.
const SLACK: Duration = Duration::from_secs(2);
const BRIEFLY: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(3)];
/// Nearly all of bfdBudget.
const LENGTHY: Duration = Duration::from_secs(9);

/// How a router watches.
#[derive(Debug, Clone, Copy)]
struct Watching {
    program: Program,
    /// It looks at its control plane as well.
    graceful: bool,
}

/// FRR's `bfd`, the same with `check-control-plane-failure`, BIRD's `bfd on` and `bfd graceful`.
const F1: Watching = Watching::by(Program::Frr, false);
const F2: Watching = Watching::by(Program::Frr, true);
const B1: Watching = Watching::by(Program::Bird, false);
const B2: Watching = Watching::by(Program::Bird, true);

impl Watching {
    const fn by(program: Program, graceful: bool) -> Self {
        Self { program, graceful }
    }

    /// A router that does, and our BGPPeer with these fields besides.
    fn stand(self, lab: &Lab, peering: Peering, fields: &Value) -> Result<Stand> {
        let bfd = Bfd::new(INTERVAL.into(), 3);
        let bfd = if self.graceful { bfd.graceful() } else { bfd };
        let router = router(lab, self.program, &peering, Some(bfd))?;
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
            "routes to a node that dies while its speaker is away go when bfdBudget ends",
            died_meanwhile,
        )
        .within(LONG),
        Scenario::new(
            "without bfdBudget a router is told after TCP that BFD is taken down, and most keep the routes",
            unbudgeted,
        )
        .within(LONG),
        Scenario::new(
            "a router that restarts under BFD, alone or along with the speakers, is told all again",
            restarted,
        )
        .within(LONG),
    ]
}

fn begin(lab: &mut Lab) -> Result<()> {
    pool(lab)?;
    profile(lab, INTERVAL, &json!({}))?;
    start(lab)?;
    service(lab)
}

/// BGP and BFD stand, and the router shows the intervals of the profile.
fn agreed(lab: &Lab, stand: &Stand) -> Result<()> {
    up(lab, &*stand.router, &stand.peering)?;
    shows(lab, &*stand.router, &stand.peering, INTERVAL.into())
}

/// No session ends for a BFD session that the router still had.
fn expect_no_trap(stand: &Stand) -> Result<()> {
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
            let what = format!("{setting:?}, back after {time:?}");
            step(&what, || unnoticed(lab, &stand, time, &what))?;
        }
        step(&format!("{setting:?}, death right after"), || {
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
    note(&format!("{setting:?}: noticed after {ms} ms"))
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
    begin(lab)?;
    for setting in settings {
        let stand = setting.stand(lab, Peering::default(), &json!({}))?;
        for time in BRIEFLY {
            let what = format!("{setting:?}, back after {time:?}");
            step(&what, || {
                let watch = Watch::begin(lab, &stand)?;
                away(lab, &stand, time, Lab::kill)?;
                agreed(lab, &stand)?;
                hops(lab, stand.router.host(), stand.shown, &NODES)?;
                expect_no_trap(&stand)?;
                noticed_by_few(watch, setting, &what)?;
                hops(lab, stand.router.host(), stand.shown, &NODES)
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

fn died_meanwhile(lab: &mut Lab) -> Result<()> {
    begin(lab)?;
    let fields = json!({ "gracefulRestart": { "bfdBudget": "3s", "restartTime": "10s" } });
    for setting in [F1, F2, B1, B2] {
        let stand = setting.stand(lab, Peering::default(), &fields)?;
        // Who asks its control plane waits for what graceful restart has told it.
        let kept = Duration::from_secs(if setting.graceful { 10 } else { 3 });
        let changes = Changes::of(stand.router.host())?;
        let told = Instant::now();
        lab.stop(&Part::speaker("n2"))?;
        let silent = Instant::now();
        lab.node("n2").isolate()?;
        let gone = last_change(&stand, &changes, silent + kept + SLACK);
        lab.node("n2").rejoin()?;
        let gone = gone?.saturating_duration_since(told);
        note(&format!("{setting:?}: kept for {} ms", gone.as_millis()))?;
        ensure!(gone >= kept, "{setting:?}: kept for {gone:?} only");
        hops(lab, stand.router.host(), stand.shown, &["n1", "n3"])?;
        lab.restart(&Part::speaker("n2"))?;
        agreed(lab, &stand)?;
        hops(lab, stand.router.host(), stand.shown, &NODES)?;
        stand.end(lab)?;
    }
    Ok(())
}

fn unbudgeted(lab: &mut Lab) -> Result<()> {
    begin(lab)?;
    let fields = json!({ "gracefulRestart": { "bfdBudget": "0s" } });
    for setting in [F1, F2, B1, B2] {
        let stand = setting.stand(lab, Peering::default(), &fields)?;
        let watch = Watch::begin(lab, &stand)?;
        away(lab, &stand, BRIEFLY[0], Lab::stop)?;
        agreed(lab, &stand)?;
        expect_no_trap(&stand)?;
        noticed_by_few(watch, setting, &format!("{setting:?}"))?;
        hops(lab, stand.router.host(), stand.shown, &NODES)?;
        stand.end(lab)?;
    }
    Ok(())
}

fn restarted(lab: &mut Lab) -> Result<()> {
    begin(lab)?;
    for setting in [F1, B1] {
        let mut stand = setting.stand(lab, Peering::default(), &json!({}))?;
        let again = |lab: &Lab, stand: &Stand| {
            agreed(lab, stand)?;
            hops(lab, stand.router.host(), stand.shown, &NODES)?;
            for vip in stand.shown {
                expect_paths(lab, &*stand.router, vip, &NODES)?;
            }
            expect_no_trap(stand)
        };
        stand.router.kill()?;
        expect_told(lab, "n1", &stand.peering.name, "SessionEnded")?;
        stand.router.start_again()?;
        step(&format!("{setting:?}, alone"), || again(lab, &stand))?;
        stand.router.kill()?;
        speakers().iter().try_for_each(|part| lab.kill(part))?;
        stand.router.start_again()?;
        speakers().iter().try_for_each(|part| lab.restart(part))?;
        step(&format!("{setting:?}, both"), || again(lab, &stand))?;
        stand.end(lab)?;
    }
    Ok(())
}
