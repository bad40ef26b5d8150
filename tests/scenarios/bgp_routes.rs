//! What routers are told about an address, and which nodes they send it to.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lab::address::ROUTED_CLIENT;
use lab::capture::{BGP, Capture, select};
use lab::peer::{Frr, Program, Router};
use lab::runner::Scenario;
use lab::{Lab, eventually, http};
use serde_json::json;

use crate::ask::change;
use crate::peering::{
    NODE_AS, NODES, Over, Peering, ROUTER_AS, advertisement, begin, expect_hops, expect_paths,
    expect_routed, hops_are, node_at, pool,
};
use crate::vips::{create, create_with, delete, services, start, vips};

const APP: [(&str, &str); 1] = [("app", "local")];

pub(crate) fn scenarios() -> Vec<Scenario> {
    let attributes = [
        Scenario::new(
            "FRR is told the attributes of the advertisement, and nothing of the node's own",
            |lab| attributes(lab, Program::Frr),
        ),
        Scenario::new(
            "BIRD is told the attributes of the advertisement, and nothing of the node's own",
            |lab| attributes(lab, Program::Bird),
        ),
        Scenario::new(
            "GoBGP is told the attributes of the advertisement, and nothing of the node's own",
            |lab| attributes(lab, Program::GoBgp),
        ),
    ];
    let rest = [
        Scenario::new(
            "LOCAL_PREF is told inside an AS and nowhere else",
            local_pref,
        ),
        Scenario::new(
            "the router spreads its flows over all nodes, and a client behind it is served",
            ecmp,
        ),
        Scenario::new(
            "a router that asks for all again is told one family after the other, and loses none",
            told_again,
        ),
        Scenario::new(
            "with policy Local the router's next hops are the nodes with a usable endpoint",
            local_next_hops,
        ),
    ];
    attributes.into_iter().chain(rest).collect()
}

fn attributes(lab: &mut Lab, program: Program) -> Result<()> {
    for over in Over::BOTH {
        let router = begin(lab, program, &Peering::over(over))?;
        advertisement(
            lab,
            &json!({
                "communities": ["64512:1", "no-export", "large:64512:1:2", "rt:64512:9"],
                "med": 50,
                "asPathPrepend": 2,
                "localPref": 300,
            }),
        )?;
        create(lab, "web")?;
        for vip in vips(lab, "web")? {
            expect_attributes(lab, &*router, vip)?;
        }
        delete(lab, "web")?;
        Peering::over(over).delete(lab)?;
    }
    Ok(())
}

fn expect_attributes(lab: &Lab, router: &dyn Router, vip: IpAddr) -> Result<()> {
    eventually(
        crate::vips::SOON,
        &format!("{vip} with its attributes"),
        || {
            for path in expect_paths(lab, router, vip, &NODES)? {
                let shown = format!("{path:?}");
                ensure!(path.origin == "IGP", "{shown}");
                ensure!(path.as_path == [NODE_AS; 3], "{shown}");
                ensure!(path.multi_exit_disc == Some(50), "{shown}");
                let no_export = "65535:65281";
                ensure!(
                    path.communities.iter().eq(["64512:1", no_export]),
                    "{shown}"
                );
                ensure!(path.large_communities.iter().eq(["64512:1:2"]), "{shown}");
                ensure!(
                    path.extended_communities.iter().eq(["rt:64512:9"]),
                    "{shown}"
                );
                // Next hop self: whichever address of the node that told it.
                let peer = path.peer.context("no peer")?;
                let hop = *path.next_hops.first().context("no next hop")?;
                ensure!(hop.is_ipv4() == vip.is_ipv4(), "{shown}");
                ensure!(node_at(lab, hop)? == node_at(lab, peer)?, "{shown}");
            }
            Ok(())
        },
    )
}

fn local_pref(lab: &mut Lab) -> Result<()> {
    for (asn, told) in [(ROUTER_AS, Some(300)), (NODE_AS, None)] {
        let peering = Peering {
            my_asn: asn,
            ..Peering::default()
        };
        let router = begin(lab, Program::Bird, &peering)?;
        advertisement(lab, &json!({ "localPref": 300 }))?;
        create(lab, "web")?;
        for vip in vips(lab, "web")? {
            eventually(
                crate::vips::SOON,
                &format!("{vip} with LOCAL_PREF {told:?}"),
                || {
                    for path in expect_paths(lab, &*router, vip, &NODES)? {
                        // BIRD gives paths of other ASs a value of its own.
                        let expected = told.or(Some(100));
                        ensure!(path.local_pref == expected, "{path:?}");
                    }
                    Ok(())
                },
            )?;
        }
        delete(lab, "web")?;
        peering.delete(lab)?;
    }
    Ok(())
}

/// A pod on each node, and policy Local, so that each answer tells which node the flow came by.
fn ecmp(lab: &mut Lab) -> Result<()> {
    const FLOWS: usize = 60;
    for node in NODES {
        lab.start_pod(&format!("on-{node}"), node, &APP)?;
    }
    let router = begin(lab, Program::Frr, &Peering::default())?;
    let fields = json!({ "externalTrafficPolicy": "Local", "selector": { "app": "local" } });
    create_with(lab, "local", &fields)?;
    for vip in vips(lab, "local")? {
        expect_hops(lab, router.host(), vip, &NODES)?;
        expect_routed(lab, vip)?;
        let from = ROUTED_CLIENT[usize::from(vip.is_ipv6())];
        let mut served = BTreeSet::new();
        for _ in 0..FLOWS {
            let body = eventually(crate::vips::SOON, &format!("{vip} serves"), || {
                let second = Duration::from_secs(1);
                http::get_from(&lab.client_host(), from, vip, 80, second)
            })?;
            let (pod, client) = body.split_once(' ').context("it says nothing")?;
            ensure!(client == from.to_string(), "{pod} was asked by {client}");
            served.insert(pod.to_owned());
        }
        let all = ["on-n1", "on-n2", "on-n3"];
        ensure!(served.iter().eq(all), "{vip}: only {served:?} served");
    }
    Ok(())
}

/// RFC 7313 §4. Between BoRR and EoRR of one family FRR misses the BoRR of another.
fn told_again(lab: &mut Lab) -> Result<()> {
    const BEGIN: &str = "1";
    const END: &str = "2";
    let peering = Peering::default();
    let router = Frr::start(&peering.host(lab), &peering.config(lab)?)?;
    pool(lab)?;
    peering.apply(lab)?;
    start(lab)?;
    peering.wait(lab, &router)?;
    create(lab, "web")?;
    let shown = vips(lab, "web")?;
    for vip in shown {
        expect_hops(lab, router.host(), vip, &NODES)?;
    }
    let capture = Capture::start(router.host(), "eth0", BGP)?;
    router.refresh()?;
    eventually::throughout(Duration::from_secs(2), "no route is lost", || {
        shown
            .iter()
            .try_for_each(|vip| hops_are(lab, router.host(), *vip, &NODES))
    })?;
    let file = capture.finish()?;
    for node in lab.nodes() {
        let own = node.interface("eth0")?.v4;
        let own = own.first().context("no address")?;
        let filter = format!("bgp.route_refresh.afi && ip.src == {own}");
        let column = |name: &str| -> Result<Vec<String>> {
            let lines = select(&file, &filter, &format!("bgp.route_refresh.{name}"))?;
            let all = lines.iter().flat_map(|line| line.split(','));
            Ok(all.map(str::to_owned).collect())
        };
        let (families, borders) = (column("afi")?, column("subtype")?);
        let said: Vec<(String, String)> = families.into_iter().zip(borders).collect();
        for passes in said.chunks(2) {
            let [(begun, first), (ended, last)] = passes else {
                bail!("{}: {said:?}", node.name());
            };
            let whole = begun == ended && first == BEGIN && last == END;
            ensure!(whole, "{}: {said:?}", node.name());
        }
        let families: BTreeSet<&String> = said.iter().map(|(family, _)| family).collect();
        ensure!(families.len() == 2, "{}: {said:?}", node.name());
    }
    Ok(())
}

fn local_next_hops(lab: &mut Lab) -> Result<()> {
    lab.start_pod("first", "n1", &APP)?;
    lab.start_pod("unready", "n2", &APP)?;
    lab.set_ready("unready", false)?;
    let router = begin(lab, Program::Frr, &Peering::default())?;
    let fields = json!({ "externalTrafficPolicy": "Local", "selector": { "app": "local" } });
    create_with(lab, "local", &fields)?;
    let vips = vips(lab, "local")?;
    let host = router.host().clone();
    let expect = |lab: &Lab, nodes: &[&str]| -> Result<()> {
        vips.iter()
            .try_for_each(|vip| expect_hops(lab, &host, *vip, nodes))
    };
    expect(lab, &["n1"])?;
    lab.set_ready("unready", true)?;
    expect(lab, &["n1", "n2"])?;
    lab.start_pod("third", "n3", &APP)?;
    expect(lab, &NODES)?;
    // Terminating and serving, with a ready one elsewhere: kube-proxy decides for each node alone.
    lab.terminate_pod("third")?;
    expect(lab, &NODES)?;
    lab.set_ready("third", false)?;
    expect(lab, &["n1", "n2"])?;
    lab.stop_pod("first")?;
    expect(lab, &["n2"])?;
    lab.set_ready("unready", false)?;
    expect(lab, &[])?;
    // Another policy, other next hops: all nodes pass it on to the one that serves.
    lab.set_ready("unready", true)?;
    expect(lab, &["n2"])?;
    change(
        lab,
        "local",
        &json!({ "spec": { "externalTrafficPolicy": "Cluster" } }),
    )?;
    expect(lab, &NODES)?;
    let shown = lab.block_on(services(lab).get("local"))?;
    ensure!(crate::vips::vips_of(&shown)? == vips, "the addresses moved");
    Ok(())
}
