//! What happens on a peer's connections: they come, agree, collide and end.

use std::mem;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::backoff::STABLE;
use super::collision::{self, Identity, Kept, Standing};
use super::{
    CONNECTIONS, CloseReason, ConnectError, ConnectionId, Fault, Output, Peer, State, Wait, Why,
};
use crate::connection::{Connection, InitialUpdate, Step};
use crate::wire::{Error, Notification};

/// How long a peer that sent too many prefixes is left alone: each try floods us up to the limit.
const PREFIX_LIMIT_HOLD: Duration = Duration::from_secs(300);

/// Who closes a connection that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// We do, after what is left to be said.
    Ours,
    /// It is closed.
    Theirs,
    /// We do, and say nothing more.
    Silent,
}

/// How a peer is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// After a wait in which it may connect itself.
    Retry,
    /// After a wait in which it is refused.
    Idle,
    /// After a long one.
    MuchLater,
}

impl Peer {
    pub(super) fn connected(
        &mut self,
        id: ConnectionId,
        local: IpAddr,
        remote: IpAddr,
        now: Instant,
    ) {
        if self.attempt.is_some_and(|attempt| attempt.id == id) {
            self.attempt = None;
            self.add(id, local, remote, now);
        } else if find(&mut self.connections, id).is_none() {
            self.outbox.push_back(Output::Close(id));
        }
    }

    pub(super) fn accepted(
        &mut self,
        id: ConnectionId,
        local: IpAddr,
        remote: IpAddr,
        now: Instant,
    ) {
        if find(&mut self.connections, id).is_some() {
            return;
        }
        let idle = !self.is_wanted() || matches!(self.wait, Some(Wait::Idle(_)));
        if idle || is_ours(id) || !self.config.mode.accepts() {
            self.outbox.push_back(Output::Close(id));
            return;
        }
        self.give_up_older(now);
        if self.connections.len() + usize::from(self.attempt.is_some()) < CONNECTIONS {
            self.add(id, local, remote, now);
        } else {
            self.outbox.push_back(Output::Close(id));
        }
    }

    /// A peer that connects once more has given up the connection that it made before, unless a
    /// session stands on that.
    fn give_up_older(&mut self, now: Instant) {
        let given_up = |one: &&Connection| !is_ours(one.id) && one.state() != State::Established;
        let older = self.connections.iter().find(given_up).map(|one| one.id);
        if let Some(older) = older {
            self.lose_collision(older, now);
        }
    }

    fn add(&mut self, id: ConnectionId, local: IpAddr, remote: IpAddr, now: Instant) {
        let (local, remote) = (local.to_canonical(), remote.to_canonical());
        let initial = self.initial;
        let connection = Connection::open(id, local, remote, &self.config, initial, now);
        self.connections.push(connection);
        if self.holds_dial() {
            self.hold(now);
        }
        self.note(Why::Connected, now);
    }

    pub(super) fn connect_failed(&mut self, id: ConnectionId, error: ConnectError, now: Instant) {
        if self.attempt.is_some_and(|attempt| attempt.id == id) {
            self.attempt = None;
            let fault = Fault::NotConnected(error);
            self.record(&fault, now);
            self.plan_next(Again::Retry, now);
            self.note(Why::Failed(fault), now);
        }
    }

    pub(super) fn receive(&mut self, id: ConnectionId, bytes: &[u8], now: Instant) {
        if let Some(connection) = find(&mut self.connections, id) {
            connection.push(bytes);
        }
        if self.keeps_waiting(id, now) {
            return;
        }
        while let Some(connection) = find(&mut self.connections, id) {
            match connection.step(&self.config, &mut self.counters, now) {
                Step::Drained => return,
                Step::Handled => {}
                Step::Opened => self.opened(id, now),
                Step::Established => self.establish(id, now),
                Step::Failed(fault) => self.fail(id, fault, Ending::Ours, now),
            }
        }
    }

    /// The peer's OPEN is good: of two connections one may have to go, else it is agreed to.
    fn opened(&mut self, id: ConnectionId, now: Instant) {
        let of = |this: bool| {
            self.connections
                .iter()
                .find(move |one| (one.id == id) == this)
        };
        if let (Some(new), Some(other)) = (of(true), of(false)) {
            let other = (other.id, Standing::of(other, new));
            match collision::resolve(id, other, self.local(), self.remote(id)) {
                Kept::Both => {}
                Kept::New => self.lose_collision(other.0, now),
                Kept::Other => return self.lose_collision(id, now),
                Kept::Returned => self.replace(other.0, now),
            }
        }
        if let Some(connection) = find(&mut self.connections, id) {
            connection.confirm(&mut self.jitter, now);
        }
        self.wait = None;
        self.note(Why::OpenReceived, now);
    }

    fn local(&self) -> Identity {
        Identity {
            router_id: self.config.router_id,
            asn: self.config.local_asn,
        }
    }

    /// Who the peer says it is on that connection; ourselves if it has not said.
    fn remote(&self, id: ConnectionId) -> Identity {
        let connection = self.connections.iter().find(|one| one.id == id);
        let agreed = connection.and_then(Connection::agreed);
        agreed.map_or(self.local(), |agreed| Identity {
            router_id: agreed.theirs.router_id,
            asn: agreed.theirs.asn,
        })
    }

    fn establish(&mut self, id: ConnectionId, now: Instant) {
        self.established += 1;
        self.advertised = None;
        self.give_up_attempt();
        let (drained, wanted) = (self.draining.is_some(), self.wanted());
        if let Some(connection) = find(&mut self.connections, id) {
            connection.set_graceful_shutdown(drained);
            if let Some(wanted) = wanted {
                connection.set_desired(&wanted);
            }
        }
        self.note(Why::KeepaliveReceived, now);
    }

    pub(super) fn closed(&mut self, id: ConnectionId, reason: CloseReason, now: Instant) {
        match find(&mut self.connections, id).map(|connection| connection.state()) {
            Some(state) => {
                let fault = Fault::Closed { state, reason };
                self.fail(id, fault, Ending::Theirs, now);
            }
            None => {
                let error = ConnectError::Other(reason.to_string());
                self.connect_failed(id, error, now);
            }
        }
    }

    /// Of two connections this one is not kept; nothing is wrong with the peer.
    fn lose_collision(&mut self, id: ConnectionId, now: Instant) {
        if let Some(mut connection) = self.remove(id) {
            connection.notify(Error::ConnectionCollisionResolution.into());
            self.finish(connection, Ending::Ours, now);
            self.note(Why::Collision, now);
        }
    }

    /// RFC 4724 §4.2: the peer has restarted, so that nobody is left to be told on this connection.
    fn replace(&mut self, id: ConnectionId, now: Instant) {
        if let Some(connection) = self.remove(id) {
            self.finish(connection, Ending::Silent, now);
            self.note(Why::PeerRestarted, now);
        }
    }

    /// A connection is over for a reason.
    pub(super) fn fail(&mut self, id: ConnectionId, fault: Fault, ending: Ending, now: Instant) {
        let Some(mut connection) = self.remove(id) else {
            return;
        };
        if let Fault::Sent(notification) = &fault {
            connection.notify(notification.clone());
        }
        let stood = connection
            .established()
            .map(|session| now.saturating_duration_since(session.since));
        if stood.is_some_and(|stood| stood >= STABLE) {
            self.backoff.reset();
        }
        self.finish(connection, ending, now);
        if !is_collision(&fault) {
            self.record(&fault, now);
        }
        self.plan_next(again(&fault), now);
        self.note(Why::Failed(fault), now);
    }

    /// Sets the wait after which the peer is tried again, unless another connection goes on.
    fn plan_next(&mut self, again: Again, now: Instant) {
        let next = match again {
            Again::MuchLater => {
                self.end_all(&Error::ConnectionRejected.into(), now);
                let hold = self.jitter.shorten(PREFIX_LIMIT_HOLD);
                Some(Wait::Idle(now + hold))
            }
            _ if self.attempt.is_some() || self.wait.is_some() => None,
            // One that says nothing does not keep us from dialling, but is not refused either.
            Again::Retry | Again::Idle if !self.connections.is_empty() => {
                let goes_on = |one: &Connection| is_ours(one.id) || one.agreed().is_some();
                let silent = !self.connections.iter().any(goes_on);
                silent.then(|| Wait::Retry(now + self.next_wait()))
            }
            Again::Retry => Some(Wait::Retry(now + self.next_wait())),
            Again::Idle => Some(Wait::Idle(now + self.next_wait())),
        };
        self.wait = next.or(self.wait);
    }

    /// Refuses the peer for a while.
    pub(super) fn idle(&mut self, now: Instant) {
        self.plan_next(Again::Idle, now);
    }

    fn next_wait(&mut self) -> Duration {
        let longest = self.config.connect_retry_time;
        self.backoff.next(longest, &mut self.jitter)
    }

    /// Hands out what is left to be said, and the connection.
    pub(super) fn finish(&mut self, mut connection: Connection, ending: Ending, now: Instant) {
        match ending {
            Ending::Ours => {
                self.transmit(&mut connection, now);
                self.outbox.push_back(Output::Close(connection.id));
            }
            Ending::Theirs => {}
            Ending::Silent => self.outbox.push_back(Output::Close(connection.id)),
        }
    }

    /// Lets the connections' timers expire.
    pub(super) fn expire_connections(&mut self, now: Instant) {
        let ids: Vec<ConnectionId> = self.connections.iter().map(|one| one.id).collect();
        for id in ids {
            let fault = find(&mut self.connections, id)
                .and_then(|connection| connection.expire(&mut self.jitter, now));
            if let Some(fault) = fault {
                self.fail(id, fault, Ending::Ours, now);
            }
        }
    }

    /// Hands out what the connections have to say.
    pub(super) fn tell(&mut self, now: Instant) {
        let mut connections = mem::take(&mut self.connections);
        for connection in &mut connections {
            if self.is_silent(connection) {
                continue;
            }
            connection.tell();
            self.transmit(connection, now);
            if let Some(advertised) = connection.settled()
                && self.advertised != Some(advertised)
            {
                self.advertised = Some(advertised);
                self.initial = InitialUpdate::Told;
                self.outbox.push_back(Output::Advertised(advertised));
            }
        }
        self.connections = connections;
    }

    fn transmit(&mut self, connection: &mut Connection, now: Instant) {
        if let Some(bytes) = connection.take(&mut self.jitter, now) {
            let connection = connection.id;
            self.outbox
                .push_back(Output::Transmit { connection, bytes });
        }
    }

    fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let at = self.connections.iter().position(|one| one.id == id)?;
        Some(self.connections.remove(at))
    }
}

/// The connection of that name.
pub(super) fn find(connections: &mut [Connection], id: ConnectionId) -> Option<&mut Connection> {
    connections.iter_mut().find(|one| one.id == id)
}

fn is_ours(id: ConnectionId) -> bool {
    match id {
        ConnectionId::Dialed(_) => true,
        ConnectionId::Accepted(_) => false,
    }
}

/// What follows from a fault. A peer that is idle after a failure of its own refuses us: if we
/// refused it in turn, the two could miss each other for ever, so that this one, as RFC 4271
/// §8.2.2 has it for OpenSent, leads to Active.
fn again(fault: &Fault) -> Again {
    match fault {
        Fault::Sent(notification) if is(notification, Error::MaximumPrefixes) => Again::MuchLater,
        Fault::Received(notification) if is(notification, Error::ConnectionRejected) => {
            Again::Retry
        }
        // The path has failed, not the peer, and it may be the first to know that it is back.
        Fault::Sent(notification) | Fault::Received(notification)
            if is(notification, Error::BfdDown) =>
        {
            Again::Retry
        }
        Fault::Closed { state, .. } if *state <= State::OpenSent => Again::Retry,
        _ if is_collision(fault) => Again::Retry,
        Fault::NotConnected(_) => Again::Retry,
        Fault::Closed { .. } | Fault::Sent(_) | Fault::Received(_) => Again::Idle,
    }
}

/// Whether the peer chose another connection. Both sides may have given up the one that the other
/// kept; then there is nothing wrong with either, and they try again.
fn is_collision(fault: &Fault) -> bool {
    match fault {
        Fault::Received(notification) => is(notification, Error::ConnectionCollisionResolution),
        Fault::NotConnected(_) | Fault::Closed { .. } | Fault::Sent(_) => false,
    }
}

fn is(notification: &Notification, error: Error) -> bool {
    notification.error() == Some(error)
}
