//! What a Service asks for, and what it is given.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::probe;
use lab::runner::Scenario;
use lab::{Lab, Prober, eventually};
use serde_json::{Value, json};

use crate::ask::{
    ADDRESSES, POOL, allocated, annotations, change, condition, create, gets, one_event, pool,
    refused, shown, told,
};
use crate::vips::{self, SOON, expect_silence, owner};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "every spelling of a requested address or pool is honoured, in both families",
            spellings,
        ),
        Scenario::new(
            "pools are tried by priority, and only those that admit the Service and assign at all",
            choice_of_pools,
        ),
        Scenario::new(
            "PreferDualStack gains its second family and keeps the first; RequireDualStack is all or nothing",
            families,
        ),
        Scenario::new(
            "a requested address that changes is answered at the new place before the old one ends",
            moves,
        ),
    ]
}

fn spellings(lab: &mut Lab) -> Result<()> {
    lab.start_controller(&[])?;
    let lan = ["10.99.0.200-10.99.0.250", "fd99::200-fd99::250"];
    pool(lab, "lan", &json!({ "addresses": lan }))?;
    let other = ["10.99.0.150-10.99.0.160", "fd99::150-fd99::160"];
    pool(
        lab,
        "other",
        &json!({ "addresses": other, "autoAssign": false }),
    )?;
    for (at, prefix) in ["seamark.io", "metallb.io", "metallb.universe.tf"]
        .into_iter()
        .enumerate()
    {
        let (v4, v6) = (format!("10.99.0.24{at}"), format!("fd99::24{at}"));
        let (name, asked) = (format!("exact-{at}"), format!("{v6}, {v4}"));
        create(
            lab,
            &name,
            &annotations(&[(&format!("{prefix}/loadBalancerIPs"), &asked)]),
        )?;
        gets(lab, &name, &[&v4, &v6])?;
        let name = format!("pool-{at}");
        create(
            lab,
            &name,
            &annotations(&[(&format!("{prefix}/address-pool"), "other")]),
        )?;
        gets(
            lab,
            &name,
            &[&format!("10.99.0.15{at}"), &format!("fd99::15{at}")],
        )?;
    }
    for (name, family, address) in [
        ("field-4", "IPv4", "10.99.0.250"),
        ("field-6", "IPv6", "fd99::250"),
    ] {
        let spec = json!({
            "ipFamilyPolicy": "SingleStack", "ipFamilies": [family], "loadBalancerIP": address,
        });
        create(lab, name, &json!({ "spec": spec }))?;
        gets(lab, name, &[address])?;
    }
    Ok(())
}

fn choice_of_pools(lab: &mut Lab) -> Result<()> {
    lab.start_controller(&[])?;
    // No priority comes last, whatever the name.
    pool(
        lab,
        "a-last",
        &json!({ "addresses": ["10.99.1.0/28", "fd99::1:0/124"] }),
    )?;
    let manual = json!({
        "addresses": ["10.99.2.255-10.99.3.1", "fd99::2:1"],
        "autoAssign": false, "avoidBuggyIPs": true, "serviceAllocation": { "priority": 1 },
    });
    pool(lab, "manual", &manual)?;
    let elsewhere = json!({ "priority": 1, "namespaces": ["elsewhere"] });
    let addresses = ["10.99.4.0/28", "fd99::4:0/124"];
    pool(
        lab,
        "elsewhere",
        &json!({ "addresses": addresses, "serviceAllocation": elsewhere }),
    )?;
    let selector =
        json!({ "matchExpressions": [{ "key": "tier", "operator": "In", "values": ["front"] }] });
    let front = json!({ "priority": 2, "serviceSelectors": [selector] });
    let addresses = ["10.99.5.0/28", "fd99::5:0/124"];
    pool(
        lab,
        "front",
        &json!({ "addresses": addresses, "serviceAllocation": front }),
    )?;
    let usual = json!({
        "addresses": ["10.99.6.0/31", "fd99::6:0/127"], "exclude": ["10.99.6.0", "fd99::6:0"],
        "serviceAllocation": { "priority": 3 },
    });
    pool(lab, "z-usual", &usual)?;

    create(lab, "plain", &json!({}))?;
    gets(lab, "plain", &["10.99.6.1", "fd99::6:1"])?;
    create(
        lab,
        "front",
        &json!({ "metadata": { "labels": { "tier": "front" } } }),
    )?;
    gets(lab, "front", &["10.99.5.0", "fd99::5:0"])?;
    create(lab, "overflow", &json!({}))?;
    gets(lab, "overflow", &["10.99.1.0", "fd99::1:0"])?;
    create(lab, "asks", &annotations(&[(POOL, "manual")]))?;
    // Neither .255 nor .0 is ever given there.
    gets(lab, "asks", &["10.99.3.1", "fd99::2:1"])?;
    let buggy = annotations(&[(ADDRESSES, "10.99.3.0,fd99::1:5")]);
    create(lab, "buggy", &buggy)?;
    refused(
        lab,
        "buggy",
        "AddressExcluded",
        &["avoidBuggyIPs", "change the pool"],
    )
}

fn dual_stack(policy: &str) -> Value {
    json!({ "spec": { "ipFamilyPolicy": policy } })
}

fn families(lab: &mut Lab) -> Result<()> {
    lab.start_controller(&[])?;
    for (first, second, at) in [("IPv4", "IPv6", 0), ("IPv6", "IPv4", 1)] {
        let name = |what: &str| format!("{what}-{}", first.to_lowercase());
        let (prefer, require) = (name("prefer"), name("require"));
        let addresses = [
            ["10.99.0.200/30", "fd99::200/126"],
            ["fd99::210/126", "10.99.0.212/30"],
        ];
        let [own, other] = addresses[at];
        pool(lab, "lan", &json!({ "addresses": [own] }))?;
        create(lab, &prefer, &dual_stack("PreferDualStack"))?;
        create(lab, &require, &dual_stack("RequireDualStack"))?;

        let service = told(lab, &prefer, "True", "FamilyMissing")?;
        let held = shown(&service);
        let message = condition(&service)?.message;
        ensure!(message.contains(second), "no {second} in {message:?}");
        one_event(lab, &prefer, "FamilyMissing", &message)?;
        ensure!(
            held.len() == 1 && held[0].is_ipv4() == (first == "IPv4"),
            "it shows {held:?}"
        );
        refused(lab, &require, "NoPoolAdmits", &[second, "pool lan"])?;
        let entries = lab.kubectl(&["get", "ipallocations", "-o", "name"])?;
        ensure!(entries.lines().count() == 1, "all or nothing: {entries}");

        pool(lab, "lan", &json!({ "addresses": [own, other] }))?;
        let gained = allocated(lab, &prefer)?;
        ensure!(
            gained.len() == 2 && gained.contains(&held[0]),
            "{held:?} became {gained:?}"
        );
        let all = allocated(lab, &require)?;
        ensure!(all.len() == 2, "it shows {all:?}");
        for service in [&prefer, &require] {
            lab.kubectl(&["delete", "service", service])?;
        }
        eventually(SOON, "all addresses are free", || {
            let entries = lab.kubectl(&["get", "ipallocations", "-o", "name"])?;
            ensure!(entries.is_empty(), "{entries}");
            Ok(())
        })?;
    }
    Ok(())
}

fn moves(lab: &mut Lab) -> Result<()> {
    vips::begin(lab)?;
    vips::create(lab, "web")?;
    let old = vips::vips(lab, "web")?;
    let new: [IpAddr; 2] = ["10.99.0.240".parse()?, "fd99::240".parse()?];
    for vip in old {
        owner(lab, vip)?;
    }
    let client = lab.client_host();
    let every = Duration::from_millis(2);
    let mut probers = Vec::new();
    for (old, new) in old.into_iter().zip(new) {
        probers.push((
            old,
            Prober::segment(&client, old, every)?,
            Prober::segment(&client, new, every)?,
        ));
    }
    change(
        lab,
        "web",
        &annotations(&[(ADDRESSES, "10.99.0.240,fd99::240")]),
    )?;
    gets(lab, "web", &["10.99.0.240", "fd99::240"])?;
    for (old, new) in old.into_iter().zip(new) {
        owner(lab, new)?;
        eventually(SOON, &format!("{old} is silent"), || {
            let mac = probe::who_has(&client, "eth0", old, Duration::from_millis(100))?;
            ensure!(mac.is_none(), "{mac:?} answers");
            Ok(())
        })?;
        expect_silence(lab, old)?;
    }
    for (old, before, after) in probers {
        let (before, after) = (before.stop()?, after.stop()?);
        let (last, _) = before
            .answers
            .last()
            .with_context(|| format!("{old} was never answered"))?;
        let (first, _) = after
            .answers
            .first()
            .context("the new address was never answered")?;
        let gap = first.saturating_duration_since(*last);
        // Ten questions: room for a busy machine, far less than a withdrawal first would take.
        ensure!(
            gap <= every * 10,
            "for {gap:?} neither {old} nor the new one was answered"
        );
    }
    Ok(())
}
