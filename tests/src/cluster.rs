//! The lab's hand on the Kubernetes API: kubectl, a client, Node objects, and cleaning up.

mod purge;

use std::fmt::{self, Debug};
use std::future::Future;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Namespace, Node, ServiceAccount};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::{address, shell, tools};

/// Long ago, for status fields that want a time.
pub(crate) const SOME_TIME: &str = "2026-01-01T00:00:00Z";
/// What our own binaries live in.
pub(crate) const NAMESPACE: &str = "seamark-system";

/// Administrator's access to the API server, for the kit and for scenarios.
pub(crate) struct Cluster {
    runtime: Runtime,
    client: Client,
    kubectl: std::path::PathBuf,
    kubeconfig: String,
    home: std::path::PathBuf,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("kubeconfig", &self.kubeconfig)
            .finish_non_exhaustive()
    }
}

async fn client(kubeconfig: &str) -> Result<Client> {
    let file = Kubeconfig::read_from(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

impl Cluster {
    pub(crate) fn new(kubeconfig: &str, home: &Path) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let client = runtime.block_on(client(kubeconfig))?;
        Ok(Self {
            runtime,
            client,
            kubectl: tools::built("kubectl")?,
            kubeconfig: kubeconfig.to_owned(),
            home: home.to_owned(),
        })
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// A client of somebody else.
    pub(crate) fn client_of(&self, kubeconfig: &str) -> Result<Client> {
        self.runtime.block_on(client(kubeconfig))
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) fn kubectl(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut command = Command::new(&self.kubectl);
        command
            .args(arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HOME", &self.home);
        shell::feed(command, input)
    }

    /// How a person uses kubectl in this lab.
    pub(crate) fn kubectl_line(&self, namespace: &str) -> String {
        let kubectl = self.kubectl.display();
        format!(
            "ip netns exec {namespace} {kubectl} --kubeconfig {}",
            self.kubeconfig
        )
    }

    pub(crate) fn is_ready(&self) -> Result<()> {
        let request = http_get("/readyz")?;
        let answer = self.block_on(async {
            let look = self.client.request_text(request);
            tokio::time::timeout(Duration::from_secs(2), look).await
        });
        let answer = answer.context("no answer")??;
        ensure!(answer == "ok", "it says {answer}");
        Ok(())
    }

    /// Make a namespace with its default service account, which pods need and which the controller
    /// manager would take seconds to make.
    pub(crate) fn make_namespace(&self, name: &str) -> Result<()> {
        self.create(
            &Api::<Namespace>::all(self.client()),
            json!({ "metadata": { "name": name } }),
        )?;
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client(), name);
        self.create(&accounts, json!({ "metadata": { "name": "default" } }))
    }

    /// Create an object; that it is there already is fine.
    pub(crate) fn create<K>(&self, api: &Api<K>, object: Value) -> Result<()>
    where
        K: Resource + Clone + Debug + DeserializeOwned + serde::Serialize,
    {
        let object: K = serde_json::from_value(object)?;
        match self.block_on(api.create(&PostParams::default(), &object)) {
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            result => {
                let name = object.meta().name.clone().unwrap_or_default();
                result.map(drop).with_context(|| format!("creating {name}"))
            }
        }
    }

    pub(crate) fn patch<K>(&self, api: &Api<K>, name: &str, patch: Value) -> Result<()>
    where
        K: Resource + Clone + Debug + DeserializeOwned,
    {
        let patch = Patch::Merge(patch);
        self.block_on(api.patch(name, &PatchParams::default(), &patch))
            .map(drop)
            .with_context(|| format!("patching {name}"))
    }

    pub(crate) fn patch_status<K>(&self, api: &Api<K>, name: &str, status: &Value) -> Result<()>
    where
        K: Resource + Clone + Debug + DeserializeOwned,
    {
        let patch = Patch::Merge(json!({ "status": status }));
        self.block_on(api.patch_status(name, &PatchParams::default(), &patch))
            .map(drop)
            .with_context(|| format!("patching the status of {name}"))
    }

    /// Delete at once; that it is gone already is fine.
    pub(crate) fn delete<K>(&self, api: &Api<K>, name: &str, grace_seconds: u32) -> Result<()>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let how = DeleteParams::default().grace_period(grace_seconds);
        match self.block_on(api.delete(name, &how)) {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            result => result.map(drop).with_context(|| format!("deleting {name}")),
        }
    }

    /// Create or put back a hand-made Node: Ready, with its own labels and no others.
    pub(crate) fn put_node(&self, number: u8) -> Result<()> {
        let name = format!("n{number}");
        let api: Api<Node> = Api::all(self.client());
        let cidrs = [
            format!("10.244.{number}.0/24"),
            format!("fd00:10:244:{number}::/64"),
        ];
        let labels = json!({ "kubernetes.io/hostname": name });
        let existing = self.block_on(api.get_opt(&name))?;
        if let Some(node) = existing {
            let mut wanted = labels;
            for label in node.metadata.labels.unwrap_or_default().into_keys() {
                if label != "kubernetes.io/hostname"
                    && let Some(labels) = wanted.as_object_mut()
                {
                    labels.insert(label, Value::Null);
                }
            }
            let patch = json!({
                "metadata": { "labels": wanted },
                "spec": { "taints": null, "unschedulable": null },
            });
            self.patch(&api, &name, patch)?;
        } else {
            let node = json!({
                "metadata": { "name": name, "labels": labels },
                "spec": { "podCIDR": cidrs[0], "podCIDRs": cidrs },
            });
            self.create(&api, node)?;
        }
        let [v4, v6] = address::node(number);
        let status = json!({
            "addresses": [
                { "type": "InternalIP", "address": v4 },
                { "type": "InternalIP", "address": v6 },
                { "type": "Hostname", "address": name },
            ],
            "conditions": [condition("Ready", true)],
        });
        self.patch_status(&api, &name, &status)
    }

    /// Set the conditions of a Node, all of them.
    pub(crate) fn set_node_conditions(&self, node: &str, set: &[(&str, bool)]) -> Result<()> {
        let conditions: Vec<Value> = set.iter().map(|(kind, on)| condition(kind, *on)).collect();
        let api: Api<Node> = Api::all(self.client());
        self.patch_status(&api, node, &json!({ "conditions": conditions }))
    }

    pub(crate) fn set_node_label(
        &self,
        node: &str,
        label: &str,
        value: Option<&str>,
    ) -> Result<()> {
        let api: Api<Node> = Api::all(self.client());
        self.patch(
            &api,
            node,
            json!({ "metadata": { "labels": { label: value } } }),
        )
    }
}

/// A condition of a Node or Pod.
pub(crate) fn condition(kind: &str, on: bool) -> Value {
    json!({
        "type": kind,
        "status": if on { "True" } else { "False" },
        "reason": "Lab",
        "message": "set by the lab",
        "lastTransitionTime": SOME_TIME,
    })
}

fn http_get(path: &str) -> Result<::http::Request<Vec<u8>>> {
    Ok(::http::Request::get(path).body(Vec::new())?)
}
