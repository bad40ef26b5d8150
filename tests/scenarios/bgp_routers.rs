//! Several routers, and many neighbours of one: each is told by itself and spreads over all nodes.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::address::{ROUTED_CLIENT, ROUTED_CLIENT_2};
use lab::capture::{Capture, select};
use lab::peer::{Program, Router};
use lab::runner::Scenario;
use lab::{Lab, Topology, eventually, http};
use serde_json::{Value, json};

use crate::peering::{
    NODE_AS, NODES, Over, Peering, advertisement, begin, expect_hops, expect_paths, hops_are, pool,
    times_established,
};
use crate::vips::{SOON, Vips, create, delete, start, vips};

const LONG_AS: u32 = 4_200_000_001;
/// The clients behind r1 and behind r2.
const CLIENTS: [[IpAddr; 2]; 2] = [ROUTED_CLIENT, ROUTED_CLIENT_2];

pub(crate) fn scenarios() -> Vec<Scenario> {
    let three = || Topology::default().with_routers(3);
    vec![
        Scenario::new(
            "FRR, BIRD and GoBGP are peers of every node at once",
            three_programs,
        )
        .on(three()),
        Scenario::new(
            "two routers lead to all nodes, and one goes on when the other dies",
            one_dies,
        )
        .on(three()),
        Scenario::new(
            "what an advertisement selects holds for each router by itself",
            selected,
        )
        .on(three()),
        Scenario::new("one router spreads its flows over nine nodes", nine_nodes)
            .on(Topology::default().with_nodes(9)),
    ]
}

/// Each meets the nodes in another way: by IPv4 in another AS, by IPv6 inside one, and as an AS
/// whose number takes four octets.
fn three_programs(lab: &mut Lab) -> Result<()> {
    let peerings = [
        Peering::with(1),
        Peering {
            over: Over::Ipv6,
            router_asn: NODE_AS,
            ..Peering::with(2)
        },
        Peering {
            router_asn: LONG_AS,
            ..Peering::with(3)
        },
    ];
    pool(lab)?;
    let mut routers = Vec::new();
    for (peering, program) in peerings.iter().zip(Program::ALL) {
        routers.push(peering.start(lab, program)?);
        peering.apply(lab)?;
    }
    start(lab)?;
    for (peering, router) in peerings.iter().zip(&routers) {
        peering.wait(lab, &**router)?;
    }
    create(lab, "web")?;
    let shown = vips(lab, "web")?;
    for vip in shown {
        for (peering, router) in peerings.iter().zip(&routers) {
            let as_path: &[u32] = match peering.router_asn {
                NODE_AS => &[],
                _ => &[NODE_AS],
            };
            for path in expect_paths(lab, &**router, vip, &NODES)? {
                ensure!(path.as_path == as_path, "{:?}: {path:?}", router.program());
            }
            if router.program() != Program::GoBgp {
                expect_hops(lab, router.host(), vip, &NODES)?;
            }
        }
    }
    for clients in CLIENTS {
        eventually(SOON, &format!("{clients:?} are served"), || {
            served_to(lab, clients, shown)
        })?;
    }
    delete(lab, "web")?;
    for vip in shown {
        for router in &routers {
            expect_paths(lab, &**router, vip, &[])?;
        }
    }
    Ok(())
}

/// An error unless a client is served at both addresses now.
fn served_to(lab: &Lab, clients: [IpAddr; 2], vips: Vips) -> Result<()> {
    for (from, vip) in clients.into_iter().zip(vips) {
        let second = Duration::from_secs(1);
        http::get_from(&lab.client_host(), from, vip, 80, second)
            .with_context(|| format!("{from} asks {vip}"))?;
    }
    Ok(())
}

/// The whole host dies: nothing says goodbye, and nothing is forwarded any more.
fn one_dies(lab: &mut Lab) -> Result<()> {
    const LONGER_THAN_HOLD: Duration = Duration::from_secs(5);
    let first = Peering {
        hold_time: 3,
        ..Peering::with(1)
    };
    let second = Peering {
        over: Over::Ipv6,
        hold_time: 3,
        ..Peering::with(2)
    };
    let other = second.start(lab, Program::Frr)?;
    second.apply(lab)?;
    let mut dying = begin(lab, Program::Bird, &first)?;
    second.wait(lab, &*other)?;
    create(lab, "web")?;
    let shown = vips(lab, "web")?;
    let led = |lab: &Lab, router: &dyn Router, clients| -> Result<()> {
        for vip in shown {
            expect_hops(lab, router.host(), vip, &NODES)?;
        }
        eventually(SOON, &format!("{clients:?} are served"), || {
            served_to(lab, clients, shown)
        })
    };
    led(lab, &*dying, ROUTED_CLIENT)?;
    led(lab, &*other, ROUTED_CLIENT_2)?;

    let before = times_established(&*other)?;
    dying.host().isolate()?;
    dying.kill()?;
    eventually::throughout(LONGER_THAN_HOLD, "the other leads to all nodes", || {
        for vip in shown {
            hops_are(lab, other.host(), vip, &NODES)?;
        }
        served_to(lab, ROUTED_CLIENT_2, shown)
    })?;
    // What changes meanwhile reaches the one that is left.
    create(lab, "meanwhile")?;
    for vip in vips(lab, "meanwhile")? {
        expect_hops(lab, other.host(), vip, &NODES)?;
    }

    dying.host().rejoin()?;
    dying.start_again()?;
    first.wait(lab, &*dying)?;
    led(lab, &*dying, ROUTED_CLIENT)?;
    ensure!(times_established(&*other)? == before, "a session was lost");
    Ok(())
}

/// r1 by IPv4 and r2 by IPv6.
fn selected(lab: &mut Lab) -> Result<()> {
    let (first, second) = (
        Peering::with(1),
        Peering {
            over: Over::Ipv6,
            ..Peering::with(2)
        },
    );
    let two = second.start(lab, Program::Frr)?;
    second.apply(lab)?;
    let one = begin(lab, Program::Frr, &first)?;
    second.wait(lab, &*two)?;
    create(lab, "web")?;
    let shown = vips(lab, "web")?;
    let expect = |lab: &Lab, by_one: &[&str], by_two: &[&str]| -> Result<()> {
        for vip in shown {
            for (router, nodes) in [(&one, by_one), (&two, by_two)] {
                expect_paths(lab, &**router, vip, nodes)?;
                expect_hops(lab, router.host(), vip, nodes)?;
            }
        }
        Ok(())
    };
    expect(lab, &NODES, &NODES)?;
    let before = [times_established(&*one)?, times_established(&*two)?];

    advertisement(lab, &json!({ "peers": ["r1"] }))?;
    expect(lab, &NODES, &[])?;
    advertisement(lab, &json!({ "nodeSelectors": on(&["n1"]) }))?;
    expect(lab, &["n1"], &["n1"])?;
    let both = json!({ "peers": ["r2"], "nodeSelectors": on(&["n2", "n3"]) });
    advertisement(lab, &both)?;
    expect(lab, &[], &["n2", "n3"])?;
    // A second one of the same pool adds to the first, and only where it says.
    let object = json!({
        "apiVersion": "seamark.io/v1beta1",
        "kind": "BGPAdvertisement",
        "metadata": { "name": "more" },
        "spec": {
            "ipAddressPools": ["bgp"],
            "peers": ["r1"],
            "nodeSelectors": on(&["n1", "n2"]),
        },
    });
    lab.apply(&object.to_string())?;
    expect(lab, &["n1", "n2"], &["n2", "n3"])?;
    lab.kubectl(&["delete", "bgpadvertisements.seamark.io", "bgp"])?;
    expect(lab, &["n1", "n2"], &[])?;
    let after = [times_established(&*one)?, times_established(&*two)?];
    ensure!(after == before, "sessions were lost: {before:?}, {after:?}");
    Ok(())
}

/// Selectors of these nodes, by the name that Kubernetes gives each.
fn on(nodes: &[&str]) -> Value {
    let selectors = nodes
        .iter()
        .map(|node| json!({ "matchLabels": { "kubernetes.io/hostname": node } }));
    selectors.collect()
}

/// Which node a flow came by is seen in the frame that r1 sends it in.
fn nine_nodes(lab: &mut Lab) -> Result<()> {
    const FLOWS: usize = 150;
    let router = begin(lab, Program::Frr, &Peering::default())?;
    let own = router.host().interface("eth0")?.mac;
    let first = format!("tcp.flags.syn == 1 && tcp.flags.ack == 0 && eth.src == {own}");
    let nodes = lab.topology().node_names();
    let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
    create(lab, "web")?;
    let shown = vips(lab, "web")?;
    for vip in shown {
        expect_paths(lab, &*router, vip, &nodes)?;
        expect_hops(lab, router.host(), vip, &nodes)?;
        let capture = Capture::start(router.host(), "eth0", &format!("tcp and host {vip}"))?;
        eventually(SOON, &format!("{vip} serves by every node"), || {
            flows(lab, vip, FLOWS)
        })?;
        let file = capture.finish()?;
        let mut by = BTreeSet::new();
        for mac in select(&file, &first, "eth.dst")? {
            let node = lab.node_of_mac(mac.parse()?)?;
            by.insert(node.with_context(|| format!("{mac} is no node's"))?);
        }
        ensure!(by.iter().eq(&nodes), "{vip}: flows came by {by:?} only");
    }
    Ok(())
}

/// So many requests of the client behind r1, each on a connection of its own.
fn flows(lab: &Lab, vip: IpAddr, count: usize) -> Result<()> {
    let from = ROUTED_CLIENT[usize::from(vip.is_ipv6())];
    for _ in 0..count {
        http::get_from(&lab.client_host(), from, vip, 80, Duration::from_secs(2))?;
    }
    Ok(())
}
