//! The routers of the kit among themselves, without Seamark: what later scenarios rest on.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::address::{node, router};
use lab::capture::{BGP, Capture, bgp};
use lab::peer::stub::{Identity, Manner, Stub};
use lab::peer::{
    Announced, Bird, Capability, Config, Distance, Frr, GoBgp, Path, Peer, Program, Router,
};
use lab::runner::Scenario;
use lab::{Lab, eventually, kernel};

const SOON: Duration = Duration::from_secs(20);
const ROUTER_AS: u32 = 64512;
/// More than two octets hold.
const NODE_AS: u32 = 4_200_000_001;
const SHARED: [&str; 2] = ["10.97.0.10/32", "fd97::10/128"];
const OWN: [&str; 2] = ["10.97.0.99/32", "fd97::99/128"];

/// What n3 says that it is, where a stub plays it.
const THIRD: Identity = Identity {
    asn: NODE_AS,
    router_id: [10, 99, 0, 13],
    hold_time: 9,
};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "FRR, BIRD and GoBGP exchange routes of both families, and the kernel spreads over them",
            exchange,
        ),
        Scenario::new(
            "a stub peer plays each of its parts against FRR and counts what it hears",
            parts,
        ),
        Scenario::new(
            "FRR and BIRD are told otherwise, killed and paused, and no other session notices",
            trouble,
        ),
    ]
}

fn announced(config: Config, prefixes: [&str; 2], hops: [IpAddr; 2]) -> Config {
    prefixes
        .into_iter()
        .zip(hops)
        .fold(config, |config, (prefix, hop)| {
            let announced = Announced::new(prefix, hop);
            config.announce(announced.community(64512, 7).large_community(64512, 1, 2))
        })
}

fn identifier(address: IpAddr) -> Result<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(address) => anyhow::bail!("{address} is no identifier"),
    }
}

fn exchange(lab: &mut Lab) -> Result<()> {
    let ([one, _], [_, two], [r4, r6]) = (node(1), node(2), router(1));
    // BIRD by IPv4 with TCP-MD5, GoBGP by IPv6 with GTSM; both families on either session.
    let frr = announced(Config::new(ROUTER_AS, identifier(r4)?), OWN, router(1))
        .import_within(&["10.97.0.0/24", "fd97::/64"])
        .peer(Peer::new(one, NODE_AS).password("secret"))
        .peer(Peer::new(two, NODE_AS).distance(Distance::Secured(1)));
    let bird = announced(Config::new(NODE_AS, identifier(one)?), SHARED, node(1))
        .peer(Peer::new(r4, ROUTER_AS).password("secret"));
    let gobgp = announced(
        Config::new(NODE_AS, identifier(node(2)[0])?),
        SHARED,
        node(2),
    )
    .peer(Peer::new(r6, ROUTER_AS).distance(Distance::Secured(1)));
    let capture = Capture::start(&lab.host("r1"), "eth0", BGP)?;
    let frr = Frr::start(&lab.host("r1"), &frr)?;
    let bird = Bird::start(&lab.node("n1"), &bird)?;
    let gobgp = GoBgp::start(&lab.node("n2"), &gobgp)?;
    let ends: [(&dyn Router, IpAddr, u32); 4] = [
        (&frr, one, NODE_AS),
        (&frr, two, NODE_AS),
        (&bird, r4, ROUTER_AS),
        (&gobgp, r6, ROUTER_AS),
    ];
    for (router, peer, asn) in ends {
        let session = router.wait_established(peer, SOON)?;
        ensure!(session.remote_asn == asn, "{peer}: {session:?}");
        ensure!(
            session.hold_time == Duration::from_secs(9),
            "{peer}: {session:?}"
        );
        for wanted in [
            Capability::Ipv4Unicast,
            Capability::Ipv6Unicast,
            Capability::FourOctetAs,
            Capability::RouteRefresh,
        ] {
            let said = session.capabilities.contains(&wanted);
            ensure!(said, "{peer} does not say {wanted:?}: {session:?}");
        }
    }
    for prefix in SHARED {
        expect_spread(lab, &frr, prefix)?;
    }
    for prefix in OWN {
        for router in [&bird as &dyn Router, &gobgp] {
            let path = the_path(router, prefix)?;
            expect_attributes(&path, &[ROUTER_AS])?;
            let hop = path.next_hops.first().context("no next hop")?;
            ensure!(router_has(*hop), "{prefix}: {path:?}");
        }
    }
    let hops = kernel::next_hops(&lab.node("n1"), OWN[0])?;
    ensure!(hops.iter().eq([&r4]), "BIRD gives the kernel {hops:?}");
    one_more(&frr, &[&bird, &gobgp])?;
    let messages = bgp::messages(&capture.finish()?)?;
    // A prefix a family and the later one, besides what the routers add of their own.
    for (from, to) in [(r4, one), (r6, two)] {
        let updates = bgp::updates(&messages, from, to);
        ensure!((3..=12).contains(&updates), "{updates} UPDATEs to {to}");
        let opens = messages
            .iter()
            .filter(|one| one.kind == bgp::MessageKind::Open && one.source == from)
            .count();
        ensure!(opens >= 1, "no OPEN from {from}");
    }
    Ok(())
}

/// Both nodes' paths, with all that they carry, in FRR and in the kernel.
fn expect_spread(lab: &Lab, frr: &Frr, prefix: &str) -> Result<()> {
    eventually(SOON, &format!("{prefix} leads to n1 and n2"), || {
        let paths = frr.paths(prefix)?;
        ensure!(paths.len() == 2, "FRR has {paths:?}");
        for path in &paths {
            expect_attributes(path, &[NODE_AS])?;
            ensure!(path.is_chosen, "not chosen: {path:?}");
        }
        let mut nodes = Vec::new();
        for hop in kernel::next_hops(frr.host(), prefix)? {
            let node = lab.node_of_address(hop)?;
            nodes.push(node.with_context(|| format!("{hop} is no node's"))?);
        }
        nodes.sort_unstable();
        ensure!(nodes == ["n1", "n2"], "the kernel spreads over {nodes:?}");
        Ok(())
    })
}

fn expect_attributes(path: &Path, as_path: &[u32]) -> Result<()> {
    let communities = path.communities.iter().eq(["64512:7"]);
    let large = path.large_communities.iter().eq(["64512:1:2"]);
    let rest = path.origin == "IGP" && path.as_path == as_path;
    ensure!(communities && large && rest, "it is {path:?}");
    Ok(())
}

/// The one path to a prefix, once it is there.
fn the_path(router: &dyn Router, prefix: &str) -> Result<Path> {
    let what = format!("{:?} has a path to {prefix}", router.program());
    eventually(SOON, &what, || {
        let mut paths = router.paths(prefix)?;
        ensure!(paths.len() == 1, "it has {paths:?}");
        paths.pop().context("none")
    })
}

fn router_has(address: IpAddr) -> bool {
    router(1).contains(&address)
}

/// A prefix that comes later arrives everywhere.
fn one_more(frr: &Frr, others: &[&dyn Router]) -> Result<()> {
    let family = "address-family ipv4 unicast";
    let line = format!("router bgp {ROUTER_AS}");
    frr.enter(&[&line, family, "network 10.97.0.98/32"])?;
    for router in others {
        the_path(*router, "10.97.0.98/32")?;
    }
    Ok(())
}

fn parts(lab: &mut Lab) -> Result<()> {
    let identity = THIRD;
    let host = lab.node("n3");
    let [peer, _] = node(3);
    let [own, _] = router(1);
    let config = announced(Config::new(ROUTER_AS, identifier(own)?), OWN, router(1))
        .peer(Peer::new(peer, NODE_AS));
    let frr = Program::Frr.start(&lab.host("r1"), &config)?;

    let stub = Stub::start(&host, identity, Manner::Mute)?;
    eventually(SOON, "the mute stub is dialled", || {
        ensure!(stub.heard().opens > 0, "{:?}", stub.heard());
        Ok(())
    })?;
    ensure!(!frr.session(peer)?.is_established(), "with a mute peer");
    drop(stub);

    let stub = Stub::start(&host, identity, Manner::Babbling)?;
    heard(&stub, "is told off", |stub| {
        stub.last_notification.is_some()
    })?;
    drop(stub);

    let stub = Stub::start(&host, identity, Manner::Civil)?;
    frr.wait_established(peer, SOON)?;
    // One UPDATE a family; FRR ends its table with a word only for peers that restart gracefully.
    heard(&stub, "hears FRR's table", |stub| stub.updates == 2)?;
    drop(stub);

    let stub = Stub::start(&host, identity, Manner::Flooding(3_000))?;
    eventually(SOON, "FRR has the flood", || {
        for is_v4 in [true, false] {
            let routes = frr.routes(is_v4)?.len();
            ensure!(routes == 3_001, "{routes} routes");
        }
        Ok(())
    })?;
    ensure!(stub.heard().announced == 6_000, "{:?}", stub.heard());
    drop(stub);

    let stub = Stub::start(&host, identity, Manner::Fickle(Duration::from_millis(300)))?;
    heard(&stub, "has several sessions", |stub| stub.sessions >= 2)?;
    drop(stub);

    let stub = Stub::start(&host, identity, Manner::Saying(vec![0xff; 64]))?;
    heard(&stub, "is told off", |stub| {
        stub.last_notification.is_some()
    })?;
    drop(stub);

    let stub = Stub::start(&host, identity, Manner::Deaf)?;
    frr.wait_established(peer, SOON)?;
    ensure!(stub.heard().updates == 0, "{:?}", stub.heard());
    Ok(())
}

fn trouble(lab: &mut Lab) -> Result<()> {
    let ([one, _], [three, _], [own, _]) = (node(1), node(3), router(1));
    let frr_with = |password: &str| -> Result<Config> {
        let peer = Peer::new(one, NODE_AS).hold_time(3).password(password);
        let config = Config::new(ROUTER_AS, identifier(own)?).peer(peer);
        Ok(config.peer(Peer::new(three, NODE_AS)))
    };
    let bird_with = |password: &str| -> Result<Config> {
        let peer = Peer::new(own, ROUTER_AS).hold_time(3).password(password);
        Ok(Config::new(NODE_AS, identifier(one)?).peer(peer))
    };
    let mut frr = Frr::start(&lab.host("r1"), &frr_with("first")?)?;
    let mut bird = Bird::start(&lab.node("n1"), &bird_with("first")?)?;
    let stub = Stub::start(&lab.node("n3"), THIRD, Manner::Civil)?;
    frr.wait_established(one, SOON)?;
    frr.wait_established(three, SOON)?;

    frr.configure(&frr_with("second")?)?;
    wait_lost(&frr, one)?;
    bird.configure(&bird_with("second")?)?;
    frr.wait_established(one, SOON)?;

    bird.kill()?;
    wait_lost(&frr, one)?;
    bird.start_again()?;
    frr.wait_established(one, SOON)?;

    bird.pause()?;
    wait_lost(&frr, one)?;
    bird.resume()?;
    frr.wait_established(one, SOON)?;
    let heard = stub.heard();
    ensure!(heard.sessions == 1 && heard.connections == 1, "{heard:?}");
    Ok(())
}

fn wait_lost(router: &dyn Router, peer: IpAddr) -> Result<()> {
    eventually(SOON, &format!("the session with {peer} is lost"), || {
        let session = router.session(peer)?;
        ensure!(!session.is_established(), "{session:?}");
        Ok(())
    })
}

fn heard(stub: &Stub, what: &str, is: impl Fn(&lab::peer::stub::Heard) -> bool) -> Result<()> {
    eventually(SOON, &format!("the stub {what}"), || {
        let heard = stub.heard();
        ensure!(is(&heard), "{heard:?}");
        Ok(())
    })
}
