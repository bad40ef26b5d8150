//! What happens to a peer, and what is to be done.

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;

use super::bfd::Path;
use super::fault::{CloseReason, ConnectError, Fault};
use crate::per_family::PerFamily;
use crate::{Config, Drain, RouteSet};

/// One TCP connection, or the attempt at one, for as long as the peer lives: no two have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnectionId {
    /// We connect; the peer machine numbers these.
    Dialed(u64),
    /// The far side connected; the driver numbers these.
    Accepted(u64),
}

/// RFC 4271 §8.2.2. Of a peer with two connections, the state of the one that is further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Stopped, or waiting after a session that failed. Refuses connections.
    Idle,
    /// Waits until it is time to connect, or to be connected to.
    Active,
    /// A TCP connection is being made.
    Connect,
    /// OPEN is sent, the peer's is awaited.
    OpenSent,
    /// OPENs are exchanged, the peer's KEEPALIVE is awaited.
    OpenConfirm,
    /// Routes are told.
    Established,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "Idle",
            Self::Active => "Active",
            Self::Connect => "Connect",
            Self::OpenSent => "OpenSent",
            Self::OpenConfirm => "OpenConfirm",
            Self::Established => "Established",
        })
    }
}

/// What the peer is told when a session is ended on purpose: a Cease with this meaning, RFC 4486,
/// or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shutdown {
    /// Administrative Shutdown, with words for the far side's operator (RFC 9003), cut to what a
    /// message may carry. Empty for none.
    Administrative(String),
    /// Administrative Reset, likewise: it will be started again at once.
    Reset(String),
    /// Peer De-configured.
    Deconfigured,
    /// Not a word where the peer keeps our routes meanwhile (RFC 4724 §4.1); to any other peer
    /// Administrative Shutdown with these words, as it would drop them anyway.
    Restarting(String),
}

/// What happens to a peer.
#[derive(Debug, Clone)]
pub enum Input<'a> {
    /// Begin to connect, or to wait to be connected to (`ManualStart`). Changes nothing of a peer
    /// that was started.
    Start,
    /// End every session and stay away (`ManualStop`).
    Stop(Shutdown),
    /// The whole configuration, changed or not. A session is ended only by what cannot change
    /// within it: our AS, identifier or role, a family more, or another peer's AS.
    Reconfigure(Config),
    /// All routes that the peer is to hold. Before the first of these nothing is told, and
    /// End-of-RIB waits.
    Desired(RouteSet),
    /// Leave the peer without losing anything (RFC 8326), and stay away. Repeated, it changes the
    /// settings of the drain that is under way.
    Drain(Drain),
    /// Come back from a drain, however far it is. Changes nothing of a peer that is not drained.
    Resume,
    /// The connection asked for by [`Output::Connect`] stands.
    Connected {
        /// As asked for.
        connection: ConnectionId,
        /// Our address on it.
        local: IpAddr,
        /// The peer's address on it.
        remote: IpAddr,
    },
    /// It could not be made.
    ConnectFailed {
        /// As asked for.
        connection: ConnectionId,
        /// Why.
        error: ConnectError,
    },
    /// The peer connected to us. The driver has compared the source with this peer's address.
    Accepted {
        /// A [`ConnectionId::Accepted`] that was not used before.
        connection: ConnectionId,
        /// Our address on it.
        local: IpAddr,
        /// The peer's address on it.
        remote: IpAddr,
    },
    /// Octets arrived.
    Received {
        /// Where.
        connection: ConnectionId,
        /// Any piece of the stream.
        bytes: &'a [u8],
    },
    /// The socket took octets.
    Sent {
        /// Which.
        connection: ConnectionId,
        /// How many the driver still holds.
        queued: usize,
    },
    /// The connection ended, and not by [`Output::Close`].
    Closed {
        /// Which.
        connection: ConnectionId,
        /// How.
        reason: CloseReason,
    },
    /// What BFD says of the path, changed or not. Before the first of these a peer whose
    /// configuration asks for BFD waits for it, for some seconds at most.
    Path(Path),
    /// BFD was Up and the path has failed: RFC 5882 §3.2. What it says now is told besides.
    PathFailed,
    /// [`Peer::deadline`](super::Peer::deadline) has come.
    Timeout,
}

/// What is to be done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Connect to the peer, and say [`Input::Connected`] or [`Input::ConnectFailed`].
    Connect(ConnectionId),
    /// Send octets.
    Transmit {
        /// Where.
        connection: ConnectionId,
        /// Whole messages.
        bytes: Bytes,
    },
    /// Give up the connection, or the attempt at it, after what was transmitted before has been
    /// handed to the socket, as far as it takes it at once. Nothing more is to be said of it.
    Close(ConnectionId),
    /// The peer's state is another one.
    StateChanged {
        /// Before.
        from: State,
        /// From now on.
        to: State,
        /// What brought it about.
        why: Why,
    },
    /// The peer has been told all that it is to hold, and holds another number of prefixes.
    Advertised(PerFamily<usize>),
}

/// What brought about a change of state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// [`Input::Start`].
    Started,
    /// [`Input::Stop`].
    Stopped,
    /// A change of the configuration that asks for a new session.
    Reconfigured,
    /// The wait is over.
    RetryDue,
    /// BFD no longer holds it back.
    PathUp,
    /// TCP stands.
    Connected,
    /// The peer's OPEN was in order.
    OpenReceived,
    /// The peer agrees to our OPEN.
    KeepaliveReceived,
    /// Of two connections the other one is kept.
    Collision,
    /// The peer connected again while its old connection seemed to stand (RFC 4724 §4.2).
    PeerRestarted,
    /// A drain is over: the peer was left.
    Drained,
    /// [`Input::Resume`].
    Resumed,
    /// Something went wrong.
    Failed(Fault),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started => f.write_str("started"),
            Self::Stopped => f.write_str("stopped"),
            Self::Reconfigured => f.write_str("the configuration changed"),
            Self::RetryDue => f.write_str("it is time to try again"),
            Self::PathUp => f.write_str("BFD no longer holds it back"),
            Self::Connected => f.write_str("connected"),
            Self::OpenReceived => f.write_str("the peer's OPEN was accepted"),
            Self::KeepaliveReceived => f.write_str("the peer accepted our OPEN"),
            Self::Collision => f.write_str("of two connections the other one is kept"),
            Self::PeerRestarted => f.write_str("the peer has restarted"),
            Self::Drained => f.write_str("drained"),
            Self::Resumed => f.write_str("drained no longer"),
            Self::Failed(fault) => fault.fmt(f),
        }
    }
}
