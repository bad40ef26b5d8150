//! What who breaks into a speaker can do, and what tenants cannot.

use anyhow::{Context, Error, Result, bail, ensure};
use crds::{IPAllocation, SpeakerStatus, SpeakerStatusSpec};
use k8s_openapi::api::core::v1::{Pod, Secret, Service};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use lab::Lab;
use lab::chart::{ADDRESSES, NAMESPACE, install, on_real, speaker};
use lab::runner::Scenario;
use serde_json::json;

use crate::vips::{create, vips};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        on_real(
            "a speaker's token writes no Service, reads no other Secret, and speaks for no other node",
            of_a_speaker,
        ),
        on_real(
            "who may write statuses of Services cannot write our conditions",
            of_a_tenant,
        ),
    ]
}

fn of_a_speaker(lab: &mut Lab) -> Result<()> {
    install(lab, &[ADDRESSES])?;
    create(lab, "web")?;
    vips(lab, "web")?;
    let pod = speaker(lab, "n1")?.name_any();
    let bound = format!("--bound-object-name={pod}");
    let token = lab.kubectl(&[
        "create",
        "token",
        "seamark-speaker",
        "-n",
        NAMESPACE,
        "--bound-object-kind=Pod",
        &bound,
    ])?;
    let client = lab.client_with_token(token.trim())?;
    let (patching, listing) = (PatchParams::default(), ListParams::default());
    let services: Api<Service> = Api::namespaced(client.clone(), "default");
    let status = json!({ "status": { "loadBalancer": { "ingress": [{ "ip": "10.99.0.66" }] } } });
    refused(
        lab.block_on(services.patch_status("web", &patching, &Patch::Merge(status))),
        "cannot patch resource \"services/status\"",
    )?;
    let labels = json!({ "metadata": { "labels": { "a": "b" } } });
    refused(
        lab.block_on(services.patch("web", &patching, &Patch::Merge(labels))),
        "cannot patch resource \"services\"",
    )?;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    refused(
        lab.block_on(secrets.get("other")),
        "cannot get resource \"secrets\"",
    )?;
    refused(
        lab.block_on(secrets.list(&listing)),
        "cannot list resource \"secrets\"",
    )?;
    let pods: Api<Pod> = Api::all(client.clone());
    refused(
        lab.block_on(pods.list(&listing)),
        "cannot list resource \"pods\"",
    )?;
    let ledger: Api<IPAllocation> = Api::all(client.clone());
    refused(
        lab.block_on(ledger.delete("10.99.0.200", &DeleteParams::default())),
        "cannot delete resource \"ipallocations\"",
    )?;
    // Of its own kind it may write its own node's object, and the API server itself holds it to that.
    let statuses: Api<SpeakerStatus> = Api::all(client);
    let announced = Patch::Merge(json!({ "status": { "announcedIPv4": 66 } }));
    lab.block_on(statuses.patch_status("n1", &patching, &announced))?;
    refused(
        lab.block_on(statuses.patch_status("n2", &patching, &announced)),
        "the speaker of node n1 may write the SpeakerStatus of its own node only, not n2",
    )?;
    let forged = SpeakerStatus::new("n9", SpeakerStatusSpec {});
    refused(
        lab.block_on(statuses.create(&PostParams::default(), &forged)),
        "of its own node only, not n9",
    )
}

fn of_a_tenant(lab: &mut Lab) -> Result<()> {
    install(lab, &[ADDRESSES])?;
    create(lab, "web")?;
    vips(lab, "web")?;
    lab.kubectl(&[
        "create",
        "role",
        "status",
        "--verb=get,patch,update",
        "--resource=services,services/status",
    ])?;
    lab.kubectl(&[
        "create",
        "rolebinding",
        "status",
        "--role=status",
        "--user=tenant",
    ])?;
    let as_tenant = |condition: &str| {
        let status = json!({ "status": { "conditions": [{
            "type": condition,
            "status": "True",
            "reason": "Forged",
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }] } });
        let mut arguments = vec![
            "--as=tenant",
            "patch",
            "service",
            "web",
            "--subresource=status",
        ];
        let status = status.to_string();
        arguments.extend(["--type=strategic", "-p", &status]);
        lab.kubectl(&arguments)
    };
    as_tenant("example.com/Fine").context("conditions of others are theirs")?;
    for condition in ["seamark.io/Allocated", "seamark.io/Announced"] {
        refused(as_tenant(condition), "are written by Seamark alone")?;
    }
    Ok(())
}

fn refused<T, E: Into<Error>>(outcome: Result<T, E>, words: &str) -> Result<()> {
    let Err(error) = outcome else {
        bail!("not refused: {words}");
    };
    let said = format!("{:#}", error.into());
    ensure!(said.contains(words), "no {words:?} in {said}");
    Ok(())
}
