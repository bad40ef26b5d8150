//! Bridges, nodes, router and client: made by a few `ip -batch` calls.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::run::Run;
use crate::shell;
use crate::topology::Topology;
use crate::{address, namespace};

/// The namespace with the bridges; a host's port in it is named `p-<host>`.
pub(crate) const LAN: &str = "lan";

/// The networks between the client and the routers that it is behind: 10.98.0.0/24, fd98::/64 …
const CLIENT_NETS: [u8; 2] = [98, 94];

/// Addresses and routes of a host with one leg on the first segment.
#[derive(Debug, Clone)]
struct Leg {
    host: String,
    last: String,
    routed: Routed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Routed {
    /// Only on the segment.
    No,
    /// With a default route by the router.
    Default,
    /// The same, and it forwards for its pods; the client behind the second router, if there is
    /// one, is reached by that.
    Forwards { routers: u8 },
}

/// Make the whole network of a topology.
pub(crate) fn up(run: &Arc<Run>, topology: &Topology) -> Result<()> {
    add_host(run, LAN)?;
    batch(
        run,
        LAN,
        "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0\n\
         link add br1 type bridge stp_state 0 forward_delay 0 mcast_snooping 0\n\
         link set br0 up\nlink set br1 up\n",
    )?;
    // Frames between ports are the bridge's alone, whatever a host's default is.
    set(
        run,
        LAN,
        &[
            "net.bridge.bridge-nf-call-iptables=0",
            "net.bridge.bridge-nf-call-ip6tables=0",
        ],
    )?;
    for leg in legs(topology) {
        add_host(run, &leg.host)?;
        connect(run, &leg)?;
    }
    for (number, net) in (1..=topology.routers).zip(CLIENT_NETS) {
        router_and_client(run, number, net)?;
    }
    own_leg(run)
}

/// Routes to the pods of each node, whose network plugin gives them one prefix a family: from the
/// other nodes, from the control plane, and from the routers.
pub(crate) fn route_to_nodes_of_pods(run: &Run, topology: &Topology) -> Result<()> {
    let nodes = topology.node_names();
    let routers = (1..=topology.routers).map(|number| format!("r{number}"));
    let others = routers.chain([String::from("cp")]);
    for host in nodes.iter().cloned().chain(others) {
        let mut lines = String::new();
        for number in 1..=topology.nodes {
            if host != format!("n{number}") {
                let [v4, v6] = address::node(number);
                let _ = writeln!(lines, "route replace 10.244.{number}.0/24 via {v4}");
                let _ = writeln!(lines, "route replace fd00:10:244:{number}::/64 via {v6}");
            }
        }
        batch(run, &host, &lines)?;
    }
    Ok(())
}

/// Put the addresses and routes of a node back, whatever a scenario did to them.
pub(crate) fn restore(run: &Run, host: &str, topology: &Topology) -> Result<()> {
    let leg = legs(topology).into_iter().find(|leg| leg.host == host);
    configure(run, &leg.with_context(|| format!("no host {host}"))?)
}

/// Remove the leg of this process, or the next lab finds the name taken.
pub(crate) fn drop_own_leg() {
    drop(shell::output(&["ip", "link", "del", "lab0"]));
}

/// The host's port in the namespace of the bridges.
pub(crate) fn port(host: &str) -> String {
    format!("p-{host}")
}

/// Run lines of `ip -batch` in a namespace.
pub(crate) fn batch(run: &Run, host: &str, lines: &str) -> Result<()> {
    let mut command = Command::new("ip");
    command.args(["-netns", &run.namespace(host), "-batch", "-"]);
    shell::feed(command, lines)?;
    Ok(())
}

/// A namespace with its loopback up, without duplicate address detection, which would leave every
/// IPv6 address unusable for a second or two.
pub(crate) fn add_host(run: &Run, host: &str) -> Result<()> {
    run.add_namespace(host)?;
    batch(run, host, "link set lo up\n")?;
    set(
        run,
        host,
        &[
            "net.ipv6.conf.all.disable_ipv6=0",
            "net.ipv6.conf.default.disable_ipv6=0",
            "net.ipv6.conf.all.accept_dad=0",
            "net.ipv6.conf.default.accept_dad=0",
        ],
    )
}

/// Write kernel settings (`net.ipv4.ip_forward=1`) in a host's namespace.
pub(crate) fn set(run: &Run, host: &str, settings: &[&str]) -> Result<()> {
    namespace::within(&run.namespace(host), || {
        for setting in settings {
            let (key, value) = setting.split_once('=').context("a setting is key=value")?;
            let path = format!("/proc/sys/{}", key.replace('.', "/"));
            match std::fs::write(&path, value) {
                // A kernel without the feature has nothing to set.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                result => result.with_context(|| format!("writing {path}"))?,
            }
        }
        Ok(())
    })
}

fn legs(topology: &Topology) -> Vec<Leg> {
    let leg = |host: &str, last: &str, routed| Leg {
        host: host.to_owned(),
        last: last.to_owned(),
        routed,
    };
    let mut legs = vec![
        leg("cp", "2", Routed::Default),
        leg("ctl", "4", Routed::Default),
        leg("cl", "100", Routed::No),
    ];
    for number in 1..=topology.routers {
        let [v4, _] = address::router(number);
        let last = v4.to_string().replace("10.99.0.", "");
        legs.push(leg(&format!("r{number}"), &last, Routed::No));
    }
    for number in 1..=topology.nodes {
        let last = (10 + number).to_string();
        let routers = topology.routers;
        legs.push(leg(
            &format!("n{number}"),
            &last,
            Routed::Forwards { routers },
        ));
    }
    legs
}

fn connect(run: &Run, leg: &Leg) -> Result<()> {
    let host = &leg.host;
    let mac = address::mac_for(format!("10.99.0.{}", leg.last).parse::<Ipv4Addr>()?);
    let (lan, inside, port) = (run.namespace(LAN), run.namespace(host), port(host));
    shell::run(&[
        "ip", "link", "add", "eth0", "address", &mac, "netns", &inside, "type", "veth", "peer",
        "name", &port, "netns", &lan,
    ])?;
    batch(run, LAN, &format!("link set {port} master br0 up\n"))?;
    if matches!(leg.routed, Routed::Forwards { .. }) {
        set(
            run,
            host,
            &["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"],
        )?;
    }
    configure(run, leg)
}

fn configure(run: &Run, leg: &Leg) -> Result<()> {
    let last = &leg.last;
    let mut lines = format!(
        "link set eth0 up\naddr replace 10.99.0.{last}/24 dev eth0\n\
         addr replace fd99::{last}/64 dev eth0 nodad\n"
    );
    if leg.routed != Routed::No {
        lines.push_str("route replace default via 10.99.0.1\nroute replace default via fd99::1\n");
    }
    if matches!(leg.routed, Routed::Forwards { routers } if routers > 1) {
        let ([v4, v6], net) = (address::router(2), CLIENT_NETS[1]);
        write!(
            lines,
            "route replace 10.{net}.0.0/24 via {v4}\nroute replace fd{net}::/64 via {v6}\n"
        )?;
    }
    batch(run, &leg.host, &lines)
}

/// The client's leg behind a router, which forwards.
fn router_and_client(run: &Run, number: u8, net: u8) -> Result<()> {
    let (name, leg) = (format!("r{number}"), format!("eth{number}"));
    let (router, client) = (run.namespace(&name), run.namespace("cl"));
    shell::run(&[
        "ip", "link", "add", "eth1", "netns", &router, "type", "veth", "peer", "name", &leg,
        "netns", &client,
    ])?;
    let mut lines = String::new();
    for (host, leg, last) in [(name.as_str(), "eth1", "1"), ("cl", leg.as_str(), "2")] {
        lines.clear();
        write!(
            lines,
            "link set {leg} up\naddr add 10.{net}.0.{last}/24 dev {leg}\n\
             addr add fd{net}::{last}/64 dev {leg} nodad\n"
        )?;
        if host == "cl" {
            // What is sent from the address behind the router goes by the router, always.
            write!(
                lines,
                "rule add from 10.{net}.0.2 lookup {net}\n\
                 route add default via 10.{net}.0.1 table {net}\n\
                 route add default via fd{net}::1 table {net}\n"
            )?;
        }
        if host == "cl" && number == 1 {
            // And so does what is sent to an address that routers alone know the way to.
            let ([v4, v6], [from4, from6]) = (address::BGP_NETS, address::ROUTED_CLIENT);
            write!(
                lines,
                "route add {v4} via 10.{net}.0.1 src {from4}\n\
                 route add {v6} via fd{net}::1 src {from6}\n"
            )?;
        }
        batch(run, host, &lines)?;
    }
    // A batch makes rules of one family only.
    let (from, table) = (format!("fd{net}::2"), net.to_string());
    shell::run(&[
        "ip", "-6", "-netns", &client, "rule", "add", "from", &from, "lookup", &table,
    ])?;
    let settings = ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"];
    set(run, &name, &settings)?;
    set(
        run,
        &name,
        &[
            "net.ipv4.fib_multipath_hash_policy=1",
            "net.ipv6.fib_multipath_hash_policy=1",
        ],
    )
}

/// This process reaches the API server by a leg of its own.
fn own_leg(run: &Run) -> Result<()> {
    let lan = run.namespace(LAN);
    drop_own_leg();
    let port = port("kit");
    shell::run(&[
        "ip", "link", "add", "lab0", "type", "veth", "peer", "name", &port, "netns", &lan,
    ])?;
    batch(run, LAN, &format!("link set {port} master br0 up\n"))?;
    let mut command = Command::new("ip");
    command.args(["-batch", "-"]);
    let lines = "addr add 10.99.0.3/24 dev lab0\naddr add fd99::3/64 dev lab0 nodad\n\
                 link set lab0 up\n";
    shell::feed(command, lines)?;
    Ok(())
}
