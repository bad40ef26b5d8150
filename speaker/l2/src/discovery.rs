//! Who is at the other end of a link, by router advertisements: how BGP finds a neighbour that has
//! no address of its own to be configured by.
//!
//! ```text
//!              link up, another address            an advertisement
//!   ┌────────┐ ──────▶ ┌─────────────────────────┐ ───────────────▶ ┌──────────┐
//!   │ silent │         │ unheard: solicits after │                  │ neighbor │──┐ another one is
//!   └────────┘ ◀────── │ 0, 4, 8 s               │                  │ A        │  │ heard, from B:
//!              down    └─────────────────────────┘                  └──────────┘  ▼ solicits
//!                                                   A is heard ▲  ┌────────────────┐
//!                                                   within 5 s │  │ challenged     │
//!                                                              └──│ by B           │──▶ neighbor B
//!                                                                 └────────────────┘  after 5 s
//!   while up: advertises after 0, 3, 6 s, then every 10 s, and when solicited
//! ```
//!
//! A link between two is meant. Where more than one router is heard, the first stays as long as it
//! answers; that another is there is said once, until it is the neighbour or the link was down.
//! **A neighbour is not forgotten** because it falls silent, nor because the link goes down: whether
//! it is alive is for BGP and BFD to say, and routers advertise themselves every ten minutes at the
//! least. Only another address takes its place.

use std::collections::VecDeque;
use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use crate::Mac;
use crate::ndp::router::{self, Datagram, Message};

/// How often we advertise ourselves: less often, and a router that has forgotten us is without us
/// for long. Up to a quarter less at random, so that a hundred links do not speak in step.
const INTERVAL: Duration = Duration::from_secs(10);

/// RFC 4861 §10, MAX_INITIAL_RTR_ADVERTISEMENTS and MIN_DELAY_BETWEEN_RAS.
const INITIAL_ADVERTISEMENTS: u8 = 3;
const ADVERTISEMENTS_APART: Duration = Duration::from_secs(3);

/// RFC 4861 §10, MAX_RA_DELAY_TIME: an answer to a solicitation waits up to so long, at random.
const ANSWER_DELAY: Duration = Duration::from_millis(500);

/// RFC 4861 §10, MAX_RTR_SOLICITATIONS and RTR_SOLICITATION_INTERVAL.
const SOLICITATIONS: u8 = 3;
const SOLICITATIONS_APART: Duration = Duration::from_secs(4);

/// How long a neighbour has to answer when another address is heard: a router may hold its answer
/// back for as long as [`ADVERTISEMENTS_APART`] and [`ANSWER_DELAY`] together.
const CHALLENGE: Duration = Duration::from_secs(5);

/// How long a neighbour that has answered is not asked again.
const TRUCE: Duration = Duration::from_secs(30);

/// The state of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its Ethernet address.
    pub mac: Mac,
    /// Its link-local address. Without one nothing can be said.
    pub address: Option<Ipv6Addr>,
    /// Whether it is up and has a carrier.
    pub up: bool,
}

/// What happens on a link.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// The interface, changed or not.
    Link(Link),
    /// An ICMPv6 message arrived, from its type on; the checksum was right.
    Received {
        /// Who sent it.
        source: Ipv6Addr,
        /// What was left of its hop limit.
        hop_limit: u8,
        /// Its octets.
        message: &'a [u8],
    },
    /// [`Discovery::deadline`] has come.
    Timeout,
}

/// What is to be done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send a message.
    Transmit(Datagram),
    /// This is the neighbour from now on.
    Neighbor(Ipv6Addr),
    /// There is more than one router on the link.
    Contended {
        /// The neighbour, which stays.
        kept: Ipv6Addr,
        /// The other one.
        other: Ipv6Addr,
    },
}

/// The machine of one link. Call [`handle`](Self::handle), then [`poll`](Self::poll) until there is
/// nothing left, then wait for the next input or the [`deadline`](Self::deadline).
#[derive(Debug)]
pub struct Discovery {
    /// The interface while we can speak on it.
    speaking: Option<Link>,
    advertising: Advertising,
    soliciting: Soliciting,
    neighbor: Option<Ipv6Addr>,
    challenge: Option<Challenge>,
    /// Until when no other address is looked into.
    truce: Option<Instant>,
    contended: bool,
    random: Random,
    outbox: VecDeque<Output>,
}

#[derive(Debug, Default)]
struct Advertising {
    /// How many of the first ones are left.
    initial: u8,
    last: Option<Instant>,
    next: Option<Instant>,
}

#[derive(Debug, Default)]
struct Soliciting {
    left: u8,
    next: Option<Instant>,
}

/// Another address than the neighbour's was heard.
#[derive(Debug, Clone, Copy)]
struct Challenge {
    by: Ipv6Addr,
    until: Instant,
}

impl Discovery {
    /// A link that is down. The same seed gives the same waits; each link and node has its own.
    pub fn new(seed: u64) -> Self {
        Self {
            speaking: None,
            advertising: Advertising::default(),
            soliciting: Soliciting::default(),
            neighbor: None,
            challenge: None,
            truce: None,
            contended: false,
            random: Random(seed),
            outbox: VecDeque::new(),
        }
    }

    /// Takes in what happened at `now`, which never runs backwards.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        match input {
            Input::Link(link) => self.set_link(link, now),
            Input::Received {
                source,
                hop_limit,
                message,
            } => match router::parse(source, hop_limit, message) {
                Ok(Message::Solicitation) => self.solicited(now),
                Ok(Message::Advertisement) => self.heard(source, now),
                Err(_) => {}
            },
            Input::Timeout => {}
        }
        self.expire(now);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    /// When to call with [`Input::Timeout`].
    pub fn deadline(&self) -> Option<Instant> {
        let challenge = self.challenge.map(|challenge| challenge.until);
        let deadlines = [self.advertising.next, self.soliciting.next, challenge];
        deadlines.into_iter().flatten().min()
    }

    /// Begins anew with what others on the link may not know yet.
    fn set_link(&mut self, link: Link, now: Instant) {
        let speaking = Some(link).filter(|link| link.up && link.address.is_some());
        if speaking == self.speaking {
            return;
        }
        self.speaking = speaking;
        self.challenge = None;
        self.truce = None;
        self.contended = false;
        self.advertising = Advertising::default();
        self.soliciting = Soliciting::default();
        if speaking.is_some() {
            self.advertising.initial = INITIAL_ADVERTISEMENTS;
            self.advertising.next = Some(now);
            self.solicit(now);
        }
    }

    /// RFC 4861 §6.2.6: answered soon, but not sooner after the last advertisement than others are.
    fn solicited(&mut self, now: Instant) {
        let Some(next) = self.advertising.next else {
            return;
        };
        let soon = now + self.random.below(ANSWER_DELAY);
        let last = self.advertising.last;
        let earliest = last.map_or(soon, |last| soon.max(last + ADVERTISEMENTS_APART));
        self.advertising.next = Some(next.min(earliest));
    }

    fn heard(&mut self, source: Ipv6Addr, now: Instant) {
        let Some(link) = self.speaking else { return };
        if link.address == Some(source) {
            return;
        }
        match self.neighbor {
            None => self.take(source),
            Some(neighbor) if neighbor == source => {
                self.soliciting = Soliciting::default();
                if let Some(challenge) = self.challenge.take() {
                    self.truce = Some(now + TRUCE);
                    self.contend(neighbor, challenge.by);
                }
            }
            Some(_) if self.truce.is_some_and(|truce| truce > now) => {}
            Some(_) => match &mut self.challenge {
                Some(challenge) => challenge.by = source,
                None => {
                    let until = now + CHALLENGE;
                    self.challenge = Some(Challenge { by: source, until });
                    // Whoever is still there says so.
                    self.solicit(now);
                }
            },
        }
    }

    fn contend(&mut self, kept: Ipv6Addr, other: Ipv6Addr) {
        if !std::mem::replace(&mut self.contended, true) {
            self.outbox.push_back(Output::Contended { kept, other });
        }
    }

    fn take(&mut self, neighbor: Ipv6Addr) {
        self.neighbor = Some(neighbor);
        self.contended = false;
        self.soliciting = Soliciting::default();
        self.outbox.push_back(Output::Neighbor(neighbor));
    }

    fn solicit(&mut self, now: Instant) {
        self.soliciting = Soliciting {
            left: SOLICITATIONS,
            next: Some(now),
        };
    }

    fn expire(&mut self, now: Instant) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if let Some(challenge) = self.challenge
            && challenge.until <= now
        {
            self.challenge = None;
            self.take(challenge.by);
        }
        let Some(link) = self.speaking else { return };
        if due(self.soliciting.next) {
            let transmit = Output::Transmit(router::solicitation(link.mac));
            self.outbox.push_back(transmit);
            let left = self.soliciting.left.saturating_sub(1);
            self.soliciting.left = left;
            self.soliciting.next = (left > 0).then(|| now + SOLICITATIONS_APART);
        }
        if due(self.advertising.next) {
            let transmit = Output::Transmit(router::advertisement(link.mac));
            self.outbox.push_back(transmit);
            self.advertising.initial = self.advertising.initial.saturating_sub(1);
            let wait = if self.advertising.initial > 0 {
                ADVERTISEMENTS_APART
            } else {
                INTERVAL - self.random.below(INTERVAL / 4)
            };
            self.advertising.last = Some(now);
            self.advertising.next = Some(now + wait);
        }
    }
}

/// Steele and Vigna's SplitMix64: any seed will do.
#[derive(Debug)]
struct Random(u64);

impl Random {
    /// Some time shorter than `limit`.
    fn below(&mut self, limit: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let part = u32::try_from((mixed ^ (mixed >> 31)) >> 48).unwrap_or(0);
        limit.saturating_mul(part) / (1 << 16)
    }
}

#[cfg(test)]
mod tests;
