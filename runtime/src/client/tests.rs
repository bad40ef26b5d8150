use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::WatchParams;
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time;

use super::*;
use crate::args::LogFormat;
use crate::log;

/// A folder that lasts as long as the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("seamark-client-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn kubeconfig(&self, server: &str, user: &str) -> Common {
        self.kubeconfig_with(&format!("server: '{server}'"), user)
    }

    fn kubeconfig_with(&self, cluster: &str, user: &str) -> Common {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: lab\n\
             clusters: [{{name: cluster, cluster: {{{cluster}}}}}]\n\
             users: [{{name: user, user: {{{user}}}}}]\n\
             contexts: [{{name: lab, context: {{cluster: cluster, user: user}}}}]\n"
        );
        common(&self.write("kubeconfig", &text))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn common(kubeconfig: &Path) -> Common {
    Common {
        kubeconfig: Some(kubeconfig.to_owned()),
        context: None,
        log_format: LogFormat::Text,
        log_level: String::new(),
    }
}

async fn connected(common: &Common) -> kube::Client {
    connect(common, "seamark-test/1.0", Requests::default())
        .await
        .unwrap()
}

async fn refused(common: &Common) -> String {
    let outcome = connect(common, "seamark-test/1.0", Requests::default()).await;
    log::chain(&outcome.err().unwrap())
}

/// An API server for one connection at a time, which says what the test says.
struct Server(TcpListener);

impl Server {
    async fn new(address: &str) -> (Self, String) {
        let listener = TcpListener::bind(address).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        (Self(listener), url)
    }

    async fn accept(&self) -> Connection {
        Connection(self.0.accept().await.unwrap().0)
    }
}

struct Connection(TcpStream);

impl Connection {
    /// The head of the next request, in lower case.
    async fn request(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.unwrap());
        }
        String::from_utf8(head).unwrap().to_lowercase()
    }

    async fn answer(&mut self, code: u16, body: &str) {
        let length = body.len();
        let answer = format!("HTTP/1.1 {code} x\r\nContent-Length: {length}\r\n\r\n{body}");
        self.0.write_all(answer.as_bytes()).await.unwrap();
    }

    async fn chunk(&mut self, text: &str) {
        let chunk = format!("{:x}\r\n{text}\r\n", text.len());
        self.0.write_all(chunk.as_bytes()).await.unwrap();
    }
}

const MAP: &str =
    r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","resourceVersion":"1"}}"#;

const UNAUTHORIZED: &str = r#"{"kind":"Status","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}"#;

async fn get(client: kube::Client) -> Result<ConfigMap, kube::Error> {
    Api::namespaced(client, "default").get("a").await
}

/// Let time pass at once, while nothing else happens.
async fn pass(duration: Duration) {
    time::pause();
    time::advance(duration).await;
    time::resume();
}

#[tokio::test]
async fn requests_name_the_program_and_carry_the_token_without_its_line_end() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let folder = Folder::new();
        let (server, url) = Server::new(address).await;
        folder.write("token", "secret\n");
        let client = connected(&folder.kubeconfig(&url, "tokenFile: token")).await;
        let answer = tokio::spawn(get(client));
        let mut connection = server.accept().await;
        let head = connection.request().await;
        assert!(
            head.starts_with("get /api/v1/namespaces/default/configmaps/a "),
            "{head}"
        );
        assert!(head.contains("user-agent: seamark-test/1.0\r\n"), "{head}");
        assert!(head.contains("authorization: bearer secret\r\n"), "{head}");
        connection.answer(200, MAP).await;
        assert_eq!(
            answer.await.unwrap().unwrap().metadata.name.as_deref(),
            Some("a")
        );
    }
}

/// Refuse the first request, change the credentials, and return what the next request shows.
async fn authorization_after_401(
    common: &Common,
    server: &Server,
    change: impl FnOnce(),
) -> String {
    let client = connected(common).await;
    let answer = tokio::spawn(get(client.clone()));
    let mut connection = server.accept().await;
    assert!(
        connection
            .request()
            .await
            .contains("authorization: bearer old\r\n")
    );
    connection.answer(401, UNAUTHORIZED).await;
    assert!(matches!(answer.await.unwrap(), Err(kube::Error::Api(status)) if status.code == 401));
    change();
    pass(Duration::from_secs(1)).await;
    let answer = tokio::spawn(get(client));
    let head = connection.request().await;
    connection.answer(200, MAP).await;
    answer.await.unwrap().unwrap();
    head.lines()
        .find(|line| line.starts_with("authorization"))
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn after_a_401_the_token_file_is_read_again() {
    let folder = Folder::new();
    let (server, url) = Server::new("127.0.0.1:0").await;
    folder.write("token", "old");
    let common = folder.kubeconfig(&url, "tokenFile: token");
    let change = || drop(folder.write("token", "new"));
    let line = authorization_after_401(&common, &server, change).await;
    assert_eq!(line, "authorization: bearer new");
}

#[tokio::test]
async fn after_a_401_a_token_inside_the_kubeconfig_is_read_again() {
    let folder = Folder::new();
    let (server, url) = Server::new("127.0.0.1:0").await;
    let common = folder.kubeconfig(&url, "token: old");
    let change = || drop(folder.kubeconfig(&url, "token: new"));
    let line = authorization_after_401(&common, &server, change).await;
    assert_eq!(line, "authorization: bearer new");
}

#[tokio::test]
async fn credentials_that_cannot_be_read_again_stay_in_use() {
    let folder = Folder::new();
    let (server, url) = Server::new("127.0.0.1:0").await;
    let token = folder.write("token", "old");
    let common = folder.kubeconfig(&url, "tokenFile: token");
    let change = || std::fs::remove_file(token).unwrap();
    let line = authorization_after_401(&common, &server, change).await;
    assert_eq!(line, "authorization: bearer old");
}

#[tokio::test]
async fn a_token_file_is_read_again_each_half_minute() {
    let folder = Folder::new();
    let (server, url) = Server::new("127.0.0.1:0").await;
    folder.write("token", "old");
    let client = connected(&folder.kubeconfig(&url, "tokenFile: token")).await;
    folder.write("token", "new");
    let answer = tokio::spawn(get(client.clone()));
    let mut connection = server.accept().await;
    assert!(
        connection
            .request()
            .await
            .contains("authorization: bearer old\r\n")
    );
    connection.answer(200, MAP).await;
    answer.await.unwrap().unwrap();
    pass(Duration::from_secs(30)).await;
    let answer = tokio::spawn(get(client));
    assert!(
        connection
            .request()
            .await
            .contains("authorization: bearer new\r\n")
    );
    connection.answer(200, MAP).await;
    answer.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_without_answer_is_given_up_after_ten_seconds() {
    let folder = Folder::new();
    let (server, url) = Server::new("127.0.0.1:0").await;
    let client = connected(&folder.kubeconfig(&url, "")).await;
    let answer = tokio::spawn(get(client));
    let mut connection = server.accept().await;
    connection.request().await;
    pass(REQUEST_LIMIT).await;
    let text = log::chain(&answer.await.unwrap().unwrap_err());
    assert!(text.contains("did not answer within 10 s"), "{text}");
}

#[tokio::test]
async fn an_answer_that_stops_half_way_is_given_up_after_ten_seconds() {
    let folder = Folder::new();
    let (server, url) = Server::new("127.0.0.1:0").await;
    let client = connected(&folder.kubeconfig(&url, "")).await;
    let answer = tokio::spawn(get(client));
    let mut connection = server.accept().await;
    connection.request().await;
    connection
        .0
        .write_all(b"HTTP/1.1 200 x\r\nContent-Length: 99\r\n\r\n{")
        .await
        .unwrap();
    pass(REQUEST_LIMIT).await;
    let text = log::chain(&answer.await.unwrap().unwrap_err());
    assert!(text.contains("did not answer within 10 s"), "{text}");
}

#[tokio::test]
async fn a_watch_that_has_begun_is_not_limited() {
    let folder = Folder::new();
    let (server, url) = Server::new("127.0.0.1:0").await;
    let client = connected(&folder.kubeconfig(&url, "")).await;
    let api = Api::<ConfigMap>::all(client);
    let stream = tokio::spawn(async move { api.watch(&WatchParams::default(), "1").await });
    let mut connection = server.accept().await;
    connection.request().await;
    connection
        .0
        .write_all(b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n")
        .await
        .unwrap();
    let mut stream = std::pin::pin!(stream.await.unwrap().unwrap());
    pass(REQUEST_LIMIT * 3).await;
    connection
        .chunk(&format!("{{\"type\":\"ADDED\",\"object\":{MAP}}}\n"))
        .await;
    let event = stream.next().await.unwrap().unwrap();
    assert!(
        matches!(event, kube::core::WatchEvent::Added(_)),
        "{event:?}"
    );
}

#[tokio::test]
async fn a_refused_connection_names_the_address_and_what_to_check() {
    let folder = Folder::new();
    let (server, url) = Server::new("127.0.0.1:0").await;
    drop(server);
    let error = get(connected(&folder.kubeconfig(&url, "")).await)
        .await
        .unwrap_err();
    let text = log::chain(&error);
    assert!(
        text.contains(&format!("cannot reach the API server at {url}/: check")),
        "{text}"
    );
    assert!(text.contains("Connection refused"), "{text}");
}

#[tokio::test]
async fn requests_are_counted_by_verb_and_code() {
    let folder = Folder::new();
    let (server, url) = Server::new("127.0.0.1:0").await;
    let requests = Requests::default();
    let mut registry = Registry::with_prefix("seamark");
    requests.register(&mut registry);
    let common = folder.kubeconfig(&url, "");
    let client = connect(&common, "seamark-test/1.0", requests)
        .await
        .unwrap();
    let answer = tokio::spawn(get(client.clone()));
    let mut connection = server.accept().await;
    connection.request().await;
    connection.answer(200, MAP).await;
    answer.await.unwrap().unwrap();
    drop((connection, server));
    get(client).await.unwrap_err();
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(
        text.contains("seamark_api_requests_total{verb=\"get\",code=\"200\"} 1\n"),
        "{text}"
    );
    assert!(
        text.contains("seamark_api_requests_total{verb=\"get\",code=\"none\"} 1\n"),
        "{text}"
    );
}

#[tokio::test]
async fn a_missing_kubeconfig_is_named_with_the_flag_that_names_another() {
    let folder = Folder::new();
    let missing = folder.0.join("missing");
    let text = refused(&common(&missing)).await;
    assert!(
        text.starts_with(&format!("cannot read kubeconfig {}", missing.display())),
        "{text}"
    );
    assert!(
        text.contains("check --kubeconfig and KUBECONFIG: No such file"),
        "{text}"
    );
}

#[tokio::test]
async fn a_context_that_does_not_exist_is_answered_with_those_that_do() {
    let folder = Folder::new();
    let mut common = folder.kubeconfig("http://[::1]:1", "");
    common.context = Some("prod".to_owned());
    let text = refused(&common).await;
    assert!(
        text.contains("has no context \"prod\": choose one of its contexts (lab)"),
        "{text}"
    );
}

#[tokio::test]
async fn files_that_say_nothing_usable_are_refused_in_one_sentence() {
    let folder = Folder::new();
    let certificate = "-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n";
    folder.write("ca", certificate);
    let cases = [
        (
            "server: 'http://[::1]:1', proxy-url: 'http://proxy'",
            "",
            "asks for the proxy http://proxy",
        ),
        (
            "server: 'http://[::1]:1', certificate-authority: none",
            "",
            "cannot be used: correct it",
        ),
        (
            "server: 'https://[::1]:1', certificate-authority: ca",
            "",
            "correct the kubeconfig",
        ),
        (
            "server: 'https://[::1]:1', tls-server-name: '!'",
            "",
            "tls-server-name \"!\"",
        ),
        (
            "server: 'http://[::1]:1'",
            "tokenFile: none",
            "cannot read the token file",
        ),
        (
            "server: 'http://[::1]:1'",
            "tokenFile: /dev/null",
            "it is empty",
        ),
        (
            "",
            "",
            "cannot be used: correct it or name another with --kubeconfig",
        ),
    ];
    for (cluster, user, words) in cases {
        let text = refused(&folder.kubeconfig_with(cluster, user)).await;
        assert!(text.contains(words), "{text}");
        assert!(!text.contains('\n'), "{text}");
    }
    let text = refused(&common(&folder.write("kubeconfig", "{"))).await;
    assert!(text.contains("cannot be used"), "{text}");
}
