//! The part of SpeakerConfig that is about BGP.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bgp_peer::{GracefulRestart, GracefulShutdown};
use crate::label_selector::LabelSelector;

/// A BGPPeer in force, with every default written out. Lists mean what they mean there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpeakerConfigBgpPeer {
    /// Name of the BGPPeer.
    pub name: String,
    /// Its metadata.uid, by which Events about its sessions find it. Default: none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// Our AS number.
    #[serde(rename = "myASN")]
    pub my_asn: i64,
    /// The peer's AS number; unset with dynamicASN.
    #[serde(rename = "peerASN", default, skip_serializing_if = "Option::is_none")]
    pub peer_asn: Option<i64>,
    /// Which AS numbers the peer may have: internal or external; unset with peerASN.
    #[serde(
        rename = "dynamicASN",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub dynamic_asn: Option<String>,
    /// Address of the peer; unset with interface or listenRange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_address: Option<String>,
    /// Interface on whose link the peer is; unset with peerAddress or listenRange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Network from which peers connect; unset with peerAddress or interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen_range: Option<String>,
    /// TCP port of the peer.
    pub peer_port: i64,
    /// Address to speak from; unset leaves the choice to the kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_address: Option<String>,
    /// Our BGP identifier; unset takes the node's own.
    #[serde(rename = "routerID", default, skip_serializing_if = "Option::is_none")]
    pub router_id: Option<String>,
    /// Nodes by label; empty means every node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_selectors: Vec<LabelSelector>,
    /// The hold time to propose.
    pub hold_time: String,
    /// How often to send KEEPALIVE; unset means a third of the hold time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keepalive_time: Option<String>,
    /// Time between two attempts to connect; unset leaves the choice to the speaker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_time: Option<String>,
    /// Whether an external peer may be more than one hop away. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ebgp_multi_hop: bool,
    /// Whether only packets that crossed no router are accepted. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ttl_security: bool,
    /// Key of the Secret seamark-speaker under which the password stands; unset speaks without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_key: Option<String>,
    /// Our role; unset says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// How many prefixes the peer may tell us.
    pub max_prefixes: i64,
    /// Families whose addresses are told.
    pub address_families: Vec<String>,
    /// Whether to wait for the peer to connect. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub passive: bool,
    /// How a dead path is noticed; unset leaves it to the hold time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bfd: Option<SpeakerConfigBfd>,
    /// Whether no routes are told before BFD is up. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bfd_strict: bool,
    /// What the peer does with our routes while the speaker restarts.
    #[serde(default)]
    pub graceful_restart: GracefulRestart,
    /// How the peer is led away from a node that leaves.
    #[serde(default)]
    pub graceful_shutdown: GracefulShutdown,
    /// Name of the VRF; unset means the main table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vrf: Option<String>,
    /// What a speaker must know to honour this item. One that meets an unknown word does not speak
    /// to the peer. Empty asks for nothing special.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
}

/// A BFDProfile in force, with every default written out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpeakerConfigBfd {
    /// Name of the BFDProfile.
    pub profile: String,
    /// How often the node can take a packet, in milliseconds.
    pub receive_interval: i64,
    /// How often the node would send one, in milliseconds.
    pub transmit_interval: i64,
    /// How many packets of the node may be missed.
    pub detect_multiplier: i64,
    /// The lowest TTL that is accepted of a peer that may be more than one hop away.
    pub minimum_ttl: i64,
    /// Whether to wait for the peer's first packet. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub passive_mode: bool,
}

/// A BGPAdvertisement in force. Lists mean what they mean there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpeakerConfigBgpAdvertisement {
    /// Name of the BGPAdvertisement.
    pub name: String,
    /// Pools by name; empty together with ipAddressPoolSelectors means every pool.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ip_address_pools: Vec<String>,
    /// Pools by label.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ip_address_pool_selectors: Vec<LabelSelector>,
    /// Services by label; empty means every Service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_selectors: Vec<LabelSelector>,
    /// Nodes by label; empty means every node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_selectors: Vec<LabelSelector>,
    /// BGPPeers by name; empty means every peer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<String>,
    /// Length of the prefix that is told for an IPv4 address.
    pub aggregation_length: i64,
    /// The same for IPv6.
    #[serde(rename = "aggregationLengthV6")]
    pub aggregation_length_v6: i64,
    /// Whether a prefix is told although an address in it is of policy Local. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub aggregate_anyway: bool,
    /// LOCAL_PREF; unset leaves it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_pref: Option<i64>,
    /// MULTI_EXIT_DISC; unset sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub med: Option<i64>,
    /// How many more times our AS number is put into the AS path. Default 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub as_path_prepend: i64,
    /// Communities in numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub communities: Vec<String>,
    /// What a speaker must know to honour this item. One that meets an unknown word withholds
    /// what only this item admits. Empty asks for nothing special.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}
