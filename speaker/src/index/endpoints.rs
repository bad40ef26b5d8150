//! EndpointSlices, as (Service) → (family) → (nodes with a usable endpoint), and whether there is
//! any at all.

use std::collections::{BTreeMap, BTreeSet};

use model::{IpFamily, NodeName, ServiceKey};
use plan::{LocalEndpoints, Snapshot, Vacancy};

use super::reading::Objects;
use super::services;
use crate::slim::{Endpoint, EndpointConditions, SlimEndpointSlice};

/// The label by which a slice names its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// What all slices say. A slice is known by its own name, as its label may come to name another
/// Service.
#[derive(Debug, Default)]
pub(super) struct Endpoints {
    slices: BTreeMap<SliceKey, Slice>,
    by_service: BTreeMap<ServiceKey, BTreeSet<SliceKey>>,
}

/// Namespace and name of a slice.
type SliceKey = (String, String);

#[derive(Debug, PartialEq, Eq)]
struct Slice {
    service: ServiceKey,
    family: IpFamily,
    nodes: Box<[NodeName]>,
    /// Whether any endpoint is usable, also one that is on no node.
    usable: bool,
}

impl Endpoints {
    /// The nodes with a usable endpoint of a Service.
    pub(super) fn of(&self, service: &ServiceKey) -> LocalEndpoints {
        let mut local = LocalEndpoints::default();
        let keys = self.by_service.get(service).into_iter().flatten();
        for slice in keys.filter_map(|key| self.slices.get(key)) {
            let nodes = match slice.family {
                IpFamily::V4 => &mut local.v4,
                IpFamily::V6 => &mut local.v6,
            };
            nodes.extend(slice.nodes.iter().cloned());
        }
        local
    }

    /// The families in which a Service has slices, and no usable endpoint in any of them. Where
    /// there is no slice at all, nothing is known: nobody has written one yet, or they were lost.
    pub(super) fn vacancy(&self, service: &ServiceKey) -> Vacancy {
        let keys = self.by_service.get(service).into_iter().flatten();
        let slices = keys.filter_map(|key| self.slices.get(key));
        let vacant = |family| {
            let mut of_family = slices.clone().filter(|slice| slice.family == family);
            let first = of_family.next();
            first.is_some_and(|first| !first.usable && !of_family.any(|slice| slice.usable))
        };
        Vacancy {
            v4: vacant(IpFamily::V4),
            v6: vacant(IpFamily::V6),
        }
    }

    /// Puts a slice, or takes it away; returns the Services that this may concern.
    fn put(&mut self, key: &SliceKey, slice: Option<Slice>) -> BTreeSet<ServiceKey> {
        if self.slices.get(key) == slice.as_ref() {
            return BTreeSet::new();
        }
        let mut concerned = BTreeSet::new();
        if let Some(old) = self.slices.remove(key) {
            if let Some(keys) = self.by_service.get_mut(&old.service) {
                keys.remove(key);
                if keys.is_empty() {
                    self.by_service.remove(&old.service);
                }
            }
            concerned.insert(old.service);
        }
        if let Some(new) = slice {
            self.by_service
                .entry(new.service.clone())
                .or_default()
                .insert(key.clone());
            concerned.insert(new.service.clone());
            self.slices.insert(key.clone(), new);
        }
        concerned
    }
}

/// The slices, and the Services to which they belong.
pub(super) struct Slices<'a> {
    pub(super) facts: &'a mut Snapshot,
    pub(super) endpoints: &'a mut Endpoints,
}

impl Objects<SlimEndpointSlice> for Slices<'_> {
    fn count(&self) -> usize {
        self.endpoints.slices.len()
    }

    fn apply(&mut self, object: SlimEndpointSlice) -> bool {
        let key = key(&object);
        self.put(&key, slice(object))
    }

    fn delete(&mut self, object: SlimEndpointSlice) -> bool {
        self.put(&key(&object), None)
    }

    fn replace(&mut self, objects: Vec<SlimEndpointSlice>) -> bool {
        let read: BTreeSet<SliceKey> = objects.iter().map(key).collect();
        let gone: Vec<SliceKey> = self
            .endpoints
            .slices
            .keys()
            .filter(|key| !read.contains(*key))
            .cloned()
            .collect();
        // All slices first, then the Services: one may have passed from an old slice to a new.
        let mut concerned = BTreeSet::new();
        for key in &gone {
            concerned.extend(self.endpoints.put(key, None));
        }
        for object in objects {
            let key = key(&object);
            concerned.extend(self.endpoints.put(&key, slice(object)));
        }
        self.refresh(&concerned)
    }
}

impl Slices<'_> {
    fn put(&mut self, key: &SliceKey, slice: Option<Slice>) -> bool {
        let concerned = self.endpoints.put(key, slice);
        self.refresh(&concerned)
    }

    fn refresh(&mut self, services: &BTreeSet<ServiceKey>) -> bool {
        let mut changed = false;
        for service in services {
            changed |= services::refresh(self.facts, service, self.endpoints);
        }
        changed
    }
}

/// What a slice says; nothing, if it belongs to no Service or its addresses are no IP addresses.
fn slice(object: SlimEndpointSlice) -> Option<Slice> {
    let family = match object.address_type.as_deref() {
        Some("IPv4") => IpFamily::V4,
        Some("IPv6") => IpFamily::V6,
        Some(_) | None => return None,
    };
    let service = object.metadata.labels.as_ref()?.get(SERVICE_NAME)?;
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let service = ServiceKey::new(namespace, service.as_str());
    let endpoints = object.endpoints.unwrap_or_default();
    let mut usable = endpoints
        .into_iter()
        .filter(|endpoint| is_usable(endpoint.conditions))
        .peekable();
    let any = usable.peek().is_some();
    let nodes: BTreeSet<NodeName> = usable
        .filter_map(|Endpoint { node_name, .. }| Some(NodeName::new(node_name?)))
        .collect();
    Some(Slice {
        service,
        family,
        nodes: nodes.into_iter().collect(),
        usable: any,
    })
}

/// Whether kube-proxy sends traffic to the endpoint, or would if no better one were left on its node
/// (policy Local) or anywhere (policy Cluster): it is ready, or it still serves while it terminates.
/// An absent condition means ready, serving, and not terminating. Where the Service has
/// `publishNotReadyAddresses`, the slices already say that all are ready.
fn is_usable(conditions: EndpointConditions) -> bool {
    let EndpointConditions {
        ready,
        serving,
        terminating,
    } = conditions;
    ready.unwrap_or(true) || (serving.unwrap_or(true) && terminating.unwrap_or(false))
}

fn key(object: &SlimEndpointSlice) -> SliceKey {
    let metadata = &object.metadata;
    (
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests;
