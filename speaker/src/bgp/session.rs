//! What there is to say of a peer, in the words of status and metrics.

use std::net::IpAddr;

use bgp::{DrainStage, Family, FamilyStatus, PerFamily, State, Status};
use crds::SessionState;
use k8s_openapi::jiff::Timestamp;
use plan::Forwarding;

use super::Guarded;

/// A peer as SpeakerStatus and metrics show it. Two are equal if nothing changed that is shown: the
/// steps of an attempt to connect are none of it, as a peer that is away would be written for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who it is with, where the BGPPeer has no address and somebody has been found.
    pub neighbor: Option<IpAddr>,
    pub state: SessionState,
    /// Since when it is so.
    pub since: Timestamp,
    /// What went wrong last, and what to do about it. It stays while all is well again.
    pub last_error: Option<String>,
    /// Prefixes that the peer has been told.
    pub advertised: PerFamily<usize>,
    /// Prefixes that the peer has told us, and that nobody uses.
    pub received: PerFamily<usize>,
    /// How often a session was established.
    pub established: u64,
    /// BFD beside it, where the peer asks for that: an established session is protected only while
    /// it is Up.
    pub bfd: Option<Guarded>,
}

impl Session {
    /// As the machine sees itself now; `departure` says why the peer is left, where it is.
    pub(super) fn of(
        status: &Status,
        departure: &str,
        bfd: Option<Guarded>,
        now: Timestamp,
    ) -> Self {
        let each = |number: fn(&FamilyStatus) -> usize| {
            PerFamily::each(|family| number(status.families.of(family)))
        };
        Self {
            neighbor: None,
            state: match status.state {
                _ if status.drain == Some(DrainStage::Left) => SessionState::Refused,
                State::Established => SessionState::Established,
                State::Idle
                | State::Active
                | State::Connect
                | State::OpenSent
                | State::OpenConfirm => SessionState::Connecting,
            },
            since: now,
            last_error: draining(status, departure).or_else(|| trouble(status)),
            advertised: each(|family| family.advertised),
            received: each(|family| family.received),
            established: status.established,
            bfd,
        }
    }

    /// No session can be tried, and why.
    pub(super) fn refused(why: String, now: Timestamp) -> Self {
        Self::without(SessionState::Refused, why, now)
    }

    /// Where the peer is is not known yet.
    pub(super) fn waiting(why: String, now: Timestamp) -> Self {
        Self::without(SessionState::Connecting, why, now)
    }

    /// This node's service proxy has not answered yet.
    pub(super) fn asking(now: Timestamp) -> Self {
        let why = format!(
            "waits for this node's service proxy to answer, for {} s at most, so that routes which \
             the peer has kept are not confirmed for a node that forwards nothing",
            Forwarding::LIMIT.as_secs()
        );
        Self::waiting(why, now)
    }

    fn without(state: SessionState, why: String, now: Timestamp) -> Self {
        Self {
            neighbor: None,
            state,
            since: now,
            last_error: Some(why),
            advertised: PerFamily::default(),
            received: PerFamily::default(),
            established: 0,
            bfd: None,
        }
    }

    #[cfg(test)]
    pub(crate) fn in_state(state: SessionState) -> Self {
        Self {
            state,
            last_error: None,
            ..Self::refused(String::new(), Timestamp::UNIX_EPOCH)
        }
    }

    /// The same, since when it has been so after `before`.
    pub(super) fn after(self, before: Option<&Self>) -> Self {
        let same = before.filter(|before| before.state == self.state);
        let since = same.map_or(self.since, |before| before.since);
        Self { since, ..self }
    }
}

/// What of the peer is left, and why.
fn draining(status: &Status, departure: &str) -> Option<String> {
    let stage = match status.drain? {
        DrainStage::Telling => "draining: the peer is told to prefer other nodes",
        DrainStage::Withdrawing => "draining: the routes are being withdrawn",
        DrainStage::Left => "drained: no session while it lasts",
    };
    Some(format!("{stage}; {departure}"))
}

/// A family that an established session is not told, with the reason, or else the last error.
fn trouble(status: &Status) -> Option<String> {
    let families = [Family::Ipv4Unicast, Family::Ipv6Unicast];
    let withheld = families.into_iter().filter_map(|family| {
        let why = status.families.of(family).withheld?;
        Some(format!("{family}: {why}"))
    });
    let withheld: Vec<String> = withheld.collect();
    if withheld.is_empty() {
        return status.last_error.as_ref().map(ToString::to_string);
    }
    Some(withheld.join("; "))
}
