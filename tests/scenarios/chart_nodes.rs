//! Nodes and controllers come and go under the chart.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube::ResourceExt;
use lab::Lab;
use lab::chart::{ADDRESSES, NAMESPACE, PATIENCE, install, of_component, on_real, wait_ready};
use lab::eventually::{eventually, throughout};
use lab::prober::Prober;
use lab::runner::Scenario;
use lab::steps::note;

use crate::vips::{Vips, create, expect_served, owner, vips};

/// Pods that are somewhere else when their node is drained.
const WEB: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      tolerations: [{key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 2},
        {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 2}]
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector: {matchLabels: {app: web}}
      containers:
        - name: web
          image: localhost/lab-pod:1
          imagePullPolicy: Never
          args: [web-pod, "8080"]
          resources: {requests: {cpu: 250m}}
          readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
"#;

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        on_real(
            "a node that is drained, deleted, added or rebooted costs no Service its address",
            come_and_go,
        ),
        on_real(
            "a kubelet that falls silent has the addresses of its node move, and nothing else",
            silent_kubelet,
        ),
        on_real(
            "without controllers all that is served stays served, and a leader that was paused does no harm",
            controllers,
        ),
    ]
}

fn begin(lab: &Lab) -> Result<Vips> {
    lab.apply(WEB)?;
    lab.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"])?;
    install(lab, &[ADDRESSES])?;
    create(lab, "web")?;
    let vips = vips(lab, "web")?;
    served(lab, vips)?;
    Ok(vips)
}

fn served(lab: &Lab, vips: Vips) -> Result<()> {
    vips.iter().try_for_each(|vip| expect_served(lab, *vip))
}

/// Wait until a node answers for an address; the longest that it takes is for its Node to be NotReady.
fn moved_from(lab: &Lab, vips: Vips, node: &str) -> Result<()> {
    for vip in vips {
        eventually(
            PATIENCE,
            &format!("another node than {node} answers for {vip}"),
            || {
                let now = owner(lab, vip)?;
                ensure!(now != node, "{now} does");
                Ok(())
            },
        )?;
    }
    served(lab, vips)
}

fn come_and_go(lab: &mut Lab) -> Result<()> {
    let vips = begin(lab)?;
    let [v4, _] = vips;
    // Drained: cordoned, and its pods elsewhere. Its speaker stays and answers.
    let node = owner(lab, v4)?;
    lab.kubectl(&[
        "drain",
        &node,
        "--ignore-daemonsets",
        "--delete-emptydir-data",
        "--timeout=60s",
    ])?;
    served(lab, vips)?;
    ensure!(owner(lab, v4)? == node, "cordoning moved {v4}");
    lab.kubectl(&["uncordon", &node])?;
    // Rebooted: everything on it dies at once, and starts again.
    lab.kill_node(&node)?;
    moved_from(lab, vips, &node)?;
    lab.start_kubelet(&node)?;
    lab.wait_node_ready(&node, true)?;
    wait_ready(lab, "speaker", 3)?;
    served(lab, vips)?;
    // Deleted, with its kubelet gone, and added again.
    let node = owner(lab, v4)?;
    lab.stop_kubelet(&node)?;
    lab.kubectl(&["delete", "node", &node])?;
    moved_from(lab, vips, &node)?;
    lab.start_kubelet(&node)?;
    lab.wait_node_ready(&node, true)?;
    wait_ready(lab, "speaker", 3)?;
    served(lab, vips)?;
    ensure!(crate::vips::vips(lab, "web")? == vips, "addresses moved");
    Ok(())
}

fn silent_kubelet(lab: &mut Lab) -> Result<()> {
    let vips = begin(lab)?;
    let [v4, _] = vips;
    let node = owner(lab, v4)?;
    let client = lab.client_host();
    let probers = vips.map(|vip| Prober::http(&client, vip, Duration::from_millis(20)));
    lab.stop_kubelet(&node)?;
    lab.wait_node_ready(&node, false)?;
    eventually(PATIENCE, "the address has moved", || {
        let now = owner(lab, v4)?;
        ensure!(now != node, "{now} answers");
        Ok(())
    })?;
    served(lab, vips)?;
    for prober in probers {
        let report = prober?.stop()?;
        let (lost, sent) = (report.unanswered(), report.sent);
        note(&format!(
            "{lost} of {sent} requests failed, the longest gap was {:?}",
            report.longest_gap()
        ))?;
        report.expect_no_gap(Duration::from_secs(10))?;
    }
    lab.start_kubelet(&node)?;
    lab.wait_node_ready(&node, true)?;
    served(lab, vips)
}

fn controllers(lab: &mut Lab) -> Result<()> {
    let vips = begin(lab)?;
    let leader = leader(lab)?;
    let paused = lab.signal_pod(&leader, "STOP")?;
    eventually(PATIENCE, "another one leads", || {
        let now = self::leader(lab)?;
        ensure!(now != leader, "{now} does");
        Ok(())
    })?;
    create(lab, "meanwhile")?;
    let given = crate::vips::vips(lab, "meanwhile")?;
    lab.signal(paused, "CONT")?;
    throughout(Duration::from_secs(5), "nothing moves", || {
        ensure!(
            crate::vips::vips(lab, "meanwhile")? == given,
            "its addresses moved"
        );
        ensure!(
            self::leader(lab)? != leader,
            "whoever was paused leads again"
        );
        Ok(())
    })?;
    ensure!(
        crate::vips::held(lab)?.len() == 4,
        "the ledger is {:?}",
        crate::vips::held(lab)?
    );
    // Both are killed, and as long as their image is missing none comes back.
    lab.kubectl(&[
        "-n",
        NAMESPACE,
        "scale",
        "deployment/seamark-controller",
        "--replicas=0",
    ])?;
    let kill = [
        "delete",
        "pods",
        "--force",
        "--grace-period=0",
        "-l",
        "app.kubernetes.io/component=controller",
    ];
    lab.kubectl(&[&["-n", NAMESPACE], &kill[..]].concat())?;
    eventually(PATIENCE, "no controller is there", || {
        let left = of_component(lab, "controller")?;
        ensure!(left.is_empty(), "{} are", left.len());
        Ok(())
    })?;
    create(lab, "later")?;
    throughout(Duration::from_secs(3), "it serves", || served(lab, vips))?;
    lab.kubectl(&[
        "-n",
        NAMESPACE,
        "scale",
        "deployment/seamark-controller",
        "--replicas=2",
    ])?;
    crate::vips::vips(lab, "later").map(drop)
}

/// The pod that leads, as the Lease says.
fn leader(lab: &Lab) -> Result<String> {
    let path = "jsonpath={.spec.holderIdentity}";
    let holder = lab.kubectl(&[
        "-n",
        NAMESPACE,
        "get",
        "lease",
        "seamark-controller",
        "-o",
        path,
    ])?;
    let (pod, _) = holder.rsplit_once('_').context("nobody leads")?;
    let pods = of_component(lab, "controller")?;
    ensure!(
        pods.iter().any(|one| one.name_any() == pod),
        "{pod} is no controller"
    );
    Ok(pod.to_owned())
}
