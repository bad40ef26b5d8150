//! The BGP driver: a task for each peer, and a listener where a peer is to connect to us.
//!
//! ```text
//! owner ──Peers (watch, latest)──▶ driver ──Desired (watch, latest)──▶ peer × n ─▶ TCP
//!   ▲                                └─▶ listener ──TcpStream (mpsc)──▶  │
//!   └──────────Sessions (watch, latest)──────────────────────────────────┤
//! events ◀─────Changes (watch, latest)───────────────────────────────────┘
//! ```
//!
//! A panic in a peer's task costs that peer its session and is counted; the task is started again.
//! Without a peer there is no task and no socket.

mod change;
mod listener;
mod metrics;
mod peer;
mod peers;
mod routes;
mod session;
mod socket;
mod transport;

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bgp::RouterId;
use model::{BgpPeer, NodeName, Password, PeerName};
use plan::NextHops;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use listener::Listeners;

pub use change::Change;
pub use metrics::Metrics;
pub use session::Session;

pub(crate) use peers::{peers, router_id};

/// Connections of a peer that wait for its task. It takes them at once; more is a peer that storms.
const ACCEPTED: usize = 4;

/// How long a peer whose task panicked is left alone.
const REPAIR: Duration = Duration::from_secs(10);

/// What is wanted of one peer. Equal ones want the same; the other way round, routes count as
/// changed unless they are the same slice, which a plan gives again while nothing has changed.
#[derive(Debug, Clone)]
pub struct Desired {
    /// The BGPPeer.
    pub settings: BgpPeer,
    pub secret: Secret,
    /// Ours, unless the BGPPeer says another.
    pub router_id: RouterId,
    pub next_hops: NextHops,
    /// What it is to hold, sorted.
    pub routes: Arc<[plan::Route]>,
}

impl PartialEq for Desired {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            settings,
            secret,
            router_id,
            next_hops,
            routes,
        } = self;
        Arc::ptr_eq(routes, &other.routes)
            && *settings == other.settings
            && *secret == other.secret
            && *router_id == other.router_id
            && *next_hops == other.next_hops
    }
}

/// The password of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// None is asked for.
    None,
    /// One is asked for that has not been read.
    Missing,
    /// This one.
    Known(Password),
}

/// All peers that this node speaks to.
pub type Peers = Arc<BTreeMap<PeerName, Desired>>;

/// All peers that there are tasks for, as they stand.
pub type Sessions = BTreeMap<PeerName, Session>;

/// What was last to be told of the session of each peer that there is a task for.
pub type Changes = BTreeMap<PeerName, Change>;

/// How the driver is tied to the rest.
#[derive(Debug)]
pub struct Channels {
    /// The peers; the driver ends when the sender is dropped.
    pub peers: watch::Receiver<Peers>,
    pub sessions: watch::Sender<Sessions>,
    pub changes: watch::Sender<Changes>,
    /// Ends every session in order.
    pub shutdown: CancellationToken,
}

/// Who we are: what OPEN says unless a peer's settings say something else.
#[derive(Debug, Clone)]
pub struct Settings {
    pub node: NodeName,
    /// Where peers connect to us that are asked to.
    pub port: u16,
}

/// Runs until shutdown, and until every session is closed.
pub async fn run(settings: Settings, channels: Channels, metrics: Metrics) {
    let Channels {
        peers,
        sessions,
        changes,
        shutdown,
    } = channels;
    let mut driver = Driver {
        listeners: Listeners::new(settings.port),
        settings,
        sessions,
        changes,
        shutdown,
        metrics,
        tasks: JoinSet::new(),
        names: HashMap::new(),
        running: BTreeMap::new(),
    };
    driver.drive(peers).await;
    driver.running.clear();
    while let Some(ended) = driver.tasks.join_next_with_id().await {
        driver.ended(&ended);
    }
}

struct Driver {
    settings: Settings,
    sessions: watch::Sender<Sessions>,
    changes: watch::Sender<Changes>,
    shutdown: CancellationToken,
    metrics: Metrics,
    listeners: Listeners,
    tasks: JoinSet<()>,
    /// Only looked up, so a hash map changes no answer; ids have no order.
    names: HashMap<Id, PeerName>,
    running: BTreeMap<PeerName, Running>,
}

/// A peer that there is a task for.
struct Running {
    desired: watch::Sender<Desired>,
    accepted: mpsc::Sender<TcpStream>,
}

impl Driver {
    /// Returns when it is time to end.
    async fn drive(&mut self, mut peers: watch::Receiver<Peers>) {
        // When a peer whose task panicked gets another one.
        let mut repair: Option<Instant> = None;
        peers.mark_changed();
        loop {
            let again = [repair, self.listeners.deadline()];
            let again = again.into_iter().flatten().min();
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return,
                changed = peers.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let wanted = Arc::clone(&peers.borrow_and_update());
                    self.reconcile(&wanted);
                }
                Some(ended) = self.tasks.join_next_with_id() => {
                    if self.ended(&ended) {
                        repair.get_or_insert_with(|| Instant::now() + REPAIR);
                    }
                }
                () = due(again) => {
                    repair = repair.filter(|at| *at > Instant::now());
                    let wanted = Arc::clone(&peers.borrow());
                    self.reconcile(&wanted);
                }
                (stream, from) = self.listeners.accept() => self.accepted(stream, from),
            }
        }
    }

    /// A task for each peer that is wanted and none for any other; each told what has changed.
    fn reconcile(&mut self, wanted: &BTreeMap<PeerName, Desired>) {
        // Whose sender is dropped closes its session and ends.
        self.running.retain(|name, _| wanted.contains_key(name));
        for (name, desired) in wanted {
            match self.running.get(name) {
                Some(running) => {
                    running.desired.send_if_modified(|known| {
                        let changed = known != desired;
                        if changed {
                            known.clone_from(desired);
                        }
                        changed
                    });
                }
                None => self.start(name, desired),
            }
        }
        self.listeners.reconcile(wanted.values());
    }

    fn start(&mut self, name: &PeerName, desired: &Desired) {
        let (sender, receiver) = watch::channel(desired.clone());
        let (accepted, inlet) = mpsc::channel(ACCEPTED);
        let channels = peer::Channels {
            desired: receiver,
            accepted: inlet,
            sessions: self.sessions.clone(),
            changes: self.changes.clone(),
            metrics: self.metrics.clone(),
            shutdown: self.shutdown.clone(),
        };
        // Each process and peer waits otherwise, so that a hundred nodes do not dial in step.
        let seed = RandomState::new().hash_one(name);
        let node = self.settings.node.clone();
        let task = peer::run(name.clone(), node, seed, channels);
        let id = self.tasks.spawn(task).id();
        self.names.insert(id, name.clone());
        let running = Running {
            desired: sender,
            accepted,
        };
        self.running.insert(name.clone(), running);
    }

    /// A task is over; whether it must be started again, as it panicked.
    fn ended(&mut self, ended: &Result<(Id, ()), JoinError>) -> bool {
        let (id, panicked) = match ended {
            Ok((id, ())) => (*id, false),
            Err(error) => (error.id(), true),
        };
        let Some(name) = self.names.remove(&id) else {
            return false;
        };
        if panicked {
            tracing::error!(bug = true, peer = %name, "the peer's task panicked; its session is lost");
            self.metrics.panicked();
            self.running.remove(&name);
        }
        if !self.running.contains_key(&name) {
            self.metrics.forget(&name);
            self.sessions
                .send_if_modified(|sessions| sessions.remove(&name).is_some());
            self.changes
                .send_if_modified(|changes| changes.remove(&name).is_some());
        }
        panicked
    }

    /// Gives a connection to the peer that has this address; others' are closed unread.
    fn accepted(&self, stream: TcpStream, from: SocketAddr) {
        let from = from.ip().to_canonical();
        let of_peer = |running: &&Running| {
            let desired = running.desired.borrow();
            desired.settings.passive && desired.settings.remote.address() == Some(from)
        };
        match self.running.values().find(of_peer) {
            // One that comes while as many wait is closed: its peer tries again.
            Some(running) => drop(running.accepted.try_send(stream)),
            None => tracing::debug!(%from, "refusing a connection of no peer of ours"),
        }
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
