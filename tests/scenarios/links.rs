//! Interfaces come and go, lose their cable, change their addresses: what is announced on them
//! follows, and nothing is started anew for it.

use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use lab::probe::{EVERY_MILLISECOND, Ear};
use lab::runner::Scenario;
use lab::{Host, Lab, Mac, eventually};
use serde_json::json;

use crate::vips::{SOON, Vips, create, expect_served, expect_silence, owner, start, vips};

/// Within which a new interface answers.
const AT_ONCE: Duration = Duration::from_millis(100);
/// Within which a link that is back is announced on, however late a busy machine sees it.
const AGAIN: Duration = Duration::from_secs(1);

const FIRST_SEGMENT: [&str; 2] = ["10.99.0.200-10.99.0.250", "fd99::200-fd99::250"];
const SECOND_SEGMENT: [&str; 2] = ["10.95.0.200-10.95.0.250", "fd95::200-fd95::250"];

/// The interface of the node, and the client's, on the second segment.
const SECOND: &str = "eth1";
const CLIENT_SECOND: &str = "eth2";
const NODE_ADDRESSES: [&str; 2] = ["10.95.0.11/24", "fd95::11/64"];

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "an address is announced again as soon as the link of its node is back",
            link_returns,
        ),
        Scenario::new(
            "an interface whose prefix holds an address answers for it once it is there",
            interface_appears,
        ),
        Scenario::new(
            "an interface that an advertisement names answers, and again when it is made anew",
            interface_is_made_anew,
        ),
        Scenario::new(
            "an address follows the prefixes and the MAC of its node's interfaces",
            interface_changes,
        ),
    ]
}

fn link_returns(lab: &mut Lab) -> Result<()> {
    let vips = begin_on_first(lab, &FIRST_SEGMENT, &[])?;
    expect_on_eth0(lab, vips)?;
    let (node, mac) = (lab.node("n1"), lab.mac("n1")?);

    node.unplug()?;
    silent_on_eth0(lab, vips)?;
    let ear = Ear::open(&lab.client_host(), "eth0")?;
    node.plug()?;
    hear(&ear, &vips, mac, Instant::now()).context("after the cable was pulled")?;

    let [v4, v6] = vips;
    node.link_down("eth0")?;
    silent_on_eth0(lab, vips)?;
    let ear = Ear::open(&lab.client_host(), "eth0")?;
    node.link_up("eth0")?;
    hear(&ear, &[v4], mac, Instant::now()).context("after the interface was down")?;
    // The kernel has forgotten the IPv6 prefix, by which the interface is known to be the right one.
    node.add_address("eth0", "fd99::11/64")?;
    hear(&ear, &[v6], mac, Instant::now()).context("after the interface was down")?;
    lab.restore_node("n1")?;
    vips.into_iter()
        .try_for_each(|vip| expect_served(lab, vip))?;
    expect_untroubled(lab)
}

fn interface_appears(lab: &mut Lab) -> Result<()> {
    let vips = begin_on_first(lab, &SECOND_SEGMENT, &[])?;
    // For want of a better one, the way out.
    expect_on_eth0(lab, vips)?;
    let client = Leg::join(&lab.client_host())?;
    appear(lab, &client, vips)?;
    silent_on_eth0(lab, vips)?;
    vips.into_iter()
        .try_for_each(|vip| expect_served(lab, vip))?;

    lab.node("n1").remove_interface(SECOND)?;
    expect_on_eth0(lab, vips)?;
    expect_untroubled(lab)
}

fn interface_is_made_anew(lab: &mut Lab) -> Result<()> {
    let vips = begin_on_first(lab, &FIRST_SEGMENT, &[SECOND])?;
    let client = Leg::join(&lab.client_host())?;
    silent_on_eth0(lab, vips)?;
    let first = appear(lab, &client, vips)?;
    lab.node("n1").remove_interface(SECOND)?;
    let second = appear(lab, &client, vips)?;
    ensure!(first != second, "{first} is the MAC of both");
    silent_on_eth0(lab, vips)?;
    expect_untroubled(lab)
}

fn interface_changes(lab: &mut Lab) -> Result<()> {
    let vips = begin_on_first(lab, &SECOND_SEGMENT, &[])?;
    let client = Leg::join(&lab.client_host())?;
    appear(lab, &client, vips)?;
    let node = lab.node("n1");

    let mac = Mac([2, 0x5e, 0xbe, 0xef, 0, 1]);
    let ear = client.ear()?;
    node.run(&["ip", "link", "set", SECOND, "address", &mac.to_string()])?;
    hear(&ear, &vips, mac, Instant::now()).context("after its MAC was changed")?;

    for (vip, (old, new)) in vips.into_iter().zip([
        (NODE_ADDRESSES[0], "10.95.0.12/24"),
        (NODE_ADDRESSES[1], "fd95::12/64"),
    ]) {
        node.remove_address(SECOND, old)?;
        eventually(SOON, "the way out is taken", || on_eth0(lab, vip))?;
        let ear = client.ear()?;
        node.add_address(SECOND, new)?;
        let added = Instant::now();
        let answer = ear.first_answer(vip, EVERY_MILLISECOND, SOON)?;
        let answer = answer.with_context(|| format!("nobody answers for {vip} again"))?;
        expect_at_once(vip, answer.at, added)?;
        ensure!(answer.mac == mac, "{} answers for {vip}", answer.mac);
    }
    silent_on_eth0(lab, vips)?;
    expect_untroubled(lab)
}

/// Seamark runs, and `n1` alone may announce these addresses, on these interfaces.
fn begin_on_first(lab: &mut Lab, addresses: &[&str], interfaces: &[&str]) -> Result<Vips> {
    let first = json!({ "matchLabels": { "kubernetes.io/hostname": "n1" } });
    for (kind, spec) in [
        ("IPAddressPool", json!({ "addresses": addresses })),
        (
            "L2Advertisement",
            json!({ "nodeSelectors": [first], "interfaces": interfaces }),
        ),
    ] {
        let object = json!({
            "apiVersion": "seamark.io/v1beta1",
            "kind": kind,
            "metadata": { "name": "only" },
            "spec": spec,
        });
        lab.apply(&object.to_string())?;
    }
    start(lab)?;
    create(lab, "web")?;
    vips(lab, "web")
}

/// Give the node its second interface; its MAC. Whoever asks all the time is answered from there
/// within the promised time after it has its address.
fn appear(lab: &Lab, client: &Leg, vips: Vips) -> Result<Mac> {
    let node = lab.node("n1");
    let ears = [client.ear()?, client.ear()?];
    let (answers, added) = thread::scope(|scope| {
        let asking: Vec<_> = ears
            .iter()
            .zip(vips)
            .map(|(ear, vip)| scope.spawn(move || ear.first_answer(vip, EVERY_MILLISECOND, SOON)))
            .collect();
        node.add_interface(SECOND, &[])?;
        let mut added = Vec::new();
        for address in NODE_ADDRESSES {
            node.add_address(SECOND, address)?;
            added.push(Instant::now());
        }
        let answers = asking.into_iter().map(|ear| ear.join());
        Ok::<_, anyhow::Error>((answers.collect::<Vec<_>>(), added))
    })?;
    let mac = node.interface(SECOND)?.mac;
    for ((answer, vip), added) in answers.into_iter().zip(vips).zip(added) {
        let answer = answer.map_err(|_| anyhow!("an ear has failed"))??;
        let answer = answer.with_context(|| format!("nobody answers for {vip}"))?;
        expect_at_once(vip, answer.at, added)?;
        ensure!(
            answer.mac == mac,
            "{} answers for {vip}, not {mac}",
            answer.mac
        );
    }
    Ok(mac)
}

fn expect_at_once(vip: IpAddr, answered: Instant, added: Instant) -> Result<()> {
    let time = answered.saturating_duration_since(added);
    ensure!(time <= AT_ONCE, "{vip} was answered only after {time:?}");
    Ok(())
}

/// Hear each address announced by this MAC, without asking, within the time after an instant.
fn hear(ear: &Ear, vips: &[IpAddr], mac: Mac, since: Instant) -> Result<()> {
    let mut missing = vips.to_vec();
    while let Some((address, by, _)) = ear.next_answer(since + AGAIN)? {
        ensure!(
            by == mac || !vips.contains(&address),
            "{by} answers for {address}"
        );
        missing.retain(|vip| *vip != address);
        if missing.is_empty() {
            return Ok(());
        }
    }
    Err(anyhow!("{missing:?} not announced within {AGAIN:?}"))
}

fn expect_on_eth0(lab: &Lab, vips: Vips) -> Result<()> {
    vips.into_iter().try_for_each(|vip| on_eth0(lab, vip))
}

fn on_eth0(lab: &Lab, vip: IpAddr) -> Result<()> {
    let node = owner(lab, vip)?;
    ensure!(node == "n1", "{node} answers for {vip}");
    Ok(())
}

fn silent_on_eth0(lab: &Lab, vips: Vips) -> Result<()> {
    eventually(SOON, "nobody answers on the first segment", || {
        vips.into_iter()
            .try_for_each(|vip| expect_silence(lab, vip))
    })
}

/// All processes run, and the speaker of the node has nothing to complain about any more.
fn expect_untroubled(lab: &Lab) -> Result<()> {
    for part in lab.parts() {
        lab.process(&part)?.expect_running()?;
    }
    eventually(SOON, "the speaker of n1 has no trouble", || {
        let path = "jsonpath={.status.conditions[?(@.type=='Degraded')]}";
        let shown = lab.kubectl(&["get", "speakerstatus", "n1", "-o", path])?;
        let degraded: serde_json::Value = serde_json::from_str(&shown)?;
        ensure!(degraded["status"] == "False", "it shows {shown}");
        Ok(())
    })
}

/// The client's leg on the second segment.
#[derive(Debug)]
struct Leg(Host);

impl Leg {
    fn join(host: &Host) -> Result<Self> {
        let leg = Self(host.clone());
        host.add_interface(CLIENT_SECOND, &["10.95.0.100/24", "fd95::100/64"])?;
        Ok(leg)
    }

    fn ear(&self) -> Result<Ear> {
        Ear::open(&self.0, CLIENT_SECOND)
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        drop(self.0.remove_interface(CLIENT_SECOND));
    }
}
