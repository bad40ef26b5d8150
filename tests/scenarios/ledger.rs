//! What the system has written is taken away under a client that never stops asking.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Service;
use kube::api::{Patch, PatchParams};
use lab::eventually::throughout;
use lab::runner::Scenario;
use lab::{Lab, Part, Prober, eventually};
use serde_json::{Value, json};

use crate::ask::{allocated, condition, get, one_event, shown, told};
use crate::vips::{self, SOON, Vips, owner, services};

/// The longest silence for a client by HTTP, on a busy machine.
const NO_GAP: Duration = Duration::from_millis(500);

/// Longer than a watch, a plan and a write take together.
const A_MOMENT: Duration = Duration::from_millis(300);

const ADVERTISEMENT: &str = "\
apiVersion: seamark.io/v1beta1
kind: L2Advertisement
metadata: {name: lan}
spec:
  ipAddressPoolSelectors: [{matchLabels: {zone: a}}]
";

const POOL: &str = "\
apiVersion: seamark.io/v1beta1
kind: IPAddressPool
metadata: {name: lan, labels: {zone: a}}
spec:
  addresses: [10.99.0.200-10.99.0.250, 'fd99::200-fd99::250']
";

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "ledger entries and settled configuration that are deleted come back, and no client notices",
            deleted_objects_come_back,
        ),
        Scenario::new(
            "a deleted pool keeps serving what it gave, also by speakers that start afterwards",
            pool_vanishes,
        ),
        Scenario::new(
            "a kind whose definition is deleted stays in force as it was read last",
            definition_vanishes,
        ),
        Scenario::new(
            "with the definitions of all our kinds gone every address is still answered",
            all_definitions_vanish,
        ),
        Scenario::new(
            "a status that another controller overwrites is put right once, then reported",
            status_is_overwritten,
        ),
    ]
}

/// Seamark with one Service that is served, and clients that go on asking for it.
fn begin(lab: &mut Lab) -> Result<Clients> {
    lab.apply(POOL)?;
    lab.apply(ADVERTISEMENT)?;
    lab.start_seamark()?;
    vips::create(lab, "web")?;
    let vips = vips::vips(lab, "web")?;
    Clients::start(lab, vips)
}

/// Clients of both families, each by the segment's own question and by HTTP.
struct Clients {
    vips: Vips,
    segment: Vec<(IpAddr, Prober)>,
    http: Vec<(IpAddr, Prober)>,
}

impl Clients {
    fn start(lab: &Lab, vips: Vips) -> Result<Self> {
        let client = lab.client_host();
        for vip in vips {
            owner(lab, vip)?;
            eventually(SOON, &format!("{vip} serves"), || {
                lab::http::get(&client, vip, 80, Duration::from_secs(1))
            })?;
        }
        let (mut segment, mut http) = (Vec::new(), Vec::new());
        for vip in vips {
            segment.push((
                vip,
                Prober::segment(&client, vip, Duration::from_millis(5))?,
            ));
            http.push((vip, Prober::http(&client, vip, Duration::from_millis(25))?));
        }
        Ok(Self {
            vips,
            segment,
            http,
        })
    }

    /// Nobody noticed anything, nor does a moment later.
    fn expect_no_gap(self, lab: &Lab) -> Result<()> {
        throughout(A_MOMENT, "web keeps its addresses", || {
            let shown = shown(&get(lab, "web")?);
            ensure!(shown == self.vips, "it shows {shown:?}");
            Ok(())
        })?;
        for (vip, prober) in self.http {
            let report = prober.stop()?;
            report
                .expect_no_gap(NO_GAP)
                .with_context(|| format!("for {vip}"))?;
        }
        answered_throughout(self.segment)
    }
}

/// Every single question on the segment was answered, and by one node.
fn answered_throughout(segment: Vec<(IpAddr, Prober)>) -> Result<()> {
    for (vip, prober) in segment {
        let report = prober.stop()?;
        ensure!(
            report.sent > 20,
            "{vip} was asked for only {} times",
            report.sent
        );
        ensure!(
            report.unanswered() <= 1,
            "{vip}: {} of {} questions were not answered; longest silence {:?}",
            report.unanswered(),
            report.sent,
            report.longest_gap()
        );
        ensure!(
            report.who().len() == 1,
            "{vip} was answered by {:?}",
            report.changes()
        );
    }
    Ok(())
}

fn deleted_objects_come_back(lab: &mut Lab) -> Result<()> {
    let clients = begin(lab)?;
    let entries = || spec_of(lab, &["ipallocations"]);
    let config = || spec_of(lab, &["speakerconfig", "seamark"]);
    let (before, config_before) = (entries()?, config()?);
    lab.kubectl(&["delete", "ipallocation", "--all"])?;
    eventually(SOON, "the entries are back", || {
        let after = entries()?;
        ensure!(after == before, "they are {after}");
        Ok(())
    })?;
    lab.kubectl(&["delete", "speakerconfig", "--all"])?;
    eventually(SOON, "the settled configuration is back", || {
        let after = config()?;
        ensure!(after == config_before, "it is {after}");
        Ok(())
    })?;
    clients.expect_no_gap(lab)
}

/// What objects say, without their versions.
fn spec_of(lab: &Lab, which: &[&str]) -> Result<Value> {
    let text = lab.kubectl(&[&["get", "-o", "json"], which].concat())?;
    let list: Value = serde_json::from_str(&text)?;
    Ok(match list.get("items").and_then(Value::as_array) {
        Some(items) => items.iter().map(|item| item["spec"].clone()).collect(),
        None => list["spec"].clone(),
    })
}

fn pool_vanishes(lab: &mut Lab) -> Result<()> {
    let clients = begin(lab)?;
    let vips = clients.vips;
    lab.kubectl(&["delete", "ipaddresspool", "lan"])?;
    let service = told(lab, "web", "True", "OrphanAddress")?;
    let message = condition(&service)?.message;
    for word in [
        vips[0].to_string(),
        vips[1].to_string(),
        "no longer exists".to_owned(),
        "add it to a pool".to_owned(),
    ] {
        ensure!(message.contains(&word), "no {word:?} in {message:?}");
    }
    let tombstone = json!([{ "name": "lan", "labels": { "zone": "a" }, "vanished": true }]);
    eventually(SOON, "speakers are told of the vanished pool", || {
        let config = spec_of(lab, &["speakerconfig", "seamark"])?;
        ensure!(config["pools"] == tombstone, "they are told {config}");
        Ok(())
    })?;
    // The ledger goes as well: it names the pool, by which the tombstone stands.
    lab.kubectl(&["delete", "ipallocation", "--all"])?;
    eventually(SOON, "the entries are back", || {
        let entries = spec_of(lab, &["ipallocations"])?;
        ensure!(
            entries.as_array().is_some_and(|all| all.len() == 2),
            "they are {entries}"
        );
        Ok(())
    })?;
    clients.expect_no_gap(lab)?;

    for node in lab.topology().node_names() {
        lab.restart(&Part::speaker(&node))?;
    }
    for vip in vips {
        owner(lab, vip)?;
    }
    lab.apply(POOL)?;
    ensure!(allocated(lab, "web")? == vips, "it shows another address");
    eventually(SOON, "the pool is no longer a vanished one", || {
        let config = spec_of(lab, &["speakerconfig", "seamark"])?;
        ensure!(
            config["pools"] == json!([{ "name": "lan", "labels": { "zone": "a" } }]),
            "{config}"
        );
        Ok(())
    })
}

/// Wait until SpeakerConfig says that it is degraded for this reason, or that it is not.
fn degraded(lab: &Lab, reason: &str) -> Result<()> {
    let path = "jsonpath={.status.conditions[?(@.type==\"Degraded\")].reason}";
    eventually(SOON, &format!("SpeakerConfig says {reason}"), || {
        let said = lab.kubectl(&["get", "speakerconfig", "seamark", "-o", path])?;
        ensure!(said == reason, "it says {said:?}");
        Ok(())
    })
}

fn definition_vanishes(lab: &mut Lab) -> Result<()> {
    let clients = begin(lab)?;
    let config = || spec_of(lab, &["speakerconfig", "seamark"]);
    let before = config()?;
    for (definition, object) in [
        ("l2advertisements.seamark.io", ADVERTISEMENT),
        ("ipaddresspools.seamark.io", POOL),
    ] {
        lab.kubectl(&["delete", "crd", definition])?;
        let told = degraded(lab, "KindGone");
        let after = config()?;
        put_back(lab)?;
        told?;
        ensure!(after == before, "it became {after}");
        ensure!(config()? == before, "it became {}", config()?);
        lab.apply(object)?;
        degraded(lab, "Settled")?;
    }
    ensure!(config()? == before, "it became {}", config()?);
    ensure!(
        allocated(lab, "web")? == clients.vips,
        "it shows another address"
    );
    clients.expect_no_gap(lab)
}

/// Apply the definitions of our kinds again.
fn put_back(lab: &Lab) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds/manifests");
    let folder = folder.display().to_string();
    lab.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &folder])?;
    lab.kubectl(&[
        "wait",
        "--for=condition=Established",
        "--timeout=20s",
        "-f",
        &folder,
    ])?;
    Ok(())
}

fn all_definitions_vanish(lab: &mut Lab) -> Result<()> {
    let clients = begin(lab)?;
    let before = spec_of(lab, &["ipallocations"])?;
    let deleted = lab.kubectl(&["delete", "crd", "--all"]);
    // The scenarios to come need them, whatever becomes of this one.
    put_back(lab)?;
    deleted?;
    lab.apply(POOL)?;
    lab.apply(ADVERTISEMENT)?;
    eventually(
        Duration::from_secs(40),
        "ledger and configuration are back",
        || {
            let after = spec_of(lab, &["ipallocations"])?;
            ensure!(after == before, "the entries are {after}");
            spec_of(lab, &["speakerconfig", "seamark"]).map(drop)
        },
    )?;
    ensure!(
        allocated(lab, "web")? == clients.vips,
        "it shows another address"
    );
    clients.expect_no_gap(lab)
}

/// Another controller writes its own address into the status.
fn overwrite(lab: &Lab, address: &str) -> Result<Service> {
    let ingress = json!({ "status": { "loadBalancer": { "ingress": [{ "ip": address }] } } });
    let params = PatchParams {
        field_manager: Some("rival".to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(ingress);
    Ok(lab.block_on(services(lab).patch_status("web", &params, &patch))?)
}

fn status_is_overwritten(lab: &mut Lab) -> Result<()> {
    let clients = begin(lab)?;
    let vips = clients.vips;
    overwrite(lab, "192.0.2.1")?;
    eventually(SOON, "the status is put right", || {
        let shown = shown(&get(lab, "web")?);
        ensure!(shown == vips, "it shows {shown:?}");
        Ok(())
    })?;
    ensure!(allocated(lab, "web")? == vips, "it shows another address");

    overwrite(lab, "192.0.2.2")?;
    let service = told(lab, "web", "False", "StatusOverwritten")?;
    let message = condition(&service)?.message;
    for word in ["rival", &vips[0].to_string(), "stop it"] {
        ensure!(message.contains(word), "no {word:?} in {message:?}");
    }
    one_event(lab, "web", "StatusOverwritten", &message)?;
    stays_as_overwritten(lab, "192.0.2.2")?;
    let overwritten = overwrite(lab, "192.0.2.3")?;
    ensure!(shown(&overwritten) != vips, "nothing was overwritten");
    stays_as_overwritten(lab, "192.0.2.3")?;
    lab.restart(&Part::Controller)?;
    lab.wait_ready(&Part::Controller)?;
    stays_as_overwritten(lab, "192.0.2.3")?;
    // kube-proxy serves what the status shows; the segment is ours.
    drop(clients.http);
    answered_throughout(clients.segment)?;

    // The other one gives up and leaves the status as it should be.
    let right = vips.map(|ip| json!({ "ip": ip, "ipMode": "VIP" }));
    let status = json!({ "status": { "loadBalancer": { "ingress": right } } });
    let patch = Patch::Merge(status);
    lab.block_on(services(lab).patch_status("web", &PatchParams::default(), &patch))?;
    ensure!(allocated(lab, "web")? == vips, "it shows another address");
    Ok(())
}

/// Nobody writes the Service for a while.
fn stays_as_overwritten(lab: &Lab, address: &str) -> Result<()> {
    let before = get(lab, "web")?;
    throughout(
        Duration::from_secs(1),
        "nobody fights over the status",
        || {
            let service = get(lab, "web")?;
            let shown = shown(&service);
            ensure!(shown == [address.parse::<IpAddr>()?], "it shows {shown:?}");
            ensure!(
                service.metadata.resource_version == before.metadata.resource_version,
                "it was written: {service:?}"
            );
            Ok(())
        },
    )
}
