//! Layer 2: two Services on the segment, and who answers for them.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::address::{CLIENT, ROUTED_CLIENT};
use lab::{Lab, eventually, http, probe};

use crate::SOON;
use crate::screen::{bracketed, say, show, title};

const POOL: &str = "\
apiVersion: seamark.io/v1beta1
kind: IPAddressPool
metadata: {name: lan}
spec:
  addresses: [10.99.0.200-10.99.0.250, 'fd99::200-fd99::250']
---
apiVersion: seamark.io/v1beta1
kind: L2Advertisement
metadata: {name: lan}
spec:
  ipAddressPools: [lan]
";

const SERVICES: &str = "\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  ipFamilyPolicy: RequireDualStack
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: web-local}
spec:
  type: LoadBalancer
  ipFamilyPolicy: RequireDualStack
  externalTrafficPolicy: Local
  selector: {app: web-local}
  ports: [{port: 80, targetPort: 8080}]
";

/// What a person would do and see, each step checked.
pub(crate) fn tell(lab: &mut Lab) -> Result<()> {
    title("A pool of addresses, and leave to announce them on the segment")?;
    lab.apply(POOL)?;
    show(lab, &["get", "ipaddresspools,l2advertisements"])?;

    title("Two Services of type LoadBalancer, both dual stack")?;
    lab.apply(SERVICES)?;
    let web = eventually(SOON, "web has its addresses", || addresses(lab, "web"))?;
    let local = eventually(SOON, "web-local has its addresses", || {
        addresses(lab, "web-local")
    })?;
    show(lab, &["get", "services,ipallocations", "-o", "wide"])?;

    title("Who answers for them on the segment: ARP and neighbour discovery")?;
    for vip in web.iter().chain(&local) {
        let node = eventually(SOON, "the VIP is answered", || owner(lab, *vip))?;
        say(&format!("{vip} is at {node}\n"))?;
    }

    title("A client on the segment, and one behind a router")?;
    for vip in &web {
        let reply = eventually(SOON, "the client is served", || {
            http::get(&lab.client_host(), *vip, 80, Duration::from_secs(1))
        })?;
        say(&format!(
            "from the segment   http://{} says: {reply}",
            bracketed(*vip)
        ))?;
        let source = if vip.is_ipv4() {
            ROUTED_CLIENT[0]
        } else {
            ROUTED_CLIENT[1]
        };
        let reply = eventually(SOON, "the routed client is served", || {
            http::get_from(&lab.client_host(), source, *vip, 80, Duration::from_secs(1))
        })?;
        say(&format!(
            "\nbehind the router  http://{} says: {reply}\n",
            bracketed(*vip)
        ))?;
    }

    title("externalTrafficPolicy Local keeps the client's address")?;
    for vip in &local {
        let own = if vip.is_ipv4() { CLIENT[0] } else { CLIENT[1] };
        let reply = served(lab, *vip)?;
        ensure!(
            reply.contains(&own.to_string()),
            "{reply} does not name the client {own}"
        );
        say(&format!(
            "http://{} says: {reply}   (the client is {own})\n",
            bracketed(*vip)
        ))?;
    }

    title("Its only endpoint moves from n1 to n3, and the addresses follow")?;
    let started = Instant::now();
    lab.move_pod("local-1", "n3", &[("app", "web-local")])?;
    for vip in &local {
        eventually(SOON, "n3 answers", || {
            let node = owner(lab, *vip)?;
            ensure!(node == "n3", "{vip} is at {node}");
            Ok(())
        })?;
        let moved = started.elapsed().as_millis();
        say(&format!(
            "{vip} is at n3 after {moved} ms, start of the pod included\n"
        ))?;
    }
    for vip in &local {
        let reply = served(lab, *vip)?;
        say(&format!("http://{} says: {reply}\n", bracketed(*vip)))?;
    }
    Ok(())
}

/// The addresses in a Service's status, both families.
pub(crate) fn addresses(lab: &Lab, service: &str) -> Result<Vec<IpAddr>> {
    let path = "jsonpath={.status.loadBalancer.ingress[*].ip}";
    let text = lab.kubectl(&["get", "service", service, "-o", path])?;
    let found: Vec<IpAddr> = text
        .split_whitespace()
        .filter_map(|ip| ip.parse().ok())
        .collect();
    ensure!(found.len() == 2, "{service} shows {text:?}");
    Ok(found)
}

fn owner(lab: &Lab, vip: IpAddr) -> Result<String> {
    let mac = probe::who_has(&lab.client_host(), "eth0", vip, Duration::from_millis(500))?
        .with_context(|| format!("nobody answers for {vip}"))?;
    lab.node_of_mac(mac)?
        .with_context(|| format!("{mac} is no node's"))
}

fn served(lab: &Lab, vip: IpAddr) -> Result<String> {
    // The client's own neighbour entry may still name the node of before.
    eventually(SOON, "the client is served", || {
        http::get(&lab.client_host(), vip, 80, Duration::from_secs(1))
    })
    .map(|reply| reply.trim().to_owned())
}
