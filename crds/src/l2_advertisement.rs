//! `L2Advertisement`: who answers ARP and NDP for which pools' addresses.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::label_selector::LabelSelector;
use crate::schema;

/// Which addresses are announced on the local segments (ARP, NDP), for which Services, and by
/// which nodes and interfaces.
#[derive(
    CustomResource, Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "seamark.io",
    version = "v1beta1",
    kind = "L2Advertisement",
    plural = "l2advertisements",
    shortname = "sml2adv",
    category = "seamark",
    status = "L2AdvertisementStatus",
    derive = "PartialEq",
    doc = "Which addresses are announced on the local segments (ARP, NDP), for which Services, \
           and by which nodes and interfaces. An address that no advertisement speaks for is not \
           announced. With several that do, each adds its nodes and interfaces.",
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Accepted")].status"#
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
pub struct L2AdvertisementSpec {
    /// Pools by name. Together with ipAddressPoolSelectors, one match is enough; if both are
    /// empty, the advertisement speaks for every pool.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::object_names")]
    pub ip_address_pools: Vec<String>,
    /// Pools by label; one matching selector is enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_SELECTORS))]
    pub ip_address_pool_selectors: Vec<LabelSelector>,
    /// Services by label; one matching selector is enough. Empty means every Service with an
    /// address of the pools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_SELECTORS))]
    pub service_selectors: Vec<LabelSelector>,
    /// Nodes that may announce, by label; one matching selector is enough. Empty means every node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_SELECTORS))]
    pub node_selectors: Vec<LabelSelector>,
    /// Interfaces to announce on, by name or glob (eth0, eth*; ? stands for one character). Empty
    /// leaves the choice to the speaker: interfaces that reach the network outside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::interfaces")]
    pub interfaces: Vec<String>,
    /// Nodes that should rather announce than others. The weights of all that match a node are
    /// added up, over all advertisements; the largest sum wins while that node is fit. Empty
    /// prefers none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_SELECTORS))]
    pub preferred_node_selectors: Vec<PreferredNodeSelector>,
}

/// A weight for the nodes that a selector matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreferredNodeSelector {
    /// How much the nodes are preferred, from 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub weight: i64,
    /// The nodes. An empty selector prefers all of them alike.
    pub preference: LabelSelector,
}

/// What has become of an advertisement; written by the controller.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct L2AdvertisementStatus {
    /// Accepted says whether the advertisement is in force, and if not, what to change.
    #[serde(default)]
    #[schemars(extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["type"]
    ))]
    pub conditions: Vec<Condition>,
}
