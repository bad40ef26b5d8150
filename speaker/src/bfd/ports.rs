//! The sockets that datagrams arrive by: one for each family, kind of path and VRF in use.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bfd::Path;
use sys::tcp::Device;
use sys::udp::{OpenReceiverError, Receiver};
use tokio::sync::mpsc::UnboundedSender;

use super::Key;
use super::engine::Report;
use super::link::Link;

/// How long after a failure the next try follows: another daemon may be stopped.
const RETRY: Duration = Duration::from_secs(5);

/// What a socket is for. The order has the one for all devices before those for single ones, which
/// can only be opened beside it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Purpose {
    is_v6: bool,
    multihop: bool,
    vrf: Option<String>,
}

/// One that is open.
pub(super) struct Port {
    pub(super) receiver: Receiver,
    purpose: Purpose,
}

/// All that are wanted.
pub(super) struct Ports {
    receive_on: [IpAddr; 2],
    open: Vec<Port>,
    closed: BTreeMap<Purpose, Closed>,
}

/// One that is not open.
struct Closed {
    again: Option<Instant>,
    error: Option<String>,
}

impl Ports {
    pub(super) fn new(receive_on: [IpAddr; 2]) -> Self {
        Self {
            receive_on,
            open: Vec::new(),
            closed: BTreeMap::new(),
        }
    }

    pub(super) fn open(&self) -> impl Iterator<Item = &Port> {
        self.open.iter()
    }

    /// What these sessions need, and nothing else.
    pub(super) fn want(&mut self, links: &[Link]) {
        let wanted: BTreeSet<Purpose> = links
            .iter()
            .flat_map(|link| Purpose::all(&link.key))
            .collect();
        self.open.retain(|port| wanted.contains(&port.purpose));
        self.closed.retain(|purpose, _| wanted.contains(purpose));
        for purpose in wanted {
            if !self.open.iter().any(|port| port.purpose == purpose) {
                self.closed.entry(purpose).or_insert(Closed {
                    again: None,
                    error: None,
                });
            }
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.closed.values().filter_map(|closed| closed.again).min()
    }

    /// Opens what is not open and is to be tried by now.
    pub(super) fn open_due(&mut self, now: Instant, reports: &UnboundedSender<Report>) {
        let is_due = |closed: &Closed| closed.again.is_none_or(|again| again <= now);
        if !self.closed.values().any(is_due) {
            return;
        }
        let due = self.closed.iter().filter(|(_, closed)| is_due(closed));
        let due: Vec<Purpose> = due.map(|(purpose, _)| purpose.clone()).collect();
        for purpose in due {
            match self.receiver(&purpose) {
                Ok(receiver) => {
                    let before = self.closed.remove(&purpose);
                    if before.is_some_and(|before| before.error.is_some()) {
                        let port = purpose.port();
                        let _ = reports.send(Report::PortOpen { port });
                    }
                    self.open.push(Port { receiver, purpose });
                }
                Err(error) => {
                    let error = runtime::log::chain(&error);
                    let closed = Closed {
                        again: Some(now + RETRY),
                        error: Some(error.clone()),
                    };
                    let before = self.closed.insert(purpose, closed);
                    let said = before.and_then(|before| before.error);
                    if said.as_ref() != Some(&error) {
                        let _ = reports.send(Report::PortFailed { error });
                    }
                }
            }
        }
    }

    /// Why nothing can be received for a session.
    pub(super) fn trouble(&self, key: &Key) -> Option<&str> {
        let closed = |purpose| self.closed.get(purpose)?.error.as_deref();
        // Without any there is nothing to be put together.
        if self.closed.is_empty() {
            return None;
        }
        closed(&Purpose::of(key))
    }

    fn receiver(&self, purpose: &Purpose) -> Result<Receiver, OpenReceiverError> {
        let [v4, v6] = self.receive_on;
        let address = SocketAddr::new(if purpose.is_v6 { v6 } else { v4 }, purpose.port());
        let device = purpose.vrf.as_deref().and_then(Device::new);
        let beside = self.open.iter().filter(|port| {
            port.purpose.port() == purpose.port() && port.purpose.is_v6 == purpose.is_v6
        });
        if device.is_some() {
            // Those that cannot be shared say so by the failure of the one beside them.
            beside.for_each(|port| drop(port.receiver.share()));
        }
        Receiver::open(address, device.as_ref())
    }
}

impl Port {
    /// Whether a packet may arrive here with that many hops left, whosever it is.
    pub(super) fn admits(&self, hop_limit: u8) -> bool {
        self.purpose.multihop || Path::SingleHop.admits(hop_limit)
    }

    /// Whether packets of the session arrive here.
    pub(super) fn serves(&self, key: &Key) -> bool {
        let Purpose {
            is_v6,
            multihop,
            vrf,
        } = &self.purpose;
        *is_v6 == key.remote.is_ipv6() && *multihop == key.multihop && *vrf == key.vrf
    }
}

impl Purpose {
    fn of(key: &Key) -> Self {
        Self {
            is_v6: key.remote.is_ipv6(),
            multihop: key.multihop,
            vrf: key.vrf.clone(),
        }
    }

    /// With the one for all devices that one for a single device needs beside it: opened later, it
    /// could not be had any more.
    fn all(key: &Key) -> [Self; 2] {
        let own = Self::of(key);
        let common = Self {
            vrf: None,
            ..own.clone()
        };
        [common, own]
    }

    fn port(&self) -> u16 {
        let path = if self.multihop {
            Path::Multihop {
                minimum_hop_limit: 0,
            }
        } else {
            Path::SingleHop
        };
        path.port()
    }
}
