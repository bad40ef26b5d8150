//! Routers on links without addresses: found by router advertisements, spoken to by link-local IPv6
//! addresses, told both families (RFC 8950).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::capture::{BGP, Capture, select};
use lab::peer::{Bfd, Config, Distance, Peer, Program, Router};
use lab::runner::Scenario;
use lab::{Host, Lab, Topology, eventually, kernel};
use serde_json::json;

use crate::bfd;
use crate::peering::{
    NODE_AS, Peering, ROUTER_AS, SESSION, expect_routed, host_prefix, identifier, pool, secret,
};
use crate::vips::{SOON, Vips, create, start, vips};

/// ICMPv6's router solicitations and advertisements.
const DISCOVERY: &str = "icmp6 and (ip6[40] == 133 or ip6[40] == 134)";
/// How long a router that has changed its address may take to be followed: FRR advertises itself
/// every ten seconds, the old address has five to answer, and then both begin anew.
const FOLLOWED: Duration = Duration::from_secs(60);

pub(crate) fn scenarios() -> Vec<Scenario> {
    let two = || Topology::default().with_routers(2);
    vec![
        Scenario::new(
            "FRR on links without addresses is found by its router advertisements and told both families",
            |lab| on_links(lab, Program::Frr),
        ),
        Scenario::new(
            "BIRD on links without addresses is found by its router advertisements and told both families",
            |lab| on_links(lab, Program::Bird),
        ),
        Scenario::new(
            "a node with two links without addresses has a session with the router on each",
            two_links,
        )
        .on(two()),
        Scenario::new(
            "a router that changes its link-local address is followed, and so is an interface that is made anew",
            follows,
        ),
        Scenario::new(
            "a link on which no router is heard is said to wait for one, and nobody is dialled",
            waits,
        ),
        Scenario::new(
            "a router on a link without addresses that asks for a password gets it or no session",
            passwords,
        ),
        Scenario::new(
            "a node that waits for the router on a link without addresses lets that in, with TTL security",
            lets_in,
        ),
        Scenario::new(
            "BFD watches the path to FRR and to BIRD on links without addresses",
            watched,
        )
        .within(Duration::from_secs(180)),
        Scenario::new(
            "a router of the nodes' own AS on links without addresses is told both families",
            internal,
        ),
    ]
}

/// A cable from each node to a router; the names of its ends.
struct Cables {
    router: Host,
    /// On every node.
    node_end: String,
    /// On the router, by node.
    router_ends: BTreeMap<String, String>,
}

impl Cables {
    fn lay(lab: &Lab, number: u8) -> Result<Self> {
        let router = lab.host(&format!("r{number}"));
        let node_end = format!("up{number}");
        let mut router_ends = BTreeMap::new();
        for node in lab.nodes() {
            let end = format!("d-{}", node.name());
            node.cable(&node_end, &router, &end)?;
            router_ends.insert(node.name().to_owned(), end);
        }
        Ok(Self {
            router,
            node_end,
            router_ends,
        })
    }

    /// The router: whoever is at the other ends is its peer.
    fn config(&self, number: u8, change: impl Fn(Peer) -> Peer) -> Result<Config> {
        let ends = self.router_ends.values();
        let peers = ends.map(|end| change(Peer::unnumbered(end, NODE_AS)));
        Ok(Config::new(ROUTER_AS, identifier(number)?).peers(peers))
    }

    /// Seamark's side: a BGPPeer on the nodes' ends.
    fn apply(&self, lab: &Lab, fields: &serde_json::Value) -> Result<()> {
        let mut all = json!({ "peerAddress": null, "interface": self.node_end });
        for (field, value) in fields.as_object().into_iter().flatten() {
            all[field] = value.clone();
        }
        let peering = Peering {
            name: self.node_end.clone(),
            ..Peering::default()
        };
        // The address is taken away again.
        peering.apply_at(lab, IpAddr::from([0; 4]), &all)
    }

    /// The nodes' addresses on their ends.
    fn nodes(&self, lab: &Lab) -> Result<BTreeSet<IpAddr>> {
        let nodes = lab.nodes();
        let addresses = nodes.iter().map(|node| link_local(node, &self.node_end));
        addresses.collect()
    }

    /// Each address leads over the links, and a client behind the router is served.
    fn expect_served(&self, lab: &Lab, vips: Vips) -> Result<()> {
        for vip in vips {
            self.expect_hops(lab, vip)?;
            expect_routed(lab, vip)?;
        }
        Ok(())
    }

    /// Wait for a session with each node.
    fn wait(&self, lab: &Lab, router: &dyn Router) -> Result<()> {
        for address in self.nodes(lab)? {
            router.wait_established(address, SESSION)?;
        }
        Ok(())
    }

    /// Wait until the router's kernel sends an address to all nodes, over these cables.
    fn expect_hops(&self, lab: &Lab, vip: IpAddr) -> Result<()> {
        self.expect_hops_to(vip, &self.nodes(lab)?, SOON)
    }

    fn expect_hops_to(&self, vip: IpAddr, to: &BTreeSet<IpAddr>, within: Duration) -> Result<()> {
        let what = format!("{} sends {vip} to {to:?}", self.router.name());
        eventually(within, &what, || {
            let hops = kernel::next_hops(&self.router, &host_prefix(vip))?;
            ensure!(hops == *to, "it sends it to {hops:?}");
            Ok(())
        })
    }
}

fn link_local(host: &Host, interface: &str) -> Result<IpAddr> {
    let found = host.interface(interface)?;
    let mut all = found.v6.into_iter().filter(|ip| ip.is_unicast_link_local());
    let address = all.next();
    let address = address.with_context(|| format!("{} has no address", host.name()))?;
    Ok(IpAddr::V6(address))
}

fn on_links(lab: &mut Lab, program: Program) -> Result<()> {
    let cables = Cables::lay(lab, 1)?;
    let n1 = lab.node("n1");
    let bgp = Capture::start(&n1, &cables.node_end, BGP)?;
    let discovery = Capture::start(&n1, &cables.node_end, DISCOVERY)?;
    let router = program.start(&cables.router, &cables.config(1, |peer| peer)?)?;
    pool(lab)?;
    cables.apply(lab, &json!({}))?;
    start(lab)?;
    cables.wait(lab, &*router)?;
    create(lab, "web")?;
    cables.expect_served(lab, vips(lab, "web")?)?;
    expect_neighbors(lab, &cables)?;
    let ours = link_local(&n1, &cables.node_end)?;
    expect_advertisements(&discovery, ours)?;
    let file = bgp.finish()?;
    // RFC 8950 §4: IPv4 routes with IPv6 next hops, which both sides have offered.
    let opens = format!("bgp.type == 1 && ipv6.src == {ours}");
    let codes = select(&file, &opens, "bgp.cap.type")?;
    let offered = codes
        .iter()
        .all(|codes| codes.split(',').any(|code| code == "5"));
    ensure!(!codes.is_empty() && offered, "capabilities: {codes:?}");
    let told = format!("bgp.update.path_attribute.mp_reach_nlri && ipv6.src == {ours}");
    let next_hops = select(
        &file,
        &told,
        "bgp.update.path_attribute.mp_reach_nlri.next_hop.ipv6",
    )?;
    let own = ours.to_string();
    let told = next_hops.iter().flat_map(|all| all.split(','));
    let told: BTreeSet<&str> = told.collect();
    ensure!(told.iter().eq([&own]), "next hops: {told:?}");
    Ok(())
}

/// RFC 4861 §4.2 and §6.1.2: what n1 says of itself; and that it is no default router.
fn expect_advertisements(capture: &Capture, ours: IpAddr) -> Result<()> {
    let said = format!("icmpv6.type == 134 && ipv6.src == {ours}");
    let shown = |field: &str| -> Result<BTreeSet<String>> {
        let all = select(capture.file(), &said, field)?;
        ensure!(!all.is_empty(), "no advertisement of ours");
        Ok(all.into_iter().collect())
    };
    for (field, expected) in [
        ("icmpv6.nd.ra.router_lifetime", "0"),
        ("ipv6.hlim", "255"),
        ("ipv6.dst", "ff02::1"),
        ("icmpv6.checksum.status", "1"),
        // The source link-layer address, and no prefix.
        ("icmpv6.opt.type", "1"),
    ] {
        let found = shown(field)?;
        ensure!(found.iter().eq([expected]), "{field}: {found:?}");
    }
    Ok(())
}

/// SpeakerStatus shows with whom each session is: the router's address on that node's cable.
fn expect_neighbors(lab: &Lab, cables: &Cables) -> Result<()> {
    for (node, end) in &cables.router_ends {
        let expected = link_local(&cables.router, end)?.to_string();
        let what = format!("{node} shows its session with {expected}");
        let path = format!(
            "jsonpath={{.status.sessions[?(@.peer==\"{}\")]['neighbor','state']}}",
            cables.node_end
        );
        eventually(FOLLOWED, &what, || {
            let shown = lab.kubectl(&["get", "speakerstatuses.seamark.io", node, "-o", &path])?;
            let right = shown.split_whitespace().eq([&*expected, "Established"]);
            ensure!(right, "it shows {shown:?}");
            Ok(())
        })?;
    }
    Ok(())
}

/// FRR on one, BIRD on the other.
fn two_links(lab: &mut Lab) -> Result<()> {
    let all = [Cables::lay(lab, 1)?, Cables::lay(lab, 2)?];
    let mut routers = Vec::new();
    for (number, (cables, program)) in (1..).zip(all.iter().zip([Program::Frr, Program::Bird])) {
        routers.push(program.start(&cables.router, &cables.config(number, |peer| peer)?)?);
        cables.apply(lab, &json!({}))?;
    }
    pool(lab)?;
    start(lab)?;
    create(lab, "web")?;
    for (cables, router) in all.iter().zip(&routers) {
        cables.wait(lab, &**router)?;
    }
    for vip in vips(lab, "web")? {
        for cables in &all {
            cables.expect_hops(lab, vip)?;
        }
    }
    // The cables to one of them are pulled: the other goes on as before.
    let [first, second] = &all;
    for end in first.router_ends.values() {
        first.router.link_down(end)?;
    }
    for vip in vips(lab, "web")? {
        let what = format!("{} forgets {vip}", first.router.name());
        eventually(SOON * 2, &what, || {
            let hops = kernel::next_hops(&first.router, &host_prefix(vip))?;
            ensure!(hops.is_empty(), "it sends it to {hops:?}");
            Ok(())
        })?;
        second.expect_hops(lab, vip)?;
    }
    for end in first.router_ends.values() {
        first.router.link_up(end)?;
    }
    for vip in vips(lab, "web")? {
        let what = format!("{} has {vip} again", first.router.name());
        eventually(FOLLOWED, &what, || first.expect_hops(lab, vip))?;
    }
    Ok(())
}

fn follows(lab: &mut Lab) -> Result<()> {
    let cables = Cables::lay(lab, 1)?;
    let router = Program::Frr.start(&cables.router, &cables.config(1, |peer| peer)?)?;
    pool(lab)?;
    cables.apply(lab, &json!({}))?;
    start(lab)?;
    cables.wait(lab, &*router)?;
    create(lab, "web")?;
    let shown = vips(lab, "web")?;
    for vip in shown {
        cables.expect_hops(lab, vip)?;
    }
    for (number, end) in (0x91..).zip(cables.router_ends.values()) {
        let old = link_local(&cables.router, end)?;
        let new = format!("fe80::{number:x}/64");
        cables.router.add_address(end, &new)?;
        cables.router.remove_address(end, &format!("{old}/64"))?;
    }
    expect_neighbors(lab, &cables)?;
    cables.expect_served(lab, shown)?;
    // The nodes' ends go, and the router's with them; others of the same names come.
    for node in lab.nodes() {
        node.remove_interface(&cables.node_end)?;
    }
    // FRR 8.4 may miss for good that an interface is another one, if it has not seen the old one go.
    eventually(SESSION, "the router has lost its sessions", || {
        let sessions = router.sessions()?;
        let mut established = sessions.values().filter(|one| one.is_established());
        ensure!(established.next().is_none(), "it has {sessions:?}");
        Ok(())
    })?;
    for (node, end) in &cables.router_ends {
        let node = lab.node(node);
        node.cable(&cables.node_end, &cables.router, end)?;
    }
    expect_neighbors(lab, &cables)?;
    cables.expect_served(lab, shown)
}

fn waits(lab: &mut Lab) -> Result<()> {
    const WHILE: Duration = Duration::from_secs(3);
    let cables = Cables::lay(lab, 1)?;
    let capture = Capture::start(&lab.node("n1"), &cables.node_end, BGP)?;
    pool(lab)?;
    cables.apply(lab, &json!({}))?;
    start(lab)?;
    let path = "jsonpath={.items[*].status.sessions[*]['state','lastError']}";
    let waiting = || {
        let shown = lab.kubectl(&["get", "speakerstatuses.seamark.io", "-o", path])?;
        let nodes = lab.nodes().len();
        let said = shown.matches("no router advertisement has been heard on up1");
        ensure!(said.count() == nodes, "it shows {shown:?}");
        ensure!(shown.matches("Connecting").count() == nodes, "{shown:?}");
        Ok(())
    };
    eventually(SOON, "every node waits", waiting)?;
    eventually::throughout(WHILE, "they go on waiting", waiting)?;
    eventually(SOON * 3, "an Event says so", || {
        let field = "reason=SessionFailing";
        let arguments = ["get", "events", "--field-selector", field, "-o", "name"];
        let events = lab.kubectl(&arguments)?;
        let told = events.lines().count();
        ensure!(told == lab.nodes().len(), "{told} Events");
        Ok(())
    })?;
    let dialled = select(capture.file(), "tcp", "frame.number")?;
    ensure!(dialled.is_empty(), "somebody was dialled");
    let router = Program::Frr.start(&cables.router, &cables.config(1, |peer| peer)?)?;
    cables.wait(lab, &*router)
}

fn passwords(lab: &mut Lab) -> Result<()> {
    const WHILE: Duration = Duration::from_secs(5);
    let cables = Cables::lay(lab, 1)?;
    let config = cables.config(1, |peer| peer.password("right"))?;
    let router = Program::Frr.start(&cables.router, &config)?;
    pool(lab)?;
    secret(lab, "wrong")?;
    let reference = json!({ "passwordSecret": { "name": "peers", "key": "password" } });
    cables.apply(lab, &reference)?;
    start(lab)?;
    eventually::throughout(WHILE, "no session stands", || {
        for (address, session) in router.sessions()? {
            ensure!(!session.is_established(), "{address}: {session:?}");
        }
        Ok(())
    })?;
    secret(lab, "right")?;
    cables.wait(lab, &*router)?;
    create(lab, "web")?;
    for vip in vips(lab, "web")? {
        cables.expect_hops(lab, vip)?;
    }
    Ok(())
}

/// FRR dials by itself.
fn lets_in(lab: &mut Lab) -> Result<()> {
    let cables = Cables::lay(lab, 1)?;
    let config = cables.config(1, |peer| peer.distance(Distance::Secured(1)))?;
    let router = Program::Frr.start(&cables.router, &config)?;
    pool(lab)?;
    let capture = Capture::start(&lab.node("n1"), &cables.node_end, BGP)?;
    cables.apply(lab, &json!({ "passive": true, "ttlSecurity": true }))?;
    start(lab)?;
    cables.wait(lab, &*router)?;
    create(lab, "web")?;
    for vip in vips(lab, "web")? {
        cables.expect_hops(lab, vip)?;
    }
    let ours = link_local(&lab.node("n1"), &cables.node_end)?;
    let dialled = format!("tcp.flags == 2 && ipv6.src == {ours}");
    let dialled = select(&capture.finish()?, &dialled, "frame.number")?;
    ensure!(dialled.is_empty(), "n1 dialled");
    Ok(())
}

fn internal(lab: &mut Lab) -> Result<()> {
    let cables = Cables::lay(lab, 1)?;
    let ends = cables.router_ends.values();
    let peers = ends.map(|end| Peer::unnumbered(end, NODE_AS));
    let config = Config::new(NODE_AS, identifier(1)?).peers(peers);
    let router = Program::Frr.start(&cables.router, &config)?;
    pool(lab)?;
    cables.apply(lab, &json!({ "peerASN": null, "dynamicASN": "internal" }))?;
    start(lab)?;
    cables.wait(lab, &*router)?;
    create(lab, "web")?;
    cables.expect_served(lab, vips(lab, "web")?)
}

/// The router hears nothing of n1 any more, while its cable seems to be well.
fn watched(lab: &mut Lab) -> Result<()> {
    /// Much less than the hold time of nine seconds.
    const BY_BFD: Duration = Duration::from_secs(2);
    let cables = Cables::lay(lab, 1)?;
    pool(lab)?;
    bfd::profile(lab, 50, &json!({}))?;
    cables.apply(lab, &json!({ "bfdProfile": bfd::PROFILE }))?;
    start(lab)?;
    create(lab, "web")?;
    let shown = vips(lab, "web")?;
    let all = cables.nodes(lab)?;
    let n1 = link_local(&lab.node("n1"), &cables.node_end)?;
    let others = all.iter().copied().filter(|node| *node != n1).collect();
    for program in [Program::Frr, Program::Bird] {
        let config = cables.config(1, |peer| peer.bfd(Bfd::new(50, 3)))?;
        let router = program.start(&cables.router, &config)?;
        cables.wait(lab, &*router)?;
        for node in &all {
            let session = router.wait_bfd_up(*node, SESSION)?;
            let detection = session.detection_time;
            ensure!(detection == Duration::from_millis(150), "{session:?}");
        }
        for node in lab.nodes() {
            bfd::expect_bfd(lab, node.name(), &cables.node_end, "Up")?;
        }
        for vip in shown {
            cables.expect_hops(lab, vip)?;
        }
        let cut = "add table inet cut; \
                   add chain inet cut in { type filter hook prerouting priority -400; }; \
                   add rule inet cut in iifname d-n1 drop";
        cables.router.run(&["nft", cut])?;
        for vip in shown {
            cables.expect_hops_to(vip, &others, BY_BFD)?;
        }
        cables.router.run(&["nft", "delete table inet cut"])?;
        for vip in shown {
            cables.expect_hops_to(vip, &all, SESSION)?;
        }
    }
    Ok(())
}
