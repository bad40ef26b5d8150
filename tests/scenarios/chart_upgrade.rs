//! The chart is upgraded, under traffic, and rolled back.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube::ResourceExt;
use lab::Lab;
use lab::chart::{
    ADDRESSES, NAMESPACE, PATIENCE, RELEASE, install, install_blindly, is_ready, of_component,
    on_real, pods, wait_ready, waits_for,
};
use lab::eventually::{eventually, throughout};
use lab::kernel::Changes;
use lab::peer::{Program, Router};
use lab::prober::Prober;
use lab::runner::Scenario;
use lab::steps::note;
use serde_json::json;

use crate::ask;
use crate::peering::{NODES, Peering, expect_hops, pool};
use crate::vips::{Vips, create_with, owner, vips};

const EVERY: Duration = Duration::from_millis(1);
/// Longer than routers keep what a speaker that went has told them.
const HELD: Duration = Duration::from_secs(35);
/// So many that every node answers for some address of theirs.
const SPREAD: usize = 8;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        on_real(
            "an upgrade of both programs loses nothing by BGP and moves no address, and so does its way back",
            under_traffic,
        ),
        on_real(
            "an image that does not run stops the rollout, hurts nobody, and is rolled back",
            failing,
        ),
    ]
}

/// A Service by BGP and one on the segment, with clients that ask every millisecond.
struct Traffic {
    router: Box<dyn Router>,
    routed: Vips,
    local: Vips,
}

impl Traffic {
    fn begin(lab: &Lab) -> Result<Self> {
        pods(lab)?;
        install(lab, &[ADDRESSES])?;
        let peering = Peering::default();
        let router = peering.start(lab, Program::Frr)?;
        pool(lab)?;
        peering.apply(lab)?;
        peering.wait(lab, &*router)?;
        let create = |name: &str, pool: &str| -> Result<Vips> {
            let mut changes = ask::annotations(&[(ask::POOL, pool)]);
            changes["spec"] = json!({ "ports": [{ "port": 8080, "protocol": "UDP" }] });
            ask::create(lab, name, &changes)?;
            vips(lab, name)
        };
        let local = create("local", "quickstart")?;
        let routed = create("routed", "bgp")?;
        for vip in routed {
            expect_hops(lab, router.host(), vip, &NODES)?;
        }
        Ok(Self {
            router,
            routed,
            local,
        })
    }

    fn ask(&self, lab: &Lab) -> Result<Asked> {
        let client = lab.client_host();
        let all = || self.routed.iter().chain(&self.local);
        all().try_for_each(|vip| Prober::wait_answered(&client, *vip))?;
        let changes = Changes::of(self.router.host())?;
        let probers = all().map(|vip| Ok((*vip, Prober::udp(&client, *vip, EVERY)?)));
        Ok(Asked {
            changes,
            probers: probers.collect::<Result<_>>()?,
        })
    }

    /// What was lost of each; of what is routed nothing may be.
    fn lost(&self, asked: Asked, what: &str) -> Result<()> {
        let (mut lost_of_routed, mut gaps) = (0, Vec::new());
        for (vip, prober) in asked.probers {
            let report = prober.stop()?;
            let lost = report.unanswered();
            note(&format!("{what}: {vip} lost {lost} of {}", report.sent))?;
            if self.routed.contains(&vip) {
                lost_of_routed += lost;
                gaps.extend(report.gaps(EVERY * 3));
            }
        }
        let changes = asked.changes.seen();
        ensure!(
            lost_of_routed == 0,
            "{lost_of_routed} lost: {gaps:?}; the router's kernel saw {changes:?}"
        );
        Ok(())
    }
}

/// Clients that ask, and what the router's kernel does meanwhile.
struct Asked {
    changes: Changes,
    probers: Vec<(IpAddr, Prober)>,
}

fn under_traffic(lab: &mut Lab) -> Result<()> {
    let traffic = Traffic::begin(lab)?;
    for image in lab.images_of_version("0.1.0-next")? {
        lab.import(&image)?;
    }
    let addresses = [vips(lab, "local")?, vips(lab, "routed")?];
    let probers = traffic.ask(lab)?;
    install(lab, &[ADDRESSES, "image.tag=0.1.0-next"])?;
    wait_ready(lab, "controller", 2)?;
    wait_ready(lab, "speaker", 3)?;
    for vip in traffic.routed {
        expect_hops(lab, traffic.router.host(), vip, &NODES)?;
    }
    traffic.lost(probers, "upgrade")?;
    for pod in of_component(lab, "speaker")? {
        let image = pod
            .spec
            .and_then(|spec| spec.containers.first()?.image.clone());
        ensure!(
            image.as_deref() == Some("localhost/seamark-speaker:0.1.0-next"),
            "{image:?}"
        );
    }
    let probers = traffic.ask(lab)?;
    let back = [
        "rollback",
        RELEASE,
        "--namespace",
        NAMESPACE,
        "--wait",
        "--timeout",
        "90s",
    ];
    lab.helm(&back)?;
    wait_ready(lab, "speaker", 3)?;
    for vip in traffic.routed {
        expect_hops(lab, traffic.router.host(), vip, &NODES)?;
    }
    traffic.lost(probers, "rollback")?;
    ensure!(
        [vips(lab, "local")?, vips(lab, "routed")?] == addresses,
        "addresses moved"
    );
    Ok(())
}

/// Services on the segment, and which node answers for each of their addresses.
fn spread(lab: &Lab) -> Result<BTreeMap<IpAddr, String>> {
    let mut owners = BTreeMap::new();
    for number in 0..SPREAD {
        let name = format!("spread-{number}");
        let pool = ask::annotations(&[(ask::POOL, "quickstart")]);
        ask::create(lab, &name, &pool)?;
        for vip in vips(lab, &name)? {
            owners.insert(vip, owner(lab, vip)?);
        }
    }
    Ok(owners)
}

fn failing(lab: &mut Lab) -> Result<()> {
    let traffic = Traffic::begin(lab)?;
    let owners = spread(lab)?;
    let probers = traffic.ask(lab)?;
    install_blindly(lab, &[ADDRESSES, "image.tag=missing"])?;
    let stuck = eventually(PATIENCE, "a speaker has no image", || {
        let pods = of_component(lab, "speaker")?;
        let stuck: Vec<_> = pods.iter().filter(|pod| waits_for(pod).is_some()).collect();
        ensure!(stuck.len() == 1, "{} are stuck", stuck.len());
        Ok(stuck[0].clone())
    })?;
    let node = stuck.spec.as_ref().and_then(|spec| spec.node_name.clone());
    let node = node.context("it has no node")?;
    throughout(HELD, "the others go on", || {
        let pods = of_component(lab, "speaker")?;
        let ready = pods.iter().filter(|pod| is_ready(pod)).count();
        ensure!(ready == 2, "{ready} speakers are ready");
        let controllers = of_component(lab, "controller")?;
        let ready = controllers.iter().filter(|pod| is_ready(pod)).count();
        ensure!(ready == 2, "{ready} controllers are ready");
        Ok(())
    })?;
    let mut moved = 0;
    for (vip, before) in &owners {
        let now = owner(lab, *vip)?;
        let stays = *before != node;
        ensure!((now == *before) == stays, "{vip} of {before} is at {now}");
        moved += usize::from(!stays);
    }
    ensure!(moved > 0, "{node} answered for none of {owners:?}");
    note(&format!(
        "{moved} addresses of {node} are answered by others"
    ))?;
    // The controllers that are there go on giving addresses.
    create_with(lab, "another", &json!({}))?;
    vips(lab, "another")?;
    lab.helm(&[
        "rollback",
        RELEASE,
        "--namespace",
        NAMESPACE,
        "--wait",
        "--timeout",
        "90s",
    ])?;
    wait_ready(lab, "speaker", 3)?;
    let pods = of_component(lab, "speaker")?;
    let name = stuck.name_any();
    ensure!(
        pods.iter().all(|pod| pod.name_any() != name),
        "{name} is still there"
    );
    eventually(PATIENCE, "all addresses are back", || {
        for (vip, before) in &owners {
            let now = owner(lab, *vip)?;
            ensure!(now == *before, "{vip} of {before} is at {now}");
        }
        Ok(())
    })?;
    for vip in traffic.routed {
        expect_hops(lab, traffic.router.host(), vip, &NODES)?;
    }
    traffic.lost(probers, "an image that does not run")
}
