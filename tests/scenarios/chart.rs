//! The chart on nodes with kubelet: what these scenarios begin with.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use lab::{Lab, eventually};

/// The namespace that it is installed in.
pub(crate) const NAMESPACE: &str = "seamark-system";
/// The release.
pub(crate) const RELEASE: &str = "seamark";
/// Addresses of the segment, as values.
pub(crate) const ADDRESSES: &str =
    "quickstart.addresses={10.99.0.200-10.99.0.250,fd99::200-fd99::250}";

/// For what containers take to start and end on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Install or upgrade the chart with these values, and wait until all its pods are ready.
pub(crate) fn install(lab: &Lab, values: &[&str]) -> Result<String> {
    let chart = lab.chart();
    let mut arguments = vec![
        "upgrade",
        "--install",
        RELEASE,
        &chart,
        "--namespace",
        NAMESPACE,
    ];
    arguments.extend(["--create-namespace", "--wait", "--timeout", "90s"]);
    arguments.extend(["--set", "image.pullPolicy=Never"]);
    for value in values {
        arguments.extend(["--set", value]);
    }
    lab.helm(&arguments)
}

/// Take it off again.
pub(crate) fn uninstall(lab: &Lab) -> Result<String> {
    let wait = ["--wait", "--timeout", "90s"];
    lab.helm(&[&["uninstall", RELEASE, "--namespace", NAMESPACE], &wait[..]].concat())
}

/// Two pods of a Service: on n1 and on n2.
pub(crate) fn pods(lab: &Lab) -> Result<()> {
    for (name, node) in [("web-1", "n1"), ("web-2", "n2")] {
        lab.run_pod(name, node, &[("app", "web")])?;
    }
    Ok(())
}

/// The pods of a component.
pub(crate) fn of_component(lab: &Lab, component: &str) -> Result<Vec<Pod>> {
    let pods: Api<Pod> = Api::namespaced(lab.client(), NAMESPACE);
    let label = format!("app.kubernetes.io/component={component}");
    let found = lab.block_on(pods.list(&ListParams::default().labels(&label)))?;
    Ok(found.items)
}

/// The pod of the speaker of a node.
pub(crate) fn speaker(lab: &Lab, node: &str) -> Result<String> {
    let pods = of_component(lab, "speaker")?;
    let on_node = |pod: &&Pod| {
        let spec = pod.spec.as_ref();
        spec.and_then(|spec| spec.node_name.as_deref()) == Some(node)
    };
    let found = pods.iter().find(on_node).map(ResourceExt::name_any);
    found.with_context(|| format!("{node} has no speaker"))
}

/// Wait until nothing of the release is there.
pub(crate) fn gone(lab: &Lab) -> Result<()> {
    eventually(PATIENCE, "all pods of the release are gone", || {
        let pods: Api<Pod> = Api::namespaced(lab.client(), NAMESPACE);
        let left = lab.block_on(pods.list(&ListParams::default()))?.items;
        let left: Vec<String> = left.iter().map(ResourceExt::name_any).collect();
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
}
