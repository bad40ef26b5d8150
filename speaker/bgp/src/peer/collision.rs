//! Which of two connections is kept (RFC 4271 §6.8, RFC 6286 §2.3).
//!
//! ```text
//!   the other one is      │ kept
//!   ──────────────────────┼─────────────────────────────────────────────────────────────
//!   OpenSent              │ both: the peer's OPEN on it is still awaited
//!   OpenConfirm           │ the one that the side with the higher identifier initiated;
//!                         │ of two from the same side the newer: it has given up the older
//!   Established           │ the established one, or with graceful restart the newer
//! ```
//!
//! With equal identifiers, which only speakers of different ASes may have, the higher AS number
//! decides. A peer that restarts while its old session still stands here is refused until that
//! one's hold timer expires, unless graceful restart was negotiated on it: then the newcomer is the
//! same peer come back (RFC 4724 §4.2, §5).

use std::time::Duration;

use super::event::{ConnectionId, State};
use crate::connection::Connection;
use crate::{Asn, RouterId};

/// How long a session must have stood when the peer connects again for that to be a restart: two
/// sides that dial each other at once may find the one connection established before they hear of
/// the other. A peer that restarts sooner is let in at its next attempt.
const CROSSING: Duration = Duration::from_secs(5);

/// What a collision compares of a speaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    pub(super) router_id: RouterId,
    pub(super) asn: Asn,
}

/// Who stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    Both,
    /// The one on which an OPEN was just received.
    New,
    Other,
    /// The new one: on the other one nobody is left.
    Returned,
}

/// How far the other connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) state: State,
    /// Whether graceful restart was negotiated on it, and it stood for [`CROSSING`] before the peer
    /// connected anew.
    pub(super) abandoned: bool,
}

impl Standing {
    pub(super) fn of(connection: &Connection, new: &Connection) -> Self {
        let session = connection.established();
        Self {
            state: connection.state(),
            abandoned: session.is_some_and(|session| {
                session.agreed.keeps_routes() && session.since + CROSSING <= new.opened
            }),
        }
    }
}

/// Decides as the OPEN on `new` has been found good.
pub(super) fn resolve(
    new: ConnectionId,
    other: (ConnectionId, Standing),
    local: Identity,
    remote: Identity,
) -> Kept {
    let (other, standing) = other;
    match standing.state {
        State::Idle | State::Active | State::Connect | State::OpenSent => Kept::Both,
        State::Established if standing.abandoned => Kept::Returned,
        State::Established => Kept::Other,
        State::OpenConfirm if is_ours(new) == is_ours(other) => Kept::New,
        State::OpenConfirm if is_ours(new) == (local > remote) => Kept::New,
        State::OpenConfirm => Kept::Other,
    }
}

fn is_ours(connection: ConnectionId) -> bool {
    match connection {
        ConnectionId::Dialed(_) => true,
        ConnectionId::Accepted(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const OURS: ConnectionId = ConnectionId::Dialed(1);
    const THEIRS: ConnectionId = ConnectionId::Accepted(1);

    const OPEN_CONFIRM: Standing = plain(State::OpenConfirm);

    const fn plain(state: State) -> Standing {
        let abandoned = false;
        Standing { state, abandoned }
    }

    fn speaker(id: [u8; 4], asn: u32) -> Identity {
        Identity {
            router_id: RouterId::from(Ipv4Addr::from(id)).unwrap(),
            asn: Asn(asn),
        }
    }

    /// RFC 4271 §6.8: both sides decide for the same connection, in whatever order its OPENs come.
    #[test]
    fn the_connection_of_the_higher_identifier_is_kept_in_every_order() {
        let (low, high) = (
            speaker([9, 0, 0, 1], 65_001),
            speaker([10, 0, 0, 1], 65_000),
        );
        let kept = |new, other, local, remote| resolve(new, (other, OPEN_CONFIRM), local, remote);
        assert_eq!(kept(OURS, THEIRS, high, low), Kept::New);
        assert_eq!(kept(THEIRS, OURS, high, low), Kept::Other);
        assert_eq!(kept(OURS, THEIRS, low, high), Kept::Other);
        assert_eq!(kept(THEIRS, OURS, low, high), Kept::New);
    }

    /// RFC 6286 §2.3.
    #[test]
    fn with_equal_identifiers_the_higher_as_number_decides() {
        let (low, high) = (speaker([9, 0, 0, 1], 65_001), speaker([9, 0, 0, 1], 65_002));
        let kept = |local, remote| resolve(OURS, (THEIRS, OPEN_CONFIRM), local, remote);
        assert_eq!(kept(high, low), Kept::New);
        assert_eq!(kept(low, high), Kept::Other);
    }

    #[test]
    fn an_established_session_is_kept_and_a_silent_connection_waits() {
        let (low, high) = (
            speaker([9, 0, 0, 1], 65_001),
            speaker([10, 0, 0, 1], 65_000),
        );
        for (new, other) in [(OURS, THEIRS), (THEIRS, OURS)] {
            for (local, remote) in [(low, high), (high, low)] {
                let kept = |state| resolve(new, (other, plain(state)), local, remote);
                assert_eq!(kept(State::Established), Kept::Other);
                assert_eq!(kept(State::OpenSent), Kept::Both);
            }
        }
    }

    #[test]
    fn a_peer_that_connects_again_has_given_up_its_first_connection() {
        let (low, high) = (
            speaker([9, 0, 0, 1], 65_001),
            speaker([10, 0, 0, 1], 65_000),
        );
        let older = ConnectionId::Accepted(0);
        for (local, remote) in [(low, high), (high, low)] {
            let kept = resolve(THEIRS, (older, OPEN_CONFIRM), local, remote);
            assert_eq!(kept, Kept::New);
        }
    }
    /// RFC 4724 §5: whoever connects again has lost what it had, on whichever side it began.
    #[test]
    fn with_graceful_restart_a_peer_that_connects_again_replaces_its_session() {
        let (low, high) = (
            speaker([9, 0, 0, 1], 65_001),
            speaker([10, 0, 0, 1], 65_000),
        );
        for (state, expected) in [
            (State::Established, Kept::Returned),
            (State::OpenSent, Kept::Both),
        ] {
            let abandoned = true;
            for (new, other) in [(OURS, THEIRS), (THEIRS, OURS)] {
                for (local, remote) in [(low, high), (high, low)] {
                    let standing = Standing { state, abandoned };
                    assert_eq!(resolve(new, (other, standing), local, remote), expected);
                }
            }
        }
    }
}
