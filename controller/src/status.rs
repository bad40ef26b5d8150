//! What a Service's status should say, and the patch that makes it so.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use crate::service::{IP_MODE, ServiceView};

/// The one field manager under which the controller writes.
pub(crate) const FIELD_MANAGER: &str = "seamark-controller";

/// The condition that says whether a Service has its addresses.
pub(crate) const ALLOCATED: &str = "seamark.io/Allocated";

/// The status that a Service should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DesiredStatus {
    /// The addresses to show, empty to show none. `None` leaves the shown ones alone: they belong
    /// to somebody else.
    pub(crate) ingress: Option<Vec<IpAddr>>,
    /// Whether it has its addresses.
    pub(crate) allocated: bool,
    /// One word of one enum.
    pub(crate) reason: &'static str,
    /// What to do next, for people.
    pub(crate) message: String,
}

impl DesiredStatus {
    /// Whether the Service already says so; then nothing is written.
    pub(crate) fn is_shown_by(&self, view: &ServiceView) -> bool {
        let ingress = self
            .ingress
            .as_ref()
            .is_none_or(|addresses| view.shows(addresses));
        ingress
            && view
                .condition
                .as_ref()
                .is_some_and(|condition| self.is(condition))
    }

    /// Whether the condition on the Service is the same refusal already, so that no second Event
    /// is sent for it.
    pub(crate) fn is(&self, condition: &Condition) -> bool {
        condition.status == truth(self.allocated)
            && condition.reason == self.reason
            && condition.message == self.message
    }

    /// The body of a server-side apply of the status, on the version it was decided on. What we
    /// own is always explicit: an empty list clears.
    pub(crate) fn apply_body(&self, view: &ServiceView, now: Timestamp) -> Value {
        let key = &view.request.service;
        let mut status = json!({ "conditions": [self.condition(view.condition.as_ref(), now)] });
        if let Some(addresses) = &self.ingress {
            let entry = |a: &IpAddr| json!({ "ip": a.to_string(), "ipMode": IP_MODE });
            let ingress: Vec<Value> = addresses.iter().map(entry).collect();
            status["loadBalancer"] = json!({ "ingress": ingress });
        }
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": key.name,
                "namespace": key.namespace,
                "uid": view.request.uid.as_str(),
                "resourceVersion": view.resource_version,
            },
            "status": status,
        })
    }

    fn condition(&self, before: Option<&Condition>, now: Timestamp) -> Condition {
        condition(
            ALLOCATED,
            self.allocated,
            self.reason,
            &self.message,
            None,
            before,
            now,
        )
    }
}

/// Takes from a Service's status what we own of it, on the version that was read; what somebody else
/// has written since is left.
pub(crate) async fn clear(api: &Api<Service>, service: &Service) -> kube::Result<Service> {
    let metadata = &service.metadata;
    let name = metadata.name.as_deref().unwrap_or_default();
    let body = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": metadata.namespace,
            "uid": metadata.uid,
            "resourceVersion": metadata.resource_version,
        },
        "status": {},
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let patch: Patch<&Value> = Patch::Apply(&body);
    api.patch_status(name, &params, &patch).await
}

/// A condition by the API conventions: `lastTransitionTime` changes only with `status`.
pub(crate) fn condition(
    type_: &str,
    status: bool,
    reason: &str,
    message: &str,
    observed_generation: Option<i64>,
    before: Option<&Condition>,
    now: Timestamp,
) -> Condition {
    let status = truth(status).to_owned();
    let since = before
        .filter(|b| b.status == status)
        .map(|b| b.last_transition_time.clone());
    Condition {
        type_: type_.to_owned(),
        status,
        reason: reason.to_owned(),
        message: message.to_owned(),
        observed_generation,
        last_transition_time: since.unwrap_or(Time(now)),
    }
}

fn truth(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}
