use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::stream;
use http::{Request, Response};
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Frame;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::client::Body;
use kube::core::PartialObjectMeta;
use serde_json::{Value, json};
use tower::BoxError;

use super::*;

/// How the API server answers one request.
enum Reply {
    /// A status and a whole body.
    Whole(u16, Value),
    /// A watch that sends these lines, and then ends or stays open.
    Watch(Vec<Value>, Then),
    /// No connection.
    Refused,
}

enum Then {
    Ends,
    Breaks,
    StaysOpen,
}

fn maps(names: &[&str], version: &str) -> Reply {
    page(names, version, "")
}

fn page(names: &[&str], version: &str, more: &str) -> Reply {
    let items: Vec<Value> = names.iter().map(|name| map(name, "1")).collect();
    let metadata = json!({"resourceVersion": version, "continue": more});
    Reply::Whole(
        200,
        json!({"kind": "ConfigMapList", "metadata": metadata, "items": items}),
    )
}

fn map(name: &str, version: &str) -> Value {
    let metadata = json!({"name": name, "namespace": "default", "resourceVersion": version});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
}

fn event(kind: &str, object: &Value) -> Value {
    json!({"type": kind, "object": object})
}

fn bookmark(version: &str) -> Value {
    let metadata = json!({"resourceVersion": version});
    event(
        "BOOKMARK",
        &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}),
    )
}

fn status(code: u16) -> Value {
    json!({"kind": "Status", "status": "Failure", "code": code, "message": "as scripted"})
}

fn answer(code: u16) -> Reply {
    Reply::Whole(code, status(code))
}

type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

fn emit(reply: Reply) -> Result<Answer, BoxError> {
    let (code, chunks, then) = match reply {
        Reply::Refused => return Err(io::Error::from(io::ErrorKind::ConnectionRefused).into()),
        Reply::Whole(code, body) => (code, vec![body], Then::Ends),
        Reply::Watch(lines, then) => (200, lines, then),
    };
    let lines = chunks
        .into_iter()
        .map(|line| Ok(Frame::data(Bytes::from(format!("{line}\n")))));
    let tail = match then {
        Then::Ends => stream::empty().left_stream(),
        Then::Breaks => stream::iter([Err(BoxError::from("reset by peer"))])
            .left_stream()
            .right_stream(),
        Then::StaysOpen => stream::pending().right_stream().right_stream(),
    };
    let body = StreamBody::new(stream::iter(lines).chain(tail));
    Ok(Response::builder()
        .status(code)
        .body(UnsyncBoxBody::new(body))?)
}

/// An API server that answers from a script, and keeps what it was asked. After the script every
/// watch stays open and every list is empty.
#[derive(Clone, Default)]
struct Script {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    asked: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Script {
    fn client(&self) -> kube::Client {
        let script = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let uri = request.uri().to_string();
            let fallback = if uri.contains("watch=true") {
                Reply::Watch(Vec::new(), Then::StaysOpen)
            } else {
                maps(&[], "9")
            };
            script.asked.lock().unwrap().push((Instant::now(), uri));
            let reply = script
                .replies
                .lock()
                .unwrap()
                .pop_front()
                .unwrap_or(fallback);
            async move { emit(reply) }
        });
        kube::Client::new(service, "default")
    }

    /// The n-th request: "list", or the version that a watch went on from.
    fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let version = |(_, uri): &(Instant, String)| match uri.split_once("watch=true") {
            None => "list".to_owned(),
            Some(_) => {
                let (_, rest) = uri.split_once("resourceVersion=").unwrap();
                format!("watch {}", rest.split('&').next().unwrap())
            }
        };
        asked.iter().map(version).collect()
    }
}

type Event = WatchEvent<String>;

struct Watched {
    script: Script,
    events: mpsc::Receiver<Event>,
    task: tokio::task::JoinHandle<()>,
}

impl Watched {
    async fn next(&mut self) -> Event {
        tokio::time::timeout(Duration::from_secs(600), self.events.recv())
            .await
            .unwrap()
            .unwrap()
    }

    async fn take(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..count {
            events.push(self.next().await);
        }
        events
    }
}

fn named<K: ResourceExt>(event: WatchEvent<K>) -> Event {
    match event {
        WatchEvent::Restarted(objects) => {
            WatchEvent::Restarted(objects.iter().map(ResourceExt::name_any).collect())
        }
        WatchEvent::Resumed => WatchEvent::Resumed,
        WatchEvent::Applied(object) => WatchEvent::Applied(object.name_any()),
        WatchEvent::Deleted(object) => WatchEvent::Deleted(object.name_any()),
        WatchEvent::Failed(failure) => WatchEvent::Failed(failure),
    }
}

fn watch(replies: impl IntoIterator<Item = Reply>) -> Watched {
    let script = Script::default();
    script.replies.lock().unwrap().extend(replies);
    let api = Api::<ConfigMap>::all(script.client());
    let (to, events) = mpsc::channel(16);
    let task = tokio::spawn(pump(api, Selection::default(), to, named));
    Watched {
        script,
        events,
        task,
    }
}

fn restarted(names: &[&str]) -> Event {
    WatchEvent::Restarted(names.iter().map(|name| (*name).to_owned()).collect())
}

fn applied(name: &str) -> Event {
    WatchEvent::Applied(name.to_owned())
}

fn deleted(name: &str) -> Event {
    WatchEvent::Deleted(name.to_owned())
}

#[tokio::test(start_paused = true)]
async fn tells_the_complete_list_and_then_each_change() {
    let changes = vec![
        event("ADDED", &map("b", "6")),
        event("DELETED", &map("a", "7")),
    ];
    let mut watched = watch([maps(&["a"], "5"), Reply::Watch(changes, Then::StaysOpen)]);
    assert_eq!(
        watched.take(3).await,
        [restarted(&["a"]), applied("b"), deleted("a")]
    );
    assert_eq!(watched.script.asked(), ["list", "watch 5"]);
}

#[tokio::test(start_paused = true)]
async fn pages_are_told_as_one_list() {
    let mut watched = watch([page(&["a", "b"], "5", "more"), maps(&["c"], "5")]);
    assert_eq!(watched.next().await, restarted(&["a", "b", "c"]));
    let asked = watched.script.asked.lock().unwrap();
    assert!(asked[0].1.contains("limit=500"), "{asked:?}");
    assert!(asked[1].1.contains("continue=more"), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_in_order_goes_on_from_the_last_version_without_a_word() {
    let mut watched = watch([
        maps(&["a"], "5"),
        Reply::Watch(
            vec![event("MODIFIED", &map("a", "6")), bookmark("8")],
            Then::Ends,
        ),
        Reply::Watch(vec![event("MODIFIED", &map("b", "9"))], Then::StaysOpen),
    ]);
    assert_eq!(
        watched.take(3).await,
        [restarted(&["a"]), applied("a"), applied("b")]
    );
    assert_eq!(watched.script.asked(), ["list", "watch 5", "watch 8"]);
}

#[tokio::test(start_paused = true)]
async fn an_expired_version_in_the_stream_is_listed_again_and_is_no_failure() {
    let mut watched = watch([maps(&["a"], "5"), expired(), maps(&["b"], "7")]);
    assert_eq!(
        watched.take(2).await,
        [restarted(&["a"]), restarted(&["b"])]
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_refused_as_expired_is_listed_again_and_is_no_failure() {
    let mut watched = watch([maps(&["a"], "5"), answer(410), maps(&["b"], "7")]);
    assert_eq!(
        watched.take(2).await,
        [restarted(&["a"]), restarted(&["b"])]
    );
}

fn expired() -> Reply {
    Reply::Watch(vec![event("ERROR", &status(410))], Then::Ends)
}

/// An API server that has restarted accepts a watch from before, and then has not that version.
#[tokio::test(start_paused = true)]
async fn a_version_that_expired_during_an_outage_is_listed_again_soon_after_it() {
    let outage = (0..8).map(|_| Reply::Refused);
    let replies = [maps(&["a"], "5"), Reply::Watch(Vec::new(), Then::Breaks)];
    let after = [expired(), maps(&["b"], "1")];
    let mut watched = watch(replies.into_iter().chain(outage).chain(after));
    let failed = WatchEvent::Failed(WatchFailure::Unreachable);
    let expected = [restarted(&["a"]), failed, restarted(&["b"])];
    assert_eq!(watched.take(3).await, expected);
    let asked = watched.script.asked.lock().unwrap();
    let (accepted, listed) = (asked[10].0, asked[11].0);
    assert!(
        listed - accepted < Duration::from_millis(200),
        "{:?}",
        listed - accepted
    );
}

#[tokio::test(start_paused = true)]
async fn versions_that_expire_at_once_do_not_make_a_busy_loop() {
    let mut replies = Vec::new();
    for _ in 0..32 {
        replies.extend([maps(&["a"], "5"), expired()]);
    }
    let start = Instant::now();
    let mut watched = watch(replies);
    watched.take(32).await;
    assert!(
        start.elapsed() > Duration::from_secs(60),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_told_once_and_the_watch_resumes_where_it_was() {
    let mut watched = watch([
        maps(&["a"], "5"),
        Reply::Watch(vec![event("MODIFIED", &map("a", "6"))], Then::Breaks),
        Reply::Refused,
        Reply::Refused,
        answer(503),
        Reply::Watch(vec![event("ADDED", &map("b", "8"))], Then::StaysOpen),
    ]);
    let failed = WatchEvent::Failed(WatchFailure::Unreachable);
    let expected = [
        restarted(&["a"]),
        applied("a"),
        failed,
        WatchEvent::Resumed,
        applied("b"),
    ];
    assert_eq!(watched.take(5).await, expected);
    let watches = [
        "list", "watch 5", "watch 6", "watch 6", "watch 6", "watch 6",
    ];
    assert_eq!(watched.script.asked(), watches);
}

#[tokio::test(start_paused = true)]
async fn a_missing_kind_is_told_and_listed_again_when_it_appears() {
    let mut watched = watch([answer(404), answer(404), maps(&["a"], "5")]);
    let failed = WatchEvent::Failed(WatchFailure::NotFound);
    assert_eq!(watched.take(2).await, [failed, restarted(&["a"])]);
    assert_eq!(watched.script.asked()[..3], ["list", "list", "list"]);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_vanishes_is_listed_again_because_its_versions_mean_nothing() {
    let mut watched = watch([maps(&["a"], "5"), answer(404), maps(&["b"], "1")]);
    let failed = WatchEvent::Failed(WatchFailure::NotFound);
    assert_eq!(
        watched.take(3).await,
        [restarted(&["a"]), failed, restarted(&["b"])]
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_that_works_does_not_hide_that_the_watch_is_forbidden() {
    let mut watched = watch([answer(403), maps(&["a"], "5"), answer(403), answer(403)]);
    let failed = || WatchEvent::Failed(WatchFailure::Forbidden);
    let expected = [failed(), restarted(&["a"]), failed(), WatchEvent::Resumed];
    assert_eq!(watched.take(4).await, expected);
}

#[tokio::test(start_paused = true)]
async fn each_change_of_reason_is_told() {
    let mut watched = watch([Reply::Refused, answer(401), answer(401), answer(403)]);
    let reasons = [
        WatchFailure::Unreachable,
        WatchFailure::Unauthorized,
        WatchFailure::Forbidden,
    ];
    assert_eq!(watched.take(3).await, reasons.map(WatchEvent::Failed));
    assert_eq!(watched.next().await, restarted(&[]));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_cannot_be_decoded_is_a_failure_and_a_new_list() {
    let odd = event("ADDED", &json!({"metadata": 5}));
    let mut watched = watch([
        maps(&["a"], "5"),
        Reply::Watch(vec![odd], Then::StaysOpen),
        maps(&["b"], "7"),
    ]);
    let failed = WatchEvent::Failed(WatchFailure::Other);
    assert_eq!(
        watched.take(3).await,
        [restarted(&["a"]), failed, restarted(&["b"])]
    );
}

#[tokio::test(start_paused = true)]
async fn watches_that_end_at_once_do_not_make_a_busy_loop() {
    let ends = (0..64).map(|_| Reply::Watch(Vec::new(), Then::Ends));
    let start = Instant::now();
    let mut watched = watch(
        std::iter::once(maps(&[], "5"))
            .chain(ends)
            .chain([Reply::Watch(
                vec![event("ADDED", &map("a", "6"))],
                Then::StaysOpen,
            )]),
    );
    assert_eq!(watched.take(2).await, [restarted(&[]), applied("a")]);
    assert!(
        start.elapsed() > Duration::from_secs(60),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_falls_silent_is_asked_again_within_a_minute() {
    let start = Instant::now();
    let silent = Reply::Watch(Vec::new(), Then::StaysOpen);
    let next = Reply::Watch(vec![event("ADDED", &map("a", "6"))], Then::StaysOpen);
    let mut watched = watch([maps(&[], "5"), silent, next]);
    assert_eq!(watched.take(2).await, [restarted(&[]), applied("a")]);
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(watched.script.asked(), ["list", "watch 5", "watch 5"]);
}

#[tokio::test(start_paused = true)]
async fn ends_when_nobody_receives_any_more() {
    for replies in [vec![], vec![answer(404)]] {
        let mut watched = watch(replies);
        watched.next().await;
        drop(watched.events);
        tokio::time::timeout(Duration::from_secs(1), watched.task)
            .await
            .unwrap()
            .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn selections_and_metadata_reach_the_api_server() {
    let script = Script::default();
    let client = script.client();
    let selection = Selection {
        fields: Some("metadata.name=a".to_owned()),
        labels: Some("!hidden".to_owned()),
    };
    let (to, mut events) = mpsc::channel(1);
    let api = Api::<PartialObjectMeta<Namespace>>::all(client);
    tokio::spawn(pump(api, selection, to, named));
    assert_eq!(events.recv().await.unwrap(), restarted(&[]));
    let asked = script.asked.lock().unwrap()[0].1.clone();
    assert!(asked.contains("fieldSelector=metadata.name%3Da"), "{asked}");
    assert!(asked.contains("labelSelector=%21hidden"), "{asked}");
}
