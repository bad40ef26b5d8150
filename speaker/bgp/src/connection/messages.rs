//! What a message does to a connection.

use std::mem;
use std::time::Instant;

use super::open::Agreed;
use super::received::{LimitExceeded, Received};
use super::{Connection, Established, Stage};
use crate::adj_rib_out::Marker;
use crate::rules::Rules;
use crate::wire::{
    self, Error, Message, MessageType, Notification, Open, RefreshSubtype, RouteRefresh, Update,
};
use crate::{AfiSafi, Config, Counters, Fault};

/// What one message did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// There is no whole message left.
    Drained,
    /// Nothing that others need to know.
    Handled,
    /// The peer's OPEN is good. It is not answered yet: first it has to be decided whether this
    /// connection is kept.
    Opened,
    /// The session stands.
    Established,
    /// The connection is over.
    Failed(Fault),
}

impl Connection {
    /// Takes in the next whole message.
    pub(crate) fn step(&mut self, config: &Config, counters: &mut Counters, now: Instant) -> Step {
        let frame = match self.framer.poll() {
            None => return Step::Drained,
            Some(Ok(frame)) => frame,
            Some(Err(notification)) => return Step::Failed(Fault::Sent(notification)),
        };
        if let Err(error) = self.expects(frame.kind) {
            return Step::Failed(Fault::Sent(Notification::new(error)));
        }
        let session = self.agreed().map(|agreed| &agreed.session);
        match wire::decode(&frame, session) {
            Ok(message) => self.receive(message, config, counters, now),
            Err(notification) => Step::Failed(Fault::Sent(notification)),
        }
    }

    /// RFC 4271 §8.2.2 with the subcodes of RFC 6608: what may come in which state.
    fn expects(&self, kind: MessageType) -> Result<(), Error> {
        match (&self.stage, kind) {
            (_, MessageType::Notification)
            | (Stage::OpenSent, MessageType::Open)
            | (Stage::OpenConfirm(_), MessageType::Keepalive)
            | (
                Stage::Established(_),
                MessageType::Update | MessageType::Keepalive | MessageType::RouteRefresh,
            ) => Ok(()),
            (
                Stage::OpenSent,
                MessageType::Update | MessageType::Keepalive | MessageType::RouteRefresh,
            ) => Err(Error::UnexpectedInOpenSent),
            (
                Stage::OpenConfirm(_),
                MessageType::Open | MessageType::Update | MessageType::RouteRefresh,
            ) => Err(Error::UnexpectedInOpenConfirm),
            (Stage::Established(_), MessageType::Open) => Err(Error::UnexpectedInEstablished),
        }
    }

    fn receive(
        &mut self,
        message: Message,
        config: &Config,
        counters: &mut Counters,
        now: Instant,
    ) -> Step {
        match message {
            Message::Open(open) => {
                counters.opens += 1;
                self.receive_open(open, config)
            }
            Message::Keepalive => {
                counters.keepalives += 1;
                self.restart_hold(now);
                self.receive_keepalive(config, now)
            }
            Message::Update(update) => {
                counters.updates += 1;
                self.restart_hold(now);
                self.receive_update(&update, config, counters)
            }
            Message::RouteRefresh(refresh) => {
                counters.route_refreshes += 1;
                self.receive_refresh(refresh);
                Step::Handled
            }
            Message::Notification(notification) => {
                counters.notifications += 1;
                Step::Failed(Fault::Received(notification))
            }
        }
    }

    fn restart_hold(&mut self, now: Instant) {
        self.timers.hold = self.hold_time().map(|time| now + time);
    }

    fn receive_open(&mut self, open: Open, config: &Config) -> Step {
        match Agreed::settle(&self.ours, open, config) {
            Ok(agreed) => {
                self.stage = Stage::OpenConfirm(Box::new(agreed));
                Step::Opened
            }
            Err(notification) => Step::Failed(Fault::Sent(notification)),
        }
    }

    fn receive_keepalive(&mut self, config: &Config, now: Instant) -> Step {
        match mem::replace(&mut self.stage, Stage::OpenSent) {
            Stage::OpenConfirm(agreed) => {
                self.stage = Stage::Established(Box::new(Established {
                    rules: Rules::new(config, self.local, &agreed.session),
                    agreed: *agreed,
                    since: now,
                    rib: None,
                    received: Received::default(),
                }));
                Step::Established
            }
            stage @ (Stage::OpenSent | Stage::Established(_)) => {
                self.stage = stage;
                Step::Handled
            }
        }
    }

    fn receive_update(
        &mut self,
        update: &Update,
        config: &Config,
        counters: &mut Counters,
    ) -> Step {
        let Stage::Established(session) = &mut self.stage else {
            return Step::Handled;
        };
        match session
            .received
            .apply(update, config.max_prefixes, counters)
        {
            Ok(()) => Step::Handled,
            Err(LimitExceeded(family)) => {
                let limit = config.max_prefixes;
                let cease = Notification::maximum_prefixes(AfiSafi::from(family), limit);
                Step::Failed(Fault::Sent(cease))
            }
        }
    }

    /// RFC 2918 §4, RFC 7313 §4. One for a family that was not negotiated means nothing.
    fn receive_refresh(&mut self, refresh: RouteRefresh) {
        let Stage::Established(session) = &mut self.stage else {
            return;
        };
        let negotiated = session.agreed.session.families;
        let Some(family) = refresh.family.family().filter(|f| negotiated.contains(*f)) else {
            return;
        };
        match refresh.subtype {
            RefreshSubtype::Request => {
                let marker = Marker::of(&session.agreed.session);
                if let Some(rib) = &mut session.rib {
                    rib.refresh(family, marker);
                }
            }
            RefreshSubtype::BeginningOfRib => session.received.begin_refresh(family),
            RefreshSubtype::EndOfRib => session.received.end_refresh(family),
            RefreshSubtype::Other(_) => {}
        }
    }
}
