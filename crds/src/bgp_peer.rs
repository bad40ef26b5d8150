//! `BGPPeer`: a router that speakers tell routes to.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::label_selector::LabelSelector;
use crate::schema::{self, bgp};
use crate::time;

/// A router that speakers tell the addresses of Services to, by BGP.
#[expect(
    clippy::duplicated_attributes,
    reason = "columns of one type are not duplicates"
)]
#[derive(CustomResource, Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = bgp::peer_rules()))]
#[kube(
    group = "seamark.io",
    version = "v1beta1",
    kind = "BGPPeer",
    plural = "bgppeers",
    shortname = "smpeer",
    category = "seamark",
    status = "BGPPeerStatus",
    derive = "PartialEq",
    doc = "A router that speakers tell the addresses of Services to, by BGP. Each selected node \
           has a session of its own with it. Nothing that the router tells is used. Of two peers \
           that are the same to a node that both may select (by address, port and VRF, by \
           interface, or by ranges that overlap), the older one is in force.",
    printcolumn(name = "Address", type_ = "string", json_path = ".spec.peerAddress"),
    printcolumn(name = "Interface", type_ = "string", json_path = ".spec.interface"),
    printcolumn(name = "Range", type_ = "string", json_path = ".spec.listenRange"),
    printcolumn(name = "ASN", type_ = "integer", json_path = ".spec.peerASN"),
    printcolumn(name = "My ASN", type_ = "integer", json_path = ".spec.myASN"),
    printcolumn(name = "BFD Profile", type_ = "string", json_path = ".spec.bfdProfile"),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Accepted")].status"#
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Accepted")].reason"#
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
pub struct BGPPeerSpec {
    /// Our AS number in this session, from 1 to 4294967295.
    #[serde(rename = "myASN")]
    #[schemars(range(min = 1, max = 4_294_967_295_i64))]
    pub my_asn: i64,
    /// The peer's AS number, from 1 to 4294967295; the same as myASN makes it an internal peer.
    /// Either this or dynamicASN must be there.
    #[serde(rename = "peerASN", default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_295_i64))]
    pub peer_asn: Option<i64>,
    /// Takes whatever AS number the peer says it has: internal if it must be ours, external if it
    /// must not. Either this or peerASN must be there.
    #[serde(
        rename = "dynamicASN",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(extend("enum" = ["internal", "external"]))]
    pub dynamic_asn: Option<String>,
    /// Address of the peer, IPv4 or IPv6. Both families can be told over either. Exactly one of
    /// peerAddress, interface and listenRange must be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bgp::peer_address")]
    pub peer_address: Option<String>,
    /// Name of an interface of the node: the peer is the router on its link, which is found by its
    /// router advertisements and spoken to by link-local IPv6 addresses (unnumbered). Goes without
    /// sourceAddress, ebgpMultiHop and vrf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bgp::interface")]
    pub interface: Option<String>,
    /// Network (192.0.2.0/24, 2001:db8::/64) from which routers may connect to the node, each of
    /// them a peer of its own; the node listens on port 179 and never connects to them. An address
    /// that a BGPPeer of its own names is not taken for one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bgp::listen_range")]
    pub listen_range: Option<String>,
    /// TCP port that the peer listens on. Default 179, which it stays with listenRange.
    #[serde(default = "bgp_port")]
    #[schemars(range(min = 1, max = 65_535))]
    pub peer_port: i64,
    /// Address of the node to speak from, of the family of peerAddress or listenRange. Unset leaves
    /// the choice to the kernel. As it is the same on every selected node, use nodeSelectors with
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bgp::source_address")]
    pub source_address: Option<String>,
    /// BGP identifier that we send, written like an IPv4 address. Unset takes the node's own IPv4
    /// address, or a number made of its name. As two nodes must not send the same one, use
    /// nodeSelectors with it.
    #[serde(rename = "routerID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bgp::router_id")]
    pub router_id: Option<String>,
    /// Nodes that speak to the peer, by label; one matching selector is enough. Empty means every
    /// node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = schema::MAX_SELECTORS))]
    pub node_selectors: Vec<LabelSelector>,
    /// How long a session lives on without a message of the other side, as a duration in whole
    /// seconds (90s, 1m30s): 0s for ever, else from 3s to 65535s. The shorter one of both sides
    /// counts. Default three times keepaliveTime, or 90s without that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bgp::hold_time")]
    pub hold_time: Option<String>,
    /// How often to show that we are there, as a duration from 1s to 21845s. Default a third of
    /// the hold time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bgp::keepalive_time")]
    pub keepalive_time: Option<String>,
    /// How long to wait before another attempt to connect, as a duration from 1s to 65535s. Unset
    /// tries soon at first and then ever more seldom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bgp::connect_time")]
    pub connect_time: Option<String>,
    /// Whether an external peer may be more than one hop away. Default false.
    #[serde(default)]
    pub ebgp_multi_hop: bool,
    /// Whether only packets that crossed no router are accepted (GTSM, RFC 5082); the peer must
    /// send with TTL 255 too. Default false.
    #[serde(default)]
    pub ttl_security: bool,
    /// Where the password stands (TCP-MD5, RFC 2385). Unset speaks without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_secret: Option<PasswordSecretRef>,
    /// What we are to an external peer (RFC 9234): provider, rs-server, rs-client, customer or
    /// peer. A peer that says something that does not fit is refused. Unset says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["provider", "rs-server", "rs-client", "customer", "peer"]))]
    pub role: Option<String>,
    /// How many prefixes the peer may tell us before the session is closed. Nothing that it tells
    /// is used. Default 10000.
    #[serde(default = "max_prefixes")]
    #[schemars(range(min = 1, max = MAX_PREFIXES))]
    pub max_prefixes: i64,
    /// Families whose addresses are told: IPv4, IPv6. Empty means both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "bgp::address_families")]
    pub address_families: Vec<String>,
    /// Whether to wait for the peer to connect and never to connect to it; the node then listens
    /// on port 179. Default false; with listenRange it is always so.
    #[serde(default)]
    pub passive: bool,
    /// Name of the BFDProfile by which a dead path to the peer is noticed. Unset notices it by the
    /// hold time alone. While there is no such profile, a peer that has its values already keeps
    /// them, and another one is not put in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bgp::bfd_profile")]
    pub bfd_profile: Option<String>,
    /// Whether no routes are told before BFD is up. Needs bfdProfile. Default false: a router that
    /// does not speak BFD is told routes all the same, unprotected.
    #[serde(default)]
    pub bfd_strict: bool,
    /// What the peer does with our routes while the speaker of a node restarts.
    #[serde(default)]
    pub graceful_restart: GracefulRestart,
    /// How the peer is led away from a node that leaves.
    #[serde(default)]
    pub graceful_shutdown: GracefulShutdown,
    /// Name of the VRF interface of the node in whose routing table the session runs. Unset means
    /// the main table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "bgp::vrf")]
    pub vrf: Option<String>,
}

/// A Secret in the namespace of the controller, and its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordSecretRef {
    /// Name of the Secret, in the namespace of the controller.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key of the Secret under which the password stands. Default password.
    #[serde(default = "password_key")]
    #[schemars(schema_with = "bgp::secret_key")]
    pub key: String,
}

/// Graceful restart (RFC 4724): the peer keeps our routes while the speaker of a node is restarted
/// or upgraded, and traffic goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GracefulRestart {
    /// Whether the peer is asked to keep our routes. Default true.
    pub enabled: bool,
    /// For how long, as a duration from 1s to 4095s. What goes to a node that dies meanwhile, or to
    /// endpoints that have left it, is lost for as long. Default 30s.
    #[schemars(schema_with = "bgp::restart_time")]
    pub restart_time: String,
    /// Whether the peer keeps our routes also after an error or the end of the hold time (RFC
    /// 8538). Those of a dead node then outlive the hold time by restartTime. Default false.
    pub notification: bool,
    /// How long BFD is made to bear a planned restart, as a duration from 0s to 300s. A node that
    /// dies in this time is not noticed by BFD. With 0s BFD is taken down on purpose instead, after
    /// the session, which some routers take for the end of the routes. Default 10s.
    #[schemars(schema_with = "bgp::bfd_budget")]
    pub bfd_budget: String,
}

/// Graceful shutdown (RFC 8326): before a node that leaves takes its routes back, it tells them as
/// the last choice, so that the peer finds other ways first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct GracefulShutdown {
    /// Whether routes are told as the last choice before they go. Default true.
    pub enabled: bool,
    /// How long the peer gets to find other ways, as a duration from 0s to 60s. When a node shuts
    /// down, it must fit into the speaker's terminationGracePeriodSeconds, with some seconds to
    /// spare. Default 5s.
    #[schemars(schema_with = "bgp::wait")]
    pub wait: String,
}

/// What has become of a peer; written by the controller.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BGPPeerStatus {
    /// Accepted says whether the peer is in force as it stands, and if not, what to change.
    #[serde(default)]
    #[schemars(extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["type"]
    ))]
    pub conditions: Vec<Condition>,
}

/// Above two full tables of the Internet. What a peer told is counted, which takes memory.
pub(crate) const MAX_PREFIXES: i64 = 2_000_000;

impl Default for GracefulRestart {
    fn default() -> Self {
        model::GracefulRestart::default().into()
    }
}

impl Default for GracefulShutdown {
    fn default() -> Self {
        model::GracefulShutdown::default().into()
    }
}

impl From<model::GracefulRestart> for GracefulRestart {
    fn from(settings: model::GracefulRestart) -> Self {
        Self {
            enabled: settings.enabled,
            restart_time: time::emit(settings.restart_time),
            notification: settings.notification,
            bfd_budget: time::emit(settings.bfd_budget),
        }
    }
}

impl From<model::GracefulShutdown> for GracefulShutdown {
    fn from(settings: model::GracefulShutdown) -> Self {
        Self {
            enabled: settings.enabled,
            wait: time::emit(settings.wait),
        }
    }
}

/// RFC 4271 §8.2.1.
pub(crate) const BGP_PORT: i64 = 179;

fn bgp_port() -> i64 {
    BGP_PORT
}

fn max_prefixes() -> i64 {
    10_000
}

fn password_key() -> String {
    "password".to_owned()
}
