//! Taking out of the cluster what a scenario has put in.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Event, Namespace, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Cluster, NAMESPACE};
use crate::eventually;

const GROUP_VERSION: (&str, &str) = ("seamark.io", "v1beta1");
/// Deleting a namespace takes the controller manager several seconds.
const PURGE_TIME: Duration = Duration::from_secs(60);
const KEPT_NAMESPACES: [&str; 5] = [
    "default",
    "kube-system",
    "kube-public",
    "kube-node-lease",
    NAMESPACE,
];

impl Cluster {
    /// Delete all Services but the API server's own, hand-made EndpointSlices, all objects of our
    /// kinds, Secrets and Leases beside our processes, Events, and namespaces that were not there at
    /// the start.
    pub(crate) fn purge(&self) -> Result<()> {
        let services: Api<Service> = Api::all(self.client());
        for service in self.all(&services)? {
            let namespace = service.namespace().unwrap_or_default();
            if (namespace.as_str(), service.name_any().as_str()) != ("default", "kubernetes") {
                self.remove(
                    &Api::<Service>::namespaced(self.client(), &namespace),
                    &service,
                )?;
            }
        }
        for slice in self.all(&Api::<EndpointSlice>::all(self.client()))? {
            let namespace = slice.namespace().unwrap_or_default();
            if slice.owner_references().is_empty() && slice.name_any() != "kubernetes" {
                self.remove(
                    &Api::<EndpointSlice>::namespaced(self.client(), &namespace),
                    &slice,
                )?;
            }
        }
        for api in self.our_kinds()? {
            for object in self.all(&api)? {
                self.remove(&api, &object)?;
            }
        }
        // After the peers, or the controller's copy of their passwords would be written again.
        let secrets: Api<Secret> = Api::namespaced(self.client(), NAMESPACE);
        for secret in self.all(&secrets)? {
            self.remove(&secrets, &secret)?;
        }
        // Whoever held it was killed, and another would wait for it to run out.
        let leases: Api<Lease> = Api::namespaced(self.client(), NAMESPACE);
        for lease in self.all(&leases)? {
            self.remove(&leases, &lease)?;
        }
        let events: Api<Event> = Api::namespaced(self.client(), "default");
        self.block_on(events.delete_collection(&DeleteParams::default(), &ListParams::default()))?;
        self.purge_namespaces()?;
        eventually(PURGE_TIME, "all Services are gone", || {
            let left: Vec<String> = self
                .all(&services)?
                .iter()
                .map(ResourceExt::name_any)
                .collect();
            ensure!(left == ["kubernetes"], "there are {left:?}");
            Ok(())
        })
    }

    /// Names of our kinds, for kubectl; none while they are not installed.
    pub(crate) fn our_kind_names(&self) -> Result<Vec<String>> {
        let (group, _) = GROUP_VERSION;
        Ok(self
            .our_resources()?
            .iter()
            .map(|kind| format!("{}.{group}", kind.plural))
            .collect())
    }

    fn purge_namespaces(&self) -> Result<()> {
        let api: Api<Namespace> = Api::all(self.client());
        let extra = || -> Result<Vec<String>> {
            let names = self
                .all(&api)?
                .into_iter()
                .map(|namespace| namespace.name_any());
            Ok(names
                .filter(|name| !KEPT_NAMESPACES.contains(&name.as_str()))
                .collect())
        };
        for name in extra()? {
            self.block_on(api.delete(&name, &DeleteParams::default()))?;
        }
        eventually(
            PURGE_TIME,
            "namespaces of the last scenario are gone",
            || {
                let left = extra()?;
                ensure!(left.is_empty(), "there are {left:?}");
                Ok(())
            },
        )
    }

    fn our_kinds(&self) -> Result<Vec<Api<DynamicObject>>> {
        let client = self.client();
        let kinds = self.our_resources()?;
        Ok(kinds
            .iter()
            .map(|kind| Api::all_with(client.clone(), kind))
            .collect())
    }

    fn our_resources(&self) -> Result<Vec<ApiResource>> {
        let (group, version) = GROUP_VERSION;
        let path = format!("{group}/{version}");
        let list = match self.block_on(self.client().list_api_group_resources(&path)) {
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Vec::new()),
            result => result.with_context(|| format!("asking for the kinds of {path}"))?,
        };
        let kinds = list
            .resources
            .into_iter()
            .filter(|kind| !kind.name.contains('/'));
        Ok(kinds
            .map(|kind| ApiResource {
                group: group.to_owned(),
                version: version.to_owned(),
                api_version: path.clone(),
                kind: kind.kind,
                plural: kind.name,
            })
            .collect())
    }

    fn all<K: Clone + Debug + DeserializeOwned>(&self, api: &Api<K>) -> Result<Vec<K>> {
        Ok(self
            .block_on(api.list(&ListParams::default()))
            .context("listing")?
            .items)
    }

    /// Delete an object, and let no finalizer of a controller that is not running hold it.
    fn remove<K>(&self, api: &Api<K>, object: &K) -> Result<()>
    where
        K: Resource + Clone + Debug + DeserializeOwned,
    {
        let name = object.name_any();
        if !object.finalizers().is_empty() {
            let bare = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
            self.block_on(api.patch(&name, &PatchParams::default(), &bare))
                .with_context(|| format!("taking the finalizers of {name}"))?;
        }
        match self.block_on(api.delete(&name, &DeleteParams::default().grace_period(0))) {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            result => result.map(drop).with_context(|| format!("deleting {name}")),
        }
    }
}
