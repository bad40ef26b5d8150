//! What a service proxy says of itself.
//!
//! kube-proxy's `/healthz` says 503 when a change waits for longer than it should, and also when
//! the node is about to be deleted, which is no matter of the proxy. The body of newer versions tells
//! the two apart, and by `status` for which families anything was set up at all: it calls itself
//! healthy before. At the port of a Service, 503 may also mean that the node has no ready endpoint,
//! which is known better from EndpointSlices. So the status code counts only where the body does
//! not say.

use std::collections::BTreeMap;

use plan::{Answer, Source};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Both bodies, as far as they matter; whatever else is there is skipped.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    /// `/healthz` of newer versions.
    healthy: Option<bool>,
    /// `/healthz` since 1.28: proxies that imitate the older body are not known by it.
    node_eligible: Option<bool>,
    /// Beside `healthy`: the families that were set up; absent before the first.
    status: Option<BTreeMap<String, IgnoredAny>>,
    /// The port of a Service.
    service_proxy_healthy: Option<bool>,
}

/// What an answer means.
pub(super) fn read(source: Source, status: u16, body: &[u8]) -> Answer {
    let body: Body = serde_json::from_slice(body).unwrap_or_default();
    let good = (200..300).contains(&status);
    match source {
        Source::Proxy => proxy(&body, good),
        Source::Service => match body.service_proxy_healthy {
            Some(true) => Answer::Serving,
            Some(false) => Answer::Late,
            None => Answer::Foreign,
        },
    }
}

fn proxy(body: &Body, good: bool) -> Answer {
    let set_up = body
        .status
        .as_ref()
        .is_some_and(|status| !status.is_empty());
    match (body.healthy, body.node_eligible) {
        (Some(true), _) if set_up => Answer::Serving,
        (Some(true), _) => Answer::Starting,
        (Some(false), _) => Answer::Late,
        (None, Some(_)) if good => Answer::Serving,
        (None, Some(_)) => Answer::Late,
        (None, None) if good => Answer::Foreign,
        // Not even a word that could be trusted.
        (None, None) => Answer::Silent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: &str =
        r#""lastUpdated":"2026-11-21T10:00:00Z","currentTime":"2026-11-21T10:00:00Z""#;

    #[test]
    fn healthz_is_read_by_its_body_and_else_by_its_status() {
        use Answer::{Foreign, Late, Serving, Silent, Starting};
        let both =
            r#""status":{"IPv4":{"lastUpdated":"2026-11-21T10:00:00Z","healthy":true},"IPv6":{}}"#;
        for (status, fields, expected) in [
            // with `healthy`
            (
                200,
                format!(r#""nodeEligible":true,"healthy":true,{both}"#),
                Serving,
            ),
            (
                503,
                format!(r#""nodeEligible":false,"healthy":true,{both}"#),
                Serving,
            ),
            (
                503,
                format!(r#""nodeEligible":true,"healthy":false,{both}"#),
                Late,
            ),
            (
                200,
                r#""nodeEligible":true,"healthy":true"#.to_owned(),
                Starting,
            ),
            (
                200,
                r#""nodeEligible":true,"healthy":true,"status":{}"#.to_owned(),
                Starting,
            ),
            // 1.28 and later, without
            (200, r#""nodeEligible":true"#.to_owned(), Serving),
            (503, r#""nodeEligible":true"#.to_owned(), Late),
            (503, r#""nodeEligible":false"#.to_owned(), Late),
            // others
            (200, r#""other":1"#.to_owned(), Foreign),
            (503, r#""other":1"#.to_owned(), Silent),
        ] {
            let body = format!("{{{TIMES},{fields}}}");
            let answer = read(Source::Proxy, status, body.as_bytes());
            assert_eq!(answer, expected, "{status} {body}");
        }
    }

    #[test]
    fn the_port_of_a_service_is_read_by_its_body_alone() {
        for status in [200, 503] {
            for (field, expected) in [
                (r#","serviceProxyHealthy":true"#, Answer::Serving),
                (r#","serviceProxyHealthy":false"#, Answer::Late),
                ("", Answer::Foreign),
            ] {
                let body = format!(
                    "{{\n\t\"service\": {{\"namespace\": \"a\", \"name\": \"b\"}},\n\
                     \t\"localEndpoints\": 0{field}\n}}"
                );
                let answer = read(Source::Service, status, body.as_bytes());
                assert_eq!(answer, expected, "{status} {body}");
            }
        }
    }

    #[test]
    fn what_is_not_understood_tells_nothing() {
        for body in [
            "",
            "ok",
            "null",
            "[]",
            "{",
            r#"{"healthy":"yes"}"#,
            "\u{fffd}",
        ] {
            assert_eq!(read(Source::Proxy, 200, body.as_bytes()), Answer::Foreign);
            assert_eq!(read(Source::Proxy, 404, body.as_bytes()), Answer::Silent);
            assert_eq!(read(Source::Service, 200, body.as_bytes()), Answer::Foreign);
        }
    }
}
