//! BGP with BFD: a node dies and a client hardly notices; speakers restart and nobody does.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::address::node;
use lab::eventually::throughout;
use lab::kernel::Changes;
use lab::peer::{Bfd, Frr, Router, guide};
use lab::{Lab, Part, Prober, eventually, kernel};

use crate::SOON;
use crate::screen::{bracketed, say, show, title};
use crate::segment::addresses;

const PROFILE: &str = "\
apiVersion: seamark.io/v1beta1
kind: BFDProfile
metadata: {name: fast}
spec: {transmitInterval: 50, receiveInterval: 50, detectMultiplier: 3}
";

/// The pods of routed-local, by datagrams: who answers tells the node.
const SERVICE: &str = "\
apiVersion: v1
kind: Service
metadata:
  name: steady
  annotations: {seamark.io/address-pool: routed}
spec:
  type: LoadBalancer
  ipFamilyPolicy: RequireDualStack
  externalTrafficPolicy: Local
  selector: {app: web-local}
  ports: [{port: 8080, protocol: UDP}]
";

/// How often the client asks.
const EVERY: Duration = Duration::from_millis(1);
/// How long the speakers are away.
const AWAY: Duration = Duration::from_secs(1);
const SESSION: Duration = Duration::from_secs(60);

/// What a person would do and see, each step checked. The router runs until it is dropped.
pub(crate) fn tell(lab: &mut Lab) -> Result<Frr> {
    title("The same router with BFD, 50 ms and three packets")?;
    lab.apply(PROFILE)?;
    let patch = r#"{"spec": {"bfdProfile": "fast"}}"#;
    lab.kubectl(&["patch", "bgppeer", "r1", "--type=merge", "-p", patch])?;
    let config = guide::router_with(Bfd::new(50, 3));
    let router = Frr::start(&lab.host("r1"), &config)?;
    lab.apply(SERVICE)?;
    let vips = eventually(SOON, "steady has its addresses", || {
        addresses(lab, "steady")
    })?;
    protected(lab, &router, &vips)?;
    let command = "show bfd peers brief";
    say(&format!(
        "r1$ vtysh -c '{command}'\n{}\n",
        router.show_bfd(command)?
    ))?;
    let columns = "custom-columns=NODE:.metadata.name,PEER:.status.sessions[*].peer,\
                   STATE:.status.sessions[*].state,BFD:.status.sessions[*].bfd.state,\
                   DETECTION:.status.sessions[*].bfd.detectionTime";
    show(lab, &["get", "speakerstatus", "-o", columns])?;

    title("A node dies silently; a client behind the router asks every millisecond")?;
    for vip in &vips {
        death(lab, *vip)?;
        protected(lab, &router, &vips)?;
    }

    title("All speakers are stopped and started again; the client asks on")?;
    restart(lab, &router, &vips)?;
    Ok(router)
}

/// Wait until the router has BFD with every node, and both nodes with a pod for each address.
fn protected(lab: &Lab, router: &Frr, vips: &[IpAddr]) -> Result<()> {
    for number in 1..=lab.topology().nodes {
        let [address, _] = node(number);
        router.wait_established(address, SESSION)?;
        router.wait_bfd_up(address, SESSION)?;
    }
    eventually(SOON, "two nodes lead to each address", || {
        for vip in vips {
            let hops = kernel::next_hops(router.host(), &prefix(*vip))?;
            ensure!(hops.len() == 2, "{vip} leads to {hops:?}");
        }
        Ok(())
    })
}

fn prefix(vip: IpAddr) -> String {
    let length = if vip.is_ipv4() { 32 } else { 128 };
    format!("{vip}/{length}")
}

/// The node that serves the client is cut off, with its carrier left on.
fn death(lab: &Lab, vip: IpAddr) -> Result<()> {
    let prober = Prober::udp(&lab.client_host(), vip, EVERY)?;
    let pod = eventually(SOON, "the client is answered", || {
        prober.answering().context("nobody answers")
    })?;
    let node = lab.node(lab.pod(&pod)?.node());
    pass(Duration::from_millis(300))?;
    let died = Instant::now();
    node.isolate()?;
    let other = eventually(SOON, "another node's pod answers", || {
        let answering = prober.answering().context("nobody answers")?;
        ensure!(answering != pod, "it is still {pod}");
        Ok(answering)
    });
    node.rejoin()?;
    let (other, report) = (other?, prober.stop()?);
    let gap = report
        .gaps(EVERY)
        .into_iter()
        .filter(|gap| gap.from >= died - EVERY * 5);
    let gap = gap.map(|gap| gap.length).max().unwrap_or_default();
    say(&format!(
        "{}   {pod} on {} answered; {} died; {} ms later {other} on {} answered\n",
        bracketed(vip),
        node.name(),
        node.name(),
        gap.as_millis(),
        lab.pod(&other)?.node(),
    ))
}

fn restart(lab: &mut Lab, router: &Frr, vips: &[IpAddr]) -> Result<()> {
    let changes = Changes::of(router.host())?;
    let client = lab.client_host();
    let probers = vips.iter().map(|vip| Prober::udp(&client, *vip, EVERY));
    let probers: Vec<Prober> = probers.collect::<Result<_>>()?;
    let speakers = (1..=lab.topology().nodes).map(|number| Part::speaker(&format!("n{number}")));
    let speakers: Vec<Part> = speakers.collect();
    for part in &speakers {
        lab.stop(part)?;
    }
    pass(AWAY)?;
    speakers.iter().try_for_each(|part| lab.restart(part))?;
    speakers.iter().try_for_each(|part| lab.wait_ready(part))?;
    protected(lab, router, vips)?;
    pass(AWAY)?;
    for (vip, prober) in vips.iter().zip(probers) {
        let report = prober.stop()?;
        say(&format!(
            "{}   {} datagrams sent, {} without an answer\n",
            bracketed(*vip),
            report.sent,
            report.unanswered(),
        ))?;
        ensure!(report.unanswered() == 0, "some were lost");
    }
    let change = changes.wait(Instant::now(), |change| vips.contains(&change.address));
    ensure!(change.is_err(), "the router's kernel saw {change:?}");
    say("r1$ ip monitor route\n(nothing: its kernel never noticed)\n")
}

/// Lets some time go by in which the client asks.
fn pass(span: Duration) -> Result<()> {
    throughout(span, "the client asks", || Ok(()))
}
