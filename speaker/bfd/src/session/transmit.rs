//! Packets leave, RFC 5880 §6.8.7.

use std::time::{Duration, Instant};

use super::absence::Mode;
use super::config::Role;
use super::event::Output;
use super::negotiation::Poll;
use super::{Remote, Session};
use crate::jitter::Draw;
use crate::timing;
use crate::wire::{Packet, State};

impl Session {
    /// Sends what is due: an answer to a poll at once, a new state at once, and else one packet for
    /// each interval. An answer tells the state too, and leaves the periodic packets as they are.
    pub(super) fn transmit(&mut self, now: Instant) {
        let answers = std::mem::take(&mut self.final_due);
        let untold = std::mem::take(&mut self.state_untold);
        if !self.may_speak() {
            return;
        }
        if answers {
            self.send(true);
        }
        if (untold && !answers) || self.is_periodic_due(now) {
            self.send(false);
            self.last_sent = Some(now);
            self.draw = self.jitter.draw();
        }
    }

    /// When the next periodic packet is due. It is worked out anew each time, so that a change of
    /// the interval counts from the last packet on: RFC 5880 §6.8.3 has the first packet after a
    /// shorter interval leave at once, if that has passed already.
    pub(super) fn next_transmission(&self) -> Option<Instant> {
        let interval = self.transmit_interval()?;
        let wait = self.draw.shorten(interval, self.announced.detect_mult);
        self.last_sent?.checked_add(wait)
    }

    /// Has the next packet of a steady session leave now, if that is not too early for it.
    pub(super) fn hasten(&mut self, now: Instant) {
        let drawn = std::mem::replace(&mut self.draw, Draw::SHORTEST);
        if !self.is_steady() || !self.is_periodic_due(now) {
            self.draw = drawn;
        }
    }

    /// How often we send of ourselves, before jitter (RFC 5880 §6.8.2, §6.8.7).
    pub(super) fn transmit_interval(&self) -> Option<Duration> {
        let required = self.remote_min_rx();
        let wanted = !required.is_zero() && (!self.is_demanded() || self.sequence.is_active());
        (self.may_speak() && wanted)
            .then(|| timing::interval(self.effective.desired_min_tx, required))
    }

    fn is_periodic_due(&self, now: Instant) -> bool {
        self.transmit_interval().is_some() && self.next_transmission().is_none_or(|due| due <= now)
    }

    /// RFC 5880 §6.8.7: the far side wants no periodic packets.
    fn is_demanded(&self) -> bool {
        let is_demanding = |remote: &Remote| remote.demand && remote.state == State::Up;
        self.state == State::Up && self.remote.as_ref().is_some_and(is_demanding)
    }

    /// RFC 5880 §6.8.7: in the passive role nothing is sent to a far side that is not known.
    fn may_speak(&self) -> bool {
        let speaks = match self.mode {
            Mode::Running | Mode::Holding { .. } => true,
            Mode::Stopped | Mode::Listening { .. } | Mode::Silent => false,
        };
        speaks
            && match self.config.role {
                Role::Active => true,
                Role::Passive => self.remote.is_some(),
            }
    }

    fn send(&mut self, is_final: bool) {
        // RFC 5880 §6.5: never both.
        let poll = self.sequence.is_active() && !is_final;
        if poll {
            self.sequence = Poll::Sent;
        }
        self.mode.count_packet();
        self.counters.transmitted += 1;
        let packet = Packet {
            diagnostic: self.diagnostic,
            state: self.state,
            poll,
            is_final,
            control_plane_independent: false,
            demand: false,
            detect_mult: self.announced.detect_mult,
            my_discriminator: self.local_discriminator,
            your_discriminator: self.remote.map(|remote| remote.discriminator),
            desired_min_tx: self.announced.desired_min_tx,
            required_min_rx: self.announced.required_min_rx,
            required_min_echo_rx: Duration::ZERO,
        };
        self.outbox.push_back(Output::Transmit(packet.encode()));
    }
}
