//! The chart on nodes with kubelet: installed, asked after, and taken off.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use crate::eventually;
use crate::kit::Lab;
use crate::runner::Scenario;
use crate::topology::Topology;

/// The namespace that it is installed in.
pub const NAMESPACE: &str = "seamark-system";
/// The release.
pub const RELEASE: &str = "seamark";
/// Addresses of the segment, as values.
pub const ADDRESSES: &str = "quickstart.addresses={10.99.0.200-10.99.0.250,fd99::200-fd99::250}";

/// For what containers take to start and end on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A scenario on nodes with kubelet.
pub fn on_real(name: &'static str, run: fn(&mut Lab) -> Result<()>) -> Scenario {
    Scenario::new(name, run)
        .on(Topology::real())
        .within(Duration::from_secs(300))
}

/// Install or upgrade the chart with these values, and wait until all its pods are ready.
pub fn install(lab: &Lab, values: &[&str]) -> Result<String> {
    let waiting = ["--wait", "--timeout", "90s"];
    helm(lab, NAMESPACE, values, &waiting)
}

/// The same without waiting for anything.
pub fn install_blindly(lab: &Lab, values: &[&str]) -> Result<String> {
    helm(lab, NAMESPACE, values, &[])
}

/// Install or upgrade it in a namespace, with these arguments besides.
pub fn helm(lab: &Lab, namespace: &str, values: &[&str], more: &[&str]) -> Result<String> {
    let chart = lab.chart();
    let mut arguments = vec!["upgrade", "--install", RELEASE, &chart];
    arguments.extend(["--namespace", namespace, "--create-namespace"]);
    arguments.extend(["--set", "image.pullPolicy=Never"]);
    for value in values {
        arguments.extend(["--set", value]);
    }
    arguments.extend(more);
    lab.helm(&arguments)
}

/// Take it off again.
pub fn uninstall(lab: &Lab) -> Result<String> {
    let wait = ["--wait", "--timeout", "90s"];
    lab.helm(&[&["uninstall", RELEASE, "--namespace", NAMESPACE], &wait[..]].concat())
}

/// Two pods of a Service: on n1 and on n2.
pub fn pods(lab: &Lab) -> Result<()> {
    for (name, node) in [("web-1", "n1"), ("web-2", "n2")] {
        lab.run_pod(name, node, &[("app", "web")])?;
    }
    Ok(())
}

/// The pods of a component.
pub fn of_component(lab: &Lab, component: &str) -> Result<Vec<Pod>> {
    let pods: Api<Pod> = Api::namespaced(lab.client(), NAMESPACE);
    let label = format!("app.kubernetes.io/component={component}");
    let found = lab.block_on(pods.list(&ListParams::default().labels(&label)))?;
    Ok(found.items)
}

/// The pod of the speaker of a node.
pub fn speaker(lab: &Lab, node: &str) -> Result<Pod> {
    let on_node = |pod: &Pod| {
        let spec = pod.spec.as_ref();
        spec.and_then(|spec| spec.node_name.as_deref()) == Some(node)
    };
    let found = of_component(lab, "speaker")?.into_iter().find(on_node);
    found.with_context(|| format!("{node} has no speaker"))
}

/// Whether a pod is Ready.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let mut ready = conditions
        .into_iter()
        .flatten()
        .filter(|one| one.type_ == "Ready");
    ready.any(|one| one.status == "True")
}

/// Why the first container of a pod waits, if it does.
pub fn waits_for(pod: &Pod) -> Option<String> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let waiting = statuses.first()?.state.as_ref()?.waiting.as_ref()?;
    waiting.reason.clone()
}

/// Wait until that many pods of a component are ready, and no others are there.
pub fn wait_ready(lab: &Lab, component: &str, count: usize) -> Result<()> {
    eventually(
        PATIENCE,
        &format!("{count} pods of {component} are ready"),
        || {
            let pods = of_component(lab, component)?;
            let ready = pods.iter().filter(|pod| is_ready(pod)).count();
            ensure!(
                (ready, pods.len()) == (count, count),
                "{ready} of {}",
                pods.len()
            );
            Ok(())
        },
    )
}

/// Wait until nothing of the release is there.
pub fn gone(lab: &Lab) -> Result<()> {
    eventually(PATIENCE, "all pods of the release are gone", || {
        let pods: Api<Pod> = Api::namespaced(lab.client(), NAMESPACE);
        let left = lab.block_on(pods.list(&ListParams::default()))?.items;
        let left: Vec<String> = left.iter().map(ResourceExt::name_any).collect();
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
}
