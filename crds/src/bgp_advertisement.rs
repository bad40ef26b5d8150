//! `BGPAdvertisement`: which pools' addresses are told to which routers.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::label_selector::LabelSelector;
use crate::schema::{self, bgp};

/// Which addresses are told to routers by BGP, for which Services, by which nodes, and what the
/// routes carry.
#[derive(CustomResource, Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "seamark.io",
    version = "v1beta1",
    kind = "BGPAdvertisement",
    plural = "bgpadvertisements",
    shortname = "smbgpadv",
    category = "seamark",
    status = "BGPAdvertisementStatus",
    derive = "PartialEq",
    doc = "Which addresses are told to routers by BGP, for which Services, by which nodes, and \
           what the routes carry. An address that no advertisement speaks for is not told. With \
           several that do, each adds its nodes and peers.",
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
pub struct BGPAdvertisementSpec {
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
    /// Nodes that may tell, by label; one matching selector is enough. Empty means every node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_SELECTORS))]
    pub node_selectors: Vec<LabelSelector>,
    /// BGPPeers that are told, by name. Empty means every peer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::object_names")]
    pub peers: Vec<String>,
    /// Length of the prefix that is told for an IPv4 address, from 1 to 32. Default 32, the address
    /// itself. A shorter one is told while any address in it is, and draws the traffic of all.
    #[serde(default = "full_v4")]
    #[schemars(range(min = 1, max = 32))]
    pub aggregation_length: i64,
    /// The same for IPv6, from 1 to 128. Default 128, the address itself.
    #[serde(rename = "aggregationLengthV6", default = "full_v6")]
    #[schemars(range(min = 1, max = 128))]
    pub aggregation_length_v6: i64,
    /// Whether a prefix of several addresses is told although one of them belongs to a Service
    /// with externalTrafficPolicy Local. The node then also draws traffic for Local Services that
    /// have no endpoint on it, and drops that. Default false: such a prefix is not told.
    #[serde(default)]
    pub aggregate_anyway: bool,
    /// LOCAL_PREF of the routes, told to internal peers only: the highest is preferred. Unset or 0
    /// leaves it at 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4_294_967_295_i64))]
    pub local_pref: Option<i64>,
    /// MULTI_EXIT_DISC of the routes: of several ways into the same AS, the lowest is preferred.
    /// Unset sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4_294_967_295_i64))]
    pub med: Option<i64>,
    /// How many more times our AS number is put into the AS path, which makes the way longer and
    /// less preferred; told to external peers only. From 0 to 10. Default 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = MAX_PREPEND))]
    pub as_path_prepend: i64,
    /// Communities of the routes: standard (64512:1), large (large:64512:1:2), extended
    /// (rt:64512:1, ro:64512:1, or extended: with sixteen hexadecimal digits), a well-known name
    /// (no-export), or a name that a Community gives. Empty sends none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "bgp::communities")]
    pub communities: Vec<String>,
}

/// What has become of an advertisement; written by the controller.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BGPAdvertisementStatus {
    /// Accepted says whether the advertisement is in force, and if not, what to change.
    #[serde(default)]
    #[schemars(extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["type"]
    ))]
    pub conditions: Vec<Condition>,
}

/// Longer paths are what many networks take for a mistake and filter.
pub(crate) const MAX_PREPEND: i64 = 10;

fn full_v4() -> i64 {
    32
}

fn full_v6() -> i64 {
    128
}
