//! Every request of our processes, as the API server itself noted it: what a figure about writes
//! rests on, and what shows that each right is used. For labs with [`crate::Topology::audit`].

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::kit::Lab;
use crate::run::Run;

/// Metadata only, no bodies; and of everybody else nothing.
const POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
    userGroups: ['system:serviceaccounts:seamark-system']
  - level: None
";

const LOG: &str = "audit.log";

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// `seamark.io`; empty for the core.
    pub group: String,
    /// `services/status`, `ipallocations` …
    pub resource: String,
    /// Namespace of the object; empty where there is none, or all are meant.
    pub namespace: String,
    /// Name of the object; empty where several are meant.
    pub name: String,
    /// The service account.
    pub account: String,
    /// HTTP status of the answer.
    pub code: u16,
}

impl Request {
    /// Whether it changes something, other than that a lease is renewed.
    fn is_write(&self) -> bool {
        let reads = ["get", "list", "watch"].contains(&self.verb.as_str());
        !reads && self.group != "coordination.k8s.io" && self.group != "authentication.k8s.io"
    }
}

/// All writes so far, in the order in which they were answered.
pub fn writes(lab: &Lab) -> Result<Vec<Request>> {
    let mut requests = requests(lab)?;
    requests.retain(Request::is_write);
    Ok(requests)
}

/// All requests so far; of a watch its beginning too.
pub fn requests(lab: &Lab) -> Result<Vec<Request>> {
    let path = lab.run().dir().join(LOG);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        result => result.with_context(|| format!("reading {}", path.display()))?,
    };
    // The last line may be half written.
    let (whole, _) = text.rsplit_once('\n').unwrap_or_default();
    let all = whole.lines().map(request).collect::<Result<Vec<_>>>()?;
    Ok(all.into_iter().flatten().collect())
}

/// What the API server is started with; writes the policy.
pub(crate) fn arguments(run: &Run) -> Result<[String; 2]> {
    let policy: PathBuf = run.dir().join("audit-policy.yaml");
    fs::write(&policy, POLICY)?;
    Ok([
        format!("--audit-policy-file={}", policy.display()),
        format!("--audit-log-path={}", run.dir().join(LOG).display()),
    ])
}

/// `None` for what is about no object, as `/version`.
fn request(line: &str) -> Result<Option<Request>> {
    let event: Event = serde_json::from_str(line).with_context(|| format!("odd line {line}"))?;
    let Some(object) = event.object_ref else {
        return Ok(None);
    };
    let resource = match object.subresource {
        Some(part) => format!("{}/{part}", object.resource),
        None => object.resource,
    };
    let (_, account) = event.user.username.rsplit_once(':').unwrap_or_default();
    Ok(Some(Request {
        verb: event.verb,
        group: object.api_group.unwrap_or_default(),
        resource,
        namespace: object.namespace.unwrap_or_default(),
        name: object.name.unwrap_or_default(),
        account: account.to_owned(),
        code: event.response_status.unwrap_or_default().code,
    }))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    verb: String,
    user: User,
    object_ref: Option<ObjectRef>,
    response_status: Option<Status>,
}

#[derive(Debug, Deserialize)]
struct User {
    username: String,
}

#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct ObjectRef {
    api_group: Option<String>,
    resource: String,
    subresource: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
}

#[derive(Debug, Deserialize, Default)]
struct Status {
    #[serde(default)]
    code: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_line_of_the_api_server() {
        let line = r#"{"kind":"Event","stage":"ResponseComplete","verb":"patch",
            "user":{"username":"system:serviceaccount:seamark-system:seamark-controller"},
            "objectRef":{"resource":"services","namespace":"default","name":"web","subresource":"status"},
            "responseStatus":{"metadata":{},"code":200}}"#;
        let expected = Request {
            verb: "patch".to_owned(),
            group: String::new(),
            resource: "services/status".to_owned(),
            namespace: "default".to_owned(),
            name: "web".to_owned(),
            account: "seamark-controller".to_owned(),
            code: 200,
        };
        assert!(expected.is_write());
        assert_eq!(request(line).unwrap(), Some(expected));
    }
}
