//! What an operator is shown of a peer.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::event::State;
use super::fault::LastError;
use crate::adj_rib_out::AdjRibOut;
use crate::connection::Connection;
use crate::per_family::PerFamily;
use crate::rules::FamilyWithheld;
use crate::wire::Session;
use crate::{DrainStage, Family, RouterId};

/// A peer at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Where it stands.
    pub state: State,
    /// Since when; `None` before anything happened.
    pub since: Option<Instant>,
    /// What went wrong last. It stays while all is well again.
    pub last_error: Option<LastError>,
    /// Whether BFD holds a session back.
    pub waits_for_bfd: bool,
    /// When the next attempt begins, if nothing is under way.
    pub next_attempt: Option<Instant>,
    /// What both sides agreed on, from OpenConfirm on.
    pub negotiated: Option<Negotiated>,
    /// The families in numbers, once established.
    pub families: PerFamily<FamilyStatus>,
    /// What was received since the start, over all sessions.
    pub counters: Counters,
    /// How often a session was established.
    pub established: u64,
    /// How far the drain is that is under way.
    pub drain: Option<DrainStage>,
}

/// One family of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FamilyStatus {
    /// Why it is not told; of a session that is not established, `None`.
    pub withheld: Option<FamilyWithheld>,
    /// Prefixes that the peer has been told.
    pub advertised: usize,
    /// Prefixes that it cannot be told: their communities fill more than a message.
    pub oversized: usize,
    /// Prefixes that the peer has told us, and that nobody uses.
    pub received: usize,
    /// Whether the peer has said that it told us all.
    pub end_of_rib: bool,
    /// Whether a malformed message made us stop listening to the family (RFC 7606 §2).
    pub disabled: bool,
}

/// What both sides' OPENs settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// Our address.
    pub local: IpAddr,
    /// The peer's address.
    pub remote: IpAddr,
    /// The peer's identifier.
    pub router_id: RouterId,
    /// The peer's name, as it says. It comes from outside: show it escaped.
    pub hostname: Option<String>,
    /// The smaller of both sides'; zero for none.
    pub hold_time: Duration,
    /// How often we say that we are alive.
    pub keepalive_time: Duration,
    /// The peer's AS, families and capabilities.
    pub session: Session,
}

/// Messages that came in, and what RFC 7606 made of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// OPEN.
    pub opens: u64,
    /// UPDATE.
    pub updates: u64,
    /// NOTIFICATION.
    pub notifications: u64,
    /// KEEPALIVE.
    pub keepalives: u64,
    /// ROUTE-REFRESH.
    pub route_refreshes: u64,
    /// UPDATEs of which an attribute was discarded.
    pub attributes_discarded: u64,
    /// UPDATEs that were read as withdrawals.
    pub treated_as_withdraw: u64,
    /// UPDATEs that cost their family.
    pub families_disabled: u64,
}

/// What the connection has settled.
pub(super) fn negotiated(connection: &Connection) -> Option<Negotiated> {
    let agreed = connection.agreed()?;
    Some(Negotiated {
        local: connection.local,
        remote: connection.remote,
        router_id: agreed.theirs.router_id,
        hostname: agreed.hostname().map(ToOwned::to_owned),
        hold_time: agreed.hold_time,
        keepalive_time: agreed.keepalive_time,
        session: agreed.session.clone(),
    })
}

/// A family on the connection.
pub(super) fn family(connection: &Connection, family: Family) -> FamilyStatus {
    let Some(session) = connection.established() else {
        return FamilyStatus::default();
    };
    let of = |counts: &dyn Fn(&AdjRibOut) -> PerFamily<usize>| {
        session
            .rib
            .as_ref()
            .map_or(0, |rib| *counts(rib).of(family))
    };
    FamilyStatus {
        withheld: *session.rules.withheld().of(family),
        advertised: of(&AdjRibOut::count),
        oversized: of(&AdjRibOut::oversized),
        received: session.received.count(family),
        end_of_rib: session.received.has_ended(family),
        disabled: session.received.is_disabled(family),
    }
}
