//! BGP: a router that is told by every node, and spreads its clients' connections over them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::address::{ROUTED_CLIENT, node};
use lab::peer::{Frr, Router, guide};
use lab::{Host, Lab, eventually, http, kernel};

use crate::SOON;
use crate::screen::{bracketed, say, show, title};
use crate::segment::addresses;

const SERVICES: &str = "\
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
---
apiVersion: v1
kind: Service
metadata:
  name: routed-local
  annotations: {seamark.io/address-pool: routed}
spec:
  type: LoadBalancer
  ipFamilyPolicy: RequireDualStack
  externalTrafficPolicy: Local
  selector: {app: web-local}
  ports: [{port: 80, targetPort: 8080}]
";

/// How many connections show how a router spreads them.
const CONNECTIONS: usize = 60;
const SESSION: Duration = Duration::from_secs(30);

/// What a person would do and see, each step checked. The router runs until it is dropped.
pub(crate) fn tell(lab: &mut Lab) -> Result<Frr> {
    title("A router that speaks BGP: FRR, with the three nodes as its peers")?;
    let host = lab.host("r1");
    let router = Frr::start(&host, &guide::router())?;
    lab.apply(guide::OBJECTS)?;
    for number in 1..=lab.topology().nodes {
        let [address, _] = node(number);
        router.wait_established(address, SESSION)?;
    }
    sessions(lab)?;

    title("Two more Services, with addresses that are on no segment")?;
    lab.start_pod("local-2", "n2", &[("app", "web-local")])?;
    lab.apply(SERVICES)?;
    let routed = eventually(SOON, "routed has its addresses", || {
        addresses(lab, "routed")
    })?;
    let local = eventually(SOON, "routed-local has its addresses", || {
        addresses(lab, "routed-local")
    })?;
    show(lab, &["get", "services,ipallocations", "-o", "wide"])?;

    title("What the router was told: the first by all nodes, the Local one by n2 and n3")?;
    for (vips, nodes) in [(&routed, &["n1", "n2", "n3"][..]), (&local, &["n2", "n3"])] {
        for vip in vips {
            eventually(SOON, "the router's kernel has the route", || {
                expect_hops(lab, &host, *vip, nodes)
            })?;
        }
    }
    for family in ["ipv4", "ipv6"] {
        let command = format!("show bgp {family} unicast");
        say(&format!(
            "r1$ vtysh -c '{command}'\n{}\n",
            router.show(&command)?
        ))?;
    }

    title("What its kernel does with it: one next hop for each node")?;
    for vip in routed.iter().chain(&local) {
        let family = if vip.is_ipv4() { "-4" } else { "-6" };
        let route = host.run(&["ip", family, "route", "show", "exact", &vip.to_string()])?;
        say(&format!("r1$ ip {family} route show exact {vip}\n{route}"))?;
    }

    title(&format!(
        "{CONNECTIONS} connections of a client behind the router, to each address"
    ))?;
    for vip in &routed {
        let (by_node, by_pod) = spread(lab, *vip)?;
        say(&format!(
            "{}   by node {}   by pod {}\n",
            bracketed(*vip),
            counts(&by_node),
            counts(&by_pod)
        ))?;
        ensure!(by_node.len() == 3, "some nodes were passed by: {by_node:?}");
    }
    for vip in &local {
        let (by_client, by_pod) = spread(lab, *vip)?;
        let from = source(*vip).to_string();
        say(&format!(
            "{}   the client stays {from}   by pod {}\n",
            bracketed(*vip),
            counts(&by_pod)
        ))?;
        ensure!(by_client.keys().eq([&from]), "clients were {by_client:?}");
        ensure!(by_pod.keys().eq(["local-1", "local-2"]), "{by_pod:?}");
    }
    Ok(router)
}

/// How the sessions stand, as Kubernetes shows it.
fn sessions(lab: &Lab) -> Result<()> {
    let established = |number: u8| {
        let path = "jsonpath={.status.sessions[*].state}";
        let node = format!("n{number}");
        let state = lab.kubectl(&["get", "speakerstatus", &node, "-o", path])?;
        ensure!(state == "Established", "{node} shows {state:?}");
        Ok(())
    };
    eventually(SOON, "SpeakerStatus shows the sessions", || {
        (1..=lab.topology().nodes).try_for_each(established)
    })?;
    let columns = "custom-columns=NODE:.metadata.name,PEER:.status.sessions[*].peer,\
                   STATE:.status.sessions[*].state,SINCE:.status.sessions[*].since";
    show(lab, &["get", "bgppeers,bgpadvertisements"])?;
    show(lab, &["get", "speakerstatus", "-o", columns])?;
    let about = "involvedObject.kind=BGPPeer";
    show(lab, &["get", "events", "--field-selector", about])
}

fn expect_hops(lab: &Lab, host: &Host, vip: IpAddr, nodes: &[&str]) -> Result<()> {
    let length = if vip.is_ipv4() { 32 } else { 128 };
    let hops = kernel::next_hops(host, &format!("{vip}/{length}"))?;
    let mut by = Vec::new();
    for hop in hops {
        by.extend(lab.node_of_address(hop)?);
    }
    by.sort_unstable();
    ensure!(by == nodes, "it sends {vip} to {by:?}");
    Ok(())
}

/// How often somebody was met.
type Counts = BTreeMap<String, usize>;

/// Whom connections from behind the router met on their way: the node that passed them on, or the
/// client itself where its address was kept; and the pod that answered.
fn spread(lab: &Lab, vip: IpAddr) -> Result<(Counts, Counts)> {
    let client = lab.client_host();
    let (mut by_node, mut by_pod) = (Counts::new(), Counts::new());
    for _ in 0..CONNECTIONS {
        // kube-proxy takes up to a second to begin.
        let reply = eventually(SOON, "the routed client is served", || {
            http::get_from(&client, source(vip), vip, 80, Duration::from_secs(1))
        })?;
        let (pod, seen) = reply
            .split_once(' ')
            .context("an answer without a client")?;
        let node = node_with(lab, seen)?.unwrap_or_else(|| seen.to_owned());
        *by_node.entry(node).or_default() += 1;
        *by_pod.entry(pod.to_owned()).or_default() += 1;
    }
    Ok((by_node, by_pod))
}

/// The node that has this address on any interface.
fn node_with(lab: &Lab, address: &str) -> Result<Option<String>> {
    for node in lab.nodes() {
        if !node
            .run(&["ip", "-o", "addr", "show", "to", address])?
            .is_empty()
        {
            return Ok(Some(node.name().to_owned()));
        }
    }
    Ok(None)
}

fn source(vip: IpAddr) -> IpAddr {
    let [v4, v6] = ROUTED_CLIENT;
    if vip.is_ipv4() { v4 } else { v6 }
}

fn counts(counts: &Counts) -> String {
    let each = counts
        .iter()
        .map(|(name, times)| format!("{name}: {times}"));
    each.collect::<Vec<_>>().join(", ")
}
