//! What makes a node the one that answers: labels, conditions and advertisements, not chance.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::runner::Scenario;
use lab::steps::note;
use lab::{Lab, Prober, eventually};

use crate::vips::{SOON, begin, create, expect_served, expect_silence, owner, take_over, vips};

const EXCLUDE: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
const NODES: [&str; 3] = ["n1", "n2", "n3"];
/// For a change that the API shows, from the API server's answer to the first reply.
const PROMISED: Duration = Duration::from_secs(1);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "the exclude label moves an address to another node within a second",
            exclude_label,
        ),
        Scenario::new(
            "a node that is NotReady announces only where no Ready node is left",
            not_ready,
        ),
        Scenario::new(
            "a node whose network is unavailable announces only where no other node is left",
            network_unavailable,
        ),
        Scenario::new(
            "only nodes that an advertisement selects answer, the preferred ones first",
            selectors,
        ),
    ]
}

fn exclude_label(lab: &mut Lab) -> Result<()> {
    begin(lab)?;
    create(lab, "web")?;
    for vip in vips(lab, "web")? {
        let first = owner(lab, vip)?;
        let second = expect_move(lab, vip, &first, |lab| exclude(lab, &first))?;
        let third = expect_move(lab, vip, &second, |lab| exclude(lab, &second))?;
        // The label gone, the node may serve again, and does when the others may not.
        lab.set_node_label(&first, EXCLUDE, None)?;
        exclude(lab, &third)?;
        expect_at(lab, vip, &first)?;
        exclude(lab, &first)?;
        eventually(SOON, "excluded everywhere, nobody answers", || {
            expect_silence(lab, vip)
        })?;
        for node in NODES {
            lab.set_node_label(node, EXCLUDE, None)?;
        }
        expect_served(lab, vip)?;
    }
    Ok(())
}

fn exclude(lab: &Lab, node: &str) -> Result<()> {
    lab.set_node_label(node, EXCLUDE, Some(""))
}

fn not_ready(lab: &mut Lab) -> Result<()> {
    expect_last_tier(lab, |lab, node, fit| lab.set_node_ready(node, fit))
}

fn network_unavailable(lab: &mut Lab) -> Result<()> {
    expect_last_tier(lab, |lab, node, fit| {
        lab.set_node_conditions(node, &[("Ready", true), ("NetworkUnavailable", !fit)])
    })
}

/// Nodes become unfit one after the other, the announcing one first; then one is fit again.
fn expect_last_tier(lab: &mut Lab, set: fn(&Lab, &str, bool) -> Result<()>) -> Result<()> {
    begin(lab)?;
    create(lab, "web")?;
    for vip in vips(lab, "web")? {
        let first = owner(lab, vip)?;
        let prober = Prober::segment(&lab.client_host(), vip, Duration::from_millis(10))?;
        let second = expect_move(lab, vip, &first, |lab| set(lab, &first, false))?;
        let third = expect_move(lab, vip, &second, |lab| set(lab, &second, false))?;
        ensure!(
            third != first,
            "{vip} is at {first}, which is not fit, and {third} is"
        );
        set(lab, &third, false)?;
        expect_served(lab, vip)?;
        set(lab, &second, true)?;
        expect_at(lab, vip, &second)?;
        for node in NODES {
            set(lab, node, true)?;
        }
        expect_served(lab, vip)?;
        prober.stop()?.expect_no_gap(PROMISED)?;
    }
    Ok(())
}

fn selectors(lab: &mut Lab) -> Result<()> {
    begin(lab)?;
    create(lab, "web")?;
    let vips = vips(lab, "web")?;
    for node in NODES {
        advertise(lab, &format!("nodeSelectors: [{}]", named(node)))?;
        for vip in vips {
            expect_at(lab, vip, node)?;
        }
    }
    exclude(lab, "n3")?;
    for vip in vips {
        eventually(SOON, "no selected node is left", || {
            expect_silence(lab, vip)
        })?;
    }
    lab.set_node_label("n3", EXCLUDE, None)?;
    for node in NODES {
        advertise(
            lab,
            &format!(
                "preferredNodeSelectors: [{{weight: 10, preference: {}}}]",
                named(node)
            ),
        )?;
        for vip in vips {
            expect_at(lab, vip, node)?;
        }
    }
    // n3 is preferred. What is merely preferred gives way when it is not fit.
    for vip in vips {
        expect_move(lab, vip, "n3", |lab| lab.set_node_ready("n3", false))?;
        lab.set_node_ready("n3", true)?;
        expect_at(lab, vip, "n3")?;
    }
    Ok(())
}

fn named(node: &str) -> String {
    format!("{{matchLabels: {{kubernetes.io/hostname: {node}}}}}")
}

/// Replace the advertisement by one with this line in its spec.
fn advertise(lab: &Lab, line: &str) -> Result<()> {
    lab.apply(&format!(
        "apiVersion: seamark.io/v1beta1\nkind: L2Advertisement\nmetadata: {{name: lan}}\n\
         spec:\n  ipAddressPools: [lan]\n  {line}\n"
    ))
}

/// After the change another node answers within the promised time, and then it alone.
fn expect_move(
    lab: &Lab,
    vip: IpAddr,
    old: &str,
    change: impl FnOnce(&Lab) -> Result<()>,
) -> Result<String> {
    let (new, took) = take_over(lab, vip, old, || change(lab))?;
    let ms = took.as_millis();
    note(&format!("{vip}: {new} answers {ms} ms after {old} lost it"))?;
    ensure!(
        took <= PROMISED,
        "{vip} went from {old} to {new} only after {took:?}"
    );
    expect_at(lab, vip, &new)?;
    Ok(new)
}

/// It settles at this node, and a client is served there.
fn expect_at(lab: &Lab, vip: IpAddr, node: &str) -> Result<()> {
    eventually(SOON, &format!("{vip} is at {node}"), || {
        let found = owner(lab, vip)?;
        ensure!(found == node, "it is at {found}");
        Ok(())
    })?;
    expect_served(lab, vip)
}
