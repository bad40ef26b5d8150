//! The main promise: a Service of type LoadBalancer gets its addresses and is reached by them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::address::{CLIENT, ROUTED_CLIENT};
use lab::runner::Scenario;
use lab::{Lab, ProxyMode, Topology, eventually, http};
use serde_json::{Value, json};

use crate::vips::{SOON, begin, create, create_with, expect_served, held, pool, start, vips};

const ONE_REQUEST: Duration = Duration::from_secs(1);

pub(crate) fn scenarios() -> Vec<Scenario> {
    let iptables = Topology::default().with_proxy(Some(ProxyMode::Iptables));
    vec![
        Scenario::new(
            "a dual-stack Service shows its addresses and serves, with kube-proxy by nftables",
            serves_both_clients,
        ),
        Scenario::new(
            "a dual-stack Service shows its addresses and serves, with kube-proxy by iptables",
            serves_both_clients,
        )
        .on(iptables),
        Scenario::new(
            "a Service is given the families that it asks for, and serves by each",
            families,
        ),
        Scenario::new(
            "a family that no pool had is added once one has it, and the other stays",
            a_family_is_added,
        ),
    ]
}

fn serves_both_clients(lab: &mut Lab) -> Result<()> {
    begin(lab)?;
    create(lab, "web")?;
    expect_external_ips(lab, "web", &["10.99.0.200", "fd99::200"])?;
    let client = lab.client_host();
    for vip in vips(lab, "web")? {
        for from in [CLIENT, ROUTED_CLIENT].map(|ends| ends[usize::from(vip.is_ipv6())]) {
            let what = format!("{vip} serves {from}");
            let body = eventually(SOON, &what, || {
                http::get_from(&client, from, vip, 80, ONE_REQUEST)
            })?;
            ensure!(body.starts_with("web-"), "{vip} says {body:?} to {from}");
        }
    }
    Ok(())
}

fn families(lab: &mut Lab) -> Result<()> {
    begin(lab)?;
    let cases: [(&str, Value, &[&str]); 5] = [
        (
            "only-v4",
            json!({ "ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"] }),
            &["10.99.0.200"],
        ),
        (
            "only-v6",
            json!({ "ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv6"] }),
            &["fd99::200"],
        ),
        // Without a word about families the cluster's first one is meant.
        (
            "silent",
            json!({ "ipFamilyPolicy": null }),
            &["10.99.0.201"],
        ),
        (
            "prefers",
            json!({ "ipFamilyPolicy": "PreferDualStack" }),
            &["10.99.0.202", "fd99::201"],
        ),
        (
            "v6-first",
            json!({ "ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv6", "IPv4"] }),
            &["fd99::202", "10.99.0.203"],
        ),
    ];
    let mut all = BTreeSet::new();
    for (name, fields, expected) in cases {
        create_with(lab, name, &fields)?;
        expect_external_ips(lab, name, expected)?;
        for address in expected {
            let vip: IpAddr = address.parse()?;
            expect_served(lab, vip).with_context(|| name)?;
            all.insert(vip);
        }
    }
    let held = held(lab)?;
    ensure!(held == all, "shown are {all:?}, held are {held:?}");
    Ok(())
}

fn a_family_is_added(lab: &mut Lab) -> Result<()> {
    for (name, had, other) in [
        ("v4-alone", "10.99.0.210", "fd99::210"),
        ("v6-alone", "fd99::220", "10.99.0.220"),
    ] {
        pool(lab, &[had])?;
        if lab.parts().is_empty() {
            start(lab)?;
        }
        create_with(lab, name, &json!({ "ipFamilyPolicy": "PreferDualStack" }))?;
        expect_external_ips(lab, name, &[had])?;
        expect_served(lab, had.parse()?)?;
        pool(lab, &[had, other])?;
        let mut both = [had, other];
        both.sort_by_key(|address| address.contains(':'));
        expect_external_ips(lab, name, &both)?;
        expect_served(lab, had.parse()?)?;
        expect_served(lab, other.parse()?)?;
    }
    Ok(())
}

/// kubectl shows these EXTERNAL-IPs, and the status has them in this order.
fn expect_external_ips(lab: &Lab, service: &str, expected: &[&str]) -> Result<()> {
    let path = "jsonpath={.status.loadBalancer.ingress[*].ip}";
    eventually(SOON, &format!("{service} shows {expected:?}"), || {
        let listed = lab.kubectl(&["get", "service", service, "-o", path])?;
        ensure!(listed == expected.join(" "), "it has {listed:?}");
        Ok(())
    })?;
    let row = lab.kubectl(&["get", "service", service, "-o", "wide", "--no-headers"])?;
    let column = row.split_whitespace().nth(3);
    let column: BTreeSet<&str> = column.unwrap_or_default().split(',').collect();
    ensure!(
        column == expected.iter().copied().collect(),
        "EXTERNAL-IP is not {expected:?} in {row}"
    );
    Ok(())
}
