//! BGP advertisements, parsed.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::{AdvertisementName, Community, IpFamily, LabelSelector, Labels, PeerName, PoolName};

/// A BGPAdvertisement: which pools' addresses are told to which peers for which Services, from
/// which nodes and with which attributes. Every empty list means all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BgpAdvertisement {
    /// Its name.
    pub name: AdvertisementName,
    /// Pools by name; together with `pool_selectors`, one match is enough.
    pub pools: Vec<PoolName>,
    /// Pools by label.
    pub pool_selectors: Vec<LabelSelector>,
    /// Services by label.
    pub service_selectors: Vec<LabelSelector>,
    /// Nodes by label.
    pub node_selectors: Vec<LabelSelector>,
    /// Peers by name. A name that no peer has tells nobody.
    pub peers: Vec<PeerName>,
    /// The length of the prefix that is told for an IPv4 address; 32 tells the address itself.
    pub aggregation_length: u8,
    /// The same for IPv6; 128 tells the address itself.
    pub aggregation_length_v6: u8,
    /// Whether a prefix of several addresses is told although a Service under it is
    /// externalTrafficPolicy Local.
    pub aggregate_anyway: bool,
    /// What the routes carry.
    pub attributes: Arc<BgpAttributes>,
    /// What a reader must know to honour this item. A speaker that meets an unknown word
    /// withholds what only this item admits.
    pub requires: Vec<String>,
}

/// What a route carries beyond what every route of ours does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct BgpAttributes {
    /// LOCAL_PREF (RFC 4271 §5.1.5), told to internal peers only.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC (RFC 4271 §5.1.4).
    pub med: Option<u32>,
    /// How many times our AS number stands in AS_PATH beyond the first.
    pub as_path_prepend: u8,
    /// Communities of every kind.
    pub communities: BTreeSet<Community>,
}

impl BgpAdvertisement {
    /// Whether it speaks for a pool.
    pub fn admits_pool(&self, pool: &PoolName, labels: &Labels) -> bool {
        let unrestricted = self.pools.is_empty() && self.pool_selectors.is_empty();
        unrestricted || self.pools.contains(pool) || any_matches(&self.pool_selectors, labels)
    }

    /// Whether it speaks for a Service.
    pub fn admits_service(&self, labels: &Labels) -> bool {
        self.service_selectors.is_empty() || any_matches(&self.service_selectors, labels)
    }

    /// Whether a node may announce for it.
    pub fn admits_node(&self, labels: &Labels) -> bool {
        self.node_selectors.is_empty() || any_matches(&self.node_selectors, labels)
    }

    /// Whether a peer is told.
    pub fn admits_peer(&self, peer: &PeerName) -> bool {
        self.peers.is_empty() || self.peers.contains(peer)
    }

    /// The length of the prefix that is told for an address of a family.
    pub fn aggregation_length(&self, family: IpFamily) -> u8 {
        match family {
            IpFamily::V4 => self.aggregation_length,
            IpFamily::V6 => self.aggregation_length_v6,
        }
    }
}

fn any_matches(selectors: &[LabelSelector], labels: &Labels) -> bool {
    selectors.iter().any(|selector| selector.matches(labels))
}
