//! The chart on nodes with kubelet: how large its images are, how soon it serves, what an upgrade
//! loses, how soon it is silent.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::chart::{ADDRESSES, install, install_blindly, pods, uninstall, wait_ready};
use lab::peer::{Program, Router};
use lab::prober::Prober;
use lab::steps::step;
use lab::{Lab, eventually, http, kernel, tools};
use release::image::Image;
use release::program::PROGRAMS;
use release::source::Source;
use serde_json::json;

use crate::bgp::peering;
use crate::report::Target::{AtMost, Exactly, Stated};
use crate::report::{Figure, Report};
use crate::services::PATIENCE;

pub(crate) const IMAGES: &[Figure] = &[
    ("image_controller_mib", "MiB", AtMost(8.0)),
    ("image_speaker_mib", "MiB", AtMost(8.0)),
];
pub(crate) const LIFE: &[Figure] = &[
    ("chart_install_to_first_reply_s", "s", AtMost(10.0)),
    ("uninstall_silent_s", "s", AtMost(5.0)),
];
pub(crate) const UPGRADE: &[Figure] = &[
    ("upgrade_lost_packets_bgp", "packets", Exactly(0.0)),
    ("upgrade_lost_packets_l2", "packets", Stated),
];

const RUNS: usize = 3;
const UPGRADES: usize = 3;
const EVERY: Duration = Duration::from_millis(1);

pub(crate) fn images(report: &mut Report) -> Result<()> {
    let source = Source::read(tools::root())?;
    for (program, name) in PROGRAMS
        .iter()
        .zip(["image_controller_mib", "image_speaker_mib"])
    {
        let image = Image::pack(program, &tools::ours(program.name)?, "amd64", &source)?;
        let size = f64::from(u32::try_from(image.size)?);
        report.record(name, size / f64::from(1 << 20))?;
    }
    Ok(())
}

/// The slowest of a few: from `helm install` to the first answer from the address of a Service that
/// was waiting for one, and from `helm uninstall` to the last ARP reply for it.
pub(crate) fn life(lab: &mut Lab, report: &mut Report) -> Result<()> {
    pods(lab)?;
    lab.apply(&service("web", "{}"))?;
    let vip: IpAddr = "10.99.0.200".parse()?;
    let (mut installs, mut uninstalls) = (Vec::new(), Vec::new());
    for run in 1..=RUNS {
        let begun = Instant::now();
        install_blindly(lab, &[ADDRESSES])?;
        // Each time by a connection of its own: a flow that was there before kube-proxy knew of the
        // address goes nowhere for as long as it lasts.
        eventually(PATIENCE, "the Service answers", || {
            http::get(&lab.client_host(), vip, 80, EVERY * 50)
        })?;
        installs.push(begun.elapsed());
        wait_ready(lab, "speaker", 3)?;
        wait_ready(lab, "controller", 2)?;
        let prober = Prober::segment(&lab.client_host(), vip, EVERY * 5)?;
        let begun = Instant::now();
        step(&format!("uninstall {run} of {RUNS}"), || {
            uninstall(lab).map(drop)
        })?;
        let answers = prober.stop()?.answers;
        let (last, _) = answers.last().context("nobody answered")?;
        uninstalls.push(last.saturating_duration_since(begun));
    }
    let slowest = |times: &[Duration]| times.iter().max().copied().unwrap_or_default();
    report.record(
        "chart_install_to_first_reply_s",
        slowest(&installs).as_secs_f64(),
    )?;
    report.record("uninstall_silent_s", slowest(&uninstalls).as_secs_f64())
}

fn service(name: &str, annotations: &str) -> String {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "annotations": serde_json::from_str::<serde_json::Value>(annotations).unwrap_or_default(),
        },
        "spec": {
            "type": "LoadBalancer",
            "ipFamilyPolicy": "RequireDualStack",
            "selector": { "app": "web" },
            "ports": [
                { "name": "http", "port": 80, "targetPort": 8080 },
                { "name": "echo", "port": 8080, "protocol": "UDP" },
            ],
        },
    })
    .to_string()
}

/// Clients that ask every millisecond while both programs are replaced on every node.
pub(crate) fn upgrade(lab: &mut Lab, report: &mut Report) -> Result<()> {
    pods(lab)?;
    install(lab, &[ADDRESSES])?;
    let config = peering::config_with(lab, 1, |peer| peer);
    let router = Program::Frr.start(&lab.host("r1"), &config)?;
    peering::pool(lab)?;
    peering::peer(lab, &json!({}))?;
    lab.apply(&service(
        "local",
        r#"{"seamark.io/address-pool": "quickstart"}"#,
    ))?;
    lab.apply(&service(
        "routed",
        r#"{"seamark.io/address-pool": "bench"}"#,
    ))?;
    let local: [IpAddr; 2] = ["10.99.0.200".parse()?, "fd99::200".parse()?];
    let routed: [IpAddr; 2] = ["10.97.0.1".parse()?, "fd97::1".parse()?];
    let (mut of_bgp, mut of_l2) = (0, 0);
    for run in 1..=UPGRADES {
        let version = format!("0.1.0-{run}");
        for image in lab.images_of_version(&version)? {
            lab.import(&image)?;
        }
        let tag = format!("image.tag={version}");
        served(lab, &*router)?;
        let start = |vips: [IpAddr; 2]| -> Result<Vec<Prober>> {
            let probers = vips.map(|vip| Prober::udp(&lab.client_host(), vip, EVERY));
            probers.into_iter().collect()
        };
        for vip in routed.iter().chain(&local) {
            Prober::wait_answered(&lab.client_host(), *vip)?;
        }
        let (by_bgp, by_l2) = (start(routed)?, start(local)?);
        step(&format!("upgrade {run} of {UPGRADES}"), || {
            install(lab, &[ADDRESSES, &tag])?;
            wait_ready(lab, "speaker", 3)
        })?;
        served(lab, &*router)?;
        let lost = |probers: Vec<Prober>| -> Result<usize> {
            let reports = probers
                .into_iter()
                .map(|prober| Ok(prober.stop()?.unanswered()));
            reports.sum()
        };
        of_bgp += lost(by_bgp)?;
        of_l2 += lost(by_l2)?;
    }
    report.record(
        "upgrade_lost_packets_bgp",
        f64::from(u32::try_from(of_bgp)?),
    )?;
    report.record("upgrade_lost_packets_l2", f64::from(u32::try_from(of_l2)?))
}

/// Wait until the router spreads both addresses over all nodes.
fn served(lab: &Lab, router: &dyn Router) -> Result<()> {
    eventually(PATIENCE, "the router sends to all nodes", || {
        for vip in ["10.97.0.1/32", "fd97::1/128"] {
            let hops = kernel::next_hops(router.host(), vip)?;
            ensure!(
                hops.len() == usize::from(lab.topology().nodes),
                "{vip} leads to {hops:?}"
            );
        }
        Ok(())
    })
}
