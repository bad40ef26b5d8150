//! Services of type LoadBalancer that are ours.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use model::{ExternalTrafficPolicy, Holder, LoadBalancerClasses, ServiceKey, Uid};
use plan::{LocalEndpoints, Service, ServiceState, Snapshot, Vacancy};

use super::endpoints::Endpoints;
use super::reading::Objects;
use crate::slim::SlimService;

/// The snapshot's Services, with what it takes to make them.
pub(super) struct Services<'a> {
    pub(super) facts: &'a mut Snapshot,
    pub(super) classes: &'a LoadBalancerClasses,
    pub(super) endpoints: &'a Endpoints,
    /// The `healthCheckNodePort` of each that has one.
    pub(super) health_ports: &'a mut BTreeMap<ServiceKey, u16>,
}

impl Objects<SlimService> for Services<'_> {
    fn count(&self) -> usize {
        self.facts.services.len()
    }

    fn apply(&mut self, object: SlimService) -> bool {
        let key = key(&object);
        if !is_ours(&object, self.classes) {
            return self.remove(&key);
        }
        match health_port(&object) {
            Some(port) => self.health_ports.insert(key.clone(), port),
            None => self.health_ports.remove(&key),
        };
        let present = ServiceState::Present(Arc::new(self.service(key.clone(), object)));
        if self.facts.services.get(&key) == Some(&present) {
            return false;
        }
        self.facts.services.insert(key, present);
        true
    }

    fn delete(&mut self, object: SlimService) -> bool {
        self.remove(&key(&object))
    }

    fn replace(&mut self, objects: Vec<SlimService>) -> bool {
        let read: BTreeSet<ServiceKey> = objects.iter().map(key).collect();
        let mut changed = false;
        for (key, state) in &mut self.facts.services {
            if let ServiceState::Present(service) = state
                && !read.contains(key)
            {
                *state = ServiceState::Missing(Arc::clone(service));
                changed = true;
            }
        }
        for object in objects {
            changed |= self.apply(object);
        }
        changed
    }
}

impl Services<'_> {
    fn remove(&mut self, key: &ServiceKey) -> bool {
        self.health_ports.remove(key);
        self.facts.services.remove(key).is_some()
    }

    fn service(&self, key: ServiceKey, object: SlimService) -> Service {
        let traffic_policy = match object.spec.external_traffic_policy.as_deref() {
            Some("Local") => ExternalTrafficPolicy::Local,
            Some(_) | None => ExternalTrafficPolicy::Cluster,
        };
        let ingress = object.status.load_balancer.ingress.unwrap_or_default();
        let shown = ingress
            .iter()
            .filter_map(|ingress| ingress.ip.as_deref()?.parse().ok());
        Service {
            labels: object.metadata.labels.unwrap_or_default(),
            traffic_policy,
            shown: shown.collect::<BTreeSet<IpAddr>>().into_iter().collect(),
            local_endpoints: local_endpoints(traffic_policy, &key, self.endpoints),
            vacancy: vacancy(traffic_policy, &key, self.endpoints),
            holder: Arc::new(Holder {
                service: key,
                uid: Uid::new(object.metadata.uid.unwrap_or_default()),
            }),
        }
    }
}

/// The endpoints of a Service have changed.
pub(super) fn refresh(facts: &mut Snapshot, key: &ServiceKey, endpoints: &Endpoints) -> bool {
    let Some(ServiceState::Present(service) | ServiceState::Missing(service)) =
        facts.services.get_mut(key)
    else {
        return false;
    };
    let local = local_endpoints(service.traffic_policy, key, endpoints);
    let vacancy = vacancy(service.traffic_policy, key, endpoints);
    if service.local_endpoints == local && service.vacancy == vacancy {
        return false;
    }
    let service = Arc::make_mut(service);
    service.local_endpoints = local;
    service.vacancy = vacancy;
    true
}

/// Under `Cluster` nobody asks where endpoints are, and as long as there is one, their coming and
/// going is no reason to plan again.
fn local_endpoints(
    policy: ExternalTrafficPolicy,
    key: &ServiceKey,
    endpoints: &Endpoints,
) -> LocalEndpoints {
    match policy {
        ExternalTrafficPolicy::Cluster => LocalEndpoints::default(),
        ExternalTrafficPolicy::Local => endpoints.of(key),
    }
}

fn vacancy(policy: ExternalTrafficPolicy, key: &ServiceKey, endpoints: &Endpoints) -> Vacancy {
    match policy {
        ExternalTrafficPolicy::Cluster => endpoints.vacancy(key),
        ExternalTrafficPolicy::Local => Vacancy::default(),
    }
}

fn health_port(object: &SlimService) -> Option<u16> {
    let port = object.spec.health_check_node_port?;
    u16::try_from(port).ok().filter(|port| *port != 0)
}

fn is_ours(object: &SlimService, classes: &LoadBalancerClasses) -> bool {
    object.spec.r#type.as_deref() == Some("LoadBalancer")
        && classes.serve(object.spec.load_balancer_class.as_deref())
}

fn key(object: &SlimService) -> ServiceKey {
    let metadata = &object.metadata;
    ServiceKey::new(
        metadata.namespace.as_deref().unwrap_or_default(),
        metadata.name.as_deref().unwrap_or_default(),
    )
}
