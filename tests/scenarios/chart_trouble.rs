//! What a person reads first where an installation does not work: what to do.

use anyhow::{Result, ensure};
use kube::ResourceExt;
use lab::chart::{
    ADDRESSES, NAMESPACE, PATIENCE, install_blindly, of_component, on_real, wait_ready, waits_for,
};
use lab::runner::Scenario;
use lab::{Lab, eventually};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![on_real(
        "where images, kinds or rights are missing the chart says what to do, and that helps",
        missing,
    )]
}

fn missing(lab: &mut Lab) -> Result<()> {
    // No rights: the namespace refuses the node's network and NET_RAW.
    lab.kubectl(&["create", "namespace", NAMESPACE])?;
    let label = "pod-security.kubernetes.io/enforce";
    lab.kubectl(&[
        "label",
        "namespace",
        NAMESPACE,
        &format!("{label}=restricted"),
    ])?;
    // No kinds, and no images.
    let said = install_blindly(lab, &["crds.install=false", "image.tag=missing", ADDRESSES])?;
    let command = format!("kubectl label namespace {NAMESPACE} --overwrite {label}=privileged");
    for words in [
        "enforces the pod security level \"restricted\"",
        &command,
        "ctr -n k8s.io images import",
        "the kinds of seamark.io are not in this cluster",
        "kubectl apply --server-side -f crds/manifests/",
    ] {
        ensure!(said.contains(words), "no {words:?} in {said}");
    }
    ensure!(
        of_component(lab, "speaker")?.is_empty(),
        "speakers run in spite of the level"
    );
    // As it says, one after the other.
    lab.kubectl(&[
        "label",
        "namespace",
        NAMESPACE,
        "--overwrite",
        &format!("{label}=privileged"),
    ])?;
    eventually(PATIENCE, "speakers want their image", || {
        let pods = of_component(lab, "speaker")?;
        let reasons: Vec<_> = pods.iter().filter_map(waits_for).collect();
        ensure!(reasons == ["ErrImageNeverPull"; 3], "{reasons:?}");
        Ok(())
    })?;
    let said = install_blindly(lab, &["crds.install=false", ADDRESSES])?;
    ensure!(said.contains("the kinds of seamark.io are not"), "{said}");
    eventually(PATIENCE, "the controller says what it lacks", || {
        let pods = of_component(lab, "controller")?;
        // Those that have no image have no log either.
        let runs = pods.iter().filter(|pod| waits_for(pod).is_none());
        let said = runs.map(|pod| lab.kubectl(&["logs", "-n", NAMESPACE, &pod.name_any()]));
        let said = said.collect::<Result<String>>()?;
        ensure!(said.contains("ipaddresspools.seamark.io"), "{said}");
        Ok(())
    })?;
    let manifests = lab::tools::root().join("crds/manifests");
    lab.kubectl(&["apply", "--server-side", "-f", &manifests.to_string_lossy()])?;
    wait_ready(lab, "controller", 2)?;
    wait_ready(lab, "speaker", 3)?;
    let pool = lab.kubectl(&["get", "ipaddresspool", "quickstart", "-o", "name"])?;
    ensure!(pool.contains("quickstart"), "{pool}");
    Ok(())
}
