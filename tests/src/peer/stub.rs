//! A peer that behaves as no router should: it listens on port 179 of a host and treats everybody
//! who dials according to its [`Manner`]. It counts what it hears.
//!
//! ```text
//! accept ──▶ one thread a connection ──▶ poll: heard ─▶ Wire ─▶ answer, count
//!                                                due  ─▶ KEEPALIVE, flood, hang up
//! ```

mod script;
mod wire;

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::host::Host;

const PORT: u16 = 179;
/// How long a thread may not look whether it is to end.
const GLANCE: u16 = 50;

/// How the stub treats those who dial it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manner {
    /// As RFC 4271 wants it: OPEN, KEEPALIVEs; it reads and counts all.
    Civil,
    /// It accepts, and never says a word.
    Mute,
    /// In place of an OPEN come bytes that mean nothing, without end.
    Babbling,
    /// Once it has a session, it sends these bytes, whole messages or not.
    Saying(Vec<u8>),
    /// Once it has a session, it reads no more, and goes on to send KEEPALIVEs.
    Deaf,
    /// Once it has a session, it announces this many prefixes of each family.
    Flooding(u32),
    /// Once a session has lasted this long it resets the TCP connection, each time.
    Fickle(Duration),
}

/// Who the stub says that it is.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    pub asn: u32,
    pub router_id: [u8; 4],
    /// In seconds; its KEEPALIVEs come in a third of it.
    pub hold_time: u16,
}

/// What a stub has heard so far, over all its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard {
    /// Connections accepted.
    pub connections: u64,
    /// Sessions: an OPEN and a KEEPALIVE of the other side were read.
    pub sessions: u64,
    pub opens: u64,
    pub updates: u64,
    pub keepalives: u64,
    pub route_refreshes: u64,
    pub notifications: u64,
    /// Code and subcode of the last NOTIFICATION.
    pub last_notification: Option<(u8, u8)>,
    /// Prefixes that the stub has announced.
    pub announced: u64,
    /// Prefixes that it was told, and those that were taken back.
    pub told: u64,
    pub withdrawn: u64,
    /// When it last answered an OPEN: not before that has the other side a session.
    pub since: Option<Instant>,
    /// When a prefix was last told or taken back.
    pub last_told: Option<Instant>,
}

/// A running stub. Dropping it resets its connections.
#[derive(Debug)]
pub struct Stub {
    stop: Arc<AtomicBool>,
    heard: Arc<Mutex<Heard>>,
    worker: Option<JoinHandle<Result<()>>>,
}

/// What the threads of one stub share.
#[derive(Debug, Clone)]
struct Shared {
    manner: Manner,
    identity: Identity,
    /// What it announces when it floods; of both families.
    next_hops: [IpAddr; 2],
    stop: Arc<AtomicBool>,
    heard: Arc<Mutex<Heard>>,
}

impl Stub {
    /// Listen on port 179 of a host, in both families.
    pub fn start(host: &Host, identity: Identity, manner: Manner) -> Result<Self> {
        let interface = host.interface("eth0")?;
        let v4 = *interface.v4.first().context("no IPv4 address")?;
        let v6 = interface.v6.iter().find(|ip| !ip.is_unicast_link_local());
        let v6 = *v6.context("no IPv6 address")?;
        let listener = host.within(|| {
            let at = SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT));
            let listener = TcpListener::bind(at).context("another BGP speaker has port 179")?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        })?;
        let (stop, heard) = (Arc::default(), Arc::default());
        let shared = Shared {
            manner,
            identity,
            next_hops: [IpAddr::V4(v4), IpAddr::V6(v6)],
            stop: Arc::clone(&stop),
            heard: Arc::clone(&heard),
        };
        let worker = thread::Builder::new()
            .name(format!("stub {}", host.name()))
            .spawn(move || accept(&listener, &shared))?;
        Ok(Self {
            stop,
            heard,
            worker: Some(worker),
        })
    }

    /// What it has heard so far.
    pub fn heard(&self) -> Heard {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(worker) = self.worker.take() {
            drop(worker.join());
        }
    }
}

impl Shared {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn note(&self, what: impl FnOnce(&mut Heard)) {
        what(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Take connections until the stub is dropped, each on a thread of its own.
fn accept(listener: &TcpListener, shared: &Shared) -> Result<()> {
    let mut connections = Vec::new();
    while !shared.is_stopped() {
        wait(listener, PollFlags::POLLIN, GLANCE)?;
        match listener.accept() {
            Ok((stream, _)) => {
                shared.note(|heard| heard.connections += 1);
                let shared = shared.clone();
                // However a connection ends, the stub goes on.
                connections.push(thread::spawn(move || drop(script::play(stream, &shared))));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("accepting"),
        }
        connections.retain(|thread: &JoinHandle<()>| !thread.is_finished());
    }
    for thread in connections {
        drop(thread.join());
    }
    Ok(())
}

/// Wait for a descriptor for so many milliseconds at most; what it is ready for.
fn wait(descriptor: &impl AsFd, wanted: PollFlags, milliseconds: u16) -> Result<PollFlags> {
    let mut descriptors = [PollFd::new(descriptor.as_fd(), wanted)];
    match poll(&mut descriptors, PollTimeout::from(milliseconds)) {
        Ok(_) => Ok(descriptors[0].revents().unwrap_or(PollFlags::empty())),
        Err(nix::errno::Errno::EINTR) => Ok(PollFlags::empty()),
        Err(error) => Err(error).context("waiting for a connection"),
    }
}
