//! Kubernetes objects cut down to what a plan reads. The API server sends all of them; what is
//! not named here is skipped while it is read, so that neither the index nor a list under way
//! carries it: of a Node the names of its images, of everything `managedFields`.
//!
//! Lists may be absent or `null`, and every field that is not read by all of them is optional:
//! an object that looks odd must not make a whole list unreadable.

use std::collections::BTreeMap;

use crds::SpeakerStatus;
use k8s_openapi::api::core::v1::{Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use serde::{Deserialize, Deserializer};

/// A Service, as far as it decides whether and where its addresses are announced.
#[derive(Debug, Clone, Deserialize, Resource)]
#[resource(inherit = Service)]
pub(crate) struct SlimService {
    #[serde(deserialize_with = "metadata")]
    pub(crate) metadata: ObjectMeta,
    #[serde(default)]
    pub(crate) spec: ServiceSpec,
    #[serde(default)]
    pub(crate) status: ServiceStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceSpec {
    pub(crate) r#type: Option<String>,
    pub(crate) load_balancer_class: Option<String>,
    pub(crate) external_traffic_policy: Option<String>,
    pub(crate) health_check_node_port: Option<i64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceStatus {
    #[serde(default)]
    pub(crate) load_balancer: LoadBalancerStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct LoadBalancerStatus {
    pub(crate) ingress: Option<Vec<Ingress>>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Ingress {
    pub(crate) ip: Option<String>,
}

/// An EndpointSlice: on which nodes endpoints are, and whether they can be used.
#[derive(Debug, Clone, Deserialize, Resource)]
#[resource(inherit = EndpointSlice)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SlimEndpointSlice {
    #[serde(deserialize_with = "metadata")]
    pub(crate) metadata: ObjectMeta,
    pub(crate) address_type: Option<String>,
    pub(crate) endpoints: Option<Vec<Endpoint>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Endpoint {
    pub(crate) node_name: Option<String>,
    #[serde(default)]
    pub(crate) conditions: EndpointConditions,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(crate) struct EndpointConditions {
    pub(crate) ready: Option<bool>,
    pub(crate) serving: Option<bool>,
    pub(crate) terminating: Option<bool>,
}

/// A Node: labels, conditions, and whether it goes.
#[derive(Debug, Clone, Deserialize, Resource)]
#[resource(inherit = Node)]
pub(crate) struct SlimNode {
    #[serde(deserialize_with = "metadata")]
    pub(crate) metadata: ObjectMeta,
    #[serde(default)]
    pub(crate) spec: NodeSpec,
    #[serde(default)]
    pub(crate) status: NodeStatus,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct NodeSpec {
    pub(crate) unschedulable: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct NodeStatus {
    pub(crate) conditions: Option<Vec<NodeCondition>>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NodeCondition {
    pub(crate) r#type: String,
    pub(crate) status: String,
    pub(crate) message: Option<String>,
}

/// A SpeakerStatus: that it is there, and its conditions.
#[derive(Debug, Clone, Deserialize, Resource)]
#[resource(inherit = SpeakerStatus)]
pub(crate) struct SlimSpeakerStatus {
    #[serde(deserialize_with = "metadata")]
    pub(crate) metadata: ObjectMeta,
    pub(crate) status: Option<SpeakerStatusStatus>,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct SpeakerStatusStatus {
    pub(crate) conditions: Option<Vec<SpeakerCondition>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SpeakerCondition {
    pub(crate) r#type: String,
    #[serde(default)]
    pub(crate) status: String,
    pub(crate) reason: Option<String>,
    pub(crate) last_transition_time: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    deletion_timestamp: Option<Time>,
}

fn metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let metadata = Metadata::deserialize(deserializer)?;
    Ok(ObjectMeta {
        name: metadata.name,
        namespace: metadata.namespace,
        uid: metadata.uid,
        resource_version: metadata.resource_version,
        labels: metadata.labels,
        deletion_timestamp: metadata.deletion_timestamp,
        ..ObjectMeta::default()
    })
}
