//! What a cluster asks of a process: is it alive, is it ready, what does it count.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Whether the owner's loop turns. It must beat well within the limit, on a timer if nothing else
/// happens; a loop that hangs then shows in /healthz, and the process is started anew.
#[derive(Debug, Clone)]
pub struct Health(Arc<Beats>);

#[derive(Debug)]
struct Beats {
    start: Instant,
    limit: Duration,
    /// Milliseconds after the start.
    last: AtomicU64,
}

impl Health {
    /// Healthy as long as a beat is no older than `limit`; the first one is now.
    pub fn new(limit: Duration) -> Self {
        Self(Arc::new(Beats {
            start: Instant::now(),
            limit,
            last: AtomicU64::new(0),
        }))
    }

    /// The loop has turned.
    pub fn beat(&self) {
        self.0.last.store(self.milliseconds(), Ordering::Relaxed);
    }

    /// How long the loop has hung, if that is too long.
    fn overdue(&self) -> Option<Duration> {
        let last = self.0.last.load(Ordering::Relaxed);
        let age = Duration::from_millis(self.milliseconds().saturating_sub(last));
        (age > self.0.limit).then_some(age)
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.0.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// What must have happened before the process is ready. Once it is ready it stays so: losing the
/// API server changes nothing that it serves.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, Arc<AtomicBool>>>>);

impl Readiness {
    /// One thing more to wait for; `name` stands in /readyz until the gate is opened.
    pub fn gate(&self, name: &'static str) -> Gate {
        let open = Arc::new(AtomicBool::new(false));
        // Nothing that can panic happens under the lock.
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name, Arc::clone(&open));
        Gate(open)
    }

    fn missing(&self) -> Vec<&'static str> {
        let gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = gates
            .iter()
            .filter(|(_, open)| !open.load(Ordering::Relaxed));
        closed.map(|(name, _)| *name).collect()
    }
}

/// One thing that readiness waits for.
#[derive(Debug, Clone)]
pub struct Gate(Arc<AtomicBool>);

impl Gate {
    /// It has happened.
    pub fn open(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Why the admin address cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve health and metrics on {address}: choose another --admin-address")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// Why not.
    pub source: std::io::Error,
}

/// The admin server, listening but not yet answering.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
}

impl Admin {
    /// Listen on `address`. The IPv6 wildcard takes IPv4 as well, and stands for the IPv4 wildcard
    /// on a machine that has no IPv6.
    pub async fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let listener = match TcpListener::bind(address).await {
            Err(_) if address.is_ipv6() && address.ip().is_unspecified() && !has_ipv6() => {
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
            }
            outcome => outcome,
        };
        let listener = listener.map_err(|source| BindError { address, source })?;
        Ok(Self { listener })
    }

    /// The address in use, which has a port even where the one asked for had 0.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answer until told to shut down.
    pub async fn serve(
        self,
        health: Health,
        readiness: Readiness,
        registry: Arc<Registry>,
        shutdown: CancellationToken,
    ) {
        let router = Router::new()
            .route("/healthz", get(healthz).with_state(health))
            .route("/readyz", get(readyz).with_state(readiness))
            .route("/metrics", get(metrics).with_state(registry));
        let server = axum::serve(self.listener, router);
        if let Err(error) = server
            .with_graceful_shutdown(shutdown.cancelled_owned())
            .await
        {
            tracing::warn!(%error, "admin server ended");
        }
    }
}

/// Present wherever the kernel has IPv6, even without an address.
fn has_ipv6() -> bool {
    std::path::Path::new("/proc/net/if_inet6").exists()
}

async fn healthz(State(health): State<Health>) -> (StatusCode, String) {
    match health.overdue() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(age) => {
            let body = format!("the main loop has not turned for {} s\n", age.as_secs());
            (StatusCode::SERVICE_UNAVAILABLE, body)
        }
    }
}

async fn readyz(State(readiness): State<Readiness>) -> (StatusCode, String) {
    let missing = readiness.missing();
    if missing.is_empty() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("waiting for: {}\n", missing.join(", ")),
        )
    }
}

async fn metrics(State(registry): State<Arc<Registry>>) -> Response {
    let mut body = String::new();
    match prometheus_client::encoding::text::encode(&mut body, &registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(CONTENT_TYPE, kind)], body).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    /// The whole answer to one request, head and body.
    async fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    struct Server {
        address: SocketAddr,
        shutdown: CancellationToken,
        task: tokio::task::JoinHandle<()>,
    }

    async fn serve(
        listen: &str,
        health: Health,
        readiness: Readiness,
        registry: Registry,
    ) -> Server {
        let admin = Admin::bind(listen.parse().unwrap()).await.unwrap();
        let address = admin.address().unwrap();
        let shutdown = CancellationToken::new();
        let task = admin.serve(health, readiness, Arc::new(registry), shutdown.clone());
        Server {
            address,
            shutdown,
            task: tokio::spawn(task),
        }
    }

    #[tokio::test]
    async fn readyz_names_what_is_missing_until_every_gate_is_open() {
        for listen in ["127.0.0.1:0", "[::1]:0"] {
            let readiness = Readiness::default();
            let (nodes, services) = (readiness.gate("nodes"), readiness.gate("services"));
            let health = Health::new(Duration::MAX);
            let server = serve(listen, health, readiness, Registry::default()).await;
            let answer = ask(server.address, "/readyz").await;
            assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
            assert!(
                answer.ends_with("waiting for: nodes, services\n"),
                "{answer}"
            );
            nodes.open();
            assert!(
                ask(server.address, "/readyz")
                    .await
                    .ends_with("waiting for: services\n")
            );
            services.open();
            let answer = ask(server.address, "/readyz").await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_hangs_is_overdue_until_it_beats_again() {
        let health = Health::new(Duration::from_secs(30));
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(health.overdue(), None);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(health.overdue(), Some(Duration::from_secs(31)));
        health.beat();
        assert_eq!(health.overdue(), None);
    }

    #[tokio::test]
    async fn healthz_is_503_when_the_loop_hangs() {
        let health = Health::new(Duration::ZERO);
        let server = serve(
            "127.0.0.1:0",
            health.clone(),
            Readiness::default(),
            Registry::default(),
        )
        .await;
        let limit = Instant::now() + Duration::from_secs(5);
        while health.overdue().is_none() && Instant::now() < limit {
            tokio::task::yield_now().await;
        }
        let answer = ask(server.address, "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.contains("has not turned"), "{answer}");
    }

    #[tokio::test]
    async fn metrics_are_openmetrics_text() {
        let mut registry = Registry::with_prefix("seamark");
        let counter: Counter = Counter::default();
        counter.inc();
        registry.register("probes", "Probes", counter);
        let health = Health::new(Duration::MAX);
        let server = serve("127.0.0.1:0", health, Readiness::default(), registry).await;
        let answer = ask(server.address, "/metrics").await;
        assert!(
            answer.contains("content-type: application/openmetrics-text"),
            "{answer}"
        );
        assert!(answer.contains("seamark_probes_total 1\n"), "{answer}");
        assert!(answer.ends_with("# EOF\n"), "{answer}");
    }

    #[tokio::test]
    async fn an_address_in_use_is_named_with_the_flag_that_changes_it() {
        let first = Admin::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = first.address().unwrap();
        let error = Admin::bind(address).await.unwrap_err();
        let text = crate::log::chain(&error);
        assert!(text.contains(&address.to_string()), "{text}");
        assert!(text.contains("--admin-address"), "{text}");
        assert!(text.contains("in use"), "{text}");
    }

    #[tokio::test]
    async fn the_server_ends_when_told_to() {
        let health = Health::new(Duration::MAX);
        let server = serve("[::1]:0", health, Readiness::default(), Registry::default()).await;
        server.shutdown.cancel();
        tokio::time::timeout(Duration::from_secs(5), server.task)
            .await
            .unwrap()
            .unwrap();
    }
}
