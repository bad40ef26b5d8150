//! `IPAllocation`: one entry of the ledger.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An address that a Service holds. The ledger is all of these; its entries are the only thing
/// that lets a speaker start to announce.
///
/// The name is a function of the address, so that creating an entry is the atomic claim of it;
/// the rules that say so make the address immutable too, because a name is.
#[derive(CustomResource, Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "seamark.io",
    version = "v1beta1",
    kind = "IPAllocation",
    plural = "ipallocations",
    shortname = "smalloc",
    category = "seamark",
    derive = "PartialEq",
    doc = "An address that a Service holds. Written by the controller and by nobody else; \
           deleting one takes nothing away from a Service that still exists.",
    validation = Rule::new(
        "isIP(self.spec.address) && ip.isCanonical(self.spec.address)"
    ).message(
        "spec.address must be an IP address in its canonical form (RFC 5952: fd00::1)"
    ),
    validation = Rule::new(
        "!isIP(self.spec.address) || (ip(self.spec.address).family() == 4 \
         ? self.metadata.name == self.spec.address \
         : self.metadata.name.size() == 39 \
           && isIP(self.metadata.name.replace('-', ':')) \
           && ip(self.metadata.name.replace('-', ':')) == ip(self.spec.address))"
    ).message(
        "metadata.name must be spec.address: IPv4 as it is, IPv6 as eight full lower-case groups \
         joined by '-'"
    ),
    printcolumn(name = "Address", type_ = "string", json_path = ".spec.address"),
    printcolumn(name = "Pool", type_ = "string", json_path = ".spec.pool"),
    printcolumn(name = "Held By", type_ = "string", json_path = ".spec.heldBy"),
    printcolumn(name = "Since", type_ = "date", json_path = ".spec.since")
)]
pub struct IPAllocationSpec {
    /// The address, in canonical form. It never changes: the object's name is made of it.
    #[schemars(length(min = 2, max = 45))]
    pub address: String,
    /// The pool by whose rules the address was given. Advertisements match by this name, also
    /// when the pool has shrunk or vanished meanwhile.
    #[schemars(length(min = 1, max = 253))]
    pub pool: String,
    /// Who holds the address. Empty between the two writes of a release.
    #[serde(default)]
    #[schemars(
        length(max = 512),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["uid"])
    )]
    pub holders: Vec<AllocationHolder>,
    /// The holders as namespace/name, for tables. Absent if nobody holds the address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub held_by: String,
    /// Since when the present holder has the address.
    pub since: MicroTime,
}

/// A Service that holds an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllocationHolder {
    /// Namespace of the Service.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// Name of the Service.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Uid of the Service, which tells it from a later one of the same name.
    #[schemars(length(min = 1, max = 128))]
    pub uid: String,
}
