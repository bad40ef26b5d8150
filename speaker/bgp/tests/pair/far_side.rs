//! What a router makes of what it is sent: the routes that it holds, and what else it heard.

use std::collections::BTreeMap;

use bgp::wire::{
    Framer, Message, NextHop, Notification, Open, ReceivedAttributes, RouteRefresh, Session,
    Update, decode,
};
use bgp::{Family, Prefix, RouteSet};

/// A router's end of a session.
#[derive(Debug, Default)]
pub(crate) struct FarSide {
    pub(crate) framer: Framer,
    /// Its own OPEN, from which and ours follows what both settled.
    pub(crate) ours: Option<Open>,
    /// What both settled.
    pub(crate) session: Option<Session>,
    /// What it holds of us, with what it was told of each.
    pub(crate) routes: BTreeMap<Prefix, Held>,
    /// All but the routes, in order.
    pub(crate) heard: Vec<Heard>,
    /// UPDATEs with routes in them.
    pub(crate) updates: usize,
    /// Prefixes in them.
    pub(crate) prefixes: usize,
}

/// What a router remembers of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) next_hop: NextHop,
    pub(crate) attributes: ReceivedAttributes,
}

/// A message, or a mark among UPDATEs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    Open(Open),
    Keepalive,
    EndOfRib(Family),
    RouteRefresh(RouteRefresh),
    Notification(Notification),
}

impl FarSide {
    /// Takes in octets; whatever we send has to be in order.
    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        self.framer.set_extended();
        self.framer.push(bytes);
        while let Some(frame) = self.framer.poll() {
            let message = decode(&frame.unwrap(), self.session.as_ref()).unwrap();
            match message {
                Message::Update(update) => self.update(&update),
                Message::Open(open) => {
                    self.heard.push(Heard::Open(open));
                    self.settle();
                }
                Message::Keepalive => self.heard.push(Heard::Keepalive),
                Message::RouteRefresh(refresh) => self.heard.push(Heard::RouteRefresh(refresh)),
                Message::Notification(last) => self.heard.push(Heard::Notification(last)),
            }
        }
    }

    /// Works out what both settled, once both OPENs are known, whichever came first.
    pub(crate) fn settle(&mut self) {
        let theirs = self.heard.iter().find_map(|heard| match heard {
            Heard::Open(open) => Some(open),
            Heard::Keepalive
            | Heard::EndOfRib(_)
            | Heard::RouteRefresh(_)
            | Heard::Notification(_) => None,
        });
        if let (Some(ours), Some(theirs)) = (&self.ours, theirs) {
            self.session = Some(Session::negotiate(ours, theirs));
        }
    }

    /// How many messages of that kind it heard.
    pub(crate) fn count(&self, wanted: &Heard) -> usize {
        self.heard.iter().filter(|heard| *heard == wanted).count()
    }

    /// Whether the routes are those of the set, each with its MED.
    pub(crate) fn holds(&self, desired: &RouteSet) -> bool {
        self.differs(desired).is_empty()
    }

    /// Prefixes that are missing, wrong or too many.
    pub(crate) fn differs(&self, desired: &RouteSet) -> Vec<Prefix> {
        let wrong = |prefix: Prefix, med| {
            let held = self.routes.get(&prefix);
            held.is_none_or(|held| held.attributes.multi_exit_disc != med)
        };
        let missing = desired
            .iter()
            .filter(|route| wrong(route.prefix, route.attributes.multi_exit_disc))
            .map(|route| route.prefix);
        let extra = self.routes.keys().copied();
        missing
            .chain(extra.filter(|prefix| desired.route(*prefix).is_none()))
            .collect()
    }

    fn update(&mut self, update: &Update) {
        assert_eq!(update.treatments, [], "we send what is in order");
        for prefix in &update.withdrawn {
            self.routes.remove(prefix);
        }
        let v4 = update.attributes.next_hop.map(NextHop::V4);
        for prefix in &update.announced {
            let held = Held {
                next_hop: update.attributes.mp_next_hop.or(v4).unwrap(),
                attributes: update.attributes.clone(),
            };
            self.routes.insert(*prefix, held);
        }
        if let Some(family) = update.end_of_rib {
            self.heard.push(Heard::EndOfRib(family));
        } else {
            self.updates += 1;
            self.prefixes += update.withdrawn.len() + update.announced.len();
        }
    }
}
