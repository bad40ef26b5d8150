//! Versions beside each other, as during an upgrade: this one and the one before it.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::peer::{Program, Router};
use lab::runner::Scenario;
use lab::{Lab, Part, eventually, tools};

use crate::ask;
use crate::peering::{NODES, Peering, expect_hops, expect_routed, host_prefix, pool};
use crate::vips::{SOON, Vips, expect_served, vips};

/// A pool of the segment beside that of the router.
const LAN: &str = "\
apiVersion: seamark.io/v1beta1
kind: IPAddressPool
metadata: {name: lan}
spec: {addresses: [10.99.0.200-10.99.0.250, 'fd99::200-fd99::250']}
---
apiVersion: seamark.io/v1beta1
kind: L2Advertisement
metadata: {name: lan}
spec: {ipAddressPools: [lan]}
";

pub(crate) fn scenarios() -> Vec<Scenario> {
    let within = Duration::from_secs(240);
    vec![
        Scenario::new(
            "controllers and speakers of this version and the one before serve together, either newer",
            either_newer,
        )
        .within(within),
        Scenario::new("this version serves with the kinds of the one before", older_kinds)
            .within(within),
        Scenario::new(
            "what a speaker of either version does not know it withholds and says so",
            unknown_feature,
        )
        .within(within),
    ]
}

fn begin(lab: &Lab) -> Result<Box<dyn Router>> {
    let peering = Peering::default();
    let router = peering.start(lab, Program::Frr)?;
    lab.apply(LAN)?;
    pool(lab)?;
    peering.apply(lab)?;
    Ok(router)
}

/// A Service on the segment and one by the router get their addresses and are served.
fn serves(lab: &Lab, router: &dyn Router, name: &str) -> Result<[Vips; 2]> {
    let of_pool = |pool: &str| -> Result<Vips> {
        let name = format!("{name}-{pool}");
        ask::create(lab, &name, &ask::annotations(&[(ask::POOL, pool)]))?;
        vips(lab, &name)
    };
    let [local, routed] = [of_pool("lan")?, of_pool("bgp")?];
    still_serves(lab, router, [local, routed])?;
    Ok([local, routed])
}

fn still_serves(lab: &Lab, router: &dyn Router, [local, routed]: [Vips; 2]) -> Result<()> {
    for vip in local {
        expect_served(lab, vip)?;
    }
    for vip in routed {
        expect_hops(lab, router.host(), vip, &NODES)?;
        expect_routed(lab, vip)?;
    }
    Ok(())
}

fn either_newer(lab: &mut Lab) -> Result<()> {
    let router = begin(lab)?;
    let speakers: Vec<Part> = NODES.iter().map(|node| Part::speaker(node)).collect();
    // All as before.
    lab.start_before(&Part::Controller)?;
    for speaker in &speakers {
        lab.start_before(speaker)?;
    }
    let first = serves(lab, &*router, "first")?;
    // The controller goes ahead, then the speakers follow one by one.
    lab.stop(&Part::Controller)?;
    lab.start_controller(&[])?;
    lab.wait_ready(&Part::Controller)?;
    let second = serves(lab, &*router, "second")?;
    for node in NODES {
        lab.stop(&Part::speaker(node))?;
        lab.start_speaker(node, &[])?;
        lab.wait_ready(&Part::speaker(node))?;
        still_serves(lab, &*router, first)?;
    }
    let third = serves(lab, &*router, "third")?;
    // And a controller that is rolled back.
    lab.stop(&Part::Controller)?;
    lab.start_before(&Part::Controller)?;
    let fourth = serves(lab, &*router, "fourth")?;
    for vips in [first, second, third, fourth] {
        still_serves(lab, &*router, vips)?;
    }
    Ok(())
}

fn older_kinds(lab: &mut Lab) -> Result<()> {
    let router = begin(lab)?;
    let apply = |folder: &std::path::Path| {
        let folder = folder.to_string_lossy();
        lab.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &folder])
    };
    apply(&tools::before()?.join("crds"))?;
    crate::vips::start(lab)?;
    let outcome = serves(lab, &*router, "web");
    // The next scenario has those of this version, whatever came of it.
    let folder = tools::root().join("crds/manifests");
    let folder = folder.to_string_lossy();
    lab.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &folder])?;
    outcome.map(drop)
}

fn unknown_feature(lab: &mut Lab) -> Result<()> {
    let router = begin(lab)?;
    crate::vips::start(lab)?;
    lab.stop(&Part::speaker("n1"))?;
    lab.start_before(&Part::speaker("n1"))?;
    let [_, routed] = serves(lab, &*router, "web")?;
    // A controller of a later version would write this.
    lab.stop(&Part::Controller)?;
    let later =
        r#"[{"op": "add", "path": "/spec/bgpAdvertisements/0/requires", "value": ["moonlight"]}]"#;
    lab.kubectl(&[
        "patch",
        "speakerconfig",
        "seamark",
        "--type=json",
        "-p",
        later,
    ])?;
    for vip in routed {
        eventually(
            SOON,
            "nobody tells what needs a feature that nobody has",
            || {
                let paths = router.paths(&host_prefix(vip))?;
                ensure!(paths.is_empty(), "{paths:?}");
                Ok(())
            },
        )?;
    }
    for node in NODES {
        eventually(Duration::from_secs(45), "it says why", || {
            let path = "jsonpath={.status.withheld[*].reason}";
            let reasons = lab.kubectl(&["get", "speakerstatus", node, "-o", path])?;
            ensure!(
                reasons.contains("UnknownFeature"),
                "{node} says {reasons:?}"
            );
            Ok(())
        })?;
    }
    Ok(())
}
