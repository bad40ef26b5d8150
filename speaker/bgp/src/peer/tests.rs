//! Every cell of the state machine, and what becomes of it.

mod bfd;
mod collisions;
mod drain;
mod graceful;
mod settings;
mod table;
mod waits;

use std::time::{Duration, Instant};

use crate::far_side::{FarSide, Heard};
use crate::fixtures::{address, config, router_id};
use crate::wire::{Capability, Message, Notification, Open, Session};
use crate::{
    Asn, CloseReason, Config, ConnectError, ConnectionId, Families, Input, Output, Peer, State, Why,
};

const DIALED: ConnectionId = ConnectionId::Dialed(0);
const ACCEPTED: ConnectionId = ConnectionId::Accepted(0);

/// One peer under test, and a clock.
struct Bench {
    peer: Peer,
    now: Instant,
    outputs: Vec<Output>,
}

impl Bench {
    fn new(config: Config) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test's clock starts somewhere")]
        let now = Instant::now();
        Self {
            peer: Peer::new(config, 1),
            now,
            outputs: Vec::new(),
        }
    }

    fn started() -> Self {
        let mut bench = Self::new(config(1));
        bench.handle(Input::Start);
        bench
    }

    /// Dialled, with our OPEN sent.
    fn open_sent() -> Self {
        let mut bench = Self::started();
        bench.connected(DIALED);
        bench
    }

    /// With OPENs exchanged.
    fn open_confirm() -> Self {
        let mut bench = Self::open_sent();
        bench.receive(DIALED, &Message::Open(open(2)));
        bench
    }

    fn established() -> Self {
        let mut bench = Self::open_confirm();
        bench.receive(DIALED, &Message::Keepalive);
        assert_eq!(bench.peer.state(), State::Established);
        bench.sent(0);
        bench
    }

    /// What is to be done in answer to that input alone.
    fn handle(&mut self, input: Input<'_>) -> &[Output] {
        self.peer.handle(input, self.now);
        self.outputs = std::iter::from_fn(|| self.peer.poll()).collect();
        &self.outputs
    }

    fn tell(&mut self, input: Input<'_>) {
        self.handle(input);
    }

    fn connected(&mut self, connection: ConnectionId) -> &[Output] {
        self.handle(connected(connection))
    }

    fn accepted(&mut self, connection: ConnectionId) -> &[Output] {
        self.handle(accepted(connection))
    }

    fn failed(&mut self, connection: ConnectionId) -> &[Output] {
        self.handle(failed(connection))
    }

    fn receive(&mut self, connection: ConnectionId, message: &Message) -> &[Output] {
        let bytes = emit(message);
        self.handle(Input::Received {
            connection,
            bytes: &bytes,
        })
    }

    fn sent(&mut self, queued: usize) -> &[Output] {
        self.handle(Input::Sent {
            connection: DIALED,
            queued,
        })
    }

    fn pass(&mut self, time: Duration) -> &[Output] {
        self.now += time;
        self.handle(Input::Timeout)
    }

    /// Lets the next timer expire; how long that took.
    fn wait(&mut self) -> Duration {
        let deadline = self.peer.deadline().unwrap();
        let waited = deadline.saturating_duration_since(self.now);
        self.pass(waited);
        waited
    }

    /// What the last input made us say on the connection.
    fn said(&self, on: ConnectionId) -> Vec<Heard> {
        let mut far = FarSide {
            session: Some(session()),
            ..FarSide::default()
        };
        for output in &self.outputs {
            if let Output::Transmit { connection, bytes } = output
                && *connection == on
            {
                far.hear(bytes);
            }
        }
        far.heard
    }

    /// The NOTIFICATION among it.
    fn notified(&self, on: ConnectionId) -> Option<Notification> {
        self.said(on).into_iter().find_map(|heard| match heard {
            Heard::Notification(notification) => Some(notification),
            Heard::Open(_) | Heard::Keepalive | Heard::EndOfRib(_) | Heard::RouteRefresh(_) => None,
        })
    }

    /// Code and subcode of it.
    fn codes(&self, on: ConnectionId) -> Option<(u8, u8)> {
        let notification = self.notified(on)?;
        Some((notification.code(), notification.subcode()))
    }

    /// What the last input brought about.
    fn whys(&self) -> Vec<&Why> {
        let whys = self.outputs.iter().filter_map(|output| match output {
            Output::StateChanged { why, .. } => Some(why),
            Output::Connect(_)
            | Output::Transmit { .. }
            | Output::Close(_)
            | Output::Advertised(_) => None,
        });
        whys.collect()
    }

    fn dialled(&self) -> Option<ConnectionId> {
        self.outputs.iter().find_map(|output| match output {
            Output::Connect(id) => Some(*id),
            Output::Transmit { .. }
            | Output::Close(_)
            | Output::StateChanged { .. }
            | Output::Advertised(_) => None,
        })
    }

    fn closed(&self, id: ConnectionId) -> bool {
        self.outputs.contains(&Output::Close(id))
    }
}

fn connected(connection: ConnectionId) -> Input<'static> {
    Input::Connected {
        connection,
        local: address(1),
        remote: address(2),
    }
}

fn accepted(connection: ConnectionId) -> Input<'static> {
    Input::Accepted {
        connection,
        local: address(1),
        remote: address(2),
    }
}

fn failed(connection: ConnectionId) -> Input<'static> {
    Input::ConnectFailed {
        connection,
        error: ConnectError::Refused,
    }
}

fn closed(connection: ConnectionId) -> Input<'static> {
    Input::Closed {
        connection,
        reason: CloseReason::Finished,
    }
}

/// An OPEN as the speaker with that number sends it, with both families and little else.
fn open(speaker: u8) -> Open {
    let families = Families::BOTH.iter();
    let mut capabilities: Vec<Capability> = families
        .map(|family| Capability::Multiprotocol(family.into()))
        .collect();
    let asn = Asn(65_000 + u32::from(speaker));
    capabilities.extend([
        Capability::RouteRefresh,
        Capability::EnhancedRouteRefresh,
        Capability::FourOctetAs(asn),
    ]);
    Open {
        asn,
        hold_time: 90,
        router_id: router_id(speaker),
        capabilities,
    }
}

fn emit(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    message.emit(None, &mut out);
    out
}

/// What our OPEN and that of speaker 2 settle.
fn session() -> Session {
    Session {
        local_asn: Asn(65_002),
        remote_asn: Asn(65_001),
        families: Families::BOTH,
        four_octet_as: true,
        route_refresh: true,
        enhanced_route_refresh: true,
        ..Session::default()
    }
}

fn opening(change: impl FnOnce(&mut Open)) -> Message {
    let mut open = open(2);
    change(&mut open);
    Message::Open(open)
}
