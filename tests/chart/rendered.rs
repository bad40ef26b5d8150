//! The chart as Helm renders it with some values.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use lab::tools;
use serde::Deserialize;
use serde_json::Value;

/// The values that change what is rendered, each with a name.
pub(crate) const MATRIX: [(&str, &[&str]); 12] = [
    ("defaults", &[]),
    (
        "quickstart",
        &[
            "quickstart.addresses={192.0.2.200-192.0.2.250,2001:db8::/120}",
            "quickstart.peers[0].peerAddress=192.0.2.1",
            "quickstart.peers[0].peerASN=4200000000",
            "quickstart.peers[0].myASN=64513",
        ],
    ),
    ("one-replica", &["controller.replicas=1"]),
    (
        "registry",
        &[
            "image.prefix=registry.example.com/infra/",
            "image.tag=9.9.9",
            "image.pullSecrets={registry}",
        ],
    ),
    (
        "digests",
        &[
            "image.controller.digest=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "image.speaker.digest=sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210",
        ],
    ),
    (
        "classes",
        &[
            "loadBalancerClass.default=false",
            "loadBalancerClass.aliases={a.example.com/lb,b.example.com/lb}",
            "metallb.annotations=false",
        ],
    ),
    (
        "places",
        &[
            "controller.nodeSelector.zone=a",
            "controller.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution=null",
            "controller.podLabels.team=net",
            "controller.podAnnotations.note=one",
            "controller.extraArgs={--log-level=debug}",
            "speaker.nodeSelector.edge=yes",
            "speaker.podLabels.team=net",
            "speaker.podAnnotations.note=two",
            "speaker.extraArgs={--log-level=debug}",
            "speaker.maxUnavailable=10%",
        ],
    ),
    (
        "passive-peers",
        &["speaker.passivePeers=true", "speaker.bgpPort=1179"],
    ),
    (
        "monitors",
        &[
            "monitoring.podMonitor.enabled=true",
            "monitoring.podMonitor.labels.release=prometheus",
            "monitoring.serviceMonitor.enabled=true",
            "monitoring.alerts.enabled=true",
        ],
    ),
    (
        "nothing-optional",
        &[
            "networkPolicy.enabled=false",
            "admissionPolicy.enabled=false",
            "flowControl.enabled=false",
            "uninstall.hook=false",
        ],
    ),
    (
        "clear-status",
        &["uninstall.clearStatus=true", "uninstall.timeoutSeconds=7"],
    ),
    ("purge", &["uninstall.purge=true"]),
];

/// Runs Helm on the chart with some values; the error is what it says.
pub(crate) fn render(values: &[&str]) -> Result<String> {
    let mut arguments = vec!["template".to_owned(), "seamark".to_owned(), chart()];
    arguments.extend(["--namespace", "seamark-system"].map(str::to_owned));
    for value in values {
        arguments.extend(["--set".to_owned(), (*value).to_owned()]);
    }
    helm(&arguments)
}

/// The objects of that text.
pub(crate) fn objects(text: &str) -> Result<Vec<Value>> {
    let documents = text
        .split("\n---\n")
        .map(|one| one.trim_start_matches("---\n"));
    let parsed = documents.map(serde_saphyr::from_str::<Option<Value>>);
    let parsed: Vec<Option<Value>> = parsed.collect::<Result<_, _>>()?;
    Ok(parsed.into_iter().flatten().collect())
}

/// What is rendered with some values.
pub(crate) fn rendered(values: &[&str]) -> Vec<Value> {
    let text = render(values).expect("it renders");
    objects(&text).expect("it is YAML")
}

pub(crate) fn helm(arguments: &[String]) -> Result<String> {
    let output = Command::new(tools::built("helm")?)
        .args(arguments)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), said);
    Ok(String::from_utf8(output.stdout)?)
}

pub(crate) fn chart() -> String {
    folder().to_string_lossy().into_owned()
}

pub(crate) fn folder() -> PathBuf {
    tools::root().join("charts/seamark")
}

/// The pod template of a Deployment, DaemonSet or Job.
pub(crate) fn pod_of(object: &Value) -> Option<PodSpec> {
    let spec = object.pointer("/spec/template/spec")?;
    Some(PodSpec::deserialize(spec).expect("a pod's spec"))
}

/// What matters here of a pod.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PodSpec {
    pub(crate) service_account_name: String,
    #[serde(default)]
    pub(crate) host_network: bool,
    #[serde(default)]
    pub(crate) volumes: Vec<Value>,
    pub(crate) security_context: Value,
    pub(crate) containers: Vec<Container>,
}

/// And of its containers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Container {
    pub(crate) image: String,
    pub(crate) args: Vec<String>,
    pub(crate) security_context: Value,
    pub(crate) resources: Value,
}

/// An object of that kind and name.
pub(crate) fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> Result<&'a Value> {
    let found = objects
        .iter()
        .find(|one| one["kind"] == kind && one["metadata"]["name"] == name);
    found.with_context(|| format!("there is no {kind} {name}"))
}
