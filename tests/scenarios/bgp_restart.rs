//! What routers and clients notice of a speaker that restarts: nothing, where graceful restart is
//! spoken (RFC 4724), and little where it is not.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, ensure};
use lab::capture::{BGP, Capture, select};
use lab::eventually::throughout;
use lab::kernel::{Change, Changes};
use lab::peer::{GracefulRestart, Program, Router};
use lab::prober::{Ask, Gap};
use lab::runner::Scenario;
use lab::steps::{note, step};
use lab::{Lab, Part, Prober, eventually};
use serde_json::json;

use crate::peering::{NODES, Over, Peering, SESSION, expect_paths, hops_are, pool};
use crate::told::hops;
use crate::vips::{SOON, Vips, create_with, start, vips};

const LONG: Duration = Duration::from_secs(240);
/// How long a speaker is away.
const AWAY: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_secs(3),
    Duration::from_secs(9),
];
/// What is kept for a speaker that does not come back, and what a busy machine adds to that.
const RESTART_TIME: Duration = Duration::from_secs(30);
const SLACK: Duration = Duration::from_secs(5);
/// For what must not come after a session stands again: the end of what was stale.
const AFTERWARDS: Duration = Duration::from_secs(3);
/// Clients ask a thousand times a second.
const EVERY: Duration = Duration::from_millis(1);
const UDP: u16 = 5300;
const APP: [(&str, &str); 1] = [("app", "local")];

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "speakers that restart cost FRR and BIRD no route and clients no packet, back after 0.1, 3 and 9 s",
            planned,
        )
        .within(LONG),
        Scenario::new(
            "speakers that are killed and started again cost FRR and BIRD no route and clients no packet",
            killed,
        )
        .within(LONG),
        Scenario::new(
            "speakers that are upgraded cost no route of any of two routers, over IPv6 as well",
            upgraded,
        )
        .on(lab::Topology::default().with_routers(2))
        .within(LONG),
        Scenario::new(
            "a router without graceful restart is told goodbye, and told all again on return",
            ungraceful,
        ),
        Scenario::new(
            "routes to endpoints that left while the speaker was away go as it returns",
            left_meanwhile,
        ),
        Scenario::new(
            "routes to a node that dies while its speaker is away go when restartTime ends",
            died_meanwhile,
        )
        .within(LONG),
        Scenario::new(
            "a router that restarts, alone or along with the speakers, is told all again",
            router,
        )
        .within(LONG),
    ]
}

/// A router that does that about restarts, and Service `web` told by all nodes.
pub(crate) struct Stand {
    pub(crate) router: Box<dyn Router>,
    pub(crate) peering: Peering,
    pub(crate) shown: Vips,
}

impl Stand {
    fn begin(lab: &mut Lab, program: Program, what: GracefulRestart) -> Result<Self> {
        pool(lab)?;
        start(lab)?;
        service(lab)?;
        Self::with(lab, program, what, Peering::default())
    }

    fn with(
        lab: &mut Lab,
        program: Program,
        what: GracefulRestart,
        peering: Peering,
    ) -> Result<Self> {
        let config = peering.config(lab)?.graceful_restart(what);
        let router = program.start(&peering.host(lab), &config)?;
        peering.apply(lab)?;
        Self::of(lab, router, peering)
    }

    /// With a router that runs, and a BGPPeer that is there.
    pub(crate) fn of(lab: &Lab, router: Box<dyn Router>, peering: Peering) -> Result<Self> {
        peering.wait(lab, &*router)?;
        let shown = vips(lab, "web")?;
        hops(lab, router.host(), shown, &NODES)?;
        Ok(Self {
            router,
            peering,
            shown,
        })
    }

    /// Each session stands again.
    pub(crate) fn wait_again(&self, lab: &Lab) -> Result<()> {
        self.peering.wait(lab, &*self.router).map(drop)
    }

    pub(crate) fn end(self, lab: &Lab) -> Result<()> {
        self.peering.delete(lab)
    }
}

/// Service `web`, by TCP and UDP.
pub(crate) fn service(lab: &Lab) -> Result<()> {
    let ports = json!([
        { "name": "http", "port": 80, "targetPort": 8080 },
        { "name": "udp", "protocol": "UDP", "port": UDP, "targetPort": 8080 },
    ]);
    create_with(lab, "web", &json!({ "ports": ports })).map(drop)
}

/// A client of each family that never stops asking, and what the router's kernel does meanwhile.
pub(crate) struct Watch {
    clients: Vec<Prober>,
    changes: Changes,
    vips: Vips,
}

impl Watch {
    pub(crate) fn begin(lab: &Lab, stand: &Stand) -> Result<Self> {
        let client = lab.client_host();
        // It is served before it counts.
        for vip in stand.shown {
            eventually(SOON, &format!("{vip} answers"), || {
                let asked = Prober::start(&client, vip, Ask::Udp(UDP), EVERY)?;
                throughout(EVERY * 50, "it is asked", || Ok(()))?;
                let report = asked.stop()?;
                ensure!(report.unanswered() == 0, "{} lost", report.unanswered());
                Ok(())
            })?;
        }
        let ask = |vip: IpAddr| Prober::start(&client, vip, Ask::Udp(UDP), EVERY);
        let vips = stand.shown;
        Ok(Self {
            clients: vips.into_iter().map(ask).collect::<Result<_>>()?,
            changes: Changes::of(stand.router.host())?,
            vips,
        })
    }

    /// What has changed of the routes to the addresses so far.
    fn changed(&self) -> Vec<Change> {
        let seen = self.changes.seen().into_iter();
        seen.filter(|change| self.vips.contains(&change.address))
            .collect()
    }

    /// Nothing was noticed, by the kernel or by anybody who asked.
    pub(crate) fn expect_nothing(self, what: &str) -> Result<()> {
        let noticed = self.end(what)?;
        let (changed, lost) = (&noticed.changed, noticed.lost);
        ensure!(changed.is_empty(), "{what}: the kernel saw {changed:?}");
        ensure!(lost == 0, "{what}: {lost} lost: {:?}", noticed.gaps);
        Ok(())
    }

    /// What was noticed, and noted.
    pub(crate) fn end(self, what: &str) -> Result<Noticed> {
        throughout(AFTERWARDS, "nothing stale goes", || Ok(()))?;
        let mut noticed = Noticed {
            changed: self.changed(),
            lost: 0,
            gaps: Vec::new(),
        };
        let changes = noticed.changed.len();
        for client in self.clients {
            let report = client.stop()?;
            let lost = report.unanswered();
            let sent = report.sent;
            note(&format!(
                "{what}: {sent} asked, {lost} lost, {changes} changes"
            ))?;
            noticed.lost += lost;
            noticed.gaps.extend(report.gaps(EVERY * 20));
        }
        Ok(noticed)
    }
}

/// What the kernel and clients have noticed.
pub(crate) struct Noticed {
    pub(crate) changed: Vec<Change>,
    /// Questions without an answer.
    pub(crate) lost: usize,
    gaps: Vec<Gap>,
}

pub(crate) fn speakers() -> [Part; 3] {
    NODES.map(Part::speaker)
}

/// Each speaker is away for that long; the sessions stand anew when it returns.
pub(crate) fn away(
    lab: &mut Lab,
    stand: &Stand,
    time: Duration,
    end: fn(&mut Lab, &Part) -> Result<()>,
) -> Result<()> {
    let mut gone = Vec::new();
    for part in speakers() {
        end(lab, &part)?;
        gone.push((part, Instant::now()));
    }
    for (part, since) in gone {
        let left = time.saturating_sub(since.elapsed());
        throughout(left, "the speaker is away", || Ok(()))?;
        lab.restart(&part)?;
    }
    for part in speakers() {
        lab.wait_ready(&part)?;
    }
    stand.wait_again(lab)
}

fn planned(lab: &mut Lab) -> Result<()> {
    pool(lab)?;
    start(lab)?;
    service(lab)?;
    for program in [Program::Frr, Program::Bird] {
        let stand = Stand::with(lab, program, GracefulRestart::Helper, Peering::default())?;
        for time in AWAY {
            step(&format!("{program:?}, back after {time:?}"), || {
                let watch = Watch::begin(lab, &stand)?;
                let capture = Capture::start(stand.router.host(), "eth0", BGP)?;
                away(lab, &stand, time, Lab::stop)?;
                watch.expect_nothing(&format!("{program:?}, {time:?}"))?;
                let file = capture.finish()?;
                let said = select(&file, "bgp.type == 3", "bgp.notify.major_error")?;
                ensure!(said.is_empty(), "there were NOTIFICATIONs: {said:?}");
                Ok(())
            })?;
        }
        stand.end(lab)?;
    }
    Ok(())
}

fn killed(lab: &mut Lab) -> Result<()> {
    pool(lab)?;
    start(lab)?;
    service(lab)?;
    for program in [Program::Frr, Program::Bird] {
        let stand = Stand::with(lab, program, GracefulRestart::Helper, Peering::default())?;
        let watch = Watch::begin(lab, &stand)?;
        away(lab, &stand, Duration::from_secs(1), Lab::kill)?;
        watch.expect_nothing(&format!("{program:?}"))?;
        stand.end(lab)?;
    }
    Ok(())
}

/// One node after the other, as a DaemonSet does it.
fn upgraded(lab: &mut Lab) -> Result<()> {
    let first = Stand::begin(lab, Program::Frr, GracefulRestart::Helper)?;
    let second = Peering {
        over: Over::Ipv6,
        ..Peering::with(2)
    };
    let second = Stand::with(lab, Program::Bird, GracefulRestart::Helper, second)?;
    let watches = [Watch::begin(lab, &first)?, Watch::begin(lab, &second)?];
    for part in speakers() {
        lab.stop(&part)?;
        lab.replace(&part)?;
        lab.wait_ready(&part)?;
        first.wait_again(lab)?;
        second.wait_again(lab)?;
    }
    for (watch, router) in watches.into_iter().zip(["r1", "r2"]) {
        watch.expect_nothing(router)?;
    }
    Ok(())
}

fn ungraceful(lab: &mut Lab) -> Result<()> {
    pool(lab)?;
    start(lab)?;
    service(lab)?;
    for over in Over::BOTH {
        let what = GracefulRestart::Off;
        let stand = Stand::with(lab, Program::Frr, what, Peering::over(over))?;
        let (host, shown) = (stand.router.host().clone(), stand.shown);
        let capture = Capture::start(&host, "eth0", BGP)?;
        let status = lab.end(&Part::speaker("n2"))?;
        ensure!(status.success(), "the speaker ended with {status}");
        hops(lab, &host, shown, &["n1", "n3"])?;
        let file = capture.finish()?;
        let said = |field| Ok::<_, Error>(select(&file, "bgp.type == 3", field)?.join(" "));
        let codes = [
            said("bgp.notify.major_error")?,
            said("bgp.notify.minor_error_cease")?,
        ];
        ensure!(codes == ["6", "2"], "NOTIFICATION {codes:?}");
        let text = said("bgp.notify.communication")?;
        ensure!(text.contains("restarts"), "it says {text:?}");
        let started = Instant::now();
        lab.restart(&Part::speaker("n2"))?;
        stand
            .router
            .wait_established(stand.peering.node(2), SESSION)?;
        hops(lab, &host, shown, &NODES)?;
        let ms = started.elapsed().as_millis();
        note(&format!("{over:?}: back {ms} ms after its start"))?;
        stand.end(lab)?;
    }
    Ok(())
}

fn left_meanwhile(lab: &mut Lab) -> Result<()> {
    lab.start_pod("first", "n1", &APP)?;
    lab.start_pod("second", "n2", &APP)?;
    let stand = Stand::begin(lab, Program::Frr, GracefulRestart::Helper)?;
    let host = stand.router.host().clone();
    let fields = json!({ "externalTrafficPolicy": "Local", "selector": { "app": "local" } });
    create_with(lab, "local", &fields)?;
    let local = vips(lab, "local")?;
    hops(lab, &host, local, &["n1", "n2"])?;
    lab.stop(&Part::speaker("n2"))?;
    lab.set_ready("second", false)?;
    throughout(AFTERWARDS, "nobody is there to tell it", || {
        let mut local = local.into_iter();
        local.try_for_each(|vip| hops_are(lab, &host, vip, &["n1", "n2"]))
    })?;
    lab.restart(&Part::speaker("n2"))?;
    hops(lab, &host, local, &["n1"])?;
    hops(lab, &host, stand.shown, &NODES)
}

fn died_meanwhile(lab: &mut Lab) -> Result<()> {
    for program in [Program::Frr, Program::Bird] {
        let stand = Stand::begin(lab, program, GracefulRestart::Helper)?;
        let host = stand.router.host().clone();
        lab.stop(&Part::speaker("n2"))?;
        let gone = Instant::now();
        lab.node("n2").isolate()?;
        let kept = RESTART_TIME - SLACK;
        let watched = throughout(kept, "the routes are kept", || {
            let mut shown = stand.shown.into_iter();
            shown.try_for_each(|vip| hops_are(lab, &host, vip, &NODES))
        });
        let over = watched.and_then(|()| {
            eventually(SLACK * 3, "the routes to the dead node are gone", || {
                let mut shown = stand.shown.into_iter();
                shown.try_for_each(|vip| hops_are(lab, &host, vip, &["n1", "n3"]))
            })
        });
        lab.node("n2").rejoin()?;
        over?;
        note(&format!("{program:?}: kept for {:?}", gone.elapsed()))?;
        lab.restart(&Part::speaker("n2"))?;
        stand
            .router
            .wait_established(stand.peering.node(2), SESSION)?;
        hops(lab, &host, stand.shown, &NODES)?;
        stand.end(lab)?;
        lab.kubectl(&["delete", "service", "web"])?;
    }
    Ok(())
}

fn router(lab: &mut Lab) -> Result<()> {
    pool(lab)?;
    start(lab)?;
    service(lab)?;
    for what in [GracefulRestart::Full, GracefulRestart::Off] {
        let mut stand = Stand::with(lab, Program::Frr, what, Peering::default())?;
        let again = |lab: &Lab, stand: &Stand, what: &str| {
            stand.wait_again(lab).context(what.to_owned())?;
            hops(lab, stand.router.host(), stand.shown, &NODES)?;
            for vip in stand.shown {
                expect_paths(lab, &*stand.router, vip, &NODES)?;
            }
            Ok::<_, Error>(())
        };
        stand.router.kill()?;
        stand.router.start_again()?;
        again(lab, &stand, "the router was away")?;
        stand.router.kill()?;
        speakers().iter().try_for_each(|part| lab.stop(part))?;
        stand.router.start_again()?;
        speakers().iter().try_for_each(|part| lab.restart(part))?;
        again(lab, &stand, "all were away")?;
        stand.end(lab)?;
    }
    Ok(())
}
