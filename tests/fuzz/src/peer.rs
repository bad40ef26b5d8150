//! A BGP peer that is watched, played by octets: each step is an octet that says what happens, and
//! its arguments.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgp::wire::{self, Capability, Forwarding, Message, Open};
use bgp::{
    Asn, Attributes, CloseReason, Config, ConnectError, ConnectionId, Drain, Families, Family,
    GracefulRestart, Input, Mode, Output, Path, Peer, PeerAsn, Prefix, Protection, RouteSet,
    RouterId, Shutdown, State,
};

/// The most octets that one input may make it say: what fills the room on two connections, and a
/// run of UPDATEs on each.
const OCTETS_PER_INPUT: usize = 512 * 1024;

/// A peer, and what must be true of it.
pub struct Watched {
    peer: Peer,
    now: Instant,
    config: Config,
    desired: RouteSet,
    /// Attempts and connections that are open.
    live: BTreeSet<ConnectionId>,
    /// The one among them that does not stand yet.
    attempt: Option<ConnectionId>,
    state: State,
    accepted: u64,
}

/// Plays a script on a new peer, to its end. A step cut off is left out.
pub fn play(script: &[u8]) {
    let mut watched = Watched::new();
    let mut rest = script;
    while watched.step(&mut rest).is_some() {}
}

impl Watched {
    fn new() -> Self {
        let config = config();
        let mut watched = Self {
            peer: Peer::new(config.clone(), 1),
            now: Instant::now(),
            config,
            desired: RouteSet::default(),
            live: BTreeSet::new(),
            attempt: None,
            state: State::Idle,
            accepted: 0,
        };
        watched.handle(Input::Start);
        watched
    }

    fn step(&mut self, script: &mut &[u8]) -> Option<()> {
        let connection = |watched: &Self, octet: u8| {
            let count = watched.live.len().max(1);
            watched.live.iter().nth(usize::from(octet) % count).copied()
        };
        match octet(script)? % 17 {
            0 => self.handle(Input::Start),
            1 => self.handle(Input::Stop(Shutdown::Deconfigured)),
            2 => self.wait(Duration::from_millis(number(script)?)),
            3 => self.wait(Duration::from_secs(number(script)? / 64)),
            4 => self.time_out(),
            5 => self.connected(),
            6 => self.refused(),
            7 => self.accept(),
            8 => self.change(octet(script)?, octet(script)?),
            9 => self.reconfigure(octet(script)?),
            10 => {
                let id = connection(self, octet(script)?)?;
                self.close(id);
            }
            11 => {
                let id = connection(self, octet(script)?)?;
                self.receive(id, &good(octet(script)?));
            }
            12 => {
                let id = connection(self, octet(script)?)?;
                let length = usize::from(octet(script)?);
                let (octets, rest) = script.split_at_checked(length)?;
                *script = rest;
                self.receive(id, octets);
            }
            13 => {
                let id = connection(self, octet(script)?)?;
                let (kind, length) = (octet(script)?, octet(script)?);
                let (body, rest) = script.split_at_checked(usize::from(length))?;
                *script = rest;
                let length = u16::from(length) + 19;
                let [high, low] = length.to_be_bytes();
                self.receive(id, &[&[0xff; 16], &[high, low, kind][..], body].concat());
            }
            14 => self.watch_path(octet(script)?),
            15 => self.leave(octet(script)?),
            _ => {
                let id = connection(self, octet(script)?)?;
                let queued = usize::try_from(number(script)?).unwrap() * 4;
                self.handle(Input::Sent {
                    connection: id,
                    queued,
                });
            }
        }
        Some(())
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.handle(Input::Timeout);
    }

    fn time_out(&mut self) {
        if let Some(deadline) = self.peer.deadline() {
            self.now = deadline;
            self.handle(Input::Timeout);
        }
    }

    fn connected(&mut self) {
        if let Some(connection) = self.attempt.take() {
            self.handle(Input::Connected {
                connection,
                local: Ipv4Addr::LOCALHOST.into(),
                remote: Ipv4Addr::LOCALHOST.into(),
            });
        }
    }

    fn refused(&mut self) {
        if let Some(connection) = self.attempt.take() {
            self.live.remove(&connection);
            let error = ConnectError::Refused;
            self.handle(Input::ConnectFailed { connection, error });
        }
    }

    fn accept(&mut self) {
        let connection = ConnectionId::Accepted(self.accepted);
        self.accepted += 1;
        self.live.insert(connection);
        self.handle(Input::Accepted {
            connection,
            local: Ipv6Addr::LOCALHOST.into(),
            remote: Ipv6Addr::LOCALHOST.into(),
        });
    }

    fn close(&mut self, connection: ConnectionId) {
        self.forget(connection);
        let reason = CloseReason::Reset;
        self.handle(Input::Closed { connection, reason });
    }

    fn receive(&mut self, connection: ConnectionId, bytes: &[u8]) {
        self.handle(Input::Received { connection, bytes });
    }

    fn change(&mut self, n: u8, med: u8) {
        let address: IpAddr = if n % 2 == 0 {
            Ipv4Addr::from_bits(n.into()).into()
        } else {
            Ipv6Addr::from_bits(n.into()).into()
        };
        let attributes = Arc::new(Attributes {
            multi_exit_disc: Some(med.into()),
            ..Attributes::default()
        });
        let change = (Prefix::host(address), (med > 50).then_some(attributes));
        self.desired = self.desired.with([change]);
        self.handle(Input::Desired(self.desired.clone()));
    }

    /// What BFD is to the peer, what it says, or that the path has failed.
    fn watch_path(&mut self, how: u8) {
        match how % 9 {
            0 => self.protect(Protection::None),
            1 => self.protect(Protection::Bfd),
            2 => self.protect(Protection::StrictBfd),
            3 => self.handle(Input::Path(Path::Off)),
            4 => self.handle(Input::Path(Path::Listening)),
            5 => self.handle(Input::Path(Path::Replacing)),
            6 => self.handle(Input::Path(Path::Down)),
            7 => self.handle(Input::Path(Path::Up)),
            8.. => self.handle(Input::PathFailed),
        }
    }

    fn protect(&mut self, protection: Protection) {
        self.config.protection = protection;
        self.handle(Input::Reconfigure(self.config.clone()));
    }

    fn reconfigure(&mut self, how: u8) {
        let config = &mut self.config;
        match how % 8 {
            0 => config.mode = Mode::Dial,
            1 => config.mode = Mode::Passive,
            2 => config.mode = Mode::Both,
            3 => config.families = Families::BOTH,
            4 => config.families = [Family::Ipv6Unicast].into_iter().collect(),
            5 => config.hold_time = Duration::from_secs(how.into()),
            6 => config.max_prefixes = how.into(),
            7.. => config.next_hop_v6 = (how > 100).then_some(Ipv6Addr::LOCALHOST),
        }
        self.handle(Input::Reconfigure(self.config.clone()));
    }

    /// Restarts and drains.
    fn leave(&mut self, how: u8) {
        let text = || "fuzz".to_owned();
        match how % 4 {
            0 => self.handle(Input::Resume),
            1 => self.handle(Input::Stop(Shutdown::Restarting(text()))),
            2 => {
                let wait = Duration::from_secs(u64::from(how / 64));
                let text = text();
                self.handle(Input::Drain(Drain { wait, text }));
            }
            3.. => {
                self.config.graceful_restart = (how > 100).then_some(GracefulRestart {
                    restart_time: Duration::from_secs(how.into()),
                    notification: how > 180,
                    forwarding: Forwarding::Preserved,
                });
                self.handle(Input::Reconfigure(self.config.clone()));
            }
        }
    }

    fn forget(&mut self, id: ConnectionId) {
        self.live.remove(&id);
        self.attempt = self.attempt.filter(|attempt| *attempt != id);
    }

    fn handle(&mut self, input: Input<'_>) {
        self.peer.handle(input, self.now);
        let mut octets = 0;
        while let Some(output) = self.peer.poll() {
            match output {
                Output::Connect(id) => {
                    assert!(self.live.insert(id), "a new name");
                    self.attempt = Some(id);
                }
                Output::Transmit { connection, bytes } => {
                    assert!(self.live.contains(&connection), "to one that is open");
                    octets += bytes.len();
                }
                Output::Close(id) => self.forget(id),
                Output::StateChanged { from, to, .. } => {
                    assert_eq!(from, self.state);
                    assert_ne!(from, to);
                    self.state = to;
                }
                Output::Advertised(_) => {}
            }
        }
        assert!(octets <= OCTETS_PER_INPUT);
        assert!(self.live.len() <= 2, "{:?}", self.live);
        assert_eq!(self.peer.state(), self.state);
        let deadline = self.peer.deadline();
        assert!(deadline.is_none_or(|deadline| deadline > self.now));
        let _ = format!("{:?}", self.peer.status());
    }
}

/// A message as a peer in its right mind sends it.
fn good(which: u8) -> Vec<u8> {
    let message = if which % 2 == 0 {
        Message::Keepalive
    } else {
        let families = Families::BOTH.iter();
        let families = families.map(|family| Capability::Multiprotocol(family.into()));
        let graceful = Capability::GracefulRestart(wire::GracefulRestart {
            restarting: false,
            notification: which & 0x40 != 0,
            restart_time: 120,
            families: Vec::new(),
        });
        Message::Open(Open {
            asn: Asn(65_001),
            hold_time: u16::from(which & 0x7c),
            router_id: router_id(which),
            capabilities: families.chain((which > 127).then_some(graceful)).collect(),
        })
    };
    let mut octets = Vec::new();
    message.emit(None, &mut octets);
    octets
}

fn router_id(last: u8) -> RouterId {
    RouterId::from(Ipv4Addr::new(10, 0, 0, last)).expect("not zero")
}

fn config() -> Config {
    Config {
        local_asn: Asn(65_000),
        peer_asn: PeerAsn::External,
        router_id: router_id(100),
        hold_time: Duration::from_secs(90),
        keepalive_time: None,
        connect_retry_time: Duration::from_secs(30),
        mode: Mode::Both,
        families: Families::BOTH,
        next_hop_v4: None,
        next_hop_v6: None,
        max_prefixes: 100,
        role: None,
        ebgp_multihop: false,
        protection: Protection::None,
        hostname: "fuzz".to_owned(),
        graceful_restart: None,
    }
}

fn octet(script: &mut &[u8]) -> Option<u8> {
    let (octet, rest) = script.split_first()?;
    *script = rest;
    Some(*octet)
}

fn number(script: &mut &[u8]) -> Option<u64> {
    Some(u64::from(octet(script)?) << 8 | u64::from(octet(script)?))
}
