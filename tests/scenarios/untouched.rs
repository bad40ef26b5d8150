//! Services without a selector are served like any other; those that are not ours are not touched.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use lab::address::CLIENT;
use lab::runner::Scenario;
use lab::{Lab, eventually, http};
use serde_json::{Value, json};

use crate::vips::{
    SOON, begin, create, create_with, expect_served, expect_silence, held, owner, start, vips,
};

const FOREIGN_CLASS: &str = "example.com/other";
/// What somebody else's controller gave to its Service; they lie in our pool.
const FOREIGN: [&str; 2] = ["10.99.0.240", "fd99::240"];

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "a Service without a selector is served by its hand-made EndpointSlices",
            hand_made_slices,
        ),
        Scenario::new(
            "Services that are not ours stay as they are, byte for byte",
            not_ours,
        ),
    ]
}

fn hand_made_slices(lab: &mut Lab) -> Result<()> {
    begin(lab)?;
    for policy in ["Cluster", "Local"] {
        let name = format!("by-hand-{}", policy.to_lowercase());
        let fields = json!({ "selector": null, "externalTrafficPolicy": policy });
        create_with(lab, &name, &fields)?;
        put_slices(lab, &name, "web-2")?;
        for vip in vips(lab, &name)? {
            expect_served(lab, vip)?;
            if policy == "Local" {
                expect_local(lab, vip, "n2", "web-2")?;
            }
        }
    }
    // What a person edits is followed as what a controller writes.
    put_slices(lab, "by-hand-local", "web-1")?;
    for vip in vips(lab, "by-hand-local")? {
        expect_local(lab, vip, "n1", "web-1")?;
    }
    Ok(())
}

/// A slice of each family with one pod, as a person would write it.
fn put_slices(lab: &Lab, service: &str, pod: &str) -> Result<()> {
    let pod = lab.pod(pod)?;
    for address in pod.addresses() {
        let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": format!("{service}-{}", family.to_lowercase()),
                "labels": { "kubernetes.io/service-name": service },
            },
            "addressType": family,
            "endpoints": [{ "addresses": [address], "nodeName": pod.node() }],
            "ports": [{ "name": "", "port": 8080, "protocol": "TCP" }],
        });
        lab.apply(&slice.to_string())?;
    }
    Ok(())
}

fn expect_local(lab: &Lab, vip: IpAddr, node: &str, pod: &str) -> Result<()> {
    eventually(SOON, &format!("{node} serves {vip}"), || {
        let found = owner(lab, vip)?;
        ensure!(found == node, "it is at {found}");
        let body = http::get(&lab.client_host(), vip, 80, SOON / 10)?;
        let client = CLIENT[usize::from(vip.is_ipv6())];
        ensure!(body == format!("{pod} {client}"), "it says {body:?}");
        Ok(())
    })
}

fn not_ours(lab: &mut Lab) -> Result<()> {
    create_others(lab, "before")?;
    let before = as_stored(lab)?;
    begin(lab)?;
    expect_seen(lab, "first")?;
    expect_same(&before, &as_stored(lab)?)?;
    // Made while we run; nobody else writes to them either.
    create_others(lab, "after")?;
    let after = as_stored(lab)?;
    ensure!(after.len() == 2 * before.len(), "{:?}", after.keys());
    expect_seen(lab, "second")?;
    expect_same(&after, &as_stored(lab)?)?;
    // Read as a whole by new processes.
    start(lab)?;
    expect_seen(lab, "third")?;
    expect_same(&after, &as_stored(lab)?)?;
    for address in FOREIGN {
        expect_silence(lab, address.parse()?)?;
    }
    ensure!(held(lab)?.len() == 6, "held for others: {:?}", held(lab)?);
    expect_no_word_of_ours(lab, &after)
}

/// No Event of ours is about one of these Services.
fn expect_no_word_of_ours(lab: &Lab, others: &BTreeMap<String, String>) -> Result<()> {
    let shown = lab.kubectl(&["get", "events", "-o", "json"])?;
    let list: Value = serde_json::from_str(&shown)?;
    for event in list["items"].as_array().context("a list")? {
        let about = event["involvedObject"]["name"].as_str().unwrap_or_default();
        let ours = event["reportingComponent"].as_str().unwrap_or_default();
        ensure!(
            !(others.contains_key(about) && ours.contains("seamark")),
            "{event:#}"
        );
    }
    Ok(())
}

/// One Service of each kind that is not ours.
fn create_others(lab: &Lab, name: &str) -> Result<()> {
    let single = json!({ "selector": null, "ports": null, "ipFamilyPolicy": null });
    let external = json!({ "type": "ExternalName", "externalName": "example.com" });
    let kinds = [
        ("cluster-ip", json!({ "type": "ClusterIP" })),
        ("node-port", json!({ "type": "NodePort" })),
        ("external-name", merged(&single, &external)),
        (
            "headless",
            json!({ "type": "ClusterIP", "clusterIP": "None" }),
        ),
        (
            "external-ips",
            json!({ "type": "ClusterIP", "externalIPs": ["10.99.0.241"] }),
        ),
        ("class", json!({ "loadBalancerClass": FOREIGN_CLASS })),
    ];
    for (kind, fields) in kinds {
        create_with(lab, &format!("{kind}-{name}"), &fields)?;
    }
    // The foreign class, served by its own controller.
    let served = format!("served-{name}");
    create_with(lab, &served, &json!({ "loadBalancerClass": FOREIGN_CLASS }))?;
    let ingress = json!(FOREIGN.map(|ip| json!({ "ip": ip, "ipMode": "VIP" })));
    let status = json!({ "status": { "loadBalancer": { "ingress": ingress } } }).to_string();
    let patch = [
        "patch",
        "service",
        &served,
        "--subresource=status",
        "--type=merge",
    ];
    lab.kubectl(&[&patch[..], &["-p", &status]].concat())
        .map(drop)
}

fn merged(one: &Value, other: &Value) -> Value {
    let mut all = one.clone();
    for (field, value) in other.as_object().into_iter().flatten() {
        all[field] = value.clone();
    }
    all
}

/// All Services that are not ours, as the API server stores them, by name.
fn as_stored(lab: &Lab) -> Result<BTreeMap<String, String>> {
    let shown = lab.kubectl(&["get", "services", "-o", "json", "--show-managed-fields"])?;
    let list: Value = serde_json::from_str(&shown)?;
    let items = list["items"].as_array().context("a list")?;
    let mut stored = BTreeMap::new();
    for item in items {
        let name = item["metadata"]["name"].as_str().context("a name")?;
        ensure!(item["metadata"]["managedFields"].is_array(), "{item}");
        if item["spec"]["type"] != "LoadBalancer" || item["spec"]["loadBalancerClass"].is_string() {
            stored.insert(name.to_owned(), serde_json::to_string_pretty(item)?);
        }
    }
    // The API server's own is not one of those made here.
    stored.remove("kubernetes").context("no kubernetes")?;
    Ok(stored)
}

fn expect_same(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Result<()> {
    for (name, was) in before {
        let is = after.get(name).with_context(|| format!("{name} is gone"))?;
        ensure!(was == is, "{name} was\n{was}\nand is\n{is}");
    }
    Ok(())
}

/// A Service of ours that is made now is served: whatever was made before it has been seen.
fn expect_seen(lab: &Lab, name: &str) -> Result<()> {
    create(lab, name)?;
    for vip in vips(lab, name)? {
        expect_served(lab, vip)?;
    }
    Ok(())
}
