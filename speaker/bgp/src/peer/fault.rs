//! What went wrong, in words for an operator: who said so, what it means, what to do.

use std::fmt;
use std::time::Instant;

use thiserror::Error;

use super::event::State;
use crate::wire::Notification;

/// Why a connection could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConnectError {
    /// Nothing listens there, or it refuses us.
    #[error("connection refused")]
    Refused,
    /// No answer.
    #[error("no answer")]
    TimedOut,
    /// No route, no neighbour.
    #[error("no route to the peer")]
    Unreachable,
    /// The source address or interface that was asked for is not there.
    #[error("the source address is not on this node")]
    NoSourceAddress,
    /// BFD is not Up, and there is to be no session before.
    #[error("BFD is not up")]
    BfdDown,
    /// Anything else, as the system words it.
    #[error("{0}")]
    Other(String),
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CloseReason {
    /// The peer closed it (FIN).
    #[error("the peer closed the connection")]
    Finished,
    /// The peer reset it (RST).
    #[error("the peer reset the connection")]
    Reset,
    /// TCP gave up waiting.
    #[error("the peer no longer answers")]
    TimedOut,
    /// Anything else, as the system words it.
    #[error("{0}")]
    Other(String),
}

/// On whose word something went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// We found it.
    Local,
    /// The peer told us.
    Peer,
    /// The connection between us.
    Network,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// There is no connection.
    NotConnected(ConnectError),
    /// The connection ended without a word.
    Closed {
        /// How far the session was.
        state: State,
        /// How.
        reason: CloseReason,
    },
    /// We ended the session, and said so.
    Sent(Notification),
    /// The peer ended the session, and said so.
    Received(Notification),
}

/// The last thing that went wrong with a peer, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastError {
    /// When it did.
    pub at: Instant,
    /// What did.
    pub fault: Fault,
}

impl Fault {
    /// On whose word.
    pub fn origin(&self) -> Origin {
        match self {
            Self::NotConnected(_) | Self::Closed { .. } => Origin::Network,
            Self::Sent(_) => Origin::Local,
            Self::Received(_) => Origin::Peer,
        }
    }

    /// What the operator can do about it, where there is something to be said.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::NotConnected(error) => advice_on_connecting(error),
            Self::Closed { state, .. } => advice_on_closing(*state),
            Self::Sent(notification) => advice_on_ours(notification.code(), notification.subcode()),
            Self::Received(notification) => {
                advice_on_theirs(notification.code(), notification.subcode())
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected(error) => write!(f, "failed to connect: {error}"),
            Self::Closed { state, reason } => write!(f, "{reason} in {state}"),
            Self::Sent(notification) => write!(f, "we ended the session: {notification}"),
            Self::Received(notification) => {
                write!(f, "the peer ended the session: {notification}")
            }
        }
    }
}

/// The fault and the advice, as status shows them.
impl fmt::Display for LastError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)?;
        match self.fault.advice() {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

fn advice_on_connecting(error: &ConnectError) -> Option<&'static str> {
    match error {
        ConnectError::Refused => Some(
            "check that BGP runs on the peer, that it is configured for this node's address, and \
             that no filter rejects TCP port 179",
        ),
        ConnectError::TimedOut => Some(
            "check the peer's address, filters on TCP port 179, and that the password is set alike \
             on both sides: with another one the peer stays silent",
        ),
        ConnectError::Unreachable => Some("check this node's routes and the peer's address"),
        ConnectError::NoSourceAddress => Some("check the peer's sourceAddress and interface"),
        ConnectError::BfdDown => Some(
            "bfdStrict holds the session back: configure BFD for this node on the peer, and see that \
             no filter rejects UDP port 3784, or 4784 over several hops",
        ),
        ConnectError::Other(_) => None,
    }
}

fn advice_on_closing(state: State) -> Option<&'static str> {
    match state {
        State::OpenSent => Some(
            "the peer hung up on our OPEN: check that it is configured for this node's address, \
             and TTL security and multihop on both sides",
        ),
        State::OpenConfirm | State::Established => {
            Some("the peer has restarted or the path to it failed, if it was not its operator")
        }
        State::Idle | State::Active | State::Connect => None,
    }
}

/// NOTIFICATIONs that we send. Code and subcode as in the IANA registry of BGP error codes.
fn advice_on_ours(code: u8, subcode: u8) -> Option<&'static str> {
    Some(match (code, subcode) {
        (1 | 3, _) => "the peer's messages are broken; update its software or report this",
        (2, 2) => "the peer's own AS is not the one in peerASN: correct one of them",
        (2, 3) => "both sides have the same router id, or the peer has none: set a unique one",
        (2, 6) => "the peer offers a hold time of 1 or 2 s: set 0 or at least 3 s there",
        (2, 7) => "activate on the peer one of the families that are configured here",
        (2, 11) => {
            "the roles of both sides do not fit: provider and customer, peer and peer, \
                    route server and its client"
        }
        (4, _) => "nothing came from the peer for the hold time: check the path to it and its load",
        (6, 1) => {
            "the peer sends more prefixes than maxPrefixes: filter them there (this speaker \
                   needs none) or raise the limit; it is tried again after some minutes"
        }
        (6, 10) => "BFD found that the path to the peer failed: check the path, then BFD's timers",
        (8, _) => "the peer has not read what we sent for minutes: look at its load and software",
        _ => return None,
    })
}

/// NOTIFICATIONs that we receive.
fn advice_on_theirs(code: u8, subcode: u8) -> Option<&'static str> {
    Some(match (code, subcode) {
        (2, 2) => "the peer expects another AS of us: compare myASN with what it is configured for",
        (2, 3) => "the peer refuses our router id: set a unique one",
        (2, 5) => "the peer wants an authentication in OPEN that is obsolete: remove it there",
        (2, 6) => "the peer does not accept our hold time: raise holdTime",
        (2, 7) => "the peer misses a capability: compare the families on both sides",
        (2, 11) => "the roles of both sides do not fit: compare role with the peer's",
        (4, _) => "nothing came from us for the hold time: check the path and this node's load",
        (6, 1) => "the peer takes fewer prefixes than we announce: raise its limit or aggregate",
        (6, 2) => "the peer's operator shut the session down; it has to be activated there",
        (6, 3) => "the peer no longer has this node configured",
        (6, 4 | 6) => "the peer's operator reset the session; it comes back by itself",
        (6, 5) => "the peer refuses connections from this node: check its configuration and limits",
        (6, 8) => "the peer is out of resources",
        (6, 10) => "the peer lost BFD: check the path, then BFD's timers",
        (8, _) => "the peer could not send to us: check the path and this node's load",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
