//! `IPAddressPool`: the addresses that Services may be given.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::label_selector::LabelSelector;
use crate::schema;

/// Addresses that Services of type LoadBalancer may be given, and which Services may have them.
#[expect(
    clippy::duplicated_attributes,
    reason = "columns of one type are not duplicates"
)]
#[derive(CustomResource, Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "seamark.io",
    version = "v1beta1",
    kind = "IPAddressPool",
    plural = "ipaddresspools",
    shortname = "smpool",
    category = "seamark",
    status = "IPAddressPoolStatus",
    derive = "PartialEq",
    doc = "Addresses that Services of type LoadBalancer may be given, and which Services may \
           have them. A pool that is deleted or shrinks takes no address away from a Service \
           that holds it. Of two pools that overlap, the older one gives the addresses in both.",
    printcolumn(
        name = "Auto Assign",
        type_ = "boolean",
        json_path = ".spec.autoAssign"
    ),
    printcolumn(
        name = "Assigned IPv4",
        type_ = "integer",
        json_path = ".status.assignedIPv4"
    ),
    printcolumn(
        name = "Available IPv4",
        type_ = "integer",
        json_path = ".status.availableIPv4"
    ),
    printcolumn(
        name = "Assigned IPv6",
        type_ = "integer",
        json_path = ".status.assignedIPv6"
    ),
    printcolumn(
        name = "Available IPv6",
        type_ = "integer",
        json_path = ".status.availableIPv6"
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
pub struct IPAddressPoolSpec {
    /// Addresses to give, IPv4 and IPv6 mixed as you like: a CIDR (10.0.0.0/24, without host
    /// bits), a range (10.0.0.1-10.0.0.9, both ends given out) or one address. The lowest free
    /// address is given first. Entries must not overlap, and at least one is needed.
    #[schemars(schema_with = "schema::addresses")]
    pub addresses: Vec<String>,
    /// Addresses of this pool that are never given, in the same forms. Empty excludes none. An
    /// address that is already held stays held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::exclude")]
    pub exclude: Vec<String>,
    /// Whether Services that ask for nothing get addresses from this pool. Default true; with
    /// false only Services that ask for the pool or for an address of it are served.
    #[serde(default = "yes")]
    pub auto_assign: bool,
    /// Never give IPv4 addresses that end in .0 or .255, for clients and firewalls that mistake
    /// them for a network's own. Default false.
    #[serde(default, rename = "avoidBuggyIPs")]
    pub avoid_buggy_ips: bool,
    /// Which Services may have addresses of this pool, and before which other pools it is tried.
    /// Unset serves every Service, after all pools with a priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_allocation: Option<ServiceAllocation>,
}

/// Which Services a pool serves. The namespace and the Service itself must both be admitted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAllocation {
    /// Pools with a lower number are tried first. Default 0, which comes last; pools of the same
    /// priority are tried in the order of their names.
    #[serde(default)]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub priority: i64,
    /// Namespaces by name. Together with namespaceSelectors, one match is enough; if both are
    /// empty, every namespace is admitted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::namespaces")]
    pub namespaces: Vec<String>,
    /// Namespaces by label; one matching selector is enough. A selector that matches no namespace
    /// still restricts: it admits none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_SELECTORS))]
    pub namespace_selectors: Vec<LabelSelector>,
    /// Services by label; one matching selector is enough. Empty admits every Service of the
    /// admitted namespaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_SELECTORS))]
    pub service_selectors: Vec<LabelSelector>,
}

/// What has become of a pool; written by the controller.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IPAddressPoolStatus {
    /// IPv4 addresses of this pool that Services hold.
    #[serde(default, rename = "assignedIPv4")]
    pub assigned_ipv4: i64,
    /// IPv6 addresses of this pool that Services hold.
    #[serde(default, rename = "assignedIPv6")]
    pub assigned_ipv6: i64,
    /// IPv4 addresses that this pool can still give.
    #[serde(default, rename = "availableIPv4")]
    pub available_ipv4: i64,
    /// IPv6 addresses that this pool can still give; the largest 64 bit number stands for that
    /// many or more.
    #[serde(default, rename = "availableIPv6")]
    pub available_ipv6: i64,
    /// Accepted says whether the pool is in force, and if not, what to change.
    #[serde(default)]
    #[schemars(extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["type"]
    ))]
    pub conditions: Vec<Condition>,
}

fn yes() -> bool {
    true
}
