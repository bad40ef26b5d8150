//! `SpeakerStatus`: what one speaker says of itself.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most interfaces that a speaker lists: the object must not grow with the number of pods, and
/// nobody announces on more.
pub const MAX_INTERFACES: usize = 64;

/// Most BGP sessions that a speaker lists.
pub const MAX_SESSIONS: usize = 64;

/// Type of the condition in which a speaker tells whether its node's service proxy serves. Other
/// speakers go by its reason.
pub const PROXY_HEALTHY: &str = "ProxyHealthy";

/// Type of the condition in which a speaker that was told to end says that it is to be back. It goes
/// when it is; other speakers go by its time.
pub const RESTARTING: &str = "Restarting";

/// Nothing is ordered of a speaker here, so the kind has no `spec`; the derive asks for a struct
/// to stand where one would be.
#[expect(
    clippy::duplicated_attributes,
    reason = "columns of one type are not duplicates"
)]
#[derive(
    CustomResource, Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema,
)]
#[kube(
    group = "seamark.io",
    version = "v1beta1",
    kind = "SpeakerStatus",
    plural = "speakerstatuses",
    shortname = "smstatus",
    category = "seamark",
    no_spec,
    status = "SpeakerStatusStatus",
    derive = "PartialEq",
    doc = "What the speaker of one node says of itself; named like the node, written by that \
           speaker alone. Nodes without one announce nothing.",
    printcolumn(
        name = "Config",
        type_ = "integer",
        json_path = ".status.configGeneration"
    ),
    printcolumn(
        name = "Announced IPv4",
        type_ = "integer",
        json_path = ".status.announcedIPv4"
    ),
    printcolumn(
        name = "Announced IPv6",
        type_ = "integer",
        json_path = ".status.announcedIPv6"
    ),
    printcolumn(
        name = "Proxy",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"ProxyHealthy\")].reason"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
pub struct SpeakerStatusSpec {}

/// What a speaker says of itself. Counts, and no list that grows with the cluster.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpeakerStatusStatus {
    /// Generation of the SpeakerConfig in force on this node. Absent until one was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_generation: Option<i64>,
    /// Interfaces on which this speaker can announce, the first 64 by name.
    #[serde(default)]
    #[schemars(
        length(max = MAX_INTERFACES),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub interfaces: Vec<SpeakerInterface>,
    /// IPv4 addresses that this speaker announces.
    #[serde(default, rename = "announcedIPv4")]
    pub announced_ipv4: i64,
    /// IPv6 addresses that this speaker announces.
    #[serde(default, rename = "announcedIPv6")]
    pub announced_ipv6: i64,
    /// How many addresses this speaker does not announce, by reason.
    #[serde(default)]
    #[schemars(
        length(max = 64),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["reason"])
    )]
    pub withheld: Vec<WithheldCount>,
    /// The BGP sessions of this speaker, the first 64 by the name of their BGPPeer and by neighbor.
    #[serde(default)]
    #[schemars(
        length(max = MAX_SESSIONS),
        extend(
            "x-kubernetes-list-type" = "map",
            "x-kubernetes-list-map-keys" = ["peer", "neighbor"]
        )
    )]
    pub sessions: Vec<SpeakerSession>,
    /// What is amiss on this node, with what to do about it; and whether its service proxy serves,
    /// by whose reason all nodes rank this one.
    #[serde(default)]
    #[schemars(extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["type"]
    ))]
    pub conditions: Vec<Condition>,
}

/// An interface on which a speaker can announce.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpeakerInterface {
    /// Name of the interface.
    #[schemars(length(min = 1, max = 15))]
    pub name: String,
    /// Its MAC address, which clients see behind the addresses announced there.
    #[schemars(length(max = 17))]
    pub mac: String,
}

/// A BGP session with one router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpeakerSession {
    /// Name of the BGPPeer.
    #[schemars(length(min = 1, max = 253))]
    pub peer: String,
    /// Address of the router, if the BGPPeer names an interface or a range; several can then stand
    /// under its name. Default empty: the BGPPeer has the address, or nobody has been found.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub neighbor: String,
    /// Whether routes are told. That they go when the path dies is another matter: see bfd.
    pub state: SessionState,
    /// Since when it is so.
    pub since: Time,
    /// What went wrong last, and what to do about it. It stays while all is well again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub last_error: Option<String>,
    /// BFD with the router, which notices a dead path soon while it is Up. Absent without a
    /// bfdProfile: only the hold time does then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bfd: Option<SpeakerBfd>,
    /// IPv4 prefixes that the peer has been told.
    #[serde(default, rename = "advertisedIPv4")]
    pub advertised_ipv4: i64,
    /// IPv6 prefixes that the peer has been told.
    #[serde(default, rename = "advertisedIPv6")]
    pub advertised_ipv6: i64,
}

/// How far a BGP session is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum SessionState {
    /// Routes are told.
    Established,
    /// There is no session, and it is tried again and again.
    Connecting,
    /// None can be tried, for the reason in `lastError`.
    Refused,
}

/// A BFD session with one router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpeakerBfd {
    /// Whether the path is watched, and if not, why.
    pub state: BfdState,
    /// Since when it is so.
    pub since: Time,
    /// After what time without a packet this node takes the path for dead, as negotiated (150ms).
    /// Absent until a packet came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub detection_time: Option<String>,
}

/// How far a BFD session is (RFC 5880 §6.2).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum BfdState {
    /// Both sides hear each other: the path is watched.
    Up,
    /// We hear the router, and it does not say yet that it hears us.
    Init,
    /// We do not hear the router.
    Down,
    /// One side has switched it off.
    AdminDown,
}

/// How many addresses are withheld for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WithheldCount {
    /// The reason, one CamelCase word.
    #[schemars(length(min = 1, max = 64))]
    pub reason: String,
    /// How many addresses.
    pub count: i64,
}
