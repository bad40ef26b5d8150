//! One request: its credentials, its time limit, its count, and what went wrong with it in words.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use kube::client::{AuthError, Body};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tower::BoxError;
use tower::util::BoxCloneSyncService;

use super::credentials::Credentials;
use crate::log;

/// The time within which a request is answered completely, and a watch begins.
pub const REQUEST_LIMIT: Duration = Duration::from_secs(10);

/// Why there is no answer from the API server.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The connection cannot be made, or broke.
    #[error(
        "cannot reach the API server at {url}: check that address and the network between, and \
         that the server runs"
    )]
    Unreachable {
        /// The API server.
        url: Uri,
        /// What the connection says.
        source: BoxError,
    },
    /// It is not the API server that we were told of, or we were told wrongly.
    #[error(
        "the certificate of the API server at {url} is not to be trusted: check \
         certificate-authority in the kubeconfig"
    )]
    Untrusted {
        /// The API server.
        url: Uri,
        /// What is wrong with the certificate.
        source: BoxError,
    },
    /// No answer in time.
    #[error("the API server at {url} did not answer within {} s", limit.as_secs())]
    Silent {
        /// The API server.
        url: Uri,
        /// The time that it had.
        limit: Duration,
    },
}

/// Counts requests by verb and by the code of the answer (`none` if there was none).
#[derive(Debug, Clone, Default)]
pub struct Requests(Family<Labels, Counter>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    verb: &'static str,
    code: String,
}

impl Requests {
    /// Show the counts in `registry` as `api_requests_total`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("api_requests", "Requests to the API server", self.0.clone());
    }

    fn count(&self, verb: &'static str, code: Option<StatusCode>) {
        let code = code.map_or_else(|| "none".to_owned(), |code| code.as_str().to_owned());
        self.0.get_or_create(&Labels { verb, code }).inc();
    }
}

/// What takes a request that is complete but for our credentials to the API server.
pub(super) type Inner = BoxCloneSyncService<Request<Body>, Response<Incoming>, BoxError>;

#[derive(Clone)]
pub(super) struct Transport {
    pub(super) inner: Inner,
    pub(super) url: Uri,
    pub(super) credentials: Arc<Credentials>,
    pub(super) requests: Requests,
}

/// An answer that was read to its end, or a watch that goes on.
type Answer = Response<Either<Full<Bytes>, Incoming>>;

impl Transport {
    pub(super) async fn send(self, request: Request<Body>) -> Result<Answer, BoxError> {
        let verb = verb(&request);
        let outcome = match tokio::time::timeout(REQUEST_LIMIT, self.exchange(verb, request)).await
        {
            Ok(outcome) => outcome.map_err(|error| self.explain(error)),
            Err(_) => Err(RequestError::Silent {
                url: self.url.clone(),
                limit: REQUEST_LIMIT,
            }
            .into()),
        };
        let code = outcome.as_ref().ok().map(Response::status);
        self.requests.count(verb, code);
        if code == Some(StatusCode::UNAUTHORIZED) {
            self.credentials.refuse();
        }
        outcome
    }

    async fn exchange(&self, verb: &str, request: Request<Body>) -> Result<Answer, BoxError> {
        self.credentials.refresh().await;
        let response = self.credentials.send(self.inner.clone(), request).await?;
        if verb == WATCH && response.status().is_success() {
            return Ok(response.map(Either::Right));
        }
        // kube would collect the body anyhow; here it is under the limit.
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Response::from_parts(head, Either::Left(Full::new(body))))
    }

    fn explain(&self, source: BoxError) -> BoxError {
        if log::find::<AuthError>(source.as_ref()).is_some() {
            return source;
        }
        let url = self.url.clone();
        match log::find::<rustls::Error>(source.as_ref()) {
            Some(rustls::Error::InvalidCertificate(_)) => RequestError::Untrusted { url, source },
            _ => RequestError::Unreachable { url, source },
        }
        .into()
    }
}

const WATCH: &str = "watch";

fn verb(request: &Request<Body>) -> &'static str {
    let query = request.uri().query().unwrap_or_default();
    match *request.method() {
        Method::GET if query.split('&').any(|pair| pair == "watch=true") => WATCH,
        Method::GET => "get",
        Method::POST => "post",
        Method::PUT => "put",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "other",
    }
}
