//! The chart is taken off, with what it leaves and what not.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lab::chart::{ADDRESSES, PATIENCE, gone, install, on_real, pods, uninstall};
use lab::prober::Prober;
use lab::runner::Scenario;
use lab::steps::note;
use lab::{Lab, eventually};

use crate::vips::{Vips, create, expect_served, expect_silence, services, vips};

/// From the command to the last answer.
const SILENT: Duration = Duration::from_secs(15);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        on_real(
            "an uninstall silences all addresses and leaves what it says, and they come back",
            comes_back,
        ),
        on_real(
            "an uninstall takes the addresses from Services where it is told to, and all kinds",
            purge,
        ),
        on_real(
            "with all kinds deleted by hand nothing goes dark, and with them back all goes on",
            without_kinds,
        ),
    ]
}

fn begin(lab: &Lab) -> Result<Vips> {
    pods(lab)?;
    install(lab, &[ADDRESSES])?;
    create(lab, "web")?;
    let vips = vips(lab, "web")?;
    vips.iter().try_for_each(|vip| expect_served(lab, *vip))?;
    Ok(vips)
}

fn comes_back(lab: &mut Lab) -> Result<()> {
    let before = begin(lab)?;
    let client = lab.client_host();
    let every = Duration::from_millis(5);
    let probers = before.map(|vip| Prober::segment(&client, vip, every));
    let begun = Instant::now();
    uninstall(lab)?;
    for prober in probers {
        let report = prober?.stop()?;
        let last = report
            .answers
            .last()
            .map(|(at, _)| at.saturating_duration_since(begun));
        let last = last.unwrap_or_default();
        note(&format!("the last answer came after {last:?}"))?;
        ensure!(last < SILENT, "it was answered for {last:?}");
    }
    gone(lab)?;
    leftovers(lab)?;
    let shown = crate::vips::vips_of(&lab.block_on(services(lab).get("web"))?)?;
    ensure!(shown == before, "the Service shows {shown:?}");
    // Under another name the kinds are taken over on request.
    let chart = lab.chart();
    let mut arguments = vec!["install", "other", &chart, "--namespace", "elsewhere"];
    arguments.extend([
        "--create-namespace",
        "--wait",
        "--timeout",
        "90s",
        "--set",
        "image.pullPolicy=Never",
    ]);
    ensure!(
        lab.helm(&arguments).is_err(),
        "the kinds are another release's"
    );
    arguments.push("--take-ownership");
    lab.helm(&arguments)?;
    for vip in before {
        expect_served(lab, vip)?;
    }
    ensure!(vips(lab, "web")? == before, "other addresses than before");
    lab.helm(&[
        "uninstall",
        "other",
        "--namespace",
        "elsewhere",
        "--wait",
        "--timeout",
        "90s",
    ])
    .map(drop)
}

/// What carries our name in the cluster: the kinds, and nothing else.
fn leftovers(lab: &Lab) -> Result<()> {
    let kinds = lab.kubectl(&["api-resources", "--verbs=list", "-o", "name"])?;
    let kinds: Vec<&str> = kinds
        .lines()
        .filter(|kind| !kind.starts_with("events"))
        .collect();
    eventually(PATIENCE, "nothing but the kinds is left", || {
        let all = lab.kubectl(&["get", &kinds.join(","), "-A", "-o", "name"])?;
        let ours = all.lines().filter(|name| name.contains("seamark"));
        // The API server makes an APIService of the kinds itself.
        let of_kinds = |name: &&str| {
            ["customresourcedefinition", "apiservice"].map(|kind| name.starts_with(kind))
        };
        let left: BTreeSet<&str> = ours.filter(|name| of_kinds(name) == [false; 2]).collect();
        let expected = [
            "ipaddresspool.seamark.io/quickstart",
            "ipallocation.seamark.io/10.99.0.200",
            "ipallocation.seamark.io/fd99-0000-0000-0000-0000-0000-0000-0200",
            "l2advertisement.seamark.io/quickstart",
            "namespace/seamark-system",
            "speakerconfig.seamark.io/seamark",
        ];
        ensure!(left.iter().eq(&expected), "{left:?}");
        Ok(())
    })
}

fn purge(lab: &mut Lab) -> Result<()> {
    let before = begin(lab)?;
    install(lab, &[ADDRESSES, "uninstall.purge=true"])?;
    uninstall(lab)?;
    gone(lab)?;
    for vip in before {
        expect_silence(lab, vip)?;
    }
    let service = lab.block_on(services(lab).get("web"))?;
    let status = service.status.unwrap_or_default();
    let ingress = status
        .load_balancer
        .and_then(|lb| lb.ingress)
        .unwrap_or_default();
    ensure!(ingress.is_empty(), "{ingress:?}");
    ensure!(
        status.conditions.unwrap_or_default().is_empty(),
        "our condition is there"
    );
    eventually(PATIENCE, "no kind is left", || {
        let kinds = lab.kubectl(&["get", "crd", "-o", "name"])?;
        ensure!(!kinds.contains("seamark"), "{kinds}");
        Ok(())
    })
}

fn without_kinds(lab: &mut Lab) -> Result<()> {
    let vips = begin(lab)?;
    let client = lab.client_host();
    let probers = vips.map(|vip| Prober::segment(&client, vip, Duration::from_millis(20)));
    let kinds = lab.kubectl(&["get", "crd", "-o", "name"])?;
    let ours: Vec<&str> = kinds
        .lines()
        .filter(|kind| kind.contains("seamark.io"))
        .collect();
    ensure!(ours.len() == 9, "{ours:?}");
    lab.kubectl(&[&["delete", "--wait=true"], ours.as_slice()].concat())?;
    eventually::throughout(Duration::from_secs(5), "it serves", || {
        vips.iter().try_for_each(|vip| expect_served(lab, *vip))
    })?;
    // The chart puts the kinds back; what was in them is what the user applies, and the ledger.
    install(lab, &[ADDRESSES])?;
    eventually(PATIENCE, "the ledger is whole", || {
        let held = crate::vips::held(lab)?;
        ensure!(held.len() == 2, "{held:?}");
        Ok(())
    })?;
    create(lab, "another")?;
    crate::vips::vips(lab, "another")?;
    for prober in probers {
        prober?.stop()?.expect_no_gap(Duration::from_secs(2))?;
    }
    Ok(())
}
