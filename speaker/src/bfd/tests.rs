//! Two drivers with real sockets, each on an address of its own of the loopback interface.

use std::net::UdpSocket;
use std::num::NonZeroU8;

use bfd::{Config, Path, Role, State, Why};
use model::PeerName;
use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;

use super::*;
use crate::bgp::SessionName;

/// What should happen happens in much less.
const SOON: Duration = Duration::from_secs(10);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The driver of one node, which goes when this is dropped, without a word.
struct Node {
    wishes: watch::Sender<Wishes>,
    statuses: watch::Receiver<Statuses>,
    control: Control,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

fn node(address: &str) -> Node {
    let (wishes, wished) = watch::channel(Wishes::new());
    let (outlet, statuses) = watch::channel(Statuses::new());
    let (control, commands) = control();
    let shutdown = CancellationToken::new();
    let ground = Ground {
        node: NodeName::new(address),
        receive_on: [address.parse().unwrap(), Ipv6Addr::LOCALHOST.into()],
    };
    let channels = Channels {
        wishes: wished,
        statuses: outlet,
        commands,
        shutdown: shutdown.clone(),
    };
    let metrics = Metrics::register(&mut Registry::default());
    let task = tokio::spawn(run(ground, channels, metrics));
    Node {
        wishes,
        statuses,
        control,
        shutdown,
        task,
    }
}

fn name() -> SessionName {
    PeerName::new("tor-1").into()
}

fn key(remote: &str) -> Key {
    Key {
        remote: remote.parse().unwrap(),
        interface: None,
        vrf: None,
        multihop: false,
    }
}

fn settings(source: &str, interval: u64) -> Settings {
    Settings {
        name: name(),
        source: Some(source.parse().unwrap()),
        scope: None,
        path: Path::SingleHop,
        config: Config {
            desired_min_tx: ms(interval),
            required_min_rx: ms(interval),
            detect_mult: NonZeroU8::new(3).unwrap(),
            role: Role::Active,
        },
        absence: Duration::from_secs(5),
    }
}

impl Node {
    fn want(&self, from: &str, to: &str, interval: u64) {
        let wish = Wish {
            key: key(to),
            settings: settings(from, interval),
        };
        let wishes = Wishes::from([(name(), wish)]);
        self.wishes.send(wishes).unwrap();
    }

    /// The status of the only session, once it is as asked for.
    async fn until(&mut self, what: impl Fn(&Figures) -> bool) -> Status {
        let is = |statuses: &Statuses| statuses.values().any(|status| what(&status.figures));
        self.wait_for(is).await.into_values().next().unwrap()
    }

    async fn wait_for(&mut self, what: impl Fn(&Statuses) -> bool) -> Statuses {
        let found = timeout(SOON, self.statuses.wait_for(what)).await;
        found.expect("in time").unwrap().clone()
    }

    async fn up(&mut self) -> Status {
        self.until(|figures| figures.state == State::Up).await
    }

    async fn end(self) {
        self.shutdown.cancel();
        timeout(SOON, self.task).await.expect("in time").unwrap();
    }
}

async fn pair(one: &str, two: &str, interval: u64) -> (Node, Node) {
    let (mut left, mut right) = (node(one), node(two));
    left.want(one, two, interval);
    right.want(two, one, interval);
    left.up().await;
    right.up().await;
    (left, right)
}

#[tokio::test]
async fn both_sides_come_up_with_the_intervals_that_they_agree_on() {
    let (one, two) = ("127.66.1.1", "127.66.1.2");
    let (mut left, mut right) = (node(one), node(two));
    left.want(one, two, 50);
    right.want(two, one, 80);
    for side in [&mut left, &mut right] {
        let agreed = |figures: &Figures| {
            figures.detection_time == Some(ms(240)) && figures.transmit_interval == Some(ms(80))
        };
        let status = side.until(agreed).await;
        assert_eq!(status.figures.state, State::Up);
        assert_eq!((status.figures.ups, status.trouble), (1, None));
    }
    left.want(one, two, 20);
    right.want(two, one, 30);
    for side in [&mut left, &mut right] {
        let agreed = |figures: &Figures| {
            figures.detection_time == Some(ms(90)) && figures.transmit_interval == Some(ms(30))
        };
        let status = side.until(agreed).await;
        assert_eq!((status.figures.ups, status.figures.failures), (1, 0));
    }
    left.end().await;
    right.end().await;
}

#[tokio::test]
async fn whoever_leaves_says_so_and_that_is_no_failure() {
    let (left, mut right) = pair("127.66.2.1", "127.66.2.2", 50).await;
    left.end().await;
    let status = right.until(|figures| figures.state == State::Down).await;
    assert_eq!(status.figures.why, Some(Why::NeighborAdminDown));
    assert_eq!(status.figures.failures, 0);
    right.end().await;
}

#[tokio::test]
async fn a_session_that_is_no_longer_wanted_is_told_and_forgotten() {
    let (mut left, mut right) = pair("127.66.3.1", "127.66.3.2", 50).await;
    left.wishes.send(Wishes::new()).unwrap();
    let status = right.until(|figures| figures.state == State::Down).await;
    assert_eq!(status.figures.why, Some(Why::NeighborAdminDown));
    left.wait_for(Statuses::is_empty).await;
    left.want("127.66.3.1", "127.66.3.2", 50);
    left.up().await;
    left.end().await;
    right.end().await;
}

#[tokio::test]
async fn a_restart_is_announced_borne_and_adopted() {
    let (one, two) = ("127.66.4.1", "127.66.4.2");
    let (left, mut right) = pair(one, two, 50).await;
    let absences = timeout(SOON, left.control.hold_on()).await.unwrap();
    let absence = absences[&key(two)];
    assert!(
        absence.confirmed && absence.covered >= Duration::from_secs(5),
        "{absence:?}"
    );
    left.end().await;
    let waits = |figures: &Figures| figures.detection_time >= Some(Duration::from_secs(5));
    right.until(waits).await;
    let mut again = node(one);
    again.want(one, two, 50);
    let status = again.up().await;
    assert_eq!(status.figures.why, Some(Why::Adopted));
    assert_eq!(status.figures.adoption, Adoption::Settled);
    let short = |figures: &Figures| figures.detection_time == Some(ms(150));
    let status = right.until(short).await;
    assert_eq!((status.figures.ups, status.figures.failures), (1, 0));
    again.end().await;
    right.end().await;
}

#[tokio::test]
async fn silence_is_a_failure_after_the_detection_time() {
    let (one, two) = ("127.66.5.1", "127.66.5.2");
    let (left, mut right) = (node(one), node(two));
    let mut brief = settings(one, 50);
    brief.absence = ms(300);
    let wish = Wish {
        key: key(two),
        settings: brief,
    };
    let wishes = Wishes::from([(name(), wish)]);
    left.wishes.send(wishes).unwrap();
    right.want(two, one, 50);
    right.up().await;
    left.control.hold_on().await;
    let status = right.until(|figures| figures.failures == 1).await;
    assert_eq!(status.figures.why, Some(Why::DetectionTimeExpired));
    left.end().await;
    right.end().await;
}

#[tokio::test]
async fn where_nobody_ever_spoke_there_is_nothing_to_replace() {
    let mut left = node("127.66.6.1");
    left.want("127.66.6.1", "127.66.6.2", 50);
    let listening = |figures: &Figures| figures.adoption == Adoption::Listening;
    left.until(listening).await;
    let settled = |figures: &Figures| figures.adoption == Adoption::Settled;
    let status = left.until(settled).await;
    assert_eq!((status.figures.state, status.figures.ups), (State::Down, 0));
    left.end().await;
}

#[tokio::test]
async fn a_port_that_another_daemon_has_is_told_and_taken_once_it_is_free() {
    let (one, two) = ("127.66.7.1", "127.66.7.2");
    let taken = UdpSocket::bind((one, 3784)).unwrap();
    let (mut left, right) = (node(one), node(two));
    left.want(one, two, 50);
    right.want(two, one, 50);
    let told = |statuses: &Statuses| statuses.values().any(|status| status.trouble.is_some());
    let trouble = left.wait_for(told).await[&key(two)].trouble.clone();
    let trouble = trouble.unwrap();
    assert!(trouble.contains("UDP port 3784 is taken"), "{trouble}");
    drop(taken);
    let status = left.up().await;
    assert_eq!(status.trouble, None);
    left.end().await;
    right.end().await;
}
