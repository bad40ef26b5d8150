//! The settled configuration.

use std::collections::BTreeMap;

use crate::{BgpAdvertisement, BgpPeer, L2Advertisement, Labels, Pool, PoolName};

/// All configuration objects that were read and found good, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// The pools.
    pub pools: Vec<Pool>,
    /// The layer 2 advertisements.
    pub l2_advertisements: Vec<L2Advertisement>,
    /// The BGP advertisements.
    pub bgp_advertisements: Vec<BgpAdvertisement>,
    /// The BGP peers.
    pub bgp_peers: Vec<BgpPeer>,
}

/// The part of the configuration that speakers need.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpeakerConfig {
    /// Every pool that exists, and every vanished one that ledger entries still name.
    pub pools: BTreeMap<PoolName, SpeakerPool>,
    /// The layer 2 advertisements, by name.
    pub l2_advertisements: Vec<L2Advertisement>,
    /// The BGP advertisements, by name.
    pub bgp_advertisements: Vec<BgpAdvertisement>,
    /// The BGP peers, by name.
    pub bgp_peers: Vec<BgpPeer>,
    /// Whether Seamark is being taken off the cluster, so that a speaker that ends does not come back.
    pub leaving: bool,
}

/// What a speaker must know of a pool: how advertisements select it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpeakerPool {
    /// Its labels; of a vanished pool, its last ones.
    pub labels: Labels,
    /// Whether the pool is gone while addresses of it are still held.
    pub vanished: bool,
}
