//! BFD and graceful restart among the routers of the kit, without Seamark: what it is measured by.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use lab::Lab;
use lab::address::{node, router};
use lab::kernel::Changes;
use lab::peer::{Announced, Bfd, Bird, Config, Frr, GracefulRestart, Peer, Router};
use lab::runner::Scenario;

const SOON: Duration = Duration::from_secs(20);
const ROUTER_AS: u32 = 64512;
const NODE_AS: u32 = 64513;
const PREFIXES: [&str; 2] = ["10.97.0.10/32", "fd97::10/128"];

/// The detection time, and thrice what FRR holds a change back and a busy machine takes.
const NOTICED: Duration = Duration::from_millis(150 + 3 * 100);

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "FRR and BIRD watch each other by BFD, and routes to a silent node go at once",
            silence,
        ),
        Scenario::new(
            "FRR keeps the routes of a BIRD that restarts gracefully, and of no other",
            restart,
        ),
    ]
}

fn identifier(address: IpAddr) -> Result<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(address) => bail!("{address} is no identifier"),
    }
}

fn configs(bfd: Option<Bfd>, restart: GracefulRestart) -> Result<[Config; 2]> {
    let ([r4, _], [n4, n6]) = (router(1), node(1));
    let with = |peer: Peer| match bfd {
        Some(bfd) => peer.bfd(bfd),
        None => peer,
    };
    let frr = Config::new(ROUTER_AS, identifier(r4)?).peer(with(Peer::new(n4, NODE_AS)));
    let bird = Config::new(NODE_AS, identifier(n4)?)
        .peer(with(Peer::new(r4, ROUTER_AS)))
        .announce(Announced::new(PREFIXES[0], n4))
        .announce(Announced::new(PREFIXES[1], n6))
        .graceful_restart(restart);
    Ok([frr, bird])
}

/// Waits until a route of one of the prefixes is there, or gone, in both families.
fn both(changes: &Changes, is_there: bool, within: Duration) -> Result<()> {
    let end = Instant::now() + within;
    for is_v4 in [true, false] {
        changes.wait(end, |change| {
            change.is_there == is_there
                && change.address.is_ipv4() == is_v4
                && change.length == if is_v4 { 32 } else { 128 }
        })?;
    }
    Ok(())
}

fn silence(lab: &mut Lab) -> Result<()> {
    let ([r4, _], [n4, _]) = (router(1), node(1));
    let [frr, bird] = configs(Some(Bfd::new(50, 3)), GracefulRestart::Helper)?;
    let changes = Changes::of(&lab.host("r1"))?;
    let frr = Frr::start(&lab.host("r1"), &frr)?;
    let bird = Bird::start(&lab.node("n1"), &bird)?;
    both(&changes, true, SOON)?;
    let ends: [(&dyn Router, IpAddr); 2] = [(&frr, n4), (&bird, r4)];
    for (router, peer) in ends {
        let session = router.wait_bfd_up(peer, SOON)?;
        let shown = (session.interval, session.detection_time);
        let expected = (Duration::from_millis(50), Duration::from_millis(150));
        ensure!(shown == expected, "{:?}: {session:?}", router.program());
    }
    lab.node("n1").isolate()?;
    let gone = both(&changes, false, NOTICED);
    lab.node("n1").rejoin()?;
    gone?;
    both(&changes, true, SOON)
}

fn restart(lab: &mut Lab) -> Result<()> {
    for (how, is_kept) in [(GracefulRestart::Full, true), (GracefulRestart::Off, false)] {
        let [frr, bird] = configs(None, how)?;
        let changes = Changes::of(&lab.host("r1"))?;
        let frr = Frr::start(&lab.host("r1"), &frr)?;
        let mut bird = Bird::start(&lab.node("n1"), &bird)?;
        both(&changes, true, SOON)?;
        // Its table's end has come as well.
        frr.wait_established(node(1)[0], SOON)?;
        bird.kill()?;
        bird.start_again()?;
        frr.wait_established(node(1)[0], SOON)?;
        let gone = both(&changes, false, Duration::from_secs(3)).is_ok();
        ensure!(gone != is_kept, "{how:?}: the routes went: {gone}");
    }
    Ok(())
}
