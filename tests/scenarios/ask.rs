//! Services that ask for something, and what they are told.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Event, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use lab::{Lab, eventually};
use serde_json::{Value, json};

use crate::vips::{SOON, services};

/// Our own annotation for addresses.
pub(crate) const ADDRESSES: &str = "seamark.io/loadBalancerIPs";
/// Our own annotation for a pool.
pub(crate) const POOL: &str = "seamark.io/address-pool";

/// Create a dual-stack LoadBalancer with these changes to it.
pub(crate) fn create(lab: &Lab, name: &str, changes: &Value) -> Result<()> {
    let mut object = json!({
        "metadata": { "name": name },
        "spec": {
            "type": "LoadBalancer",
            "ipFamilyPolicy": "RequireDualStack",
            "selector": { "app": "web" },
            "ports": [{ "port": 80, "targetPort": 8080 }],
        },
    });
    merge(&mut object, changes);
    let service: Service = serde_json::from_value(object)?;
    lab.block_on(services(lab).create(&PostParams::default(), &service))
        .map(drop)
        .with_context(|| format!("creating {name}"))
}

/// Annotations, as a change for [`create`] or [`change`].
pub(crate) fn annotations(pairs: &[(&str, &str)]) -> Value {
    let pairs = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!(value)));
    json!({ "metadata": { "annotations": Value::Object(pairs.collect()) } })
}

/// What its user changes on a Service; returns when the API server has answered.
pub(crate) fn change(lab: &Lab, name: &str, changes: &Value) -> Result<()> {
    let patch = Patch::Merge(changes);
    lab.block_on(services(lab).patch(name, &PatchParams::default(), &patch))
        .map(drop)
        .with_context(|| format!("changing {name}"))
}

/// Create or change a pool.
pub(crate) fn pool(lab: &Lab, name: &str, spec: &Value) -> Result<()> {
    let object = json!({
        "apiVersion": "seamark.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": { "name": name },
        "spec": spec,
    });
    lab.apply(&object.to_string())
}

pub(crate) fn get(lab: &Lab, name: &str) -> Result<Service> {
    Ok(lab.block_on(services(lab).get(name))?)
}

/// The addresses that a Service shows, in its order.
pub(crate) fn shown(service: &Service) -> Vec<IpAddr> {
    let status = service.status.as_ref();
    let ingress = status.and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref());
    let addresses = ingress.into_iter().flatten();
    addresses
        .filter_map(|one| one.ip.as_ref()?.parse().ok())
        .collect()
}

/// Our condition on a Service.
pub(crate) fn condition(service: &Service) -> Result<Condition> {
    let status = service.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let ours = |condition: &&Condition| condition.type_ == "seamark.io/Allocated";
    let found = conditions.into_iter().flatten().find(ours);
    found.cloned().context("it has no condition Allocated")
}

/// Wait until a Service's condition says this.
pub(crate) fn told(lab: &Lab, name: &str, status: &str, reason: &str) -> Result<Service> {
    eventually(SOON, &format!("{name} is told {status}, {reason}"), || {
        let service = get(lab, name)?;
        let condition = condition(&service)?;
        ensure!(
            (condition.status.as_str(), condition.reason.as_str()) == (status, reason),
            "it is told {condition:?}"
        );
        Ok(service)
    })
}

/// Wait until a Service is refused for this reason; its message must hold the words, and exactly
/// one Event must say the same.
pub(crate) fn refused(lab: &Lab, name: &str, reason: &str, words: &[&str]) -> Result<()> {
    let message = condition(&told(lab, name, "False", reason)?)?.message;
    for word in words {
        ensure!(message.contains(word), "{name}: no {word:?} in {message:?}");
    }
    one_event(lab, name, reason, &message)
}

/// Wait for the one Event about a Service that says this.
pub(crate) fn one_event(lab: &Lab, name: &str, reason: &str, message: &str) -> Result<()> {
    eventually(SOON, &format!("one Event tells {name} {reason}"), || {
        let events = events(lab, name)?;
        let same = events.iter().filter(|event| {
            event.reason.as_deref() == Some(reason) && event.message.as_deref() == Some(message)
        });
        let kinds: Vec<_> = same
            .map(|event| (event.type_.as_deref(), event.series.is_some()))
            .collect();
        ensure!(kinds == [(Some("Warning"), false)], "{events:#?}");
        Ok(())
    })
}

/// All Events of ours about a Service.
pub(crate) fn events(lab: &Lab, name: &str) -> Result<Vec<Event>> {
    let about = ListParams::default().fields(&format!("involvedObject.name={name}"));
    let events: Api<Event> = Api::namespaced(lab.client(), "default");
    let mut events = lab.block_on(events.list(&about))?.items;
    let ours = Some("seamark-controller");
    events.retain(|event| event.reporting_component.as_deref() == ours);
    Ok(events)
}

/// Wait until a Service is allocated, and return what it shows.
pub(crate) fn allocated(lab: &Lab, name: &str) -> Result<Vec<IpAddr>> {
    Ok(shown(&told(lab, name, "True", "Allocated")?))
}

/// Wait until a Service is allocated and shows these addresses in this order.
pub(crate) fn gets(lab: &Lab, name: &str, wanted: &[&str]) -> Result<()> {
    let wanted: Vec<IpAddr> = wanted
        .iter()
        .map(|ip| ip.parse())
        .collect::<Result<_, _>>()?;
    eventually(SOON, &format!("{name} gets {wanted:?}"), || {
        let shown = allocated(lab, name)?;
        ensure!(shown == wanted, "it shows {shown:?}");
        Ok(())
    })
}

fn merge(object: &mut Value, changes: &Value) {
    match (object, changes) {
        (Value::Object(object), Value::Object(changes)) => {
            for (key, change) in changes {
                merge(object.entry(key.clone()).or_insert(Value::Null), change);
            }
        }
        (object, change) => *object = change.clone(),
    }
}
