//! The roles that ship grant what is used, and nothing else: the API server's audit log against the
//! rules.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};
use lab::audit::{self, Request};
use lab::peer::Program;
use lab::runner::Scenario;
use lab::steps::note;
use lab::{Lab, Part, Topology, eventually, tools};
use serde_json::{Value, json};

use crate::ask::{self, refused};
use crate::peering::{Peering, secret};
use crate::vips::{SOON, create, delete, held, services, vips};

pub(crate) fn scenarios() -> Vec<Scenario> {
    let audited = Topology {
        audit: true,
        ..Topology::default()
    };
    vec![
        Scenario::new(
            "each right that is granted is used, and none that is used is missing",
            rights,
        )
        .on(audited)
        .within(std::time::Duration::from_secs(180)),
    ]
}

fn rights(lab: &mut Lab) -> Result<()> {
    tour(lab)?;
    let requests = audit::requests(lab)?;
    // Without its kind nothing can be patched, whatever the rights.
    let denied: Vec<&Request> = requests.iter().filter(|one| one.code == 403).collect();
    ensure!(denied.is_empty(), "denied: {denied:#?}");
    let mut unused = Vec::new();
    let mut table = BTreeMap::new();
    for grant in grants()? {
        let uses = requests.iter().filter(|one| grant.covers(one)).count();
        if uses == 0 {
            unused.push(grant.to_string());
        }
        table.insert(grant.to_string(), uses);
    }
    for (grant, uses) in table {
        note(&format!("{grant}: {uses}"))?;
    }
    ensure!(unused.is_empty(), "granted and never used: {unused:#?}");
    Ok(())
}

/// Everything that our programs do to the API server.
fn tour(lab: &mut Lab) -> Result<()> {
    let router = Peering::default().start(lab, Program::Frr)?;
    // A first configuration on the segment, then one by a router.
    let addresses = "--quickstart-addresses=10.99.0.200-10.99.0.250,fd99::200-fd99::250";
    lab.start_controller(&[addresses])?;
    lab.wait_ready(&Part::Controller)?;
    eventually(SOON, "the advertisement is there", || {
        lab.kubectl(&["get", "l2advertisement", "quickstart"])
            .map(drop)
    })?;
    let peer = "--quickstart-peer=peerAddress=10.99.0.1,peerASN=64512,myASN=64513";
    lab.start_controller(&[addresses, peer])?;
    lab.wait_ready(&Part::Controller)?;
    for node in lab.topology().node_names() {
        lab.start_speaker(&node, &[])?;
        lab.wait_ready(&Part::speaker(&node))?;
    }
    Peering::default().wait(lab, &*router)?;
    everything_else_is_configured(lab)?;
    a_password_comes_and_changes(lab)?;
    services_come_and_go(lab)?;
    an_entry_is_in_the_way(lab)?;
    // A kind that is gone and comes back makes its objects doubtful.
    let folder = tools::root().join("crds/manifests/ipaddresspools.yaml");
    let folder = folder.to_string_lossy();
    lab.kubectl(&["delete", "crd", "ipaddresspools.seamark.io"])?;
    lab.kubectl(&["apply", "--server-side", "-f", &folder])?;
    eventually(SOON, "the kind is looked up", || {
        let requests = audit::requests(lab)?;
        let looked = requests
            .iter()
            .any(|one| one.resource == "customresourcedefinitions");
        ensure!(looked, "not yet");
        Ok(())
    })?;
    let said = lab.uninstall(&["--purge"])?;
    ensure!(said.contains("all speakers are silent"), "{said}");
    Ok(())
}

fn everything_else_is_configured(lab: &Lab) -> Result<()> {
    let objects = [
        ("BFDProfile", json!({})),
        (
            "Community",
            json!({ "communities": [{ "name": "inside", "value": "64512:7" }] }),
        ),
        (
            "IPAddressPool",
            json!({
                "addresses": ["10.96.200.0/28"],
                "serviceAllocation": { "namespaceSelectors": [{ "matchLabels": { "a": "b" } }] },
            }),
        ),
    ];
    for (kind, spec) in objects {
        let object = json!({
            "apiVersion": "seamark.io/v1beta1",
            "kind": kind,
            "metadata": { "name": "tour" },
            "spec": spec,
        });
        lab.apply(&object.to_string())?;
    }
    for kind in [
        "bfdprofiles",
        "communities",
        "ipaddresspools",
        "l2advertisements",
        "bgppeers",
    ] {
        let wait = ["--for=condition=Accepted", "--all", "--timeout=10s"];
        lab.kubectl(&[&["wait", kind], &wait[..]].concat())?;
    }
    Ok(())
}

fn a_password_comes_and_changes(lab: &Lab) -> Result<()> {
    for password in ["first", "second"] {
        secret(lab, password)?;
        let spec = json!({ "spec": { "passwordSecret": { "name": "peers", "key": "password" } } });
        let patch = spec.to_string();
        lab.kubectl(&[
            "patch",
            "bgppeer",
            "quickstart",
            "--type=merge",
            "-p",
            &patch,
        ])?;
        eventually(SOON, "the password is copied", || {
            let shown = r#"go-template={{index .data "peer.quickstart" | base64decode}}"#;
            let get = [
                "get",
                "secret",
                "seamark-speaker",
                "-n",
                "seamark-system",
                "-o",
                shown,
            ];
            let copied = lab.kubectl(&get)?;
            ensure!(copied == password, "it is {copied}");
            Ok(())
        })?;
    }
    Ok(())
}

fn services_come_and_go(lab: &Lab) -> Result<()> {
    create(lab, "web")?;
    vips(lab, "web")?;
    // Two refusals with the same words: the second Event is counted.
    let elsewhere = ask::annotations(&[(ask::ADDRESSES, "192.0.2.1,2001:db8::1")]);
    ask::create(lab, "refused", &elsewhere)?;
    refused(lab, "refused", "AddressOutsidePools", &["192.0.2.1"])?;
    ask::change(
        lab,
        "refused",
        &ask::annotations(&[(ask::ADDRESSES, "10.99.0.210,fd99::210")]),
    )?;
    vips(lab, "refused")?;
    ask::change(lab, "refused", &elsewhere)?;
    ask::told(lab, "refused", "False", "AddressOutsidePools")?;
    eventually(SOON, "the Event is counted", || {
        let events = ask::events(lab, "refused")?;
        ensure!(
            events.iter().any(|event| event.series.is_some()),
            "{events:#?}"
        );
        Ok(())
    })?;
    delete(lab, "refused")?;
    eventually(SOON, "its addresses are free", || {
        let held = held(lab)?;
        ensure!(held.len() == 2, "{held:?}");
        Ok(())
    })
}

/// An entry that cannot be read, as its kind would never let in: the controller runs into it.
fn an_entry_is_in_the_way(lab: &Lab) -> Result<()> {
    let rules = r#"[{"op": "remove", "path":
        "/spec/versions/0/schema/openAPIV3Schema/x-kubernetes-validations"}]"#;
    let kind = "ipallocations.seamark.io";
    lab.kubectl(&["patch", "crd", kind, "--type=json", "-p", rules])?;
    let object = json!({
        "apiVersion": "seamark.io/v1beta1",
        "kind": "IPAllocation",
        "metadata": { "name": "10.99.0.201" },
        "spec": {
            "address": "10.99.0.250",
            "pool": "quickstart",
            "holders": [],
            "heldBy": "",
            "since": "2026-01-01T00:00:00.000000Z",
        },
    });
    eventually(SOON, "the rule is gone", || lab.apply(&object.to_string()))?;
    create(lab, "second")?;
    vips(lab, "second")?;
    let service = lab.block_on(services(lab).get("second"))?;
    ensure!(
        crate::vips::vips_of(&service)?[0].to_string() == "10.99.0.202",
        "{service:?}"
    );
    Ok(())
}

/// One verb on one resource, granted to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Grant {
    account: String,
    /// Empty for the whole cluster.
    namespace: String,
    group: String,
    resource: String,
    /// Empty for all.
    names: Vec<String>,
    verb: String,
}

impl Grant {
    fn covers(&self, request: &Request) -> bool {
        self.account == request.account
            && (self.namespace.is_empty() || self.namespace == request.namespace)
            && self.group == request.group
            && self.resource == request.resource
            && (self.names.is_empty() || self.names.contains(&request.name))
            && self.verb == request.verb
    }
}

impl std::fmt::Display for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            account,
            namespace,
            group,
            resource,
            names,
            verb,
        } = self;
        let dot = if group.is_empty() { "" } else { "." };
        write!(f, "{account} {verb} {resource}{dot}{group}")?;
        if let [name] = names.as_slice() {
            write!(f, " {name}")?;
        }
        if !namespace.is_empty() {
            write!(f, " in {namespace}")?;
        }
        Ok(())
    }
}

/// Everything that charts/seamark/rbac grants.
fn grants() -> Result<Vec<Grant>> {
    let mut roles = BTreeMap::new();
    let mut bindings = Vec::new();
    for entry in fs::read_dir(tools::root().join("charts/seamark/rbac"))? {
        let text = fs::read_to_string(entry?.path())?;
        for document in text.split("\n---\n") {
            let object: Value = serde_saphyr::from_str(document)?;
            let kind = object["kind"].as_str().unwrap_or_default().to_owned();
            let name = text_of(&object["metadata"]["name"]);
            let namespace = text_of(&object["metadata"]["namespace"]);
            if kind.ends_with("Binding") {
                bindings.push((kind.replace("Binding", ""), object));
            } else if kind.ends_with("Role") {
                roles.insert((kind, name, namespace), object);
            }
        }
    }
    let mut grants = Vec::new();
    for (kind, binding) in bindings {
        let namespace = text_of(&binding["metadata"]["namespace"]);
        let role = text_of(&binding["roleRef"]["name"]);
        let rules = roles.get(&(kind, role.clone(), namespace.clone()));
        let rules = rules.with_context(|| format!("no role {role}"))?;
        let account = text_of(&binding["subjects"][0]["name"]);
        for rule in rules["rules"].as_array().into_iter().flatten() {
            for group in list(&rule["apiGroups"]) {
                for resource in list(&rule["resources"]) {
                    for verb in list(&rule["verbs"]) {
                        grants.push(Grant {
                            account: account.clone(),
                            namespace: namespace.clone(),
                            group: group.clone(),
                            resource: resource.clone(),
                            names: list(&rule["resourceNames"]),
                            verb,
                        });
                    }
                }
            }
        }
    }
    ensure!(grants.len() > 50, "only {} grants were read", grants.len());
    Ok(grants)
}

fn list(value: &Value) -> Vec<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .map(text_of)
        .collect()
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
