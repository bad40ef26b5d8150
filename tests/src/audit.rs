//! Every write of our processes, as the API server itself noted it: what a figure about writes
//! rests on. For labs with [`crate::Topology::audit`].

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::kit::Lab;
use crate::run::Run;

/// Metadata only, no bodies; of everybody else nothing, nor that a lease is renewed.
const POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    resources: [{group: coordination.k8s.io}]
  - level: Metadata
    userGroups: ['system:serviceaccounts:seamark-system']
    verbs: [create, update, patch, delete, deletecollection]
  - level: None
";

const LOG: &str = "audit.log";

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// `create`, `update`, `patch`, `delete`.
    pub verb: String,
    /// `services/status`, `ipallocations` …
    pub resource: String,
    /// Name of the object.
    pub name: String,
    /// The service account.
    pub account: String,
    /// HTTP status of the answer.
    pub code: u16,
}

/// All writes so far, in the order in which they were answered.
pub fn writes(lab: &Lab) -> Result<Vec<Write>> {
    let path = lab.run().dir().join(LOG);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        result => result.with_context(|| format!("reading {}", path.display()))?,
    };
    // The last line may be half written.
    let (whole, _) = text.rsplit_once('\n').unwrap_or_default();
    whole.lines().map(write).collect()
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

fn write(line: &str) -> Result<Write> {
    let event: Event = serde_json::from_str(line).with_context(|| format!("odd line {line}"))?;
    let object = event.object_ref.unwrap_or_default();
    let resource = match object.subresource {
        Some(part) => format!("{}/{part}", object.resource),
        None => object.resource,
    };
    let (_, account) = event.user.username.rsplit_once(':').unwrap_or_default();
    Ok(Write {
        verb: event.verb,
        resource,
        name: object.name.unwrap_or_default(),
        account: account.to_owned(),
        code: event.response_status.unwrap_or_default().code,
    })
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
struct ObjectRef {
    resource: String,
    subresource: Option<String>,
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
        assert_eq!(
            write(line).unwrap(),
            Write {
                verb: "patch".to_owned(),
                resource: "services/status".to_owned(),
                name: "web".to_owned(),
                account: "seamark-controller".to_owned(),
                code: 200,
            }
        );
    }
}
