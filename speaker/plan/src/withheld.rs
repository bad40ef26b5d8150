//! Why an address is not announced from this node.

use model::{InterfaceName, NodeName, PoolName, ServiceKey};
use thiserror::Error;

use crate::{Departure, RoutePrefix};

/// Why an address is not announced from this node. Log, metric and status are printed from it, so
/// that they cannot disagree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Withheld {
    /// The Service was deleted, is no longer ours, or is absent along with its ledger entry.
    #[error("the Service is gone, or no longer of this load balancer's type and class")]
    ServiceGone,
    /// The Service was absent from a complete list, its ledger entry is there: not enough to start.
    #[error(
        "the Service was not in the last list read; the controller finds out whether it exists"
    )]
    ServiceMissing,
    /// The status shows an address that the ledger does not have.
    #[error(
        "its status shows the address but the ledger has no entry; the controller writes one, or says at the Service why not"
    )]
    NotInLedger,
    /// The ledger gives the address to another Service.
    #[error("the ledger gives the address to Service {service}")]
    HeldByAnother {
        /// The holder.
        service: ServiceKey,
    },
    /// The ledger entry has no holder: the address is being given back.
    #[error("the address is being given back")]
    Released,
    /// The ledger gives the address to the Service, whose status does not show it.
    #[error(
        "the ledger gives it the address but its status does not show it; the controller writes the status"
    )]
    NotInStatus,
    /// No configuration was ever read.
    #[error("no SpeakerConfig has been read; see that the controller runs, which writes it")]
    ConfigUnknown,
    /// The configuration does not know the pool, so that no advertisement can select it by label.
    #[error("the configuration in force does not know pool {pool}; the controller adds it")]
    PoolUnknown {
        /// The pool that the ledger names.
        pool: PoolName,
    },
    /// No advertisement speaks for the pool and the Service.
    #[error(
        "no advertisement speaks for pool {pool} and this Service; create an L2Advertisement or a BGPAdvertisement, or widen the selectors of one"
    )]
    NoAdvertisement {
        /// The pool that the ledger names.
        pool: PoolName,
    },
    /// The only advertisements or peers that could do it ask for what this speaker does not know.
    #[error(
        "an advertisement or peer requires {feature:?}, which this speaker does not know; upgrade it"
    )]
    UnknownFeature {
        /// The word that is not known.
        feature: String,
    },
    /// This node's own Node object has not been read.
    #[error("the Node object of this node has not been read; see that --node-name is right")]
    NodeUnknown,
    /// This node's own SpeakerStatus has not been read, so that it is no candidate yet.
    #[error("the SpeakerStatus of this node has not been read yet")]
    SpeakerUnknown,
    /// No advertisement that speaks for it admits this node.
    #[error("no advertisement that speaks for it admits this node")]
    NodeNotSelected,
    /// The node carries the exclude label.
    #[error("the node is labelled node.kubernetes.io/exclude-from-external-load-balancers")]
    NodeExcluded,
    /// BGP peers are led away from this node.
    #[error("the node is drained: {why}")]
    NodeDrained {
        /// Why it is.
        why: Departure,
    },
    /// The node has just booted and its service proxy has not yet been seen to serve.
    #[error("the service proxy of this node was not seen to serve yet since the node booted")]
    ProxyUnverified,
    /// The node's service proxy is dead, and BGP peers have other nodes to go to.
    #[error("the service proxy of this node is dead; see why it does not run")]
    ProxyDead,
    /// No usable endpoint is anywhere.
    #[error("the Service has no usable endpoint of the family on any node")]
    NoEndpoint,
    /// externalTrafficPolicy is Local and no usable endpoint is on this node.
    #[error("externalTrafficPolicy is Local and this node has no usable endpoint of the family")]
    NoLocalEndpoint,
    /// Another node ranks before this one.
    #[error("node {owner} announces it")]
    OtherNode {
        /// That node.
        owner: NodeName,
    },
    /// It is this node's, but no interface is fit.
    #[error(
        "no interface is fit; give one an address in the prefix, or name interfaces in the L2Advertisement"
    )]
    NoInterface,
    /// It is this node's, but the interface is down.
    #[error("interface {interface} is down")]
    LinkDown {
        /// The interface, the first of several.
        interface: InterfaceName,
    },
    /// No peer is told that the advertisements name.
    #[error(
        "no BGPPeer that the BGPAdvertisements name is for this node and this family; create one, or widen its nodeSelectors or addressFamilies"
    )]
    NoPeer,
    /// It is told as part of an aggregate only, which would draw traffic here that is lost.
    #[error(
        "aggregate {prefix} is not told because Service {service} in it is externalTrafficPolicy Local; give such Services a BGPAdvertisement without aggregation, or set aggregateAnyway"
    )]
    LocalInAggregate {
        /// The aggregate.
        prefix: RoutePrefix,
        /// The Service, the first of several.
        service: ServiceKey,
    },
}

impl Withheld {
    /// Every word that [`Self::reason`] can give, in the order of the variants.
    pub const REASONS: [&'static str; 24] = [
        "ServiceGone",
        "ServiceMissing",
        "NotInLedger",
        "HeldByAnother",
        "Released",
        "NotInStatus",
        "ConfigUnknown",
        "PoolUnknown",
        "NoAdvertisement",
        "UnknownFeature",
        "NodeUnknown",
        "SpeakerUnknown",
        "NodeNotSelected",
        "NodeExcluded",
        "NodeDrained",
        "ProxyUnverified",
        "ProxyDead",
        "NoEndpoint",
        "NoLocalEndpoint",
        "OtherNode",
        "NoInterface",
        "LinkDown",
        "NoPeer",
        "LocalInAggregate",
    ];

    /// The reason as one CamelCase word, for status objects.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::ServiceGone => "ServiceGone",
            Self::ServiceMissing => "ServiceMissing",
            Self::NotInLedger => "NotInLedger",
            Self::HeldByAnother { .. } => "HeldByAnother",
            Self::Released => "Released",
            Self::NotInStatus => "NotInStatus",
            Self::ConfigUnknown => "ConfigUnknown",
            Self::PoolUnknown { .. } => "PoolUnknown",
            Self::NoAdvertisement { .. } => "NoAdvertisement",
            Self::UnknownFeature { .. } => "UnknownFeature",
            Self::NodeUnknown => "NodeUnknown",
            Self::SpeakerUnknown => "SpeakerUnknown",
            Self::NodeNotSelected => "NodeNotSelected",
            Self::NodeExcluded => "NodeExcluded",
            Self::NodeDrained { .. } => "NodeDrained",
            Self::ProxyUnverified => "ProxyUnverified",
            Self::ProxyDead => "ProxyDead",
            Self::NoEndpoint => "NoEndpoint",
            Self::NoLocalEndpoint => "NoLocalEndpoint",
            Self::OtherNode { .. } => "OtherNode",
            Self::NoInterface => "NoInterface",
            Self::LinkDown { .. } => "LinkDown",
            Self::NoPeer => "NoPeer",
            Self::LocalInAggregate { .. } => "LocalInAggregate",
        }
    }

    /// Whether it says no more than that no advertisement is known to speak for the address.
    pub(crate) fn is_silence(&self) -> bool {
        match self {
            Self::ConfigUnknown | Self::PoolUnknown { .. } | Self::NoAdvertisement { .. } => true,
            Self::ServiceGone
            | Self::ServiceMissing
            | Self::NotInLedger
            | Self::HeldByAnother { .. }
            | Self::Released
            | Self::NotInStatus
            | Self::UnknownFeature { .. }
            | Self::NodeUnknown
            | Self::SpeakerUnknown
            | Self::NodeNotSelected
            | Self::NodeExcluded
            | Self::NodeDrained { .. }
            | Self::ProxyUnverified
            | Self::ProxyDead
            | Self::NoEndpoint
            | Self::NoLocalEndpoint
            | Self::OtherNode { .. }
            | Self::NoInterface
            | Self::LinkDown { .. }
            | Self::NoPeer
            | Self::LocalInAggregate { .. } => false,
        }
    }
}
