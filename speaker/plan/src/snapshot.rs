//! Everything a plan is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use model::{
    Allocation, ExternalTrafficPolicy, Holder, InterfaceName, IpFamily, Labels, NodeName, PeerName,
    PoolName, ServiceKey, SpeakerConfig,
};

use crate::fitness::{Fitness, Verdict};
use crate::{Departure, Route, Terms};

/// The facts of one moment, as this node has read them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// This node.
    pub node: NodeName,
    /// The Services that are ours by type and class. One that is gone from here while `announced`
    /// still has it was seen deleted, or seen to be no longer ours.
    pub services: BTreeMap<ServiceKey, ServiceState>,
    /// The ledger: who holds which address.
    pub ledger: BTreeMap<IpAddr, Arc<Allocation>>,
    /// Whether this node's Node object was seen deleted, and no other one of its name since.
    pub deleted: bool,
    /// Why this speaker does not come back, once it was told to end.
    pub leaving: Option<Departure>,
    /// The Nodes of the cluster.
    pub nodes: BTreeMap<NodeName, Arc<Node>>,
    /// The nodes that have a SpeakerStatus object in which something is written.
    pub speakers: BTreeSet<NodeName>,
    /// What nodes have made known of their service proxies, this one too: of two nodes that read
    /// the same, neither must come to another rank.
    pub verdicts: BTreeMap<NodeName, Verdict>,
    /// What this node sees of its own service proxy at this moment, made known or not.
    pub fitness: Fitness,
    /// The settled configuration; `None` until one was read.
    pub config: Option<Arc<SpeakerConfig>>,
    /// This node's interfaces, in any order.
    pub interfaces: Vec<Interface>,
    /// What the plan before this one announced: without it nothing could be kept.
    pub announced: BTreeMap<IpAddr, Announced>,
    /// The same of what it told BGP peers.
    pub advertised: BTreeMap<IpAddr, Advertised>,
    /// The addresses of Local Services that it did not tell but that stood against aggregates.
    pub passed_over: BTreeMap<IpAddr, Advertised>,
    /// The peers that it spoke to, and the routes that it told them.
    pub bgp: BTreeMap<PeerName, Arc<[Route]>>,
}

impl Snapshot {
    /// A snapshot in which nothing is known yet.
    pub fn new(node: NodeName) -> Self {
        Self {
            node,
            services: BTreeMap::new(),
            ledger: BTreeMap::new(),
            deleted: false,
            leaving: None,
            nodes: BTreeMap::new(),
            speakers: BTreeSet::new(),
            verdicts: BTreeMap::new(),
            fitness: Fitness::default(),
            config: None,
            interfaces: Vec::new(),
            announced: BTreeMap::new(),
            advertised: BTreeMap::new(),
            passed_over: BTreeMap::new(),
            bgp: BTreeMap::new(),
        }
    }
}

/// A Service of ours, and how sure we are of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceState {
    /// It was in the last complete list, or a watch event has brought it since.
    Present(Arc<Service>),
    /// It was absent from a complete list, but nobody saw it deleted. The last that was known.
    Missing(Arc<Service>),
}

impl ServiceState {
    /// The Service, present or missing.
    pub fn service(&self) -> &Arc<Service> {
        match self {
            Self::Present(service) | Self::Missing(service) => service,
        }
    }
}

/// What a plan needs to know of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name and uid, in the form in which the ledger names holders.
    pub holder: Arc<Holder>,
    /// Its labels, by which advertisements select.
    pub labels: Labels,
    /// `spec.externalTrafficPolicy`.
    pub traffic_policy: ExternalTrafficPolicy,
    /// The addresses that its status shows.
    pub shown: Vec<IpAddr>,
    /// Where its usable endpoints are; only read under `Local`.
    pub local_endpoints: LocalEndpoints,
    /// Whether it is known to have none; only read under `Cluster`.
    pub vacancy: Vacancy,
}

/// The families of which a Service has EndpointSlices without one usable endpoint in all of them.
/// A family without a slice is not vacant: nothing is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vacancy {
    /// No usable IPv4 endpoint anywhere.
    pub v4: bool,
    /// No usable IPv6 endpoint anywhere.
    pub v6: bool,
}

impl Vacancy {
    /// That of one family.
    pub fn of(self, family: IpFamily) -> bool {
        match family {
            IpFamily::V4 => self.v4,
            IpFamily::V6 => self.v6,
        }
    }
}

/// The nodes that have a usable endpoint of a Service. The families have EndpointSlices of their
/// own, so each may be served from other nodes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LocalEndpoints {
    /// Nodes with a usable IPv4 endpoint.
    pub v4: BTreeSet<NodeName>,
    /// Nodes with a usable IPv6 endpoint.
    pub v6: BTreeSet<NodeName>,
}

impl LocalEndpoints {
    /// The nodes of one family.
    pub fn of(&self, family: IpFamily) -> &BTreeSet<NodeName> {
        match family {
            IpFamily::V4 => &self.v4,
            IpFamily::V6 => &self.v6,
        }
    }
}

/// What a plan needs to know of a Node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Node {
    /// Its labels, by which advertisements select and prefer.
    pub labels: Labels,
    /// Whether it carries the label that keeps load balancers away.
    pub excluded: bool,
    /// Whether no pods are placed on it any more (`spec.unschedulable`).
    pub cordoned: bool,
    /// Whether its kubelet says that it shuts down.
    pub shutting_down: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Whether its condition `Ready` is true.
    pub ready: bool,
    /// Whether its condition `NetworkUnavailable` is true.
    pub network_unavailable: bool,
}

/// A network interface of this node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interface {
    /// Its name.
    pub name: InterfaceName,
    /// What it is.
    pub kind: InterfaceKind,
    /// Whether it is switched on and has a carrier.
    pub up: bool,
    /// Whether it is a port of a bridge or a member of a bond.
    pub enslaved: bool,
    /// Its addresses with the prefixes they stand in.
    pub prefixes: Vec<Prefix>,
    /// Whether an IPv4 default route leaves by it.
    pub default_route_v4: bool,
    /// Whether an IPv6 default route leaves by it.
    pub default_route_v6: bool,
}

impl Interface {
    /// Whether a default route of the family leaves by it.
    pub fn default_route(&self, family: IpFamily) -> bool {
        match family {
            IpFamily::V4 => self.default_route_v4,
            IpFamily::V6 => self.default_route_v6,
        }
    }
}

/// Kinds of interfaces, as far as they decide who may be behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InterfaceKind {
    /// A port to a segment: a NIC, a bond, a VLAN or macvlan on one of these.
    Ethernet,
    /// One end of a veth pair: a pod's, or (in a container that plays a node) the way out.
    Veth,
    /// A bridge; without an uplink it only joins pods of this node.
    Bridge {
        /// Whether a port leads out of the node.
        uplink: bool,
    },
    /// Nothing of it leaves the node: loopback, dummy.
    Internal,
    /// A tunnel, or anything else without a segment where ARP and NDP could be spoken.
    Tunnel,
}

/// An address of an interface and the length of its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    /// The interface's own address.
    pub address: IpAddr,
    /// How many leading bits all hosts of the segment share.
    pub length: u8,
}

/// An address that this node has the right to answer for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// The Service it is announced for.
    pub service: Arc<Holder>,
    /// The pool by whose advertisements it is, for when its ledger entry vanishes.
    pub pool: PoolName,
    /// The interfaces on which it is answered, sorted. Empty while the node has the right to the
    /// address but no interface to answer on; then the address is withheld as well.
    pub interfaces: Arc<[InterfaceName]>,
}

/// An address that this node has the right to tell its BGP peers, or would have with an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertised {
    /// The Service it is advertised for.
    pub service: Arc<Holder>,
    /// The pool by whose advertisements it is, for when its ledger entry vanishes.
    pub pool: PoolName,
    /// Who is told what, for when the advertisements are unknown.
    pub terms: Arc<Terms>,
    /// Whether any peer is told. No while it is only part of aggregates that are withheld, or the
    /// node is drained; then the address is withheld as well.
    pub told: bool,
}
