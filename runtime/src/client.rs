//! The one connection to the API server.
//!
//! kube's own client speaks HTTP/1.1, one TCP connection for each watch; this one speaks HTTP/2
//! (HTTP/1.1 where the server offers nothing else), all watches and requests on one connection,
//! with pings that notice a cut path within four seconds.
//!
//! ```text
//! kube::Api ─▶ base URI ─▶ Transport: time limit, credentials, count ─▶ headers ─▶ hyper ─▶ TLS ─▶ TCP
//! ```
//!
//! Nothing here tries a request again: whoever sent it knows better whether and when.

mod credentials;
mod source;
#[cfg(test)]
mod tests;
mod transport;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::header::USER_AGENT;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ConfigExt};
use kube::config::{InClusterError, KubeconfigError};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, ServiceExt};

use crate::args::Common;

pub use transport::{REQUEST_LIMIT, RequestError, Requests};

use credentials::Credentials;
use source::Source;
use transport::Transport;

/// Time for a TCP connection to be accepted.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// A ping this often, and its answer within as long: a path that swallows packets is noticed after
/// at most four seconds.
const PING: Duration = Duration::from_secs(2);

/// The same for a server that speaks only HTTP/1.1 and cannot be pinged.
const TCP_SILENCE: Duration = Duration::from_secs(15);

/// What one answer may have in flight, and all together. The second is much larger, so that watches
/// which nobody reads for a while cannot keep a write waiting; windows that adapt would grow both
/// to the same size.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// Why there is no client. What can heal by itself (an API server that is away, a token that has
/// expired) is not here: a client is made all the same, and its requests say so.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Neither arguments nor surroundings say where the API server is.
    #[error(
        "no kubeconfig found, and this is not a pod: name one with --kubeconfig FILE or KUBECONFIG"
    )]
    Nowhere,
    /// The file cannot be read.
    #[error("cannot read kubeconfig {}: check --kubeconfig and KUBECONFIG", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file says nothing usable.
    #[error("kubeconfig {paths} cannot be used: correct it or name another with --kubeconfig")]
    Kubeconfig {
        /// The file or files.
        paths: String,
        /// Why not.
        source: KubeconfigError,
    },
    /// There is no such context.
    #[error("kubeconfig {paths} has {}: choose one of its contexts ({known}) with --context", absent(.context))]
    Context {
        /// The file or files.
        paths: String,
        /// The context asked for; none if the file has no current one.
        context: Option<String>,
        /// The contexts that it has.
        known: String,
    },
    /// A proxy is asked for.
    #[error(
        "kubeconfig {paths} asks for the proxy {proxy}, which is not supported: remove proxy-url"
    )]
    Proxy {
        /// The file or files.
        paths: String,
        /// The proxy.
        proxy: String,
    },
    /// The surroundings look like a pod, but its ServiceAccount is not there.
    #[error(
        "this looks like a pod, but its ServiceAccount cannot be used: check serviceAccountName and \
         automountServiceAccountToken, or name a kubeconfig with --kubeconfig"
    )]
    InCluster {
        /// Why not.
        source: InClusterError,
    },
    /// The token file cannot be read.
    #[error("cannot read the token file {}: check tokenFile or the mount of the token", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The certificates or the credentials cannot be used.
    #[error("the certificates or credentials for {url} cannot be used: correct the kubeconfig")]
    Credentials {
        /// The API server.
        url: String,
        /// Why not.
        source: kube::Error,
    },
    /// `tls-server-name` is not a name.
    #[error(
        "tls-server-name {name:?} is neither a DNS name nor an address: correct the kubeconfig"
    )]
    ServerName {
        /// What it says.
        name: String,
    },
    /// The name of the program cannot stand in a header.
    #[error("{agent:?} cannot stand in a User-Agent header")]
    UserAgent {
        /// What was given.
        agent: String,
    },
}

fn absent(context: &Option<String>) -> String {
    match context {
        Some(name) => format!("no context {name:?}"),
        None => "no current context".to_owned(),
    }
}

/// A client for the API server that the arguments name, or else the surroundings. It connects with
/// the first request, and again whenever the connection is lost.
///
/// `agent` names the program to the API server, as in `seamark-speaker/0.1.0`. Every request is
/// counted in `requests` and answered within [`REQUEST_LIMIT`]; of a watch only the beginning is
/// limited. A token is read again each half minute, and after an answer of 401 all credentials are
/// read again before the next request.
///
/// Must be called inside a runtime.
pub async fn connect(
    common: &Common,
    agent: &str,
    requests: Requests,
) -> Result<kube::Client, ConnectError> {
    // Whoever was first to install a provider has chosen; that it exists is all that matters.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let source = Source::find(common)?;
    let mut config = source.load().await?;
    let agent = HeaderValue::from_str(agent).map_err(|_| ConnectError::UserAgent {
        agent: agent.to_owned(),
    })?;
    config.headers.push((USER_AGENT, agent));
    let unusable = |source| ConnectError::Credentials {
        url: config.cluster_url.to_string(),
        source,
    };
    let http = config
        .extra_headers_layer()
        .map_err(unusable)?
        .layer(http(&config)?);
    let transport = Transport {
        inner: BoxCloneSyncService::new(http.map_err(BoxError::from)),
        url: config.cluster_url.clone(),
        credentials: Arc::new(Credentials::new(source, &config).map_err(unusable)?),
        requests,
    };
    tracing::info!(url = %config.cluster_url, "talking to the API server");
    let service = tower::service_fn(move |request| transport.clone().send(request));
    let service = config.base_uri_layer().layer(service);
    Ok(kube::Client::new(service, config.default_namespace))
}

type Http = hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, Body>;

fn http(config: &kube::Config) -> Result<Http, ConnectError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    // Without it a request waits 40 ms for the acknowledgement of the one before.
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_LIMIT));
    tcp.set_keepalive(Some(TCP_SILENCE / 3));
    tcp.set_keepalive_interval(Some(TCP_SILENCE / 3));
    tcp.set_keepalive_retries(Some(2));
    tcp.set_tcp_user_timeout(Some(TCP_SILENCE));
    let tls = config
        .rustls_client_config()
        .map_err(|source| ConnectError::Credentials {
            url: config.cluster_url.to_string(),
            source,
        })?;
    let mut https = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http();
    if let Some(name) = &config.tls_server_name {
        let name = name
            .clone()
            .try_into()
            .map_err(|_| ConnectError::ServerName { name: name.clone() })?;
        https = https.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    Ok(
        hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .http2_keep_alive_interval(PING)
            .http2_keep_alive_timeout(PING)
            .http2_keep_alive_while_idle(true)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .build(https.enable_all_versions().wrap_connector(tcp)),
    )
}
