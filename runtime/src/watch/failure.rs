//! Why a kind cannot be read, and what a person can do about it.

use std::error::Error;

use kube::client::AuthError;

use crate::client::RequestError;
use crate::log;

/// Why a kind cannot be read. With each of them, what was read before is the best that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchFailure {
    /// The API server does not know the kind: its definition is missing, or was deleted. Objects
    /// that were deleted with it were not deleted by anybody who meant them.
    NotFound,
    /// A role lacks the verb.
    Forbidden,
    /// The token or the certificate is not accepted.
    Unauthorized,
    /// No answer, or the answer that it cannot serve now.
    Unreachable,
    /// Anything else, such as an object that cannot be decoded.
    Other,
}

impl WatchFailure {
    /// What an error means; none if the version is merely too old, which only asks for a new list.
    pub(super) fn of(error: &kube::Error) -> Option<Self> {
        if let kube::Error::Api(status) = error {
            return match status.code {
                410 => None,
                404 => Some(Self::NotFound),
                403 => Some(Self::Forbidden),
                401 => Some(Self::Unauthorized),
                429 | 500..=599 => Some(Self::Unreachable),
                _ => Some(Self::Other),
            };
        }
        if log::find::<AuthError>(error).is_some() {
            return Some(Self::Unauthorized);
        }
        // What is no answer comes from the transport, or from the stream of a watch that broke.
        let unanswered = matches!(
            error,
            kube::Error::Service(_) | kube::Error::HyperError(_) | kube::Error::ReadEvents(_)
        );
        Some(if unanswered {
            Self::Unreachable
        } else {
            Self::Other
        })
    }

    /// The reason as a log field or a metric label.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Forbidden => "forbidden",
            Self::Unauthorized => "unauthorized",
            Self::Unreachable => "unreachable",
            Self::Other => "other",
        }
    }

    /// Whether the versions of before mean nothing any more: a definition that comes back starts a
    /// new history, and what could not be decoded once would not be the second time.
    pub(super) fn lists_again(self) -> bool {
        match self {
            Self::NotFound | Self::Other => true,
            Self::Forbidden | Self::Unauthorized | Self::Unreachable => false,
        }
    }
}

/// What we asked for.
pub(super) struct Access<'a> {
    pub(super) verb: &'static str,
    pub(super) resource: &'a str,
}

/// What is wrong and what to do, in one sentence.
pub(super) fn sentence(failure: WatchFailure, access: &Access<'_>, error: &kube::Error) -> String {
    let Access { verb, resource } = access;
    let said = said(error);
    match failure {
        WatchFailure::NotFound if is_built_in(resource) => {
            format!("the API server does not serve {resource}: Kubernetes 1.33 or newer is needed")
        }
        WatchFailure::NotFound => format!(
            "the API server does not know {resource}: install the definitions with \
             `kubectl apply -f crds/manifests`"
        ),
        WatchFailure::Forbidden => format!(
            "no permission to {verb} {resource}: install the roles with \
             `kubectl apply -f charts/seamark/rbac` ({said})"
        ),
        WatchFailure::Unauthorized => format!(
            "the API server does not accept our credentials, which are read again before each \
             attempt: renew the token or the client certificate ({said})"
        ),
        WatchFailure::Unreachable | WatchFailure::Other => said,
    }
}

/// What the API server or the transport says, without the words that kube puts around it.
fn said(error: &kube::Error) -> String {
    if let Some(error) = log::find::<RequestError>(error) {
        return log::chain(error);
    }
    if let kube::Error::Api(status) = error {
        return status.message.clone();
    }
    if let kube::Error::ReadEvents(broken) = error {
        let cause = broken.get_ref().and_then(Error::source);
        let cause = cause.map_or_else(|| broken.to_string(), log::chain);
        return format!("the connection to the API server broke: {cause}");
    }
    log::chain(error)
}

/// Kubernetes' own groups have no dot or end in `k8s.io`; everything else needs a definition.
fn is_built_in(resource: &str) -> bool {
    resource.split_once('.').is_none_or(|(_, group)| {
        !group.contains('.') || group == "k8s.io" || group.ends_with(".k8s.io")
    })
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn status(code: u16, message: &str) -> kube::Error {
        let mut status = Status::failure(message, "Reason");
        status.code = code;
        kube::Error::Api(status.boxed())
    }

    #[test]
    fn each_status_has_its_failure_and_410_is_none() {
        let table = [
            (410, None),
            (404, Some(WatchFailure::NotFound)),
            (403, Some(WatchFailure::Forbidden)),
            (401, Some(WatchFailure::Unauthorized)),
            (429, Some(WatchFailure::Unreachable)),
            (503, Some(WatchFailure::Unreachable)),
            (400, Some(WatchFailure::Other)),
        ];
        for (code, failure) in table {
            assert_eq!(WatchFailure::of(&status(code, "")), failure, "{code}");
        }
    }

    #[test]
    fn a_missing_definition_says_how_to_install_it() {
        let access = Access {
            verb: "list",
            resource: "ipaddresspools.seamark.io",
        };
        let text = sentence(
            WatchFailure::NotFound,
            &access,
            &status(404, "page not found"),
        );
        assert_eq!(
            text,
            "the API server does not know ipaddresspools.seamark.io: install the definitions with \
             `kubectl apply -f crds/manifests`"
        );
    }

    #[test]
    fn a_missing_built_in_kind_asks_for_a_newer_kubernetes() {
        for resource in ["services", "events.events.k8s.io", "deployments.apps"] {
            let access = Access {
                verb: "list",
                resource,
            };
            let text = sentence(WatchFailure::NotFound, &access, &status(404, ""));
            assert!(text.contains("1.33"), "{text}");
        }
    }

    #[test]
    fn a_broken_watch_says_so_in_one_sentence() {
        let broken = kube::Error::ReadEvents(std::io::Error::other("connection reset"));
        let access = Access {
            verb: "watch",
            resource: "services",
        };
        let text = sentence(WatchFailure::Unreachable, &access, &broken);
        assert_eq!(
            text,
            "the connection to the API server broke: connection reset"
        );
    }

    #[test]
    fn a_missing_permission_names_verb_and_resource() {
        let access = Access {
            verb: "watch",
            resource: "services",
        };
        let text = sentence(
            WatchFailure::Forbidden,
            &access,
            &status(403, "User x cannot"),
        );
        assert!(
            text.starts_with("no permission to watch services: "),
            "{text}"
        );
        assert!(text.ends_with("(User x cannot)"), "{text}");
    }
}
