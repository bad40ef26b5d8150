//! What BGP scenarios begin with: one [`Peering`] says how Seamark and a router are to meet, and
//! both sides are set up from it; then the questions which nodes a router sends an address to.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use lab::address::{BGP_POOL, ROUTED_CLIENT, node, router};
use lab::peer::{Config, Distance, Path, Peer, Program, Router, Session};
use lab::{Host, Lab, eventually, http, kernel};
use serde_json::{Value, json};

use crate::vips::{SOON, start};

/// For a session to come up, retries of both sides included.
pub(crate) const SESSION: Duration = Duration::from_secs(30);
/// For sessions that must not come up: BGPPeers of these scenarios are tried every second.
const REFUSED: Duration = Duration::from_secs(3);
pub(crate) const ROUTER_AS: u32 = 64512;
pub(crate) const NODE_AS: u32 = 64513;
pub(crate) const NODES: [&str; 3] = ["n1", "n2", "n3"];

/// By which family TCP goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Ipv4,
    Ipv6,
}

/// How Seamark and a router meet. Passwords are in the Secret `peers`.
#[derive(Debug, Clone)]
pub(crate) struct Peering {
    /// Name of the BGPPeer.
    pub(crate) name: String,
    pub(crate) over: Over,
    pub(crate) my_asn: u32,
    pub(crate) router_asn: u32,
    /// The router's number: 1 is r1.
    pub(crate) router: u8,
    pub(crate) password: Option<String>,
    pub(crate) distance: Distance,
    /// In seconds.
    pub(crate) hold_time: u16,
    pub(crate) max_prefixes: Option<u32>,
}

impl Default for Peering {
    /// eBGP with r1 over IPv4.
    fn default() -> Self {
        Self {
            name: "r1".to_owned(),
            over: Over::Ipv4,
            my_asn: NODE_AS,
            router_asn: ROUTER_AS,
            router: 1,
            password: None,
            distance: Distance::Direct,
            hold_time: 9,
            max_prefixes: None,
        }
    }
}

impl Over {
    pub(crate) const BOTH: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    pub(crate) fn of(self, addresses: [IpAddr; 2]) -> IpAddr {
        let [v4, v6] = addresses;
        match self {
            Self::Ipv4 => v4,
            Self::Ipv6 => v6,
        }
    }
}

impl Peering {
    /// With another router.
    pub(crate) fn with(router: u8) -> Self {
        Self {
            name: format!("r{router}"),
            router,
            ..Self::default()
        }
    }

    /// Over one family.
    pub(crate) fn over(over: Over) -> Self {
        Self {
            over,
            ..Self::default()
        }
    }

    /// The address by which the router knows a node.
    pub(crate) fn node(&self, number: u8) -> IpAddr {
        self.over.of(node(number))
    }

    /// The router's host.
    pub(crate) fn host(&self, lab: &Lab) -> Host {
        lab.host(&format!("r{}", self.router))
    }

    /// The router's side: all nodes are its peers.
    pub(crate) fn config(&self, lab: &Lab) -> Result<Config> {
        let nodes = 1..=lab.topology().nodes;
        let peers = nodes.map(|number| self.peer(self.node(number)));
        Ok(Config::new(self.router_asn, identifier(self.router)?).peers(peers))
    }

    /// One node, as the router sees it.
    pub(crate) fn peer(&self, address: IpAddr) -> Peer {
        let peer = Peer::new(address, self.my_asn)
            .distance(self.distance)
            .hold_time(self.hold_time);
        match &self.password {
            Some(password) => peer.password(password),
            None => peer,
        }
    }

    /// Start the router.
    pub(crate) fn start(&self, lab: &Lab, program: Program) -> Result<Box<dyn Router>> {
        program.start(&self.host(lab), &self.config(lab)?)
    }

    /// Seamark's side: the BGPPeer, and the Secret that it names.
    pub(crate) fn apply(&self, lab: &Lab) -> Result<()> {
        self.apply_at(lab, self.over.of(router(self.router)), &json!({}))
    }

    /// The same with another address of the router, and these fields besides, or instead; `null`
    /// takes one away.
    pub(crate) fn apply_at(&self, lab: &Lab, address: IpAddr, fields: &Value) -> Result<()> {
        let mut spec = json!({
            "myASN": self.my_asn,
            "peerASN": self.router_asn,
            "peerAddress": address,
            "holdTime": format!("{}s", self.hold_time),
            "connectTime": "1s",
        });
        if let Some(password) = &self.password {
            secret(lab, password)?;
            spec["passwordSecret"] = json!({ "name": "peers", "key": "password" });
        }
        if let Some(prefixes) = self.max_prefixes {
            spec["maxPrefixes"] = json!(prefixes);
        }
        match self.distance {
            Distance::Direct => {}
            Distance::Multihop(_) => spec["ebgpMultiHop"] = json!(true),
            Distance::Secured(_) => spec["ttlSecurity"] = json!(true),
        }
        for (field, value) in fields.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        if let Some(spec) = spec.as_object_mut() {
            spec.retain(|_, value| !value.is_null());
        }
        let object = json!({
            "apiVersion": "seamark.io/v1beta1",
            "kind": "BGPPeer",
            "metadata": { "name": self.name },
            "spec": spec,
        });
        lab.apply(&object.to_string())
    }

    /// Delete the BGPPeer.
    pub(crate) fn delete(&self, lab: &Lab) -> Result<()> {
        lab.kubectl(&["delete", "bgppeers.seamark.io", &self.name])
            .map(drop)
    }

    /// Wait for the sessions with all nodes; what the router shows of each.
    pub(crate) fn wait(&self, lab: &Lab, router: &dyn Router) -> Result<Vec<Session>> {
        (1..=lab.topology().nodes)
            .map(|number| router.wait_established(self.node(number), SESSION))
            .collect()
    }

    /// An error unless no session stands, looked at for a while.
    pub(crate) fn expect_none(&self, lab: &Lab, router: &dyn Router) -> Result<()> {
        eventually::throughout(REFUSED, "no session stands", || {
            for number in 1..=lab.topology().nodes {
                let session = router.session(self.node(number))?;
                ensure!(!session.is_established(), "n{number}: {session:?}");
            }
            Ok(())
        })
    }
}

/// The password that BGPPeers refer to.
pub(crate) fn secret(lab: &Lab, password: &str) -> Result<()> {
    let object = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": "peers", "namespace": "seamark-system" },
        "type": "kubernetes.io/basic-auth",
        "stringData": { "username": "bgp", "password": password },
    });
    lab.apply(&object.to_string())
}

/// A pool of both families that lies on no segment, told to all peers by all nodes.
pub(crate) fn pool(lab: &Lab) -> Result<()> {
    let object = json!({
        "apiVersion": "seamark.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": { "name": "bgp" },
        "spec": { "addresses": BGP_POOL },
    });
    lab.apply(&object.to_string())?;
    advertisement(lab, &json!({}))
}

/// The advertisement of that pool, with these fields besides.
pub(crate) fn advertisement(lab: &Lab, fields: &Value) -> Result<()> {
    let mut spec = json!({ "ipAddressPools": ["bgp"] });
    for (field, value) in fields.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    let object = json!({
        "apiVersion": "seamark.io/v1beta1",
        "kind": "BGPAdvertisement",
        "metadata": { "name": "bgp" },
        "spec": spec,
    });
    lab.apply(&object.to_string())
}

/// A router, Seamark everywhere, a session with each node, and the pool.
pub(crate) fn begin(lab: &mut Lab, program: Program, peering: &Peering) -> Result<Box<dyn Router>> {
    let router = peering.start(lab, program)?;
    pool(lab)?;
    peering.apply(lab)?;
    start(lab)?;
    peering.wait(lab, &*router)?;
    Ok(router)
}

/// A single address as a prefix.
pub(crate) fn host_prefix(vip: IpAddr) -> String {
    let length = if vip.is_ipv4() { 32 } else { 128 };
    format!("{vip}/{length}")
}

/// Wait until a router has a path to an address from exactly these nodes, and return the paths.
pub(crate) fn expect_paths(
    lab: &Lab,
    router: &dyn Router,
    vip: IpAddr,
    nodes: &[&str],
) -> Result<Vec<Path>> {
    let what = format!("{:?} has paths to {vip} by {nodes:?}", router.program());
    eventually(SOON, &what, || {
        let paths = router.paths(&host_prefix(vip))?;
        let mut by = BTreeSet::new();
        for path in &paths {
            let peer = path.peer.context("a path of its own")?;
            by.insert(node_at(lab, peer)?);
        }
        let right = by.iter().eq(nodes) && paths.len() == nodes.len();
        ensure!(right, "they are {paths:?}");
        Ok(paths)
    })
}

/// Wait until a router's kernel sends an address to exactly these nodes.
pub(crate) fn expect_hops(lab: &Lab, host: &Host, vip: IpAddr, nodes: &[&str]) -> Result<()> {
    let what = format!("the kernel of {} sends {vip} to {nodes:?}", host.name());
    eventually(SOON, &what, || hops_are(lab, host, vip, nodes))
}

/// An error unless a router's kernel sends an address to exactly these nodes now.
pub(crate) fn hops_are(lab: &Lab, host: &Host, vip: IpAddr, nodes: &[&str]) -> Result<()> {
    let mut by = BTreeSet::new();
    for hop in kernel::next_hops(host, &host_prefix(vip))? {
        by.insert(node_at(lab, hop)?);
    }
    ensure!(by.iter().eq(nodes), "it sends it to {by:?}");
    Ok(())
}

/// The node that has this address.
pub(crate) fn node_at(lab: &Lab, address: IpAddr) -> Result<String> {
    let node = lab.node_of_address(address)?;
    node.with_context(|| format!("{address} is no node's"))
}

/// The client behind the router is served at an address; what it is told.
pub(crate) fn expect_routed(lab: &Lab, vip: IpAddr) -> Result<String> {
    let from = ROUTED_CLIENT[usize::from(vip.is_ipv6())];
    eventually(SOON, &format!("{vip} serves the client behind r1"), || {
        let second = Duration::from_secs(1);
        http::get_from(&lab.client_host(), from, vip, 80, second)
    })
}

/// How often each session of a router was established, where it counts that; an error unless all
/// stand.
pub(crate) fn times_established(router: &dyn Router) -> Result<Vec<Option<u64>>> {
    let sessions = router.sessions()?;
    let stand = sessions.values().all(Session::is_established);
    ensure!(stand, "{sessions:?}");
    let times = sessions.values().map(|session| session.times_established);
    Ok(times.collect())
}

pub(crate) fn identifier(number: u8) -> Result<Ipv4Addr> {
    match router(number)[0] {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(address) => bail!("{address} is no identifier"),
    }
}
