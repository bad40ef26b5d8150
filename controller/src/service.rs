//! A Service as the controller keeps it: its request, and what its status shows.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{LoadBalancerIngress, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ManagedFieldsEntry, ObjectMeta};
use model::{LoadBalancerClasses, ServiceRequest};

use crate::request::{Annotations, request_of};
use crate::status::{ALLOCATED, FIELD_MANAGER};

/// The `ipMode` that we write, and that the API server would default to.
pub(crate) const IP_MODE: &str = "VIP";

/// Which Services are ours, and what of them we go by.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) classes: LoadBalancerClasses,
    pub(crate) annotations: Annotations,
}

/// All that the controller keeps of a Service of its own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServiceView {
    /// What it asks for.
    pub(crate) request: ServiceRequest,
    /// The version that every decision about it is written on.
    pub(crate) resource_version: String,
    /// What `status.loadBalancer.ingress` shows.
    pub(crate) ingress: Vec<Ingress>,
    /// Our condition, as it stands.
    pub(crate) condition: Option<Condition>,
    /// Who else last wrote its status, as `metadata.managedFields` tells.
    pub(crate) other_status_writer: Option<String>,
}

/// One entry of `status.loadBalancer.ingress`, as far as it matters whether it is what we write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ingress {
    /// What we write: an address with `ipMode: VIP`.
    Vip(IpAddr),
    /// Anything else: a host name, a proxy address, ports.
    Other,
}

impl ServiceView {
    /// The view of a Service that is ours; `None` if its type or class says that it is not.
    pub(crate) fn of(service: &Service, reading: &Reading) -> Option<Self> {
        let spec = service.spec.as_ref()?;
        let ours = spec.type_.as_deref() == Some("LoadBalancer")
            && reading.classes.serve(spec.load_balancer_class.as_deref());
        if !ours {
            return None;
        }
        let status = service.status.as_ref();
        let load_balancer = status.and_then(|status| status.load_balancer.as_ref());
        let ingress = load_balancer
            .and_then(|lb| lb.ingress.as_deref())
            .unwrap_or_default();
        Some(Self {
            request: request_of(service, reading.annotations)?,
            resource_version: service.metadata.resource_version.clone()?,
            ingress: ingress.iter().map(Ingress::of).collect(),
            condition: our_condition(service),
            other_status_writer: other_status_writer(&service.metadata),
        })
    }

    /// Whether the status shows exactly these addresses, in this order, as we would write them.
    pub(crate) fn shows(&self, addresses: &[IpAddr]) -> bool {
        self.ingress.len() == addresses.len()
            && self
                .ingress
                .iter()
                .zip(addresses)
                .all(|(shown, a)| *shown == Ingress::Vip(*a))
    }

    /// Whether the status shows something that no address of ours could be, such as a host name.
    pub(crate) fn shows_foreign_kind(&self) -> bool {
        self.request.shown.len() != self.ingress.len()
    }

    /// Whether `other` is an older state of the same Service. Versions of one resource compare as
    /// numbers (<https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions>).
    pub(crate) fn is_newer_than(&self, other: &str) -> bool {
        newer(&self.resource_version, other)
    }
}

/// Whether version `a` is newer than `b`; versions that are no numbers never are.
pub(crate) fn newer(a: &str, b: &str) -> bool {
    match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(a), Ok(b)) => a > b,
        (Ok(_) | Err(_), _) => false,
    }
}

/// Our condition of a Service, whoever it belongs to now.
pub(crate) fn our_condition(service: &Service) -> Option<Condition> {
    let conditions = service.status.as_ref()?.conditions.as_ref()?;
    conditions
        .iter()
        .find(|condition| condition.type_ == ALLOCATED)
        .cloned()
}

impl Ingress {
    fn of(entry: &LoadBalancerIngress) -> Self {
        let plain = entry.hostname.as_deref().unwrap_or_default().is_empty()
            && entry.ports.as_ref().is_none_or(Vec::is_empty)
            && entry.ip_mode.as_deref() == Some(IP_MODE);
        match entry.ip.as_deref().and_then(|text| text.parse().ok()) {
            Some(address) if plain => Self::Vip(address),
            Some(_) | None => Self::Other,
        }
    }
}

fn other_status_writer(metadata: &ObjectMeta) -> Option<String> {
    let entries = metadata.managed_fields.as_deref().unwrap_or_default();
    let others = entries.iter().filter(|entry| wrote_status(entry));
    let last = others.max_by_key(|entry| entry.time.as_ref().map(|time| time.0))?;
    last.manager.clone()
}

fn wrote_status(entry: &ManagedFieldsEntry) -> bool {
    entry.subresource.as_deref() == Some("status")
        && entry.manager.as_deref() != Some(FIELD_MANAGER)
}
