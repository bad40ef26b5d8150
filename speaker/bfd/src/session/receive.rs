//! A packet comes, RFC 5880 §6.8.6.

use std::time::Instant;

use super::absence::Mode;
use super::event::Why;
use super::{Remote, Session};
use crate::wire::{Diagnostic, Discard, Packet, State};

impl Session {
    pub(super) fn receive(&mut self, payload: &[u8], now: Instant) {
        match self.judge(payload) {
            Ok(packet) => self.accept(&packet, now),
            Err(reason) => {
                self.counters.discarded.add(reason);
                if reason == Discard::NoSession {
                    self.begin_anew();
                }
            }
        }
    }

    fn judge(&self, payload: &[u8]) -> Result<Packet, Discard> {
        let packet = Packet::decode(payload)?;
        let for_another = |name| name != self.local_discriminator;
        let stopped = matches!(self.mode, Mode::Stopped);
        if stopped || packet.your_discriminator.is_some_and(for_another) {
            return Err(Discard::NoSession);
        }
        Ok(packet)
    }

    /// In the order of RFC 5880 §6.8.6.
    fn accept(&mut self, packet: &Packet, now: Instant) {
        self.remote = Some(Remote::from(packet));
        self.last_received = Some(now);
        self.hear_final(packet.is_final);
        if self.state == State::AdminDown {
            self.counters.discarded.add(Discard::AdminDown);
            return;
        }
        self.counters.received += 1;
        if matches!(self.mode, Mode::Listening { .. }) {
            self.adopt_or_begin(packet, now);
        }
        self.advance(packet, now);
        self.final_due |= packet.poll;
    }

    /// The table of RFC 5880 §6.8.6.
    fn advance(&mut self, packet: &Packet, now: Instant) {
        let down = Diagnostic::NeighborSignaledSessionDown;
        let none = Diagnostic::None;
        match (self.state, packet.state) {
            (State::Init | State::Up, State::AdminDown) => {
                self.enter(State::Down, down, Why::NeighborAdminDown, now);
            }
            (State::Up, State::Down) => {
                let why = Why::NeighborSignaledDown(packet.diagnostic);
                self.enter(State::Down, down, why, now);
            }
            (State::Down, State::Down) => {
                self.enter(State::Init, none, Why::NeighborHeard, now);
            }
            (State::Down, State::Init) | (State::Init, State::Init | State::Up) => {
                self.enter(State::Up, none, Why::BothHeard, now);
            }
            (State::Down, State::AdminDown | State::Up)
            | (State::Init, State::Down)
            | (State::Up, State::Init | State::Up)
            | (State::AdminDown, _) => {}
        }
    }
}
