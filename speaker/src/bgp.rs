//! The BGP driver: a task for each peer, and a listener where a peer is to connect to us.
//!
//! ```text
//! owner ──Peers (watch, latest)──▶ driver ──Desired (watch, latest)──▶ peer × n ─▶ TCP
//!   ▲                                └─▶ listener ──TcpStream (mpsc)──▶  │
//!   └──────────Sessions (watch, latest)──────────────────────────────────┤
//! events ◀─────Changes (watch, latest)───────────────────────────────────┤
//! bfd ◀────────Wishes (watch, latest)────────────────────────────────────┤
//!   └──────────Statuses (watch, latest)──────────────────────────────────┘
//! ```
//!
//! A panic in a peer's task costs that peer its session and is counted; the task is started again.
//! Without a peer there is no task and no socket.

mod change;
mod guard;
mod listener;
mod metrics;
mod name;
mod neighbors;
mod peer;
mod peers;
mod protection;
mod routes;
mod session;
mod socket;
mod transport;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bgp::{Drain, RouterId};
use k8s_openapi::jiff::Timestamp;
use model::{BgpPeer, NodeName, Password, PeerName};
use plan::{Ending, Forwarding, Interface, NextHops};
use sys::tcp::Device;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::bfd::{Statuses, Wishes};
use crate::due::due;
use listener::Listeners;
use neighbors::{Origin, wanted_of, whose};
use peer::Stay;

pub use change::Change;
pub use guard::Guarded;
pub use metrics::Metrics;
pub use name::SessionName;
pub use session::Session;

pub(crate) use metrics::SessionLabels;
pub(crate) use peers::{Local, peers, router_id};

/// Connections of a peer that wait for its task. It takes them at once; more is a peer that storms.
const ACCEPTED: usize = 4;

/// The neighbours that a range may have at a time: many times those of any link, and few enough
/// that whoever may connect from it costs some megabytes at the most.
const NEIGHBORS: usize = 100;

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
    /// Where it is: with its link, where it is on one; `None` for a range, and for a peer on a link
    /// on which nobody has been heard yet.
    pub remote: Option<SocketAddr>,
    pub next_hops: NextHops,
    /// Of a range, by which its neighbours' next hops are found; of others none.
    pub interfaces: Arc<[Interface]>,
    /// Whether its address lies in a prefix of this node.
    pub on_link: bool,
    /// What it may be told of this node's forwarding.
    pub forwarding: Forwarding,
    /// How it is to be left, if it is.
    pub drain: Option<Drain>,
    /// What it is to hold, sorted.
    pub routes: Arc<[plan::Route]>,
}

impl PartialEq for Desired {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            settings,
            secret,
            router_id,
            remote,
            next_hops,
            interfaces,
            on_link,
            forwarding,
            drain,
            routes,
        } = self;
        Arc::ptr_eq(routes, &other.routes)
            && *settings == other.settings
            && *secret == other.secret
            && *router_id == other.router_id
            && *remote == other.remote
            && *next_hops == other.next_hops
            && *interfaces == other.interfaces
            && *on_link == other.on_link
            && *forwarding == other.forwarding
            && *drain == other.drain
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

/// All sessions that there are tasks for, as they stand; and ranges from which nobody can be let in.
pub type Sessions = BTreeMap<SessionName, Session>;

/// What was last to be told of each of those.
pub type Changes = BTreeMap<SessionName, Change>;

/// How the driver is tied to the rest.
#[derive(Debug)]
pub struct Channels {
    /// The peers; the driver ends when the sender is dropped.
    pub peers: watch::Receiver<Peers>,
    pub sessions: watch::Sender<Sessions>,
    pub changes: watch::Sender<Changes>,
    /// What the peers ask of BFD.
    pub wishes: watch::Sender<Wishes>,
    /// How BFD stands.
    pub statuses: watch::Receiver<Statuses>,
    /// Ends every session in order, once it says how; and as for a restart if nobody is left to say.
    pub ending: watch::Receiver<Option<Ending>>,
    /// When there is nothing left to wait for either: what has to come after the sessions may take
    /// longer.
    pub shutdown: CancellationToken,
}

/// Who we are: what OPEN says unless a peer's settings say something else.
#[derive(Debug, Clone)]
pub struct Settings {
    pub node: NodeName,
    /// Where peers connect to us that are asked to.
    pub port: u16,
}

impl Settings {
    /// A node, and where peers connect to it.
    pub(crate) fn of(node: &NodeName, port: u16) -> Self {
        let node = node.clone();
        Self { node, port }
    }
}

/// Runs until shutdown, and until every session is closed, which may be long before.
pub async fn run(settings: Settings, channels: Channels, metrics: Metrics) {
    let Channels {
        peers,
        sessions,
        changes,
        wishes,
        statuses,
        ending,
        shutdown,
    } = channels;
    let mut driver = Driver {
        listeners: Listeners::new(settings.port),
        settings,
        sessions,
        changes,
        wishes,
        statuses,
        ending,
        metrics,
        tasks: JoinSet::new(),
        names: HashMap::new(),
        running: BTreeMap::new(),
        wanted: Peers::default(),
        closed: BTreeMap::new(),
        crowded: BTreeSet::new(),
    };
    driver.drive(peers).await;
    // Each task hears of the end by itself; a sender that is dropped would mean that its peer is
    // wanted no more.
    while let Some(ended) = driver.tasks.join_next_with_id().await {
        driver.ended(&ended);
    }
    shutdown.cancelled().await;
}

struct Driver {
    settings: Settings,
    sessions: watch::Sender<Sessions>,
    changes: watch::Sender<Changes>,
    wishes: watch::Sender<Wishes>,
    statuses: watch::Receiver<Statuses>,
    ending: watch::Receiver<Option<Ending>>,
    metrics: Metrics,
    listeners: Listeners,
    tasks: JoinSet<()>,
    /// Only looked up, so a hash map changes no answer; ids have no order.
    names: HashMap<Id, SessionName>,
    running: BTreeMap<SessionName, Running>,
    wanted: Peers,
    /// Ranges from which nobody is let in, and why.
    closed: BTreeMap<PeerName, String>,
    /// Ranges that have all the neighbours that they may have, which was said then.
    crowded: BTreeSet<PeerName>,
}

/// A peer that there is a task for.
struct Running {
    task: Id,
    desired: watch::Sender<Desired>,
    accepted: mpsc::Sender<TcpStream>,
}

impl Driver {
    /// Returns when it is time to end.
    async fn drive(&mut self, mut peers: watch::Receiver<Peers>) {
        // When a peer whose task panicked gets another one.
        let mut repair: Option<Instant> = None;
        let mut ending = self.ending.clone();
        peers.mark_changed();
        loop {
            let again = [repair, self.listeners.deadline()];
            let again = again.into_iter().flatten().min();
            tokio::select! {
                biased;
                _ = ended(&mut ending) => return,
                changed = peers.changed() => {
                    if changed.is_err() {
                        ended(&mut ending).await;
                        return;
                    }
                    self.wanted = Arc::clone(&peers.borrow_and_update());
                    self.reconcile();
                }
                Some(ended) = self.tasks.join_next_with_id() => {
                    if self.ended(&ended) {
                        repair.get_or_insert_with(|| Instant::now() + REPAIR);
                    }
                }
                () = due(again) => {
                    repair = repair.filter(|at| *at > Instant::now());
                    self.reconcile();
                }
                (stream, from, device) = self.listeners.accept() => {
                    self.accepted(stream, from, device.as_ref());
                }
            }
        }
    }

    /// A task for each peer that is wanted, and for each neighbour of a range that came; none for any
    /// other. Each is told what has changed.
    fn reconcile(&mut self) {
        let wanted = Arc::clone(&self.wanted);
        // Whose sender is dropped closes its session and ends.
        self.running.retain(|name, running| {
            let Some(desired) = wanted_of(&wanted, name) else {
                return false;
            };
            running.desired.send_if_modified(|known| {
                let changed = *known != *desired;
                if changed {
                    *known = desired.into_owned();
                }
                changed
            });
            true
        });
        for (peer, desired) in wanted.iter() {
            let name = SessionName::from(peer.clone());
            if desired.range().is_none() && !self.running.contains_key(&name) {
                self.start(name, desired.clone(), Stay::Configured);
            }
        }
        self.crowded.retain(|peer| wanted.contains_key(peer));
        self.close_ranges(&wanted);
        self.listeners.reconcile(wanted.values());
    }

    /// Says of which ranges nobody can be let in. Of the others each neighbour speaks for itself.
    fn close_ranges(&mut self, wanted: &BTreeMap<PeerName, Desired>) {
        let ranges = wanted
            .iter()
            .filter(|(_, desired)| desired.range().is_some());
        let closed = ranges.filter_map(|(peer, desired)| {
            let unfit = transport::options(desired).err()?;
            Some((peer.clone(), runtime::log::chain(&unfit)))
        });
        let before = std::mem::replace(&mut self.closed, closed.collect());
        for peer in before.keys() {
            let is_range = wanted.get(peer).is_some_and(|now| now.range().is_some());
            if is_range && !self.closed.contains_key(peer) || !wanted.contains_key(peer) {
                self.forget(&SessionName::from(peer.clone()));
            }
        }
        for (peer, reason) in &self.closed {
            if before.get(peer) == Some(reason) {
                continue;
            }
            let name = SessionName::from(peer.clone());
            let change = Change::Refused(reason.clone());
            change.log(&name);
            let session = Session::refused(reason.clone(), Timestamp::now());
            self.changes
                .send_modify(|changes| drop(changes.insert(name.clone(), change)));
            self.sessions.send_modify(|sessions| {
                let session = session.after(sessions.get(&name));
                sessions.insert(name, session);
            });
        }
    }

    fn start(&mut self, name: SessionName, desired: Desired, stay: Stay) {
        let (sender, receiver) = watch::channel(desired);
        let (accepted, inlet) = mpsc::channel(ACCEPTED);
        let channels = peer::Channels {
            desired: receiver,
            accepted: inlet,
            sessions: self.sessions.clone(),
            changes: self.changes.clone(),
            wishes: self.wishes.clone(),
            statuses: self.statuses.clone(),
            metrics: self.metrics.clone(),
            ending: self.ending.clone(),
        };
        // Each process and peer waits otherwise, so that a hundred nodes do not dial in step.
        let seed = RandomState::new().hash_one(&name);
        let node = self.settings.node.clone();
        let task = peer::run(name.clone(), node, stay, seed, channels);
        let task = self.tasks.spawn(task).id();
        self.names.insert(task, name.clone());
        let running = Running {
            task,
            desired: sender,
            accepted,
        };
        self.running.insert(name, running);
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
        }
        // It may be running again already, as another task.
        self.running
            .retain(|other, running| *other != name || running.task != id);
        if !self.running.contains_key(&name) {
            self.crowded.remove(&name.peer);
            self.forget(&name);
        }
        panicked
    }

    /// Nothing more is to be said of a session.
    fn forget(&self, name: &SessionName) {
        self.metrics.forget(name);
        self.sessions
            .send_if_modified(|sessions| sessions.remove(name).is_some());
        self.changes
            .send_if_modified(|changes| changes.remove(name).is_some());
        self.wishes
            .send_if_modified(|wishes| wishes.remove(name).is_some());
    }

    /// Gives a connection to the peer that has this address, or in whose range it is; others' are
    /// closed unread.
    fn accepted(&mut self, stream: TcpStream, from: SocketAddr, device: Option<&Device>) {
        let address = from;
        let Some(name) = whose(&self.wanted, Origin { address, device }) else {
            tracing::debug!(%from, "refusing a connection of no peer of ours");
            return;
        };
        if !self.running.contains_key(&name) && !self.admit(&name) {
            return;
        }
        if let Some(running) = self.running.get(&name) {
            // One that comes while as many wait is closed: its peer tries again.
            drop(running.accepted.try_send(stream));
        }
    }

    /// Whether somebody who connects from a range is a neighbour now.
    fn admit(&mut self, name: &SessionName) -> bool {
        let peer = &name.peer;
        let known = self.running.keys().filter(|other| other.peer == *peer);
        if self.closed.contains_key(peer) {
            return false;
        }
        if known.count() >= NEIGHBORS {
            if self.crowded.insert(peer.clone()) {
                let reason = format!("it has {NEIGHBORS} neighbors already");
                tracing::warn!(%peer, reason, "refusing more neighbors of a range");
            }
            return false;
        }
        let wanted = Arc::clone(&self.wanted);
        match wanted_of(&wanted, name) {
            Some(desired) => self.start(name.clone(), desired.into_owned(), Stay::Visiting),
            None => return false,
        }
        true
    }
}

/// Waits until everything is to end; says what that means.
async fn ended(ending: &mut watch::Receiver<Option<Ending>>) -> Ending {
    // Who is gone without a word has crashed, and a crash is the sooner repaired the less is said.
    let said = ending.wait_for(Option::is_some).await;
    said.ok()
        .and_then(|said| *said)
        .unwrap_or(Ending::Restarting)
}

#[cfg(test)]
mod tests;
