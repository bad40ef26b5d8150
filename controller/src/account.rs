//! As whom we run: the ServiceAccount tells one installation from the next, and owns what we keep in
//! our own namespace, so that it goes when the installation does.

use std::time::Duration;

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::sleep;
use tracing::debug;

/// How long to wait before the API server is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// The ServiceAccount that we run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    name: String,
    uid: String,
}

impl Account {
    /// The one with this name and uid.
    #[cfg(test)]
    pub(crate) fn new(name: &str, uid: &str) -> Self {
        Self {
            name: name.to_owned(),
            uid: uid.to_owned(),
        }
    }

    /// Its `metadata.uid`.
    pub(crate) fn uid(&self) -> &str {
        &self.uid
    }

    /// What makes an object of the same namespace go with it.
    pub(crate) fn owner_reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: "v1".to_owned(),
            kind: "ServiceAccount".to_owned(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            ..OwnerReference::default()
        }
    }

    /// Who the API server says that we are; waits until it says so. `None` for somebody who is no
    /// ServiceAccount of this namespace, as out of a cluster.
    pub(crate) async fn own(client: &Client, namespace: &str) -> Option<Self> {
        let reviews: Api<SelfSubjectReview> = Api::all(client.clone());
        let question = SelfSubjectReview::default();
        loop {
            match reviews.create(&PostParams::default(), &question).await {
                Ok(answer) => return Self::of(&answer, namespace),
                // Nobody who is let in is denied this, unless on purpose: then there is no answer.
                Err(kube::Error::Api(status)) if status.is_forbidden() => return None,
                Err(error) => {
                    let error = runtime::log::chain(&error);
                    debug!(error, "cannot ask who we are yet; trying again");
                    sleep(RETRY).await;
                }
            }
        }
    }

    fn of(review: &SelfSubjectReview, namespace: &str) -> Option<Self> {
        let user = review.status.as_ref()?.user_info.as_ref()?;
        let prefix = format!("system:serviceaccount:{namespace}:");
        let name = user.username.as_ref()?.strip_prefix(&prefix)?;
        Some(Self {
            name: name.to_owned(),
            uid: user.uid.clone()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn review(username: &str) -> SelfSubjectReview {
        let user = json!({ "username": username, "uid": "a-uid" });
        serde_json::from_value(json!({ "status": { "userInfo": user } })).unwrap()
    }

    #[test]
    fn a_service_account_of_our_namespace_is_known_by_its_uid() {
        let ours = review("system:serviceaccount:seamark-system:seamark-controller");
        let expected = Account::new("seamark-controller", "a-uid");
        assert_eq!(Account::of(&ours, "seamark-system"), Some(expected));
        assert_eq!(Account::of(&ours, "elsewhere"), None);
        assert_eq!(Account::of(&review("admin"), "seamark-system"), None);
    }
}
