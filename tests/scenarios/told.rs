//! What routers were told while something happened, counted on the wire, and what BGP scenarios ask
//! before and after.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::address::{node, router};
use lab::capture::bgp::{self, Told};
use lab::capture::{BGP, Capture};
use lab::eventually::throughout;
use lab::peer::Router;
use lab::{Host, Lab, http};

use crate::peering::{expect_hops, host_prefix, times_established};
use crate::vips::Vips;

/// For what must not come after what was awaited.
const AFTERWARDS: Duration = Duration::from_millis(500);

/// What each node has told the first router by UPDATEs while something happened, a little time
/// after it included.
pub(crate) fn told_while(
    lab: &Lab,
    host: &Host,
    happens: impl FnOnce() -> Result<()>,
) -> Result<Vec<Told>> {
    let capture = Capture::start(host, "eth0", BGP)?;
    happens()?;
    throughout(AFTERWARDS, "a little time passes", || Ok(()))?;
    let [to, _] = router(1);
    let mut told = bgp::told(&capture.finish()?, to)?;
    let numbers = 1..=lab.topology().nodes;
    let of_node = |number| told.remove(&node(number)[0]).unwrap_or_default();
    Ok(numbers.map(of_node).collect())
}

/// Both addresses come, in an UPDATE each.
pub(crate) fn announced(vips: Vips) -> Told {
    Told {
        updates: 2,
        announced: vips.into(),
        ..Told::default()
    }
}

/// Both addresses go, in an UPDATE each.
pub(crate) fn withdrawn(vips: Vips) -> Told {
    Told {
        updates: 2,
        withdrawn: vips.into(),
        ..Told::default()
    }
}

pub(crate) fn expect_told(what: &str, told: &[Told], expected: &[Told]) -> Result<()> {
    ensure!(
        told == expected,
        "{what}: told {told:#?}, not {expected:#?}"
    );
    Ok(())
}

/// All sessions stand, and none was established anew since [`times_established`] told `before`.
pub(crate) fn expect_same(before: &[Option<u64>], router: &dyn Router) -> Result<()> {
    let after = times_established(router)?;
    ensure!(before == after, "established {before:?}, then {after:?}");
    Ok(())
}

/// Wait until a router's kernel sends both addresses to exactly these nodes.
pub(crate) fn hops(lab: &Lab, host: &Host, vips: Vips, nodes: &[&str]) -> Result<()> {
    let mut vips = vips.into_iter();
    vips.try_for_each(|vip| expect_hops(lab, host, vip, nodes))
}

/// What a client on the segment is told at an address that it sends to this node.
pub(crate) fn by_node(lab: &Lab, node: &str, vip: IpAddr, port: u16) -> Result<String> {
    let eth0 = lab.node(node).interface("eth0")?;
    let hop = match vip {
        IpAddr::V4(_) => eth0.v4.first().map(ToString::to_string),
        IpAddr::V6(_) => {
            let mut global = eth0.v6.iter().filter(|ip| !ip.is_unicast_link_local());
            global.next().map(ToString::to_string)
        }
    };
    let hop = hop.with_context(|| format!("{node} has no address"))?;
    let (client, prefix) = (lab.client_host(), host_prefix(vip));
    let route = [&prefix[..], "via", &hop, "dev", "eth0"];
    client.run(&[&["ip", "route", "replace"], &route[..]].concat())?;
    let answer = http::get(&client, vip, port, Duration::from_millis(300));
    client.run(&[&["ip", "route", "del"], &route[..]].concat())?;
    answer
}
