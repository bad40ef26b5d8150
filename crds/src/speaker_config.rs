//! `SpeakerConfig`: the settled configuration that every speaker runs.

mod bgp;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::l2_advertisement::PreferredNodeSelector;
use crate::label_selector::LabelSelector;
use crate::schema;

pub use bgp::{SpeakerConfigBfd, SpeakerConfigBgpAdvertisement, SpeakerConfigBgpPeer};

/// The name of the one SpeakerConfig.
pub const SPEAKER_CONFIG_NAME: &str = "seamark";

/// The configuration that every speaker runs, settled from all configuration objects.
///
/// Its lists have no bounds of their own; [`crate::fits`] bounds the whole. They stay atomic, so
/// that the API server's record of field owners does not grow with them.
#[derive(
    CustomResource, Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "seamark.io",
    version = "v1beta1",
    kind = "SpeakerConfig",
    plural = "speakerconfigs",
    shortname = "smconfig",
    category = "seamark",
    status = "SpeakerConfigStatus",
    derive = "PartialEq",
    doc = "The configuration that every speaker runs, settled by the controller from all \
           configuration objects. There is one, named seamark. Do not edit it: the controller \
           writes it anew.",
    validation = Rule::new("self.metadata.name == 'seamark'")
        .message("there is one SpeakerConfig and its name is seamark"),
    printcolumn(name = "Generation", type_ = "integer", json_path = ".metadata.generation"),
    printcolumn(
        name = "Degraded",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Degraded")].status"#
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Degraded")].reason"#
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct SpeakerConfigSpec {
    /// Every pool that exists, and every vanished one of which addresses are still held.
    #[serde(default)]
    pub pools: Vec<SpeakerConfigPool>,
    /// The L2Advertisements in force. Empty announces nothing by layer 2.
    #[serde(default)]
    #[schemars(transform = schema::without_rules)]
    pub l2_advertisements: Vec<SpeakerConfigL2Advertisement>,
    /// The BGPAdvertisements in force, with communities in numbers. Empty tells no routes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::without_rules)]
    pub bgp_advertisements: Vec<SpeakerConfigBgpAdvertisement>,
    /// The BGPPeers in force. Passwords are not here: each peer that has one names its key in the
    /// Secret seamark-speaker. Empty speaks to nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::without_rules)]
    pub bgp_peers: Vec<SpeakerConfigBgpPeer>,
    /// Whether Seamark is being taken off the cluster: every speaker withdraws all its addresses,
    /// and nothing is given to Services. `seamark-controller uninstall` writes it. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
    /// Which installation leaves: the uid of the ServiceAccount of its controller. A controller with
    /// another one takes `leaving` back. Absent for whichever there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub leaving_installation: Option<String>,
}

/// What speakers must know of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpeakerConfigPool {
    /// Name of the IPAddressPool.
    pub name: String,
    /// Its labels, by which advertisements select it; of a vanished pool, its last ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Whether the pool is gone, or cannot be read, while addresses of it are still held.
    /// Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub vanished: bool,
}

/// An L2Advertisement in force. Lists mean what they mean there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpeakerConfigL2Advertisement {
    /// Name of the L2Advertisement.
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
    /// Interfaces by name or glob; empty leaves the choice to the speaker.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<String>,
    /// Nodes that should rather announce.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preferred_node_selectors: Vec<PreferredNodeSelector>,
    /// What a speaker must know to honour this item. One that meets an unknown word withholds
    /// what only this item admits. Empty asks for nothing special.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
}

/// How well the configuration settled; written by the controller.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpeakerConfigStatus {
    /// Degraded is true while some object is not in force as it stands, with what to do about it.
    #[serde(default)]
    #[schemars(extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["type"]
    ))]
    pub conditions: Vec<Condition>,
}
