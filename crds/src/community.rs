//! `Community`: names for BGP communities.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::bgp;

/// Names for BGP communities, for use in BGPAdvertisements.
#[derive(CustomResource, Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "seamark.io",
    version = "v1beta1",
    kind = "Community",
    plural = "communities",
    shortname = "smcommunity",
    category = "seamark",
    status = "CommunityStatus",
    derive = "PartialEq",
    doc = "Names for BGP communities, for use in BGPAdvertisements. A name has one value in the \
           whole cluster: of two objects that give it different ones, the older one counts.",
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
pub struct CommunitySpec {
    /// The names, each once, with what they stand for.
    #[serde(default)]
    #[schemars(
        length(max = bgp::MAX_NAMED_COMMUNITIES),
        extend(
            "x-kubernetes-list-type" = "map",
            "x-kubernetes-list-map-keys" = ["name"]
        )
    )]
    pub communities: Vec<NamedCommunity>,
}

/// A name for a community.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamedCommunity {
    /// The name that BGPAdvertisements use: without colon or space, and none of the well-known
    /// names.
    #[schemars(schema_with = "bgp::community_name")]
    pub name: String,
    /// What it stands for: a community in numbers (64512:1, large:64512:1:2, rt:64512:1) or a
    /// well-known name (no-export).
    #[schemars(schema_with = "bgp::community_value")]
    pub value: String,
}

/// What has become of the names; written by the controller.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommunityStatus {
    /// Accepted says whether the names can be used as they stand, and if not, what to change.
    #[serde(default)]
    #[schemars(extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["type"]
    ))]
    pub conditions: Vec<Condition>,
}
