//! The discovery driver: finds out who is at the other end of the links on which BGPPeers are, and
//! tells them that we are here.
//!
//! ```text
//! owner ────Peers (watch, latest)──────▶ ┌────────┐ ──Link (watch)──▶ link × n ─▶ ICMPv6
//! layer 2 ──interfaces (watch, latest)─▶ │ driver │                    │
//!                                        └────────┘                    │
//! owner ◀───Neighbors (watch, latest)──────────────────────────────────┘
//! ```
//!
//! Without a BGPPeer on a link there is no task and no socket. A task that panics or whose socket
//! fails is started again; meanwhile the neighbour stays known.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddrV6};
use std::sync::Arc;
use std::time::Duration;

use l2::Mac;
use l2::discovery::{Discovery, Input, Link, Output};
use model::{InterfaceName, Remote};
use sys::netlink::Interface;
use sys::{InterfaceIndex, OpenRouterSocketError, RouterSocket};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::Instant;

use crate::bgp::Peers;
use crate::due::due;

/// How long a link whose task ended is left alone.
const RETRY: Duration = Duration::from_secs(5);

/// The longest message that is looked at. Options behind it do not matter, and a message that is cut
/// is malformed.
const MESSAGE: usize = 2048;

/// Who is at the other end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Neighbor {
    pub(crate) address: Ipv6Addr,
    /// On which link: the address alone says nothing.
    pub(crate) link: InterfaceIndex,
}

/// The neighbours that have been heard, by interface.
pub(crate) type Neighbors = BTreeMap<InterfaceName, Neighbor>;

impl Neighbor {
    /// Where it listens.
    pub(crate) fn socket_address(&self, port: u16) -> SocketAddrV6 {
        SocketAddrV6::new(self.address, port, 0, self.link.get())
    }
}

/// Why a link is not listened to. It is tried again.
#[derive(Debug, Error)]
enum LinkError {
    #[error(transparent)]
    Open(#[from] OpenRouterSocketError),
    #[error("failed to receive router advertisements")]
    Receive(#[source] io::Error),
}

/// Runs until one of the senders is dropped.
pub(crate) async fn run(
    mut peers: watch::Receiver<Peers>,
    mut interfaces: watch::Receiver<Arc<[Interface]>>,
    neighbors: watch::Sender<Neighbors>,
) {
    let mut driver = Driver {
        neighbors,
        tasks: JoinSet::new(),
        running: BTreeMap::new(),
        failing: BTreeSet::new(),
    };
    let mut again: Option<Instant> = None;
    loop {
        let wanted = wanted(&peers.borrow_and_update());
        let present = Arc::clone(&interfaces.borrow_and_update());
        driver.reconcile(&wanted, &present);
        tokio::select! {
            changed = peers.changed() => if changed.is_err() {
                return;
            },
            changed = interfaces.changed() => if changed.is_err() {
                return;
            },
            Some(ended) = driver.tasks.join_next_with_id() => {
                if driver.ended(ended) {
                    again.get_or_insert_with(|| Instant::now() + RETRY);
                }
            }
            () = due(again) => {
                again = None;
                driver.forget_ended();
            }
        }
    }
}

/// The interfaces on whose links peers are.
fn wanted(peers: &Peers) -> BTreeSet<InterfaceName> {
    let remotes = peers.values().map(|peer| &peer.settings.remote);
    let on_links = remotes.filter_map(|remote| match remote {
        Remote::Interface(name) => Some(name.clone()),
        Remote::Address(_) | Remote::Range(_) => None,
    });
    on_links.collect()
}

struct Driver {
    neighbors: watch::Sender<Neighbors>,
    tasks: JoinSet<Result<(), LinkError>>,
    running: BTreeMap<InterfaceName, Running>,
    /// Whose socket could not be had, which was said then.
    failing: BTreeSet<InterfaceName>,
}

/// An interface that there is, or was, a task for.
struct Running {
    task: AbortHandle,
    index: InterfaceIndex,
    link: watch::Sender<Link>,
    has_ended: bool,
}

impl Driver {
    /// A task for each interface that is wanted and there; none for any other.
    fn reconcile(&mut self, wanted: &BTreeSet<InterfaceName>, present: &[Interface]) {
        let present: BTreeMap<&str, &Interface> = present
            .iter()
            .map(|interface| (interface.name.as_str(), interface))
            .collect();
        let present = |name: &InterfaceName| present.get(name.as_str()).copied();
        self.failing.retain(|name| wanted.contains(name));
        self.running.retain(|name, running| {
            let index = present(name).map(|interface| interface.index);
            let stays = wanted.contains(name) && index == Some(running.index);
            if !stays {
                running.task.abort();
            }
            stays
        });
        self.neighbors.send_if_modified(|neighbors| {
            let before = neighbors.len();
            neighbors.retain(|name, neighbor| {
                let interface = present(name).filter(|_| wanted.contains(name));
                interface.is_some_and(|interface| interface.index == neighbor.link)
            });
            neighbors.len() != before
        });
        for name in wanted {
            let Some(interface) = present(name) else {
                continue;
            };
            let Some(link) = link(interface) else {
                continue;
            };
            match self.running.get(name) {
                Some(running) => {
                    running.link.send_if_modified(|known| {
                        let changed = *known != link;
                        *known = link;
                        changed
                    });
                }
                None => self.start(name, interface.index, link),
            }
        }
    }

    fn start(&mut self, name: &InterfaceName, index: InterfaceIndex, link: Link) {
        let (sender, receiver) = watch::channel(link);
        let task = listen(name.clone(), index, receiver, self.neighbors.clone());
        let running = Running {
            task: self.tasks.spawn(task),
            index,
            link: sender,
            has_ended: false,
        };
        self.running.insert(name.clone(), running);
    }

    /// Whether a task that is over must be started again.
    fn ended(&mut self, ended: Result<(Id, Result<(), LinkError>), JoinError>) -> bool {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let known = self.running.iter_mut().find(|(_, it)| it.task.id() == id);
        // One that was aborted is none of ours any more.
        let Some((name, running)) = known else {
            return false;
        };
        running.has_ended = true;
        match ended {
            Ok((_, Ok(()))) => {}
            Ok((_, Err(error))) => {
                if self.failing.insert(name.clone()) {
                    let error = runtime::log::chain(&error);
                    tracing::warn!(
                        interface = %name,
                        error,
                        "BGP neighbours on the link cannot be heard, trying again"
                    );
                }
            }
            Err(_) => {
                tracing::error!(bug = true, interface = %name, "the link's task panicked");
            }
        }
        true
    }

    fn forget_ended(&mut self) {
        self.running.retain(|_, running| !running.has_ended);
    }
}

/// The interface as the machine knows it; `None` for what has no Ethernet address.
fn link(interface: &Interface) -> Option<Link> {
    let addresses = interface.prefixes.iter().map(|(address, _)| *address);
    let link_local = addresses.filter_map(|address| match address {
        IpAddr::V6(address) => Some(address).filter(Ipv6Addr::is_unicast_link_local),
        IpAddr::V4(_) => None,
    });
    Some(Link {
        mac: Mac(interface.mac?),
        address: link_local.min(),
        up: interface.up,
    })
}

/// Speaks and listens on one link.
async fn listen(
    name: InterfaceName,
    index: InterfaceIndex,
    mut link: watch::Receiver<Link>,
    neighbors: watch::Sender<Neighbors>,
) -> Result<(), LinkError> {
    let socket = RouterSocket::open(index)?;
    let mut machine = Discovery::new(RandomState::new().hash_one(&name));
    let mut buffer = vec![0; MESSAGE];
    link.mark_changed();
    loop {
        let deadline = machine.deadline().map(Instant::from_std);
        tokio::select! {
            changed = link.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                let link = *link.borrow_and_update();
                machine.handle(Input::Link(link), now());
            }
            received = socket.receive(&mut buffer) => {
                let received = received.map_err(LinkError::Receive)?;
                let input = Input::Received {
                    source: received.source,
                    hop_limit: received.hop_limit,
                    message: buffer.get(..received.length).unwrap_or_default(),
                };
                machine.handle(input, now());
            }
            () = due(deadline) => machine.handle(Input::Timeout, now()),
        }
        while let Some(output) = machine.poll() {
            match output {
                Output::Transmit(datagram) => {
                    let sent = socket.send(datagram.destination(), datagram.as_bytes());
                    if let Err(error) = sent {
                        // An address that is not usable yet, or a link that is just going down: what
                        // is said again soon.
                        tracing::debug!(interface = %name, error = %error, "router discovery not sent");
                    }
                }
                Output::Neighbor(address) => {
                    tracing::info!(interface = %name, to = %address, "BGP neighbour heard on the link");
                    let neighbor = Neighbor {
                        address,
                        link: index,
                    };
                    neighbors.send_modify(|all| {
                        all.insert(name.clone(), neighbor);
                    });
                }
                Output::Contended { kept, other } => {
                    tracing::warn!(
                        interface = %name,
                        from = %other,
                        to = %kept,
                        "more than one router on the link; staying with the first, as a BGPPeer on \
                         an interface is the one at the other end of a point-to-point link"
                    );
                }
            }
        }
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

#[cfg(test)]
mod tests;
