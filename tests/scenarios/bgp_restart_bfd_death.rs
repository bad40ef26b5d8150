//! What becomes of routes under BFD when a node dies while its speaker is away, or when a router does.

use std::time::{Duration, Instant};

use anyhow::Result;
use lab::eventually::throughout;
use lab::runner::Scenario;
use lab::steps::{note, step};
use lab::{Lab, Part, eventually};
use serde_json::json;

use crate::bfd::expect_told;
use crate::bgp_restart::{Stand, speakers};
use crate::bgp_restart_bfd::{B1, B2, F1, F2, agreed, begin, everywhere, expect_no_trap};
use crate::peering::{NODES, Peering, expect_paths, hops_are};

const LONG: Duration = Duration::from_secs(240);
const BUDGET: Duration = Duration::from_secs(3);
const RESTART_TIME: Duration = Duration::from_secs(10);
/// How much later than it should things happen on a busy machine.
const SLACK: Duration = Duration::from_secs(2);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "routes to a node that dies while its speaker is away go when bfdBudget ends, or restartTime",
            died_meanwhile,
        )
        .within(LONG),
        Scenario::new(
            "a router that restarts under BFD, alone or along with the speakers, is told all again",
            restarted,
        )
        .within(LONG),
    ]
}

/// Only BIRD's `bfd on` looks at BFD while it keeps routes for a peer that restarts.
fn died_meanwhile(lab: &mut Lab) -> Result<()> {
    begin(lab)?;
    let fields = json!({ "gracefulRestart": { "bfdBudget": "3s", "restartTime": "10s" } });
    for (setting, kept) in [
        (F1, RESTART_TIME),
        (F2, RESTART_TIME),
        (B1, BUDGET),
        (B2, RESTART_TIME),
    ] {
        let stand = setting.stand(lab, Peering::default(), &fields)?;
        let are = |lab: &Lab, nodes: &[&str]| {
            let mut vips = stand.shown.into_iter();
            vips.try_for_each(|vip| hops_are(lab, stand.router.host(), vip, nodes))
        };
        let told = Instant::now();
        lab.stop(&Part::speaker("n2"))?;
        lab.node("n2").isolate()?;
        let left = kept.saturating_sub(told.elapsed());
        let gone = throughout(left, "the routes are kept", || are(lab, &NODES)).and_then(|()| {
            eventually(SLACK, "the routes to the dead node are gone", || {
                are(lab, &["n1", "n3"])
            })
        });
        lab.node("n2").rejoin()?;
        gone?;
        let ms = told.elapsed().as_millis();
        note(&format!("{}: kept for {ms} ms", setting.name))?;
        lab.restart(&Part::speaker("n2"))?;
        agreed(lab, &stand)?;
        everywhere(lab, &stand)?;
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
            everywhere(lab, stand)?;
            for vip in stand.shown {
                expect_paths(lab, &*stand.router, vip, &NODES)?;
            }
            expect_no_trap(stand)
        };
        stand.router.kill()?;
        expect_told(lab, "n1", &stand.peering.name, "SessionEnded")?;
        stand.router.start_again()?;
        step(&format!("{}, alone", setting.name), || again(lab, &stand))?;
        stand.router.kill()?;
        speakers().iter().try_for_each(|part| lab.kill(part))?;
        stand.router.start_again()?;
        speakers().iter().try_for_each(|part| lab.restart(part))?;
        step(&format!("{}, both", setting.name), || again(lab, &stand))?;
        stand.end(lab)?;
    }
    Ok(())
}
