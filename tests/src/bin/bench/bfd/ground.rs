//! Seamark and routers that watch each other by BFD, and Local Services with a pod on every node, so
//! that whoever answers a routed client tells by which node its datagrams came.

use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::peer::{Bfd, Config, Program, Router};
use lab::{Lab, eventually, kernel};
use serde_json::json;

use crate::bgp::peering;
use crate::services::PATIENCE;

const SERVICE: &str = "\
apiVersion: v1
kind: Service
metadata: {name: bench}
spec:
  type: LoadBalancer
  ipFamilyPolicy: RequireDualStack
  externalTrafficPolicy: Local
  selector: {app: bench}
  ports: [{port: 8080, protocol: UDP}]
";

/// The addresses of the Service: the lowest of its pool.
pub(super) const VIPS: [&str; 2] = ["10.97.0.1/32", "fd97::1/128"];

/// What router `number` is to do: every node of the lab is its peer, watched like this.
pub(super) fn config(lab: &Lab, number: u8, bfd: Bfd) -> Config {
    peering::config_with(lab, number, |peer| peer.bfd(bfd))
}

/// Seamark with all routers of the lab as its peers, watched at this interval, three packets.
pub(super) fn start(lab: &mut Lab, interval_ms: u64) -> Result<()> {
    for number in 1..=lab.topology().nodes {
        let name = format!("bench-{number}");
        lab.start_pod(&name, &format!("n{number}"), &[("app", "bench")])?;
    }
    peering::start_alone(lab)?;
    lab.apply(SERVICE)?;
    set_profile(lab, interval_ms)?;
    peering::peer(lab, &json!({ "bfdProfile": "bench" }))
}

/// The profile of all peers.
pub(super) fn set_profile(lab: &Lab, interval_ms: u64) -> Result<()> {
    let profile = json!({
        "apiVersion": "seamark.io/v1beta1",
        "kind": "BFDProfile",
        "metadata": { "name": "bench" },
        "spec": {
            "receiveInterval": interval_ms,
            "transmitInterval": interval_ms,
            "detectMultiplier": 3,
        },
    });
    lab.apply(&profile.to_string())
}

/// Start a router that watches all nodes, with real-time scheduling, so that it is never late.
pub(super) fn start_router(lab: &Lab, program: Program, bfd: Bfd) -> Result<Box<dyn Router>> {
    let router = program.start(&lab.host("r1"), &config(lab, 1, bfd))?;
    router.never_be_late()?;
    Ok(router)
}

/// Wait until a router is protected by BFD towards every node at the interval that was set, and its
/// kernel spreads both addresses over all of them.
pub(super) fn protected(lab: &Lab, router: &dyn Router, interval_ms: u64) -> Result<()> {
    let nodes = usize::from(lab.topology().nodes);
    let interval = Duration::from_millis(interval_ms);
    eventually(PATIENCE, "BFD with every node", || {
        let sessions = router.bfd_sessions()?;
        let up = sessions
            .values()
            .filter(|one| one.is_up() && one.interval == interval);
        let up = up.count();
        ensure!(up == nodes, "{up} of {nodes} are up: {sessions:?}");
        let sessions = router.sessions()?;
        let standing = sessions.values().filter(|one| one.is_established());
        let standing = standing.count();
        ensure!(standing == nodes, "{standing} of {nodes} are established");
        for vip in VIPS {
            let hops = kernel::next_hops(router.host(), vip)?;
            ensure!(hops.len() == nodes, "{vip} leads to {hops:?}");
        }
        Ok(())
    })
}

/// Lets what follows a change end: some programs set BFD up anew seconds after BGP.
pub(super) fn settle() {
    rest(Duration::from_secs(3));
}

/// Lets a span pass in which something is measured.
pub(super) fn rest(span: Duration) {
    thread::sleep(span);
}

/// The address of the Service in a family.
pub(super) fn vip(is_v4: bool) -> Result<IpAddr> {
    let [v4, v6] = VIPS;
    let prefix = if is_v4 { v4 } else { v6 };
    let (address, _) = prefix.split_once('/').context("no prefix")?;
    Ok(address.parse()?)
}

/// The node of the pod that answers.
pub(super) fn node_of(pod: &str) -> Result<String> {
    let number = pod.strip_prefix("bench-");
    let number = number.with_context(|| format!("{pod} is no pod of the bench"))?;
    Ok(format!("n{number}"))
}
