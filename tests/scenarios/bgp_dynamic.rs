//! BGPPeers that are ranges: whoever connects from there is a peer, and nobody else is.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::address::router;
use lab::capture::{BGP, Capture, bgp};
use lab::peer::{Config, Peer, Program, Router};
use lab::runner::Scenario;
use lab::{Lab, Topology, eventually};
use serde_json::{Value, json};

use crate::peering::{
    NODE_AS, NODES, Over, Peering, ROUTER_AS, SESSION, expect_hops, expect_paths, identifier, pool,
    secret,
};
use crate::vips::{SOON, create, start, vips};

/// They hold r2, r3 and r4, and not r1.
const RANGES: [(&str, &str); 2] = [("leafs-v4", "10.99.0.4/30"), ("leafs-v6", "fd99::4/126")];
const INSIDE: [u8; 3] = [2, 3, 4];
/// For sessions that must not come up: routers try every second.
const REFUSED: Duration = Duration::from_secs(5);

pub(crate) fn scenarios() -> Vec<Scenario> {
    let four = || Topology::default().with_routers(4);
    vec![
        Scenario::new(
            "each router that connects from a range is a peer of its own, and one from outside is none",
            from_a_range,
        )
        .on(four()),
        Scenario::new(
            "of the routers in a range those of another AS are let in where it is to be external",
            external_only,
        )
        .on(four()),
        Scenario::new(
            "of the routers in a range those with its password have a session and the others have none",
            passwords,
        )
        .on(four()),
    ]
}

/// The BGPPeer of a range, with these fields besides.
fn apply(lab: &Lab, (name, range): (&str, &str), fields: &Value) -> Result<()> {
    let mut all = json!({ "peerAddress": null, "listenRange": range });
    for (field, value) in fields.as_object().into_iter().flatten() {
        all[field] = value.clone();
    }
    let peering = Peering {
        name: name.to_owned(),
        ..Peering::default()
    };
    // The address is taken away again.
    peering.apply_at(lab, IpAddr::from([0; 4]), &all)
}

/// A router that dials every node.
struct Dialler {
    program: Program,
    number: u8,
    asn: u32,
    over: Over,
    password: Option<&'static str>,
}

impl Dialler {
    fn new(program: Program, number: u8, over: Over) -> Self {
        Self {
            program,
            number,
            asn: ROUTER_AS,
            over,
            password: None,
        }
    }

    fn start(&self, lab: &Lab) -> Result<Box<dyn Router>> {
        let mut config = Config::new(self.asn, identifier(self.number)?);
        for number in 1..=lab.topology().nodes {
            let node = self.over.of(lab::address::node(number));
            let peer = Peer::new(node, NODE_AS);
            config = config.peer(match self.password {
                Some(password) => peer.password(password),
                None => peer,
            });
        }
        self.program
            .start(&lab.host(&format!("r{}", self.number)), &config)
    }

    fn wait(&self, lab: &Lab, router: &dyn Router) -> Result<()> {
        for number in 1..=lab.topology().nodes {
            router.wait_established(self.over.of(lab::address::node(number)), SESSION)?;
        }
        Ok(())
    }
}

fn expect_none(router: &dyn Router) -> Result<()> {
    eventually::throughout(REFUSED, "no session stands", || {
        for (address, session) in router.sessions()? {
            ensure!(!session.is_established(), "{address}: {session:?}");
        }
        Ok(())
    })
}

/// FRR over IPv4, BIRD over IPv6 and FRR over IPv6, all at once.
fn from_a_range(lab: &mut Lab) -> Result<()> {
    pool(lab)?;
    for range in RANGES {
        apply(lab, range, &json!({}))?;
    }
    start(lab)?;
    create(lab, "web")?;
    let capture = Capture::start(&lab.host("r1"), "eth0", BGP)?;
    let stranger = Dialler::new(Program::Frr, 1, Over::Ipv4).start(lab)?;
    let diallers = [
        Dialler::new(Program::Frr, 2, Over::Ipv4),
        Dialler::new(Program::Bird, 3, Over::Ipv6),
        Dialler::new(Program::Frr, 4, Over::Ipv6),
    ];
    let routers = diallers.iter().map(|one| one.start(lab));
    let mut routers: Vec<_> = routers.collect::<Result<_>>()?;
    for (dialler, router) in diallers.iter().zip(&routers) {
        dialler.wait(lab, &**router)?;
        for vip in vips(lab, "web")? {
            expect_paths(lab, &**router, vip, &NODES)?;
            expect_hops(lab, router.host(), vip, &NODES)?;
        }
    }
    let sessions = diallers.each_ref().map(|one| {
        let name = RANGES[usize::from(one.over == Over::Ipv6)].0;
        format!("{name}/{}", one.over.of(router(one.number)))
    });
    expect_sessions(lab, &sessions)?;
    expect_none(&*stranger)?;
    let said = bgp::messages(&capture.finish()?)?;
    let own = router(1);
    let answer = said.iter().find(|one| !own.contains(&one.source));
    ensure!(answer.is_none(), "the stranger is told {answer:?}");
    // One that goes and comes back is known again, and the others do not notice.
    let [.., last] = &diallers;
    if let Some(gone) = routers.last_mut() {
        gone.kill()?;
        gone.start_again()?;
        last.wait(lab, &**gone)?;
    }
    expect_sessions(lab, &sessions)
}

/// Wait until every node shows exactly these sessions, `peer/neighbor`, all established.
fn expect_sessions(lab: &Lab, sessions: &[String]) -> Result<()> {
    let path =
        "jsonpath={range .status.sessions[?(@.state==\"Established\")]}{.peer}/{.neighbor} {end}";
    for node in lab.nodes() {
        let what = format!("{} shows {sessions:?}", node.name());
        eventually(SOON, &what, || {
            let resource = "speakerstatuses.seamark.io";
            let shown = lab.kubectl(&["get", resource, node.name(), "-o", path])?;
            let mut shown: Vec<&str> = shown.split_whitespace().collect();
            shown.sort_unstable();
            let mut expected: Vec<&str> = sessions.iter().map(String::as_str).collect();
            expected.sort_unstable();
            ensure!(shown == expected, "it shows {shown:?}");
            Ok(())
        })?;
    }
    Ok(())
}

/// r2 and r3 are of two other ASes, r4 is of the nodes' own.
fn external_only(lab: &mut Lab) -> Result<()> {
    pool(lab)?;
    for range in RANGES {
        let external = json!({ "peerASN": null, "dynamicASN": "external" });
        apply(lab, range, &external)?;
    }
    start(lab)?;
    create(lab, "web")?;
    let mut diallers = [
        Dialler::new(Program::Frr, 2, Over::Ipv4),
        Dialler::new(Program::Bird, 3, Over::Ipv6),
        Dialler::new(Program::Frr, 4, Over::Ipv6),
    ];
    let [_, other, internal] = &mut diallers;
    other.asn = ROUTER_AS + 100;
    internal.asn = NODE_AS;
    let routers = diallers.iter().map(|one| one.start(lab));
    let routers: Vec<_> = routers.collect::<Result<_>>()?;
    let [first, second, third] = routers.as_slice() else {
        anyhow::bail!("three routers");
    };
    for (dialler, router) in diallers.iter().zip([first, second]) {
        dialler.wait(lab, &**router)?;
        for vip in vips(lab, "web")? {
            expect_paths(lab, &**router, vip, &NODES)?;
        }
    }
    expect_none(&**third)
}

fn passwords(lab: &mut Lab) -> Result<()> {
    pool(lab)?;
    secret(lab, "right")?;
    let reference = json!({ "passwordSecret": { "name": "peers", "key": "password" } });
    for range in RANGES {
        apply(lab, range, &reference)?;
    }
    start(lab)?;
    create(lab, "web")?;
    for over in Over::BOTH {
        let mut diallers = INSIDE.map(|number| Dialler::new(Program::Frr, number, over));
        let [right, wrong, _without] = &mut diallers;
        right.password = Some("right");
        wrong.password = Some("wrong");
        let routers = diallers.iter().map(|one| one.start(lab));
        let routers: Vec<_> = routers.collect::<Result<_>>()?;
        let [right, others @ ..] = routers.as_slice() else {
            anyhow::bail!("three routers");
        };
        diallers[0].wait(lab, &**right)?;
        for vip in vips(lab, "web")? {
            expect_paths(lab, &**right, vip, &NODES)?;
        }
        for other in others {
            expect_none(&**other)?;
        }
    }
    Ok(())
}
