//! The chart is installed: with addresses, without, by BGP, elsewhere, and not twice.

use anyhow::{Result, bail, ensure};
use lab::Lab;
use lab::address::BGP_POOL;
use lab::chart::{ADDRESSES, PATIENCE, helm, install, on_real, pods};
use lab::peer::Program;
use lab::runner::Scenario;

use crate::ask::refused;
use crate::peering::{NODE_AS, NODES, Peering, ROUTER_AS, expect_hops, expect_routed};
use crate::vips::{create, expect_served, pool, vips};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        on_real(
            "the chart with addresses serves in both families, and a second one is refused",
            with_addresses,
        ),
        on_real(
            "the chart without addresses runs and says what is missing, and serves once there is a pool",
            without_addresses,
        ),
        on_real(
            "the chart in another namespace with peers has routers send both families to all nodes",
            with_peers,
        ),
    ]
}

fn with_addresses(lab: &mut Lab) -> Result<()> {
    pods(lab)?;
    let said = install(lab, &[ADDRESSES])?;
    for words in [
        "kubectl get ipaddresspool quickstart",
        "kubectl get speakerstatuses",
    ] {
        ensure!(said.contains(words), "no {words:?} in {said}");
    }
    create(lab, "web")?;
    for vip in vips(lab, "web")? {
        expect_served(lab, vip)?;
    }
    let chart = lab.chart();
    let again = [
        "install",
        "another",
        &chart,
        "--namespace",
        "elsewhere",
        "--create-namespace",
    ];
    let Err(error) = lab.helm(&again) else {
        bail!("a second one is installed");
    };
    let said = format!("{error:#}");
    let expected =
        "installed in this cluster already, as release seamark in namespace seamark-system";
    ensure!(said.contains(expected), "{said}");
    Ok(())
}

fn without_addresses(lab: &mut Lab) -> Result<()> {
    pods(lab)?;
    let said = install(lab, &[])?;
    ensure!(said.contains("there is no pool. Create one"), "{said}");
    create(lab, "web")?;
    refused(lab, "web", "NoPool", &["IPAddressPool"])?;
    pool(lab, &["10.99.0.200-10.99.0.250", "fd99::200-fd99::250"])?;
    for vip in vips(lab, "web")? {
        expect_served(lab, vip)?;
    }
    Ok(())
}

fn with_peers(lab: &mut Lab) -> Result<()> {
    pods(lab)?;
    let peering = Peering::default();
    let router = peering.start(lab, Program::Frr)?;
    let [v4, v6] = BGP_POOL;
    let values = [
        format!("quickstart.addresses={{{v4},{v6}}}"),
        "quickstart.peers[0].peerAddress=10.99.0.1".to_owned(),
        format!("quickstart.peers[0].peerASN={ROUTER_AS}"),
        format!("quickstart.peers[0].myASN={NODE_AS}"),
    ];
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let waiting = ["--wait", "--timeout", "90s"];
    let said = helm(lab, "network", &values, &waiting)?;
    ensure!(said.contains("The routers need this side too"), "{said}");
    for number in 1..=lab.topology().nodes {
        router.wait_established(peering.node(number), PATIENCE)?;
    }
    create(lab, "web")?;
    for vip in vips(lab, "web")? {
        expect_hops(lab, router.host(), vip, &NODES)?;
        expect_routed(lab, vip)?;
    }
    let kinds = lab.kubectl(&["get", "l2advertisements", "-o", "name"])?;
    ensure!(kinds.is_empty(), "peers alone, and yet {kinds}");
    lab.helm(&[
        "uninstall",
        "seamark",
        "--namespace",
        "network",
        "--wait",
        "--timeout",
        "90s",
    ])
    .map(drop)
}
