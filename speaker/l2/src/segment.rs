//! One segment: one interface of this node, and the VIPs that it answers for there.
//!
//! ```text
//!                 link down                        each desired VIP while the link is up
//!   ┌──────────┐ ◀────────── ┌─────────┐           0, 20, 100, 500 ms, 1.1, 2.2, 4.4 s, then
//!   │  silent  │             │ speaking│ ────────▶ every `refresh`: both ARP forms, or an
//!   └──────────┘ ──────────▶ └─────────┘           unsolicited NA; and an answer, at once, to
//!                  link up    ▲      │             every ARP request, probe and NS for it
//!                             └──────┘
//!                      MAC changed, Reannounce: from 0 again
//! ```
//!
//! **Announcements are paced**: at most 200 frames in a row and 4,000 a second, since a burst of
//! thousands is dropped by switches. **Answers are not**: they go out in the same call that brings
//! the question, whatever is waiting. Each asker may have 10,000 answers a second (2,000 in a
//! row); askers are told apart by a table of fixed size, so that a storm from one station neither
//! keeps the others waiting nor grows any memory.
//!
//! What other stations say about a VIP (announcements, replies) changes nothing here yet.

mod answer;
mod drops;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

pub use self::drops::DropCause;
use self::drops::Drops;
use crate::groups::Groups;
use crate::outbox::Outbox;
use crate::pace::{Bucket, Rate};
use crate::schedule::Schedule;
use crate::{Frame, Mac, arp, ndp};

/// Announcements: a thousand VIPs of each family have their first one within a second.
const ANNOUNCEMENTS: Rate = Rate::new(4_000, 200);

/// Answers to one asker: more than any honest one needs, even a router that has lost its table and
/// asks for thousands of VIPs in one go.
const ANSWERS: Rate = Rate::new(10_000, 2_000);

/// Slots in which askers are counted, by a hash of their address. A storm slows down only those
/// that share its slot.
const ASKERS: usize = 256;

/// What can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How often a VIP is announced once its first seven announcements are through; keeps alive
    /// what switches and silent neighbours have learned.
    pub refresh: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            refresh: Duration::from_secs(60),
        }
    }
}

/// The state of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its address, which stands behind each VIP.
    pub mac: Mac,
    /// Whether it is up and has a carrier.
    pub up: bool,
}

/// What happens to a segment.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// A whole Ethernet frame arrived. Frames of our own may be among them.
    Frame(&'a [u8]),
    /// [`Segment::deadline`] has come.
    Timeout,
    /// The whole desired set: those new in it are announced, those no longer in it fall silent
    /// at once, the others go on undisturbed. Addresses that no host can have are passed over.
    Announce(&'a BTreeSet<IpAddr>),
    /// The link's state, changed or not. Up again or with another MAC, all is announced again.
    Link(Link),
    /// Announce all again from the start: the interface's addresses changed, or frames were lost.
    Reannounce,
}

/// What is to be done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send a frame.
    Transmit(Frame),
    /// Some VIP needs this solicited-node group; its Ethernet group is [`Mac::of_group`].
    JoinGroup(Ipv6Addr),
    /// No VIP needs this group any longer.
    LeaveGroup(Ipv6Addr),
    /// From now on the VIP is announced and answered for.
    Announcing(IpAddr),
    /// From now on it is not.
    Withdrawn(IpAddr),
}

/// The machine of one interface. Call [`handle`](Self::handle), then [`poll`](Self::poll) until
/// there is nothing left, then wait for the next input or the [`deadline`](Self::deadline).
#[derive(Debug)]
pub struct Segment {
    config: Config,
    link: Link,
    vips: BTreeSet<IpAddr>,
    groups: Groups,
    /// All VIPs while the link is up, none while it is down.
    schedule: Schedule,
    announcements: Bucket,
    askers: [Bucket; ASKERS],
    outbox: Outbox,
    drops: Drops,
}

impl Segment {
    /// A segment without VIPs.
    pub fn new(config: Config, link: Link) -> Self {
        Self {
            config,
            link,
            vips: BTreeSet::new(),
            groups: Groups::default(),
            schedule: Schedule::default(),
            announcements: Bucket::default(),
            askers: [Bucket::default(); ASKERS],
            outbox: Outbox::new(),
            drops: Drops::default(),
        }
    }

    /// Takes in what happened at `now`, which never runs backwards.
    pub fn handle(&mut self, input: Input<'_>, now: Instant) {
        match input {
            Input::Frame(frame) => self.answer(frame, now),
            Input::Timeout => {}
            Input::Announce(desired) => self.reconcile(desired, now),
            Input::Link(link) => self.change_link(link, now),
            Input::Reannounce => self.restart(now),
        }
        self.announce_due(now);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        self.outbox.pop()
    }

    /// When to call with [`Input::Timeout`]; `None` while there is nothing to wait for.
    pub fn deadline(&self) -> Option<Instant> {
        let (due, vip) = self.schedule.first()?;
        let paced = self
            .announcements
            .ready_at(ANNOUNCEMENTS, frames_per_announcement(vip));
        Some(paced.map_or(due, |paced| paced.max(due)))
    }

    /// How many frames were dropped for that cause since the start.
    pub fn dropped(&self, cause: DropCause) -> u64 {
        self.drops.count(cause)
    }

    fn answer(&mut self, frame: &[u8], now: Instant) {
        match self.answer_to(frame) {
            Ok((asker, answer)) => self.transmit_answer(asker, answer, now),
            Err(cause) => self.drops.add(cause),
        }
    }

    fn transmit_answer(&mut self, asker: Mac, answer: Frame, now: Instant) {
        let spent = self
            .asker(asker)
            .is_some_and(|asker| !asker.take(ANSWERS, 1, now));
        if spent {
            self.drops.add(DropCause::OverBudget);
        } else if !self.outbox.transmit(answer) {
            self.drops.add(DropCause::OutboxFull);
        }
    }

    /// The slot in which an asker is counted; there always is one.
    fn asker(&mut self, Mac(octets): Mac) -> Option<&mut Bucket> {
        let hash = octets.iter().fold(0_usize, |hash, octet| {
            hash.wrapping_mul(31).wrapping_add(usize::from(*octet))
        });
        self.askers.get_mut(hash % ASKERS)
    }

    /// Groups are joined before others are left, so that one which a newcomer shares with a
    /// leaver is kept.
    fn reconcile(&mut self, desired: &BTreeSet<IpAddr>, now: Instant) {
        let desired: BTreeSet<IpAddr> = desired
            .iter()
            .copied()
            .filter(|vip| is_host(*vip))
            .collect();
        let before = std::mem::replace(&mut self.vips, desired);
        let started: Vec<IpAddr> = self.vips.difference(&before).copied().collect();
        for vip in started {
            if let Some(group) = group_of(vip, |vip| self.groups.acquire(vip)) {
                self.outbox.push(Output::JoinGroup(group));
            }
            self.start(vip, now);
        }
        for vip in before.difference(&self.vips).copied() {
            self.schedule.stop(vip);
            if self.link.up {
                self.outbox.push(Output::Withdrawn(vip));
            }
            if let Some(group) = group_of(vip, |vip| self.groups.release(vip)) {
                self.outbox.push(Output::LeaveGroup(group));
            }
        }
    }

    fn start(&mut self, vip: IpAddr, now: Instant) {
        if self.link.up {
            self.outbox.push(Output::Announcing(vip));
            self.schedule.start(vip, now);
        }
    }

    fn change_link(&mut self, link: Link, now: Instant) {
        let before = std::mem::replace(&mut self.link, link);
        match (before.up, link.up) {
            (true, false) => {
                self.schedule.clear();
                self.vips
                    .iter()
                    .for_each(|vip| self.outbox.push(Output::Withdrawn(*vip)));
            }
            (false, true) => {
                let vips: Vec<IpAddr> = self.vips.iter().copied().collect();
                vips.into_iter().for_each(|vip| self.start(vip, now));
            }
            (true, true) if before.mac != link.mac => self.restart(now),
            (true, true) | (false, false) => {}
        }
    }

    fn restart(&mut self, now: Instant) {
        if self.link.up {
            self.vips
                .iter()
                .for_each(|vip| self.schedule.start(*vip, now));
        }
    }

    /// Sends what is due, as far as pacing allows and the driver polls.
    fn announce_due(&mut self, now: Instant) {
        while let Some((due, vip)) = self.schedule.first() {
            let frames = frames_per_announcement(vip);
            let sendable = due <= now
                && self.outbox.has_room_for(frames)
                && self.announcements.take(ANNOUNCEMENTS, frames, now);
            if !sendable {
                return;
            }
            self.announce(vip);
            self.schedule.announced(vip, self.config.refresh, now);
        }
    }

    fn announce(&mut self, vip: IpAddr) {
        let mac = self.link.mac;
        let sent = match vip {
            IpAddr::V4(vip) => {
                self.outbox.transmit(arp::announcement_as_request(mac, vip))
                    && self.outbox.transmit(arp::announcement_as_reply(mac, vip))
            }
            IpAddr::V6(vip) => self.outbox.transmit(ndp::unsolicited(mac, vip)),
        };
        debug_assert!(sent, "room was checked");
    }
}

fn frames_per_announcement(vip: IpAddr) -> u32 {
    match vip {
        IpAddr::V4(_) => 2,
        IpAddr::V6(_) => 1,
    }
}

/// Whether a host on the segment can have the address. Anything else in the desired set is our own
/// mistake, and staying silent about it the safe end.
fn is_host(vip: IpAddr) -> bool {
    let broadcast = matches!(vip, IpAddr::V4(vip) if vip.is_broadcast());
    !vip.is_multicast() && !vip.is_unspecified() && !vip.is_loopback() && !broadcast
}

/// Applies `change` to an IPv6 VIP; IPv4 needs no group, as ARP is broadcast.
fn group_of(vip: IpAddr, change: impl FnOnce(Ipv6Addr) -> Option<Ipv6Addr>) -> Option<Ipv6Addr> {
    match vip {
        IpAddr::V4(_) => None,
        IpAddr::V6(vip) => change(vip),
    }
}

#[cfg(test)]
pub(crate) mod tests;
