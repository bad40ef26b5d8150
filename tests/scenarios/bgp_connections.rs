//! Who connects to whom, who is let in, and what two sides make of it that differ.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::address::{node, router};
use lab::capture::{BGP, Capture, bgp, select};
use lab::peer::{Config, Program, Router};
use lab::runner::Scenario;
use lab::{Host, Lab, Topology, eventually};
use serde_json::json;

use crate::peering::{
    NODE_AS, NODES, Over, Peering, ROUTER_AS, expect_hops, expect_paths, identifier, pool,
    times_established,
};
use crate::vips::{SOON, create, start, vips};

/// For how long a session must stand before it is said to stay.
const STAYS: Duration = Duration::from_secs(10);
/// A peer that never comes, in both families.
const NOBODY: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(10, 99, 0, 99)),
    IpAddr::V6(Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 0x99)),
];

pub(crate) fn scenarios() -> Vec<Scenario> {
    let three = || Topology::default().with_routers(3);
    vec![
        Scenario::new(
            "a router that knows two octets only is told AS 23456, and the true path beside it",
            two_octets,
        ),
        Scenario::new(
            "a router that dials the node that dials it has one session with it, which stays",
            both_dial,
        )
        .on(three()),
        Scenario::new(
            "a node that waits for a router lets that one in and no other",
            strangers,
        )
        .on(three()),
        Scenario::new(
            "speakers do not become peers of each other, even if one is told to dial another",
            never_each_other,
        ),
    ]
}

/// RFC 6793 §4.2.2: My AS and AS_PATH hold AS_TRANS, AS4_PATH what is true.
fn two_octets(lab: &mut Lab) -> Result<()> {
    const LONG_AS: u32 = 4_200_000_001;
    const AS4_PATH: &str = "17";
    const FOUR_OCTET_AS: &str = "65";
    let peering = Peering {
        my_asn: LONG_AS,
        ..Peering::default()
    };
    let mut config = Config::new(ROUTER_AS, identifier(1)?);
    for number in 1..=lab.topology().nodes {
        config = config.peer(peering.peer(peering.node(number)).two_octet_asns());
    }
    let capture = Capture::start(&lab.host("r1"), "eth0", BGP)?;
    let router = Program::Bird.start(&lab.host("r1"), &config)?;
    pool(lab)?;
    peering.apply(lab)?;
    start(lab)?;
    peering.wait(lab, &*router)?;
    create(lab, "web")?;
    for vip in vips(lab, "web")? {
        // BIRD puts the path together from both attributes.
        for path in expect_paths(lab, &*router, vip, &NODES)? {
            ensure!(path.as_path == [LONG_AS], "{path:?}");
        }
        expect_hops(lab, router.host(), vip, &NODES)?;
    }
    let file = capture.finish()?;
    let theirs = select(
        &file,
        "bgp.type == 1 && ip.src == 10.99.0.1",
        "bgp.cap.type",
    )?;
    ensure!(!theirs.is_empty(), "the router said no OPEN");
    for capabilities in theirs {
        let said = capabilities.split(',').any(|code| code == FOUR_OCTET_AS);
        ensure!(!said, "the router speaks four octets: {capabilities}");
    }
    let ours = select(
        &file,
        "bgp.type == 1 && ip.src != 10.99.0.1",
        "bgp.open.myas",
    )?;
    ensure!(ours.iter().all(|asn| asn == "23456"), "My AS: {ours:?}");
    let announced = "bgp.update.path_attribute.type_code == 2 && ip.src != 10.99.0.1";
    let codes = select(&file, announced, "bgp.update.path_attribute.type_code")?;
    ensure!(codes.len() >= NODES.len(), "UPDATEs: {codes:?}");
    for codes in codes {
        let has = codes.split(',').any(|code| code == AS4_PATH);
        ensure!(has, "no AS4_PATH in {codes}");
    }
    for (field, asn) in [("as2", "23456"), ("as4", "4200000001")] {
        let field = format!("bgp.update.path_attribute.as_path_segment.{field}");
        let shown = select(&file, announced, &field)?;
        let all = shown.iter().flat_map(|line| line.split(','));
        let all: BTreeSet<&str> = all.collect();
        ensure!(all.iter().eq(&[asn]), "{field}: {all:?}");
    }
    Ok(())
}

/// Sockets of BGP on a host, as `ss` shows them: `local peer`, a line each.
fn sockets(host: &Host, state: &str, filter: &str) -> Result<Vec<String>> {
    let shown = host.run(&["ss", "-Htn", "state", state, filter])?;
    Ok(shown.lines().map(str::to_owned).collect())
}

/// The nodes listen, as they wait for a peer that never comes, so that routers that dial them get
/// through, while they dial the routers themselves. One router has a lower identifier than every
/// node, the other a higher one.
fn both_dial(lab: &mut Lab) -> Result<()> {
    let low = Peering::with(1);
    let high = Peering {
        over: Over::Ipv6,
        ..Peering::with(2)
    };
    pool(lab)?;
    wait_for(lab, "nobody", NOBODY)?;
    start(lab)?;
    expect_listeners(lab)?;
    let capture = Capture::start(&lab.node("n1"), "eth0", BGP)?;
    let mut routers = Vec::new();
    for (peering, identifier) in [(&low, [1, 0, 0, 1]), (&high, [223, 0, 0, 1])] {
        let nodes = 1..=lab.topology().nodes;
        let peers = nodes.map(|number| peering.peer(peering.node(number)));
        let config = Config::new(ROUTER_AS, Ipv4Addr::from(identifier)).peers(peers);
        let router = Program::Frr.start(&peering.host(lab), &config)?;
        // The router is at it already.
        eventually(SOON, "the router dials", || dialled(&capture, peering))?;
        peering.apply(lab)?;
        peering.wait(lab, &*router)?;
        routers.push(router);
    }
    create(lab, "web")?;
    for vip in vips(lab, "web")? {
        for router in &routers {
            expect_paths(lab, &**router, vip, &NODES)?;
            expect_hops(lab, router.host(), vip, &NODES)?;
        }
    }
    let counts = routers.iter().map(|router| times_established(&**router));
    let before: Vec<_> = counts.collect::<Result<_>>()?;
    eventually::throughout(STAYS, "each has one session with each node", || {
        for (router, before) in routers.iter().zip(&before) {
            ensure!(times_established(&**router)? == *before, "sessions moved");
        }
        for node in lab.nodes() {
            let stand = sockets(&node, "established", "dport = :179")?;
            ensure!(stand.len() == 2, "{}: {stand:?}", node.name());
            let others = sockets(&node, "established", "sport = :179")?;
            ensure!(others.is_empty(), "{}: {others:?}", node.name());
        }
        Ok(())
    })
}

/// An error unless the router has connected to n1 by now.
fn dialled(capture: &Capture, peering: &Peering) -> Result<()> {
    let from = peering.over.of(router(peering.router));
    let family = if from.is_ipv4() { "ip" } else { "ipv6" };
    let answered = format!("tcp.srcport == 179 && tcp.flags == 0x12 && {family}.dst == {from}");
    let found = select(capture.file(), &answered, "frame.number")?;
    ensure!(!found.is_empty(), "no connection from {from}");
    Ok(())
}

/// BGPPeers that every node waits for.
fn wait_for(lab: &Lab, name: &str, addresses: [IpAddr; 2]) -> Result<()> {
    for (address, family) in addresses.into_iter().zip(["v4", "v6"]) {
        let peering = Peering {
            name: format!("{name}-{family}"),
            ..Peering::default()
        };
        peering.apply_at(lab, address, &json!({ "passive": true }))?;
    }
    Ok(())
}

/// Wait until every node listens, in both families.
fn expect_listeners(lab: &Lab) -> Result<()> {
    eventually(SOON, "every node listens", || {
        for node in lab.nodes() {
            let listening = sockets(&node, "listening", "sport = :179")?;
            ensure!(listening.len() == 2, "{}: {listening:?}", node.name());
        }
        Ok(())
    })
}

/// r1 is waited for by IPv4 and by IPv6; r2 is another router that has all nodes as its peers.
fn strangers(lab: &mut Lab) -> Result<()> {
    pool(lab)?;
    wait_for(lab, "r1", router(1))?;
    start(lab)?;
    expect_listeners(lab)?;
    create(lab, "web")?;
    let shown = vips(lab, "web")?;
    let stranger = neighbours(lab, 2, Over::BOTH)?;
    let capture = Capture::start(&lab.host("r2"), "eth0", BGP)?;
    for over in Over::BOTH {
        let peering = Peering::over(over);
        let expected = neighbours(lab, 1, [over; 1])?;
        peering.wait(lab, &*expected)?;
        for vip in shown {
            expect_paths(lab, &*expected, vip, &NODES)?;
            expect_hops(lab, expected.host(), vip, &NODES)?;
        }
        let before = times_established(&*expected)?;
        eventually::throughout(STAYS / 3, "the router's sessions stay", || {
            ensure!(times_established(&*expected)? == before, "sessions moved");
            for session in stranger.sessions()?.values() {
                ensure!(!session.is_established(), "a stranger: {session:?}");
            }
            for node in lab.nodes() {
                let dialled = sockets(&node, "established", "dport = :179")?;
                ensure!(dialled.is_empty(), "{}: {dialled:?}", node.name());
            }
            Ok(())
        })?;
    }
    // A stranger's words are not read, and none is said to it.
    let file = capture.finish()?;
    let said: Vec<_> = bgp::messages(&file)?;
    let own = router(2);
    ensure!(
        said.iter().any(|one| own.contains(&one.source)),
        "it did not try"
    );
    let answer = said.iter().find(|one| !own.contains(&one.source));
    ensure!(answer.is_none(), "it is told {answer:?}");
    Ok(())
}

/// A router that dials every node by each of these.
fn neighbours<const N: usize>(lab: &Lab, number: u8, over: [Over; N]) -> Result<Box<dyn Router>> {
    let mut config = Config::new(ROUTER_AS, identifier(number)?);
    for over in over {
        let peering = Peering::over(over);
        for number in 1..=lab.topology().nodes {
            config = config.peer(peering.peer(peering.node(number)));
        }
    }
    Program::Frr.start(&lab.host(&format!("r{number}")), &config)
}

/// n2 by IPv4 and n3 by IPv6 are what every node is told to dial, themselves included.
fn never_each_other(lab: &mut Lab) -> Result<()> {
    const WHILE: Duration = Duration::from_secs(4);
    let ([to_n2, _], [_, to_n3]) = (node(2), node(3));
    pool(lab)?;
    let mut captures = Vec::new();
    for (name, address) in [("n2", to_n2), ("n3", to_n3)] {
        captures.push((Capture::start(&lab.node(name), "eth0", BGP)?, address));
        // Whatever else could keep them apart, like the AS, is as it should be.
        let peering = Peering {
            name: name.to_owned(),
            router_asn: NODE_AS,
            ..Peering::default()
        };
        peering.apply_at(lab, address, &json!({}))?;
    }
    start(lab)?;
    create(lab, "web")?;
    vips(lab, "web")?;
    eventually::throughout(WHILE, "nobody listens", || {
        for node in lab.nodes() {
            for (state, filter) in [
                ("listening", "sport = :179"),
                ("established", "sport = :179 or dport = :179"),
            ] {
                let found = sockets(&node, state, filter)?;
                ensure!(found.is_empty(), "{}: {found:?}", node.name());
            }
        }
        Ok(())
    })?;
    // Now they listen, for a router.
    wait_for(lab, "r1", router(1))?;
    expect_listeners(lab)?;
    eventually::throughout(WHILE, "no session stands", || no_session(lab))?;
    for (capture, address) in captures {
        expect_silent(&capture.finish()?, address)?;
    }
    Ok(())
}

fn no_session(lab: &Lab) -> Result<()> {
    let path = "jsonpath={.items[*].status.sessions[*].state}";
    let states = lab.kubectl(&["get", "speakerstatuses.seamark.io", "-o", path])?;
    let expected = "Connecting";
    let mut states = states.split_whitespace();
    ensure!(states.all(|state| state == expected), "one has a session");
    Ok(())
}

/// The node was dialled, and said nothing.
fn expect_silent(file: &Path, address: IpAddr) -> Result<()> {
    let family = if address.is_ipv4() { "ip" } else { "ipv6" };
    let let_in = format!("tcp.flags == 0x12 && {family}.src == {address}");
    let let_in = select(file, &let_in, "frame.number")?;
    ensure!(!let_in.is_empty(), "nobody got through to {address}");
    let messages = bgp::messages(file)?;
    let said = messages.iter().find(|one| one.source == address);
    ensure!(said.is_none(), "{address} says {said:?}");
    Ok(())
}
