//! What happens to a session, and what is to be done.

use std::fmt;
use std::time::Duration;

use super::config::Config;
use crate::wire::{Diagnostic, LENGTH, State};

/// What happens to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// Begin, or go on after [`Input::Disable`] or [`Input::HoldOn`]. Changes nothing of a session
    /// that runs.
    Start(Begin),
    /// The payload of a datagram that was looked up (see [`Lookup`](crate::Lookup)) and whose hop
    /// limit the [`Path`](crate::Path) admits. One with a discriminator that no session has goes to
    /// the session that its source has: it is discarded there, and tells a session that hopes to be
    /// adopted that it will not be.
    Datagram(&'a [u8]),
    /// [`Session::deadline`](super::Session::deadline) has come, and every datagram that has arrived
    /// by now was handed in.
    Timeout,
    /// The process is awake for another session's sake: what may leave by now leaves now, so that it
    /// need not wake up again for this one.
    Awake,
    /// The whole configuration, changed or not. A session goes on in its state.
    Reconfigure(Config),
    /// RFC 5880 §6.8.16: hold it down, and tell the far side so. A session that is no longer wanted
    /// is disabled and kept for [`Status::remote_detection_time`](super::Status), so that the far side
    /// hears of it.
    Disable(Disable),
    /// We shall be away for as long as this, [`MAX_BUDGET`](crate::MAX_BUDGET) at most: have the far
    /// side wait, then say [`Output::Silent`] and nothing more. Whoever comes has to hear the far side
    /// once before it speaks, so that one of its intervals counts as absence.
    HoldOn(Duration),
}

/// How a session begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// In Down, speaking at once where the role is active.
    Anew,
    /// Silently: the far side may still hold the session of the process before. Its first packet
    /// decides; without one the session begins anew after a second, or two intervals.
    Adopt,
}

/// Why a session is held down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disable {
    /// Somebody wants it so.
    Administrative,
    /// Something else knows that the path is down, for example the link.
    PathDown,
}

/// What is to be done, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Send a packet.
    Transmit([u8; LENGTH]),
    /// The state is another one.
    StateChanged {
        /// Before.
        from: State,
        /// From now on.
        to: State,
        /// What brought it about.
        why: Why,
    },
    /// What [`Begin::Adopt`] hoped for will not be: the session begins in Down. The far side may
    /// hold another session with us that it will declare down: whatever dies of that should begin
    /// only when this session is Up.
    NotAdopted,
    /// What [`Input::HoldOn`] asked for is done. Nothing is sent until [`Input::Start`].
    Silent {
        /// How long the far side waits from the last packet on; zero if the session was not Up.
        covered: Duration,
        /// Whether the far side has confirmed that.
        confirmed: bool,
    },
}

/// What brought about a change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// [`Input::Start`] after [`Input::Disable`].
    Enabled,
    /// The far side is heard; whether it hears us is not known.
    NeighborHeard,
    /// Both sides hear each other.
    BothHeard,
    /// The far side never lost the session that a process before this one had.
    Adopted,
    /// Nothing was heard for the detection time.
    DetectionTimeExpired,
    /// The far side says that it is Down, and why.
    NeighborSignaledDown(Diagnostic),
    /// The far side says that it is held down on purpose.
    NeighborAdminDown,
    /// [`Disable::Administrative`].
    AdminDown,
    /// [`Disable::PathDown`].
    PathDown,
}

impl Why {
    /// Whether it says that the path has failed, if the session was Up. RFC 5882 §3.2: where either
    /// side is administratively down it says nothing, and BGP has its own means.
    ///
    /// Nor does a far side that goes Down because, as it says, we did, while we were Up all along: it
    /// has taken its session down itself. FRR does that as soon as BGP is established, to begin one
    /// with other parameters a second later.
    pub fn is_failure(self) -> bool {
        match self {
            Self::NeighborSignaledDown(diagnostic) => {
                diagnostic != Diagnostic::NeighborSignaledSessionDown
            }
            Self::DetectionTimeExpired | Self::PathDown => true,
            Self::Enabled
            | Self::NeighborHeard
            | Self::BothHeard
            | Self::Adopted
            | Self::NeighborAdminDown
            | Self::AdminDown => false,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enabled => "enabled",
            Self::NeighborHeard => "the neighbor is heard",
            Self::BothHeard => "both sides hear each other",
            Self::Adopted => "the neighbor kept the session of the process before",
            Self::DetectionTimeExpired => "the detection time expired",
            Self::NeighborSignaledDown(diagnostic) => {
                return write!(f, "the neighbor signaled that it is down: {diagnostic}");
            }
            Self::NeighborAdminDown => "the neighbor is administratively down",
            Self::AdminDown => "administratively down",
            Self::PathDown => "the path is down",
        })
    }
}
