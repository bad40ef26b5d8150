use std::time::Instant;

use prometheus_client::registry::Registry;

use super::*;

/// The driver on the interfaces that this machine really has; nothing here needs a privilege, as
/// none of them is one on which sockets would be opened.
struct Rig {
    desired: watch::Sender<Desired>,
    interfaces: watch::Receiver<Arc<[Interface]>>,
    reports: mpsc::Receiver<Report>,
    shutdown: CancellationToken,
    thread: thread::JoinHandle<()>,
}

fn rig() -> Rig {
    let (desired, wanted) = watch::channel(Desired::default());
    let (seen, interfaces) = watch::channel(Arc::default());
    let (tx, reports) = mpsc::channel(4);
    let shutdown = CancellationToken::new();
    let channels = Channels {
        desired: wanted,
        interfaces: seen,
        reports: tx,
        shutdown: shutdown.clone(),
    };
    let thread = start(channels, Metrics::register(&mut Registry::default())).expect("started");
    Rig {
        desired,
        interfaces,
        reports,
        shutdown,
        thread,
    }
}

fn on(interface: &str) -> (InterfaceName, Arc<BTreeSet<IpAddr>>) {
    let vips = ["10.99.0.200", "fd99::200"].map(|vip| vip.parse().expect("an address"));
    (InterfaceName::new(interface), Arc::new(vips.into()))
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), what)
        .await
        .expect("in time")
}

#[tokio::test]
async fn publishes_the_interfaces_of_the_machine() {
    let mut rig = rig();
    within(rig.interfaces.changed()).await.expect("published");
    let names: Vec<String> = rig
        .interfaces
        .borrow()
        .iter()
        .map(|i| i.name.clone())
        .collect();
    assert!(names.contains(&"lo".to_owned()), "{names:?}");
}

#[tokio::test]
async fn says_once_which_interfaces_cannot_be_served() {
    let mut rig = rig();
    rig.desired
        .send_replace(Arc::new([on("lo"), on("none0")].into()));
    let mut failures = BTreeMap::new();
    while failures.len() < 2 {
        let report = within(rig.reports.recv()).await.expect("running");
        let Report::InterfaceFailed { interface, error } = report else {
            panic!("{report:?}");
        };
        assert_eq!(failures.insert(interface.as_str().to_owned(), error), None);
    }
    assert!(
        failures["lo"].contains("does not speak Ethernet"),
        "{failures:?}"
    );
    assert!(
        failures["none0"].contains("no such interface"),
        "{failures:?}"
    );
}

#[tokio::test]
async fn a_failure_ends_with_the_wish_for_the_interface() {
    let mut rig = rig();
    let named = [on("lo"), on("none0")];
    rig.desired.send_replace(Arc::new(named.clone().into()));
    for _ in &named {
        within(rig.reports.recv()).await.expect("running");
    }
    rig.desired.send_replace(Desired::default());
    let mut reports = Vec::new();
    for _ in &named {
        reports.push(within(rig.reports.recv()).await.expect("running"));
    }
    for (interface, _) in named {
        let unused = Report::InterfaceUnused { interface };
        assert!(reports.contains(&unused), "{reports:?}");
    }
}

#[tokio::test]
async fn ends_at_once_when_told_and_closes_its_channels() {
    let mut rig = rig();
    rig.desired.send_replace(Arc::new([on("none0")].into()));
    within(rig.reports.recv()).await.expect("running");
    let begun = Instant::now();
    rig.shutdown.cancel();
    while within(rig.interfaces.changed()).await.is_ok() {}
    rig.thread.join().expect("no panic");
    assert!(begun.elapsed() < FAREWELL, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn ends_when_its_owner_is_gone() {
    let mut rig = rig();
    within(rig.interfaces.changed()).await.expect("published");
    drop(rig.desired);
    while within(rig.interfaces.changed()).await.is_ok() {}
    rig.thread.join().expect("no panic");
}
