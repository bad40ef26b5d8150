use std::time::Instant;

use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::metrics::Metrics;

const HEALTHY: &str = r#"{"nodeEligible":true,"healthy":true,"status":{"IPv4":{},"IPv6":{}}}"#;
const SERVICE: &str = r#"{"localEndpoints":0,"serviceProxyHealthy":true}"#;

/// Something that listens on an address and says the same to everybody.
struct Server {
    port: u16,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start(address: &str, status: &str, body: &str) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                let length = stream.read(&mut request).await.unwrap();
                assert!(request[..length].starts_with(b"GET /healthz HTTP/1.1\r\n"));
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { port, task }
    }

    /// Something that lets connect and says nothing.
    async fn mute() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            let mut kept = Vec::new();
            loop {
                kept.push(listener.accept().await.unwrap());
            }
        });
        Self { port, task }
    }

    async fn stop(self) -> u16 {
        self.task.abort();
        drop(self.task.await);
        self.port
    }
}

fn prober(port: u16) -> Prober {
    Prober {
        port,
        last: BTreeMap::new(),
    }
}

fn service(port: u16) -> Order {
    Order {
        service_port: Some(port),
        ..Order::default()
    }
}

fn of(answer: Answer, source: Source) -> Probe {
    Probe { answer, source }
}

#[tokio::test]
async fn a_proxy_is_heard_on_either_loopback_address() {
    for address in ["127.0.0.1", "::1"] {
        let server = Server::start(address, "200 OK", HEALTHY).await;
        let mut prober = prober(server.port);
        for _ in 0..3 {
            let probe = prober.probe(&Order::default()).await;
            assert_eq!(probe, of(Answer::Serving, Source::Proxy), "{address}");
        }
        prober.port = server.stop().await;
        let probe = prober.probe(&Order::default()).await;
        assert_eq!(probe, of(Answer::Refused, Source::Proxy), "{address}");
    }
}

#[tokio::test]
async fn a_proxy_may_listen_on_an_address_of_the_node_instead() {
    let server = Server::start("127.0.0.9", "200 OK", HEALTHY).await;
    let mut prober = prober(server.port);
    let mut order = Order::default();
    let unknown = prober.probe(&order).await;
    assert_eq!(unknown.answer, Answer::Refused);
    order.addresses = vec!["127.0.0.9".parse().unwrap()];
    assert_eq!(prober.probe(&order).await.answer, Answer::Serving);
}

#[tokio::test]
async fn the_port_of_a_service_is_asked_where_the_proxy_itself_tells_nothing() {
    let port = Server::start("127.0.0.1", "503 No", SERVICE).await;
    let other = Server::start("127.0.0.1", "200 OK", "ok").await;
    let late = Server::start("127.0.0.1", "503 No", r#"{"nodeEligible":true}"#).await;
    let gone = Server::start("127.0.0.1", "200 OK", HEALTHY)
        .await
        .stop()
        .await;
    for (healthz, expected) in [
        (gone, of(Answer::Serving, Source::Service)),
        (other.port, of(Answer::Serving, Source::Service)),
        (late.port, of(Answer::Late, Source::Proxy)),
    ] {
        assert_eq!(prober(healthz).probe(&service(port.port)).await, expected);
    }
    // It tells nothing either, and so does one that is not open.
    for silent in [other.port, gone] {
        let probe = prober(gone).probe(&service(silent)).await;
        assert_eq!(probe, of(Answer::Refused, Source::Proxy));
    }
}

#[tokio::test]
async fn a_proxy_that_hangs_is_silent_after_a_second() {
    let server = Server::mute().await;
    let started = Instant::now();
    let probe = prober(server.port).probe(&service(1)).await;
    assert_eq!(probe, of(Answer::Silent, Source::Proxy));
    assert!(started.elapsed() < 3 * PATIENCE, "{:?}", started.elapsed());
}

#[tokio::test]
async fn what_is_no_http_or_never_ends_is_silent() {
    let endless = "x".repeat(1 << 20);
    for (status, body) in [("", ""), ("200 OK", endless.as_str())] {
        let server = Server::start("127.0.0.1", status, body).await;
        let probe = prober(server.port).probe(&Order::default()).await;
        assert_eq!(probe.answer, Answer::Silent, "{status:?}");
    }
}

#[tokio::test]
async fn the_first_answer_is_there_within_milliseconds_and_the_rest_are_counted() {
    let server = Server::start("127.0.0.1", "200 OK", HEALTHY).await;
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry).probes;
    let (_orders, ordered) = watch::channel(Order {
        period: Duration::from_millis(10),
        ..Order::default()
    });
    let (events, mut inlet) = mpsc::channel(8);
    let started = Instant::now();
    tokio::spawn(run(server.port, ordered, events, metrics));
    for probe in 0..3 {
        let Some(Event::Probe(seen)) = inlet.recv().await else {
            panic!("no probe")
        };
        assert_eq!(seen, of(Answer::Serving, Source::Proxy));
        if probe == 0 {
            let took = started.elapsed();
            assert!(took < Duration::from_millis(100), "{took:?}");
        }
    }
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(
        text.contains("seamark_proxy_probes_total{answer=\"serving\"}"),
        "{text}"
    );
}
