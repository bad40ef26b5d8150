//! The layer 2 driver: moves frames between the interfaces of this node and the [`l2`] machines,
//! on a thread and runtime of its own, so that nothing else in the process can delay an answer.
//!
//! ```text
//!            ┌──────────────────────── thread "layer2" ────────────────────────┐
//! owner ─────┼─Desired (watch)──▶ driver ──Directive (watch)──▶ interface × n  │
//!            │                      ▲                              │ Port      │
//!       ◀────┼─interfaces (watch)───┴── monitor ◀─netlink          │ 2 sockets ┼─▶ AF_PACKET
//!            │                                                     │ Segment   │
//!       ◀────┼─Report (mpsc)──────────── reporter ◀────────────────┘ groups ───┼─▶ MLD
//!            └─────────────────────────────────────────────────────────────────┘
//! ```
//!
//! An interface has sockets only while the plan names it for a VIP. The driver never waits for
//! the owner, and writes no log.
//!
//! Should anything here panic, the thread ends and takes its channels along: the owner sees
//! `interfaces` closed before it has asked for the end, and has to end the process, because nobody
//! answers for its VIPs any more.

mod backoff;
mod directive;
mod interface;
mod membership;
mod metrics;
mod monitor;
mod port;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::panic;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use model::InterfaceName;
use sys::netlink::Interface;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet, LocalSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use directive::Directive;
use report::Reporter;

pub use metrics::Metrics;
pub use report::Report;

/// For each interface that announces anything, what: the plan's part for layer 2. A set that has
/// not changed is best shared with the one before, as it is then known by its pointer.
pub type Desired = Arc<BTreeMap<InterfaceName, Arc<BTreeSet<IpAddr>>>>;

/// How long the interfaces may take to fall silent in the end; they need some milliseconds.
const FAREWELL: Duration = Duration::from_secs(1);

/// How the driver is tied to its owner.
#[derive(Debug)]
pub struct Channels {
    /// What to announce; the latest counts. The driver ends when the sender is dropped.
    pub desired: watch::Receiver<Desired>,
    /// The interfaces of this node, by name, after each change. Closed when the driver has ended.
    pub interfaces: watch::Sender<Arc<[Interface]>>,
    /// What the driver does. If the owner is slow, only the latest report of each VIP, interface
    /// and group is kept for it.
    pub reports: mpsc::Sender<Report>,
    /// Ends the driver: nothing is answered any more, groups are left, sockets closed.
    pub shutdown: CancellationToken,
}

/// Starts the driver. Its result is the thread's: `Err` if it panicked.
pub fn start(channels: Channels, metrics: Metrics) -> io::Result<thread::JoinHandle<()>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let driver = move || LocalSet::new().block_on(&runtime, run(channels, metrics));
    thread::Builder::new()
        .name("layer2".to_owned())
        .spawn(driver)
}

async fn run(channels: Channels, metrics: Metrics) {
    let Channels {
        desired,
        interfaces,
        reports,
        shutdown,
    } = channels;
    let reporter = Reporter::default();
    let mut driver = Driver {
        desired,
        interfaces: interfaces.subscribe(),
        directives: BTreeMap::new(),
        tasks: JoinSet::new(),
        metrics,
        reporter: reporter.clone(),
    };
    let mut companions = JoinSet::new();
    companions.spawn_local(monitor::follow(interfaces, reporter.clone()));
    companions.spawn_local(reporter.forward(reports));
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = driver.drive() => {}
        () = join(&mut companions) => {}
    }
    driver.finish().await;
}

/// Gives each interface its directive.
struct Driver {
    desired: watch::Receiver<Desired>,
    interfaces: watch::Receiver<Arc<[Interface]>>,
    directives: BTreeMap<InterfaceName, watch::Sender<Directive>>,
    tasks: JoinSet<()>,
    metrics: Metrics,
    reporter: Reporter,
}

impl Driver {
    /// Returns when the owner is gone.
    async fn drive(&mut self) {
        // Before the interfaces are known, every one would seem to be missing.
        if self.interfaces.changed().await.is_err() {
            return;
        }
        loop {
            self.direct();
            tokio::select! {
                changed = self.desired.changed() => if changed.is_err() {
                    return;
                },
                changed = self.interfaces.changed() => if changed.is_err() {
                    return;
                },
                Some(ended) = self.tasks.join_next() => propagate(ended),
            }
        }
    }

    fn direct(&mut self) {
        let desired = Arc::clone(&self.desired.borrow_and_update());
        let interfaces = Arc::clone(&self.interfaces.borrow_and_update());
        let interfaces: BTreeMap<&str, &Interface> = interfaces
            .iter()
            .map(|interface| (interface.name.as_str(), interface))
            .collect();
        for name in desired.keys() {
            if !self.directives.contains_key(name) {
                self.begin(name.clone());
            }
        }
        self.directives.retain(|name, directive| {
            let interface = interfaces.get(name.as_str()).copied();
            let vips = desired.get(name);
            directive.send_if_modified(|directive| directive.update(vips, interface));
            vips.is_some() || interface.is_some()
        });
    }

    fn begin(&mut self, name: InterfaceName) {
        let (directive, directives) = watch::channel(Directive::default());
        let (metrics, reporter) = (self.metrics.clone(), self.reporter.clone());
        self.directives.insert(name.clone(), directive);
        self.tasks
            .spawn_local(interface::serve(name, directives, metrics, reporter));
    }

    /// Has all interfaces fall silent.
    async fn finish(mut self) {
        self.directives.clear();
        // What hangs is ended with the runtime, and its sockets closed.
        let _ = timeout(FAREWELL, join(&mut self.tasks)).await;
    }
}

/// Waits for all; passes on a panic.
async fn join(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        propagate(ended);
    }
}

fn propagate(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        panic::resume_unwind(error.into_panic());
    }
}

#[cfg(test)]
mod tests;
