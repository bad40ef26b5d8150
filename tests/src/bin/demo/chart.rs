//! The chart: installed by Helm on nodes with kubelet, used by layer 2 and by BGP, and taken off.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lab::address::{ROUTED_CLIENT, node};
use lab::chart::{ADDRESSES, NAMESPACE, PATIENCE, RELEASE, gone, install, pods, uninstall};
use lab::peer::{Frr, Router, guide};
use lab::{Lab, eventually, http, kernel, probe};

use crate::SOON;
use crate::screen::{bracketed, say, show, title};
use crate::segment::addresses;

const WEB: &str = "\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  ipFamilyPolicy: RequireDualStack
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
";

const ROUTED: &str = "\
apiVersion: v1
kind: Service
metadata:
  name: routed
  annotations: {seamark.io/address-pool: routed}
spec:
  type: LoadBalancer
  ipFamilyPolicy: RequireDualStack
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
";

/// What a person would do and see, each step checked. The router runs until it is dropped.
pub(crate) fn tell(lab: &Lab) -> Result<Frr> {
    title("Two pods that wait for clients")?;
    pods(lab)?;
    lab.apply(WEB)?;
    show(lab, &["get", "pods,services", "-o", "wide"])?;

    title("Helm installs the chart with addresses of the segment")?;
    say(&format!(
        "$ helm install {RELEASE} charts/seamark -n {NAMESPACE} --create-namespace --wait \\\n    --set '{ADDRESSES}'\n"
    ))?;
    let begun = Instant::now();
    let said = install(lab, &[ADDRESSES])?;
    say(said
        .split_once("NOTES:\n")
        .map_or(said.as_str(), |(_, notes)| notes))?;
    say(&format!("({:.1} s)\n\n", begun.elapsed().as_secs_f64()))?;
    show(lab, &["-n", NAMESPACE, "get", "pods", "-o", "wide"])?;
    show(lab, &["get", "crds"])?;
    show(lab, &["get", "speakerstatuses"])?;
    show(lab, &["get", "ipaddresspools"])?;

    title("The Service has its EXTERNAL-IPs, and a client on the segment is served")?;
    let vips = eventually(SOON, "web has its addresses", || addresses(lab, "web"))?;
    show(lab, &["get", "service", "web"])?;
    for vip in &vips {
        let reply = eventually(SOON, "the client is served", || {
            http::get(&lab.client_host(), *vip, 80, Duration::from_secs(1))
        })?;
        say(&format!("http://{} says: {reply}\n", bracketed(*vip)))?;
    }

    title("A router that speaks BGP, and a Service with addresses that are on no segment")?;
    let router = Frr::start(&lab.host("r1"), &guide::router())?;
    lab.apply(guide::OBJECTS)?;
    lab.apply(ROUTED)?;
    for number in 1..=lab.topology().nodes {
        let [address, _] = node(number);
        router.wait_established(address, PATIENCE)?;
    }
    let routed = eventually(SOON, "routed has its addresses", || {
        addresses(lab, "routed")
    })?;
    for vip in &routed {
        let prefix = if vip.is_ipv4() {
            format!("{vip}/32")
        } else {
            format!("{vip}/128")
        };
        eventually(SOON, "the router sends to all nodes", || {
            let hops = kernel::next_hops(router.host(), &prefix)?;
            ensure!(hops.len() == 3, "{vip} leads to {hops:?}");
            Ok(())
        })?;
        let from = ROUTED_CLIENT[usize::from(vip.is_ipv6())];
        let reply = eventually(SOON, "the routed client is served", || {
            http::get_from(&lab.client_host(), from, *vip, 80, Duration::from_secs(1))
        })?;
        say(&format!(
            "http://{} says to {from}: {reply}\n",
            bracketed(*vip)
        ))?;
    }
    show(lab, &["get", "services,speakerstatuses"])?;
    Ok(router)
}

/// The end of it.
pub(crate) fn take_off(lab: &mut Lab) -> Result<()> {
    title("Helm takes it off: every address is silent before anything is deleted")?;
    let vips: Vec<IpAddr> = addresses(lab, "web")?;
    say(&format!(
        "$ helm uninstall {RELEASE} -n {NAMESPACE} --wait\n"
    ))?;
    say(&uninstall(lab)?)?;
    for vip in vips {
        let answer = probe::who_has(&lab.client_host(), "eth0", vip, Duration::from_millis(500))?;
        ensure!(answer.is_none(), "{vip} is answered by {answer:?}");
        say(&format!("nobody answers for {vip}\n"))?;
    }
    gone(lab)?;
    show(lab, &["get", "ipallocations,services"])
}
