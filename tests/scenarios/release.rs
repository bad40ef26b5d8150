//! What a Service held is given back at once when it is gone, or wants no address any more.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kube::api::{Patch, PatchParams};
use lab::runner::Scenario;
use lab::steps::note;
use lab::{Lab, Prober, eventually, frame};
use serde_json::{Value, json};

use crate::vips::{
    SOON, Vips, create, delete, expect_served, expect_silence, held, pool, services, start, vips,
};

/// From the API server's answer to the last reply.
const PROMISED: Duration = Duration::from_secs(1);
/// One address of each family: who comes second gets what the first gave back.
const ONLY: [&str; 2] = ["10.99.0.230", "fd99::230"];

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "a deleted Service is silent within a second, and the next one gets its addresses",
            deleted,
        ),
        Scenario::new(
            "a Service that becomes ClusterIP or NodePort is silent within a second, and its status is cleared",
            other_type,
        ),
    ]
}

fn begin(lab: &mut Lab) -> Result<Vips> {
    pool(lab, &ONLY)?;
    start(lab)?;
    create(lab, "web")?;
    let vips = vips(lab, "web")?;
    vips.iter().try_for_each(|vip| expect_served(lab, *vip))?;
    Ok(vips)
}

fn deleted(lab: &mut Lab) -> Result<()> {
    let addresses = begin(lab)?;
    expect_release(lab, addresses, |lab| delete(lab, "web"))?;
    create(lab, "next")?;
    ensure!(vips(lab, "next")? == addresses, "it gets other addresses");
    // One that waits already is given what comes free, and nobody has to touch it.
    create(lab, "waiting")?;
    delete(lab, "next")?;
    ensure!(
        vips(lab, "waiting")? == addresses,
        "it gets other addresses"
    );
    for vip in addresses {
        expect_served(lab, vip)?;
    }
    // Deleted and made again in one breath it is another Service, served all the same.
    delete(lab, "waiting")?;
    create(lab, "waiting")?;
    ensure!(
        vips(lab, "waiting")? == addresses,
        "it gets other addresses"
    );
    addresses
        .iter()
        .try_for_each(|vip| expect_served(lab, *vip))
}

fn other_type(lab: &mut Lab) -> Result<()> {
    let addresses = begin(lab)?;
    for other in ["ClusterIP", "NodePort"] {
        expect_release(lab, addresses, |lab| set_type(lab, other))?;
        eventually(SOON, &format!("nothing of ours is left as {other}"), || {
            let service = lab.block_on(services(lab).get("web"))?;
            let status = serde_json::to_value(service.status)?;
            ensure!(
                status == json!({ "loadBalancer": {} }),
                "status is {status}"
            );
            Ok(())
        })?;
        let row = lab.kubectl(&["get", "service", "web", "--no-headers"])?;
        let shown = row.split_whitespace().nth(3);
        ensure!(shown == Some("<none>"), "EXTERNAL-IP in {row}");
        set_type(lab, "LoadBalancer")?;
        ensure!(vips(lab, "web")? == addresses, "it gets other addresses");
        addresses
            .iter()
            .try_for_each(|vip| expect_served(lab, *vip))?;
    }
    Ok(())
}

fn set_type(lab: &Lab, kind: &str) -> Result<()> {
    let patch: Patch<Value> = Patch::Merge(json!({ "spec": { "type": kind } }));
    let services = services(lab);
    lab.block_on(services.patch("web", &PatchParams::default(), &patch))?;
    Ok(())
}

/// Clients ask for both addresses all the time. After the change the last reply comes in time,
/// and ledger and groups are empty.
fn expect_release(lab: &Lab, vips: Vips, change: impl FnOnce(&Lab) -> Result<()>) -> Result<()> {
    let client = lab.client_host();
    let probers = vips.map(|vip| Prober::segment(&client, vip, Duration::from_millis(5)));
    let before = Instant::now();
    change(lab)?;
    let changed = Instant::now();
    for vip in vips {
        eventually(SOON, &format!("nobody answers for {vip}"), || {
            expect_silence(lab, vip)
        })?;
    }
    for (vip, prober) in vips.into_iter().zip(probers) {
        let report = prober?.stop()?;
        let (last, _) = report.answers.last().context("never answered")?;
        let until_change = before.saturating_duration_since(*last) < Duration::from_millis(100);
        ensure!(until_change, "{vip} was silent before the change");
        let took = last.saturating_duration_since(changed);
        let ms = last.saturating_duration_since(before).as_millis();
        note(&format!("{vip}: last reply {ms} ms after the request"))?;
        ensure!(took <= PROMISED, "{vip} was answered for {took:?} more");
    }
    eventually(SOON, "the ledger is empty", || {
        let held = held(lab)?;
        ensure!(held.is_empty(), "it holds {held:?}");
        Ok(())
    })?;
    vips.iter().try_for_each(|vip| expect_no_member(lab, *vip))
}

/// No node is a member of the address's solicited-node group any more.
fn expect_no_member(lab: &Lab, vip: IpAddr) -> Result<()> {
    let IpAddr::V6(vip) = vip else { return Ok(()) };
    let group = frame::solicited_node(vip).1.to_string();
    eventually(SOON, &format!("nobody is a member of {group}"), || {
        for node in lab.nodes() {
            let shown = node.run(&["ip", "-6", "maddr", "show", "dev", "eth0"])?;
            let words: BTreeSet<&str> = shown.split_whitespace().collect();
            ensure!(!words.contains(group.as_str()), "{} is", node.name());
        }
        Ok(())
    })
}
