//! How a node is emptied: routers are led away from it before its routes go (RFC 8326).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use lab::capture::{BGP, Capture, select};
use lab::eventually::throughout;
use lab::kernel::{Change, Changes};
use lab::peer::{Program, Router};
use lab::prober::Ask;
use lab::runner::Scenario;
use lab::steps::note;
use lab::{Lab, Part, Prober, eventually};
use serde_json::json;

use crate::peering::{NODES, Peering, SESSION, begin, hops_are, host_prefix, node_at};
use crate::told::hops;
use crate::vips::{SOON, Vips, create_with, vips};

const LONG: Duration = Duration::from_secs(180);
const EXCLUDE: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
/// RFC 8326 §5, as routers show it.
const GRACEFUL_SHUTDOWN: [&str; 2] = ["65535:0", "graceful-shutdown"];
/// How long peers get by default.
const WAIT: Duration = Duration::from_secs(5);
/// Flows of each family, so that each node carries some, and how often each asks: a thousand times a
/// second together. More than that and pods on a busy machine lose packets themselves.
const FLOWS: usize = 4;
const EVERY: Duration = Duration::from_millis(4);
const UDP: u16 = 5300;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "a node with the exclude label is left by FRR and BIRD before its routes go, and comes back",
            labelled,
        )
        .within(LONG),
        Scenario::new(
            "a speaker that ends on a cordoned node is left before it goes, and says why",
            cordoned,
        ),
        Scenario::new(
            "a node that is deleted, or shuts down, is left before its routes go",
            going,
        )
        .within(LONG),
    ]
}

fn served(lab: &mut Lab, program: Program) -> Result<(Box<dyn Router>, Vips)> {
    let router = begin(lab, program, &Peering::default())?;
    let ports = json!([
        { "name": "http", "port": 80, "targetPort": 8080 },
        { "name": "udp", "protocol": "UDP", "port": UDP, "targetPort": 8080 },
    ]);
    create_with(lab, "web", &json!({ "ports": ports }))?;
    let shown = vips(lab, "web")?;
    hops(lab, router.host(), shown, &NODES)?;
    // Each node serves before it counts: whichever a flow is sent to.
    for node in NODES {
        for vip in shown {
            let what = format!("{node} serves {vip}");
            eventually(SOON, &what, || crate::told::by_node(lab, node, vip, 80))?;
        }
    }
    Ok((router, shown))
}

/// Who asks while nodes come and go.
struct Clients {
    vips: Vips,
    flows: Vec<Prober>,
    routes: Changes,
}

/// The flows of both families, and an eye on the router that they go through.
fn clients(lab: &Lab, router: &dyn Router, vips: Vips) -> Result<Clients> {
    let routes = Changes::of(router.host())?;
    let client = lab.client_host();
    let flows = vips.into_iter().flat_map(|vip| [vip; FLOWS]);
    let flows = flows
        .map(|vip: IpAddr| Prober::start(&client, vip, Ask::Udp(UDP), EVERY))
        .collect::<Result<_>>()?;
    Ok(Clients {
        vips,
        flows,
        routes,
    })
}

/// Nothing was lost, and nothing could have been: the router had a way at any moment. A router that
/// takes a route away to put another in its place loses what arrives between the two, which is some
/// microseconds, and so rarely that the flows alone would not show it.
fn expect_nothing_lost(clients: Clients, what: &str) -> Result<()> {
    let seen = clients.routes.seen();
    let gone = |change: &&Change| !change.is_there && clients.vips.contains(&change.address);
    let gone: Vec<&Change> = seen.iter().filter(gone).collect();
    for client in clients.flows {
        let report = client.stop()?;
        let lost = report.unanswered();
        note(&format!("{what}: {} asked, {lost} lost", report.sent))?;
        let gaps = report.gaps(EVERY * 20);
        ensure!(
            lost == 0,
            "{what}: {lost} of {} were lost: {gaps:?}",
            report.sent
        );
    }
    ensure!(gone.is_empty(), "{what}: the router had no way: {gone:?}");
    Ok(())
}

/// The router has the node's paths, marked, and its kernel uses the others alone.
fn expect_led_away(lab: &Lab, router: &dyn Router, vips: Vips, node: &str) -> Result<()> {
    let others: Vec<&str> = NODES.into_iter().filter(|other| *other != node).collect();
    for vip in vips {
        eventually(WAIT, &format!("{vip} is led away from {node}"), || {
            hops_are(lab, router.host(), vip, &others)?;
            let marked = marked_by(lab, router, vip)?;
            ensure!(
                marked.iter().eq([node]),
                "marked are the paths by {marked:?}"
            );
            Ok(())
        })?;
    }
    Ok(())
}

/// The nodes whose paths carry GRACEFUL_SHUTDOWN.
fn marked_by(lab: &Lab, router: &dyn Router, vip: IpAddr) -> Result<BTreeSet<String>> {
    let mut marked = BTreeSet::new();
    for path in router.paths(&host_prefix(vip))? {
        let mark = |one: &str| path.communities.contains(one);
        if let (true, Some(peer)) = (GRACEFUL_SHUTDOWN.into_iter().any(mark), path.peer) {
            marked.insert(node_at(lab, peer)?);
        }
    }
    Ok(marked)
}

/// The session ends some time later, and not sooner than it should.
fn expect_left(router: &dyn Router, peer: IpAddr, begun: Instant) -> Result<()> {
    eventually(WAIT + SOON, "the session ends", || {
        let session = router.session(peer)?;
        ensure!(!session.is_established(), "it stands");
        Ok(())
    })?;
    let took = begun.elapsed();
    note(&format!("left after {took:?}"))?;
    ensure!(took >= WAIT, "it was left after {took:?} already");
    Ok(())
}

/// NOTIFICATIONs in a capture: their codes and texts.
fn farewell(file: &Path) -> Result<[String; 3]> {
    let said = |field: &str| -> Result<String> {
        let field = format!("bgp.notify.{field}");
        Ok(select(file, "bgp.type == 3", &field)?.join(" "))
    };
    Ok([
        said("major_error")?,
        said("minor_error_cease")?,
        said("communication")?,
    ])
}

fn expect_farewell(said: &[String; 3], text: &str) -> Result<()> {
    let [major, minor, words] = said;
    let right = (major.as_str(), minor.as_str()) == ("6", "2") && words.contains(text);
    ensure!(right, "the last words are {said:?}");
    Ok(())
}

fn labelled(lab: &mut Lab) -> Result<()> {
    for program in [Program::Frr, Program::Bird] {
        let (router, shown) = served(lab, program)?;
        let peer = Peering::default().node(2);
        let clients = clients(lab, &*router, shown)?;
        let capture = Capture::start(router.host(), "eth0", BGP)?;
        let begun = Instant::now();
        lab.set_node_label("n2", EXCLUDE, Some(""))?;
        expect_led_away(lab, &*router, shown, "n2")?;
        ensure!(router.session(peer)?.is_established(), "it was left first");
        expect_left(&*router, peer, begun)?;
        expect_farewell(&farewell(&capture.finish()?)?, "exclude")?;
        throughout(Duration::from_secs(3), "it stays away", || {
            ensure!(!router.session(peer)?.is_established(), "it is back");
            Ok(())
        })?;
        lab.set_node_label("n2", EXCLUDE, None)?;
        router.wait_established(peer, SESSION)?;
        hops(lab, router.host(), shown, &NODES)?;
        // Another change of mind, before the routes go.
        lab.set_node_label("n2", EXCLUDE, Some(""))?;
        expect_led_away(lab, &*router, shown, "n2")?;
        lab.set_node_label("n2", EXCLUDE, None)?;
        hops(lab, router.host(), shown, &NODES)?;
        ensure!(router.session(peer)?.is_established(), "its session ended");
        for vip in shown {
            let marked = marked_by(lab, &*router, vip)?;
            ensure!(marked.is_empty(), "{marked:?} are still marked");
        }
        expect_nothing_lost(clients, &format!("{program:?}"))?;
        Peering::default().delete(lab)?;
        lab.kubectl(&["delete", "service", "web"])?;
    }
    Ok(())
}

fn cordoned(lab: &mut Lab) -> Result<()> {
    let (router, shown) = served(lab, Program::Frr)?;
    let peer = Peering::default().node(2);
    let clients = clients(lab, &*router, shown)?;
    lab.kubectl(&["cordon", "n2"])?;
    throughout(Duration::from_secs(2), "cordon alone means nothing", || {
        let mut shown = shown.into_iter();
        shown.try_for_each(|vip| hops_are(lab, router.host(), vip, &NODES))
    })?;
    let capture = Capture::start(router.host(), "eth0", BGP)?;
    let begun = Instant::now();
    let status = lab.end(&Part::speaker("n2"))?;
    let took = begun.elapsed();
    note(&format!("the speaker ended after {took:?}"))?;
    ensure!(status.success(), "it ended with {status}");
    ensure!(took >= WAIT && took < WAIT * 2, "it took {took:?}");
    expect_farewell(&farewell(&capture.finish()?)?, "cordoned")?;
    hops(lab, router.host(), shown, &["n1", "n3"])?;
    expect_nothing_lost(clients, "cordoned")?;
    lab.kubectl(&["uncordon", "n2"])?;
    lab.restart(&Part::speaker("n2"))?;
    router.wait_established(peer, SESSION)?;
    hops(lab, router.host(), shown, &NODES)
}

fn going(lab: &mut Lab) -> Result<()> {
    let (router, shown) = served(lab, Program::Frr)?;
    let clients = clients(lab, &*router, shown)?;
    let begun = Instant::now();
    shut_down(lab, "n2")?;
    expect_led_away(lab, &*router, shown, "n2")?;
    expect_left(&*router, Peering::default().node(2), begun)?;
    lab.set_node_ready("n2", true)?;
    router.wait_established(Peering::default().node(2), SESSION)?;
    hops(lab, router.host(), shown, &NODES)?;
    let begun = Instant::now();
    lab.kubectl(&["delete", "node", "n3"])?;
    expect_led_away(lab, &*router, shown, "n3")?;
    expect_left(&*router, Peering::default().node(3), begun)?;
    expect_nothing_lost(clients, "going")?;
    lab.restore_node("n3")
}

/// What kubelet writes when systemd asks it to end.
fn shut_down(lab: &Lab, node: &str) -> Result<()> {
    let condition = json!({
        "type": "Ready",
        "status": "False",
        "reason": "KubeletNotReady",
        "message": "node is shutting down",
    });
    let patch = json!({ "status": { "conditions": [condition] } }).to_string();
    let said = lab.kubectl(&[
        "patch",
        "node",
        node,
        "--subresource=status",
        "--type=strategic",
        "-p",
        &patch,
    ])?;
    if said.contains("patched") {
        Ok(())
    } else {
        bail!("kubectl says {said:?}")
    }
}
