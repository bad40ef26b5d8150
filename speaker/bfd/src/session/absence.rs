//! A process that goes and one that comes, with the session living on.
//!
//! ```text
//!            Start(Adopt)               the far side is Up and names us: Up
//!   Stopped ─────────────▶ Listening ─────────────────────────────────────▶ Running
//!                                      any other packet, or none: Down         │ HoldOn
//!                                                                              ▼
//!                            Silent ◀──────────────────────────────────── Holding
//!                                      three packets, and a Final for one of them
//! ```
//!
//! Before it goes, the process announces a detection time that covers its absence, and asks the far
//! side to confirm it (a poll sequence, as a longer interval may be part of it). The one that comes
//! has the same discriminator and says nothing until it has heard the far side: a packet in Down
//! would end what is to be kept. If the far side still is Up, and means us, then so are we.

use std::time::{Duration, Instant};

use super::Session;
use super::event::{Output, Why};
use super::negotiation::Effective;
use crate::timing::{self, SLOW_INTERVAL};
use crate::wire::{Diagnostic, Packet, State};

/// Packets that announce the absence: two may be lost.
const PACKETS: u8 = 3;

/// When we go even if no Final has come: a far side that answers does so to one of these.
const PACKETS_AT_MOST: u8 = 12;

/// What the session is for at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Not started.
    Stopped,
    /// Waits for a packet that says whether there is a session to go on with.
    Listening { until: Instant },
    /// As RFC 5880 has it.
    Running,
    /// Announces an absence.
    Holding { sent: u8 },
    /// Says nothing.
    Silent,
}

impl Mode {
    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Self::Listening { until } => Some(until),
            Self::Stopped | Self::Running | Self::Holding { .. } | Self::Silent => None,
        }
    }

    pub(super) fn count_packet(&mut self) {
        if let Self::Holding { sent } = self {
            *sent = sent.saturating_add(1);
        }
    }
}

impl Session {
    pub(super) fn hold_on(&mut self, budget: Duration) {
        if self.state != State::Up {
            // Nobody waits for us, and whoever may wait for the process before is not disturbed.
            self.fall_silent(false);
            return;
        }
        self.mode = Mode::Holding { sent: 0 };
        let timers = timing::stretched(self.announced, self.remote_min_rx(), budget);
        self.announce(timers);
    }

    /// Says so once the absence is announced.
    pub(super) fn fall_silent_if_held(&mut self) {
        let Mode::Holding { sent } = self.mode else {
            return;
        };
        let is_up = self.state == State::Up;
        let confirmed = is_up && !self.sequence.is_active();
        let told = sent >= PACKETS_AT_MOST || (sent >= PACKETS && confirmed);
        if is_up && !told && self.transmit_interval().is_some() {
            return;
        }
        self.fall_silent(confirmed);
    }

    fn fall_silent(&mut self, confirmed: bool) {
        self.mode = Mode::Silent;
        let is_up = self.state == State::Up;
        let covered = self.remote_detection_time().filter(|_| is_up);
        self.outbox.push_back(Output::Silent {
            covered: covered.unwrap_or_default(),
            confirmed,
        });
    }

    /// How long to listen for a far side that may still be there: two of the intervals in which it
    /// has to send if it is, or if it is not and speaks of itself.
    pub(super) fn listening_time(&self) -> Duration {
        SLOW_INTERVAL.max(self.config.required_min_rx * 2)
    }

    /// The first packet that a listening session hears.
    pub(super) fn adopt_or_begin(&mut self, packet: &Packet, now: Instant) {
        let is_ours = packet.state == State::Up && packet.your_discriminator.is_some();
        if !is_ours {
            self.begin_anew();
            return;
        }
        self.mode = Mode::Running;
        self.enter(State::Up, Diagnostic::None, Why::Adopted, now);
        let timers = self.desired_timers();
        self.announce(timers);
        // What the process before had asked of the far side is not known: until it confirms what we
        // ask now it may send as rarely as that.
        self.effective = Effective {
            desired_min_tx: timers.desired_min_tx,
            required_min_rx: timers.required_min_rx.max(SLOW_INTERVAL),
        };
    }

    /// There is nothing to go on with.
    pub(super) fn begin_anew(&mut self) {
        if let Mode::Listening { .. } = self.mode {
            self.mode = Mode::Running;
            self.outbox.push_back(Output::NotAdopted);
        }
    }
}
