//! `BFDProfile`: how soon a dead path is noticed.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::bgp;

/// How soon a dead path to a router is noticed, for use in BGPPeers.
#[expect(
    clippy::duplicated_attributes,
    reason = "columns of one type are not duplicates"
)]
#[derive(CustomResource, Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = bgp::profile_rules()))]
#[kube(
    group = "seamark.io",
    version = "v1beta1",
    kind = "BFDProfile",
    plural = "bfdprofiles",
    shortname = "smbfd",
    category = "seamark",
    status = "BFDProfileStatus",
    derive = "PartialEq",
    doc = "How soon a dead path to a router is noticed (BFD, RFC 5880), for use in BGPPeers. Both \
           sides negotiate: each sends as often as the slower of its own transmitInterval and the \
           other's receiveInterval, and the path is down after detectMultiplier such intervals \
           without a packet.",
    printcolumn(
        name = "Transmit Interval",
        type_ = "integer",
        json_path = ".spec.transmitInterval"
    ),
    printcolumn(
        name = "Receive Interval",
        type_ = "integer",
        json_path = ".spec.receiveInterval"
    ),
    printcolumn(
        name = "Multiplier",
        type_ = "integer",
        json_path = ".spec.detectMultiplier"
    ),
    printcolumn(
        name = "Passive Mode",
        type_ = "boolean",
        json_path = ".spec.passiveMode"
    ),
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
pub struct BFDProfileSpec {
    /// How often the node can take a packet of the router, in milliseconds from 10 to 60000: the
    /// router does not send more often. Default 300.
    #[serde(default = "interval")]
    #[schemars(range(min = MIN_INTERVAL, max = MAX_INTERVAL))]
    pub receive_interval: i64,
    /// How often the node would send a packet, in milliseconds from 10 to 60000. Default 300.
    #[serde(default = "interval")]
    #[schemars(range(min = MIN_INTERVAL, max = MAX_INTERVAL))]
    pub transmit_interval: i64,
    /// How many packets of the node may be missed before the router gives it up, from 2 to 255.
    /// How many of the router's the node bears is set on the router. Default 3.
    #[serde(default = "multiplier")]
    #[schemars(range(min = MIN_MULTIPLIER, max = 255))]
    pub detect_multiplier: i64,
    /// Not built yet: true is refused. Default false.
    #[serde(default)]
    pub echo_mode: bool,
    /// Not built yet: any value is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = MIN_INTERVAL, max = MAX_INTERVAL))]
    pub echo_interval: Option<i64>,
    /// The lowest TTL or hop limit of a packet that is accepted, from 1 to 254, of routers that may
    /// be more than one hop away; others must send with 255. Default 254: one router in between.
    #[serde(default = "minimum_ttl")]
    #[schemars(range(min = 1, max = 254))]
    pub minimum_ttl: i64,
    /// Whether the node waits for the router's first packet before it sends any. Default false.
    /// One side at least must not.
    #[serde(default)]
    pub passive_mode: bool,
}

/// What has become of a profile; written by the controller.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BFDProfileStatus {
    /// Accepted says whether the profile can be used as it stands, and if not, what to change.
    #[serde(default)]
    #[schemars(extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["type"]
    ))]
    pub conditions: Vec<Condition>,
}

/// In milliseconds, as MetalLB has them.
pub(crate) const MIN_INTERVAL: i64 = 10;
pub(crate) const MAX_INTERVAL: i64 = 60_000;

/// One lost packet must not be the end of a path.
pub(crate) const MIN_MULTIPLIER: i64 = 2;

fn interval() -> i64 {
    300
}

fn multiplier() -> i64 {
    3
}

fn minimum_ttl() -> i64 {
    254
}
