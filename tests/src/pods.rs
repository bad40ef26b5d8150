//! Hand-made pods: a namespace behind a node, a small server in it, and a Pod object that says so.

use std::net::IpAddr;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod as PodObject;
use kube::api::Api;
use serde_json::{Value, json};

use crate::address::{self, POD_PORT};
use crate::cluster::{Cluster, SOME_TIME, condition};
use crate::host::Host;
use crate::process::{Process, Start, Surroundings};
use crate::run::Stage;
use crate::{network, shell, tools};

/// Pods live in this namespace of the cluster.
pub(crate) const NAMESPACE: &str = "default";
const CONTAINER: &str = "web";
/// For how long a terminating pod stays; longer than any scenario.
const GRACE_SECONDS: u32 = 3600;

/// A pod of the lab.
#[derive(Debug)]
pub struct Pod {
    name: String,
    node: String,
    host: Host,
    addresses: [IpAddr; 2],
    slot: u8,
    _server: Process,
}

impl Pod {
    /// The node it runs on.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Its IPv4 and IPv6 address.
    pub fn addresses(&self) -> [IpAddr; 2] {
        self.addresses
    }

    /// The namespace it runs in.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Its place among the pods of its node.
    pub(crate) fn slot(&self) -> u8 {
        self.slot
    }
}

/// Where a new pod goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) node: &'a Host,
    pub(crate) number: u8,
    /// Free place among the pods of that node.
    pub(crate) slot: u8,
    /// Number of the pod in the run, for names.
    pub(crate) serial: u32,
}

/// Make the pod's namespace, start its server, and create its object, Running and Ready.
pub(crate) fn start(
    cluster: &Cluster,
    name: &str,
    labels: &[(&str, &str)],
    place: Place<'_>,
) -> Result<Pod> {
    let addresses = address::pod(place.number, place.slot);
    let host = connect(&place, addresses)?;
    let server = Start {
        run: host.owner(),
        host: host.name(),
        name: &format!("pod-{name}-{}", place.serial),
        stage: Stage::Guest,
        program: &tools::ours("lab-pod")?,
        arguments: &[name.to_owned(), POD_PORT.to_string()],
        environment: &[],
        surroundings: Surroundings::Own,
    }
    .spawn()?;
    create_object(cluster, name, labels, place.node.name(), addresses)?;
    let node = place.node.name().to_owned();
    Ok(Pod {
        name: name.to_owned(),
        node,
        host,
        addresses,
        slot: place.slot,
        _server: server,
    })
}

/// Delete the object at once, then the pod itself.
pub(crate) fn stop(cluster: &Cluster, pod: Pod) -> Result<()> {
    cluster.delete(&api(cluster, NAMESPACE), &pod.name, 0)?;
    let host = pod.host.clone();
    drop(pod);
    host.owner().delete_namespace(host.name())
}

/// Delete the object the gentle way: it stays, with a deletion timestamp, as no kubelet confirms.
pub(crate) fn terminate(cluster: &Cluster, name: &str) -> Result<()> {
    cluster.delete(&api(cluster, NAMESPACE), name, GRACE_SECONDS)
}

/// Make the pod ready or not; a terminating pod that is ready is a serving one.
pub(crate) fn set_ready(cluster: &Cluster, name: &str, ready: bool) -> Result<()> {
    let kinds = [
        ("Ready", ready),
        ("ContainersReady", ready),
        ("Initialized", true),
    ];
    let conditions: Vec<Value> = kinds
        .iter()
        .map(|(kind, on)| condition(kind, *on))
        .collect();
    let pod = json!({ "spec": { "containers": [{ "name": CONTAINER }] } });
    let status = json!({ "conditions": conditions, "containerStatuses": containers(&pod, ready) });
    cluster.patch_status(&api(cluster, NAMESPACE), name, &status)
}

/// Create a Pod object with a status of Running and Ready at these addresses.
pub(crate) fn create_running(
    cluster: &Cluster,
    namespace: &str,
    pod: Value,
    addresses: [IpAddr; 2],
) -> Result<()> {
    let name = pod["metadata"]["name"]
        .as_str()
        .context("a pod has a name")?
        .to_owned();
    let api = api(cluster, namespace);
    let kinds = ["Ready", "ContainersReady", "Initialized", "PodScheduled"];
    let status = json!({
        "phase": "Running",
        "podIP": addresses[0],
        "podIPs": addresses.map(|ip| json!({ "ip": ip })),
        "conditions": kinds.map(|kind| condition(kind, true)),
        "containerStatuses": containers(&pod, true),
    });
    cluster.create(&api, pod)?;
    cluster.patch_status(&api, &name, &status)
}

/// What a kubelet would say about the containers of a pod.
fn containers(pod: &Value, ready: bool) -> Value {
    let name = &pod["spec"]["containers"][0]["name"];
    json!([{
        "name": name,
        "image": "lab",
        "imageID": "lab",
        "ready": ready,
        "started": true,
        "restartCount": 0,
        "state": { "running": { "startedAt": SOME_TIME } },
    }])
}

fn api(cluster: &Cluster, namespace: &str) -> Api<PodObject> {
    Api::namespaced(cluster.client(), namespace)
}

fn create_object(
    cluster: &Cluster,
    name: &str,
    labels: &[(&str, &str)],
    node: &str,
    addresses: [IpAddr; 2],
) -> Result<()> {
    let labels: serde_json::Map<String, Value> = labels
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!(value)))
        .collect();
    let pod = json!({
        "metadata": { "name": name, "labels": labels },
        "spec": {
            "nodeName": node,
            "containers": [{ "name": CONTAINER, "image": "lab/pod" }],
            "tolerations": [{ "operator": "Exists" }],
        },
    });
    create_running(cluster, NAMESPACE, pod, addresses)
}

/// A veth pair between pod and node; each end knows the other by a host route, so that pods of one
/// node need no bridge and no common prefix.
fn connect(place: &Place<'_>, addresses: [IpAddr; 2]) -> Result<Host> {
    let run = place.node.owner();
    let host = Host::new(run, &format!("p{}", place.serial));
    network::add_host(run, host.name())?;
    let (inside, node) = (host.namespace(), place.node.namespace());
    let port = format!("pod{}", place.serial);
    shell::run(&[
        "ip", "link", "add", "eth0", "netns", &inside, "type", "veth", "peer", "name", &port,
        "netns", &node,
    ])?;
    let [v4, v6] = addresses;
    let (gate4, gate6) = (
        format!("10.244.{}.1", place.number),
        format!("fd00:10:244:{}::1", place.number),
    );
    network::batch(
        run,
        place.node.name(),
        &format!(
            "link set {port} up\naddr add {gate4}/32 dev {port}\n\
             addr add {gate6}/128 dev {port} nodad\n\
             route replace {v4}/32 dev {port}\nroute replace {v6}/128 dev {port}\n"
        ),
    )?;
    network::batch(
        run,
        host.name(),
        &format!(
            "link set eth0 up\naddr add {v4}/32 dev eth0\naddr add {v6}/128 dev eth0 nodad\n\
             route add {gate4}/32 dev eth0\nroute add default via {gate4} dev eth0\n\
             route add {gate6}/128 dev eth0\nroute add default via {gate6} dev eth0\n"
        ),
    )?;
    Ok(host)
}
