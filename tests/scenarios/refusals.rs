//! What a Service cannot have: said once with the remedy, and healed by the remedy.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams};
use lab::runner::Scenario;
use lab::seamark::Part;
use lab::{Lab, eventually};
use serde_json::json;

use crate::ask::{
    ADDRESSES, POOL, annotations, change, condition, create, events, get, gets, pool, refused,
    shown, told,
};
use crate::vips::{SOON, services};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "a Service that no pool can serve is told once what to do, and served once it is done",
            waits_for_a_pool,
        ),
        Scenario::new(
            "an address that comes free goes to the Service that has waited longest",
            oldest_first,
        ),
        Scenario::new(
            "a request that cannot be met is refused with the remedy, and met by the remedy",
            requests_are_refused,
        ),
        Scenario::new(
            "a Service whose namespace no pool admits is served once its namespace is admitted",
            namespace_is_admitted,
        ),
        Scenario::new(
            "an address that no pool gives is left alone in a status, and taken over once one does",
            foreign_address,
        ),
        Scenario::new(
            "a refused Service that stops being a LoadBalancer keeps no condition of ours",
            condition_goes,
        ),
    ]
}

fn waits_for_a_pool(lab: &mut Lab) -> Result<()> {
    lab.start_controller(&[])?;
    let exact = "10.99.0.240,fd99::240";
    create(lab, "any", &json!({}))?;
    create(lab, "named", &annotations(&[(POOL, "later")]))?;
    create(lab, "exact", &annotations(&[(ADDRESSES, exact)]))?;
    refused(lab, "any", "NoPool", &["create an IPAddressPool"])?;
    refused(lab, "named", "UnknownPool", &["pool later", "create it"])?;
    let words = ["10.99.0.240", "fd99::240", "add it to one"];
    refused(lab, "exact", "AddressOutsidePools", &words)?;

    let names = ["any", "named", "exact"];
    let before = names.map(|name| standing(lab, name));
    lab.restart(&Part::Controller)?;
    create(lab, "sentinel", &json!({}))?;
    refused(lab, "sentinel", "NoPool", &[])?;
    for (name, before) in names.into_iter().zip(before) {
        let (before, after) = (before?, standing(lab, name)?);
        ensure!(
            before == after,
            "{name} was told again: {before:?}, {after:?}"
        );
    }

    let both = ["10.99.0.230-10.99.0.240", "fd99::230-fd99::240"];
    pool(lab, "later", &json!({ "addresses": both }))?;
    gets(lab, "any", &["10.99.0.230", "fd99::230"])?;
    gets(lab, "exact", &["10.99.0.240", "fd99::240"])?;
    for name in ["named", "sentinel"] {
        let service = told(lab, name, "True", "Allocated")?;
        ensure!(shown(&service).len() == 2, "{name} shows {service:?}");
    }
    Ok(())
}

/// The version of a Service, and how many Events are about it.
fn standing(lab: &Lab, name: &str) -> Result<(Option<String>, usize)> {
    Ok((
        get(lab, name)?.metadata.resource_version,
        events(lab, name)?.len(),
    ))
}

fn oldest_first(lab: &mut Lab) -> Result<()> {
    lab.start_controller(&[])?;
    pool(
        lab,
        "lan",
        &json!({ "addresses": ["10.99.0.210", "fd99::210"] }),
    )?;
    create(lab, "holder", &json!({}))?;
    gets(lab, "holder", &["10.99.0.210", "fd99::210"])?;
    create(lab, "z-older", &json!({}))?;
    let created = get(lab, "z-older")?.metadata.creation_timestamp;
    let created = created.context("it has no age")?.0.as_second();
    // Kubernetes tells ages by the second.
    eventually(SOON, "the next second begins", || {
        ensure!(Timestamp::now().as_second() > created, "not yet");
        Ok(())
    })?;
    create(lab, "a-younger", &json!({}))?;
    for name in ["z-older", "a-younger"] {
        refused(
            lab,
            name,
            "PoolExhausted",
            &["pool lan", "no free IPv4", "add addresses to it"],
        )?;
    }

    lab.block_on(services(lab).delete("holder", &DeleteParams::default()))?;
    gets(lab, "z-older", &["10.99.0.210", "fd99::210"])?;
    told(lab, "a-younger", "False", "PoolExhausted")?;
    pool(
        lab,
        "lan",
        &json!({ "addresses": ["10.99.0.210-10.99.0.211", "fd99::210/127"] }),
    )?;
    gets(lab, "a-younger", &["10.99.0.211", "fd99::211"])?;
    gets(lab, "z-older", &["10.99.0.210", "fd99::210"])
}

/// Two pools: `lan` for all with one address kept out, `front` for Services with a label.
fn two_pools(lab: &Lab) -> Result<()> {
    let lan = json!({
        "addresses": ["10.99.0.200-10.99.0.209", "fd99::200-fd99::209"],
        "exclude": ["10.99.0.205", "fd99::205"],
    });
    pool(lab, "lan", &lan)?;
    let selector = json!({ "matchLabels": { "tier": "front" } });
    let front = json!({
        "addresses": ["10.99.0.220-10.99.0.229", "fd99::220-fd99::229"],
        "serviceAllocation": { "serviceSelectors": [selector] },
    });
    pool(lab, "front", &front)
}

fn requests_are_refused(lab: &mut Lab) -> Result<()> {
    lab.start_controller(&[])?;
    two_pools(lab)?;
    let asking = |addresses: &str| annotations(&[(ADDRESSES, addresses)]);
    create(lab, "holder", &asking("10.99.0.200,fd99::200"))?;
    gets(lab, "holder", &["10.99.0.200", "fd99::200"])?;

    create(lab, "in-use", &asking("10.99.0.200,fd99::200"))?;
    create(lab, "excluded", &asking("10.99.0.205,fd99::205"))?;
    create(lab, "outside", &asking("10.99.0.215,fd99::215"))?;
    let elsewhere = [(POOL, "lan"), (ADDRESSES, "10.99.0.225,fd99::225")];
    create(lab, "elsewhere", &annotations(&elsewhere))?;
    create(lab, "unlabelled", &annotations(&[(POOL, "front")]))?;
    refused(
        lab,
        "in-use",
        "AddressInUse",
        &["default/holder", "delete that Service"],
    )?;
    refused(
        lab,
        "excluded",
        "AddressExcluded",
        &["pool lan", "exclude", "change the pool"],
    )?;
    refused(
        lab,
        "outside",
        "AddressOutsidePools",
        &["10.99.0.215", "add it to one"],
    )?;
    let words = ["by pool front", "change one of the two requests"];
    refused(lab, "elsewhere", "AddressOutsideRequestedPool", &words)?;
    refused(
        lab,
        "unlabelled",
        "PoolDoesNotAdmit",
        &["labels", "change the pool"],
    )?;

    lab.block_on(services(lab).delete("holder", &DeleteParams::default()))?;
    gets(lab, "in-use", &["10.99.0.200", "fd99::200"])?;
    let moved = ["10.99.0.230-10.99.0.239", "fd99::230-fd99::239"];
    pool(lab, "front", &json!({ "addresses": moved }))?;
    gets(lab, "unlabelled", &["10.99.0.230", "fd99::230"])?;
    let wider = ["10.99.0.200-10.99.0.229", "fd99::200-fd99::229"];
    pool(lab, "lan", &json!({ "addresses": wider }))?;
    gets(lab, "excluded", &["10.99.0.205", "fd99::205"])?;
    gets(lab, "outside", &["10.99.0.215", "fd99::215"])?;
    gets(lab, "elsewhere", &["10.99.0.225", "fd99::225"])?;
    unreadable_requests(lab)
}

/// What only the user can put right.
fn unreadable_requests(lab: &Lab) -> Result<()> {
    let single = json!({ "spec": { "ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv6"] } });
    create(lab, "wrong-family", &single)?;
    gets(lab, "wrong-family", &["fd99::231"])?;
    change(
        lab,
        "wrong-family",
        &annotations(&[(ADDRESSES, "10.99.0.201")]),
    )?;
    let words = ["10.99.0.201 is IPv4", "only IPv6", "keeps fd99::231"];
    refused(lab, "wrong-family", "WrongFamily", &words)?;
    create(
        lab,
        "unreadable",
        &annotations(&[(ADDRESSES, "10.99.0.300,fd99::202")]),
    )?;
    refused(
        lab,
        "unreadable",
        "InvalidRequest",
        &["\"10.99.0.300\"", "write addresses"],
    )?;
    let two = [
        (ADDRESSES, "10.99.0.203"),
        ("metallb.io/loadBalancerIPs", "10.99.0.204"),
    ];
    create(lab, "of-two-minds", &annotations(&two))?;
    refused(
        lab,
        "of-two-minds",
        "InvalidRequest",
        &["metallb.io/loadBalancerIPs", "keep one of them"],
    )?;

    for (name, addresses, wanted) in [
        ("wrong-family", "fd99::206", &["fd99::206"][..]),
        (
            "unreadable",
            "10.99.0.202,fd99::202",
            &["10.99.0.202", "fd99::202"],
        ),
    ] {
        change(lab, name, &annotations(&[(ADDRESSES, addresses)]))?;
        gets(lab, name, wanted)?;
    }
    let one = json!({ "metadata": { "annotations": { "metallb.io/loadBalancerIPs": null } } });
    change(lab, "of-two-minds", &one)?;
    gets(lab, "of-two-minds", &["10.99.0.203", "fd99::231"])
}

fn namespace_is_admitted(lab: &mut Lab) -> Result<()> {
    lab.start_controller(&[])?;
    let manual = json!({ "addresses": ["10.99.0.200", "fd99::200"], "autoAssign": false });
    pool(lab, "manual", &manual)?;
    let team = json!({
        "addresses": ["10.99.0.210", "fd99::210"],
        "serviceAllocation": { "namespaceSelectors": [{ "matchLabels": { "team": "a" } }] },
    });
    pool(lab, "team", &team)?;
    create(lab, "web", &json!({}))?;
    let words = [
        "pool manual (autoAssign is false)",
        "pool team (it does not admit the namespace)",
        "name one in the annotation seamark.io/address-pool",
    ];
    refused(lab, "web", "NoPoolAdmits", &words)?;
    lab.kubectl(&["label", "namespace", "default", "team=a"])?;
    let served = gets(lab, "web", &["10.99.0.210", "fd99::210"]);
    lab.kubectl(&["label", "namespace", "default", "team-"])?;
    served?;
    // What is held is never taken away by a label.
    create(lab, "asks", &annotations(&[(POOL, "manual")]))?;
    gets(lab, "asks", &["10.99.0.200", "fd99::200"])?;
    gets(lab, "web", &["10.99.0.210", "fd99::210"])
}

fn foreign_address(lab: &mut Lab) -> Result<()> {
    create(lab, "web", &json!({}))?;
    let theirs = ["10.99.0.77", "fd99::77"];
    overwrite(lab, "web", &theirs)?;
    pool(
        lab,
        "lan",
        &json!({ "addresses": ["10.99.0.200-10.99.0.209", "fd99::200/120"] }),
    )?;
    lab.start_controller(&[])?;
    refused(
        lab,
        "web",
        "ForeignAddress",
        &["10.99.0.77", "is in no pool", "left alone"],
    )?;
    let service = get(lab, "web")?;
    ensure!(
        shown(&service) == theirs.map(ip),
        "it shows {:?}",
        shown(&service)
    );
    pool(lab, "theirs", &json!({ "addresses": theirs }))?;
    gets(lab, "web", &theirs)
}

fn ip(text: &str) -> IpAddr {
    // Only literals of this file come here.
    text.parse().unwrap_or(IpAddr::from([0, 0, 0, 0]))
}

/// Another controller writes the addresses of a Service.
fn overwrite(lab: &Lab, name: &str, addresses: &[&str]) -> Result<Service> {
    let ingress: Vec<_> = addresses.iter().map(|ip| json!({ "ip": ip })).collect();
    let status = json!({ "status": { "loadBalancer": { "ingress": ingress } } });
    let patch = Patch::Merge(status);
    Ok(lab.block_on(services(lab).patch_status(name, &PatchParams::default(), &patch))?)
}

fn condition_goes(lab: &mut Lab) -> Result<()> {
    lab.start_controller(&[])?;
    create(lab, "web", &json!({}))?;
    refused(lab, "web", "NoPool", &[])?;
    change(lab, "web", &json!({ "spec": { "type": "ClusterIP" } }))?;
    eventually(Duration::from_secs(5), "its condition is gone", || {
        let left = condition(&get(lab, "web")?);
        ensure!(left.is_err(), "it says {left:?}");
        Ok(())
    })
}
