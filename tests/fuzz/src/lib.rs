//! What the fuzz targets share. Those of BGP and BFD have modules of their own.
//!
//! Those of layer 2 share a segment that is watched. Everything that it puts out
//! is compared with what it may put out, by a second, plain reading of the rules.

pub mod bfd_session;
pub mod frames;
pub mod peer;
pub mod script;
pub mod wire;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use l2::{Config, Frame, Input, Link, Mac, Output, Segment};

/// The MAC that a station begins with.
pub const OURS: Mac = Mac([0x02, 0x00, 0x5e, 0x00, 0x00, 0x0a]);

/// VIPs to choose from: of both families, some sharing a solicited-node group.
pub const VIPS: [&str; 12] = [
    "10.99.0.200",
    "10.99.0.201",
    "10.99.0.202",
    "0.0.0.1",
    "254.255.255.255",
    "fd99::200",
    "fd99::201",
    "fd99::1:0:200",
    "fd99::2:0:200",
    "fd99::ffff:ffff",
    "fe80::200",
    "2001:db8::200",
];

/// The most frames that one input may cause: a burst of announcements and an answer.
const FRAMES_PER_INPUT: usize = 201;

/// A segment, and what must be true of it.
pub struct Station {
    segment: Segment,
    now: Instant,
    link: Link,
    desired: BTreeSet<IpAddr>,
    announcing: BTreeSet<IpAddr>,
    needed_groups: BTreeSet<Ipv6Addr>,
    groups: BTreeSet<Ipv6Addr>,
}

impl Station {
    /// A station without VIPs, its link up.
    pub fn new() -> Self {
        let link = Link {
            mac: OURS,
            up: true,
        };
        Self {
            segment: Segment::new(Config::default(), link),
            now: Instant::now(),
            link,
            desired: BTreeSet::new(),
            announcing: BTreeSet::new(),
            needed_groups: BTreeSet::new(),
            groups: BTreeSet::new(),
        }
    }

    /// A station that announces all of [`VIPS`].
    fn announcing_all() -> Self {
        let mut station = Self::new();
        station.announce(VIPS.iter().map(|vip| vip.parse().unwrap()).collect());
        station
    }

    /// Time goes by, without the station being called.
    pub fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    /// Goes to the deadline, if there is one, and calls.
    pub fn time_out(&mut self) {
        self.now = self
            .segment
            .deadline()
            .map_or(self.now, |deadline| deadline.max(self.now));
        self.segment.handle(Input::Timeout, self.now);
        self.check();
    }

    /// Makes this the desired set; `desired` holds addresses of hosts only.
    pub fn announce(&mut self, desired: BTreeSet<IpAddr>) {
        let mut given = desired.clone();
        given.extend(
            ["224.0.0.1", "ff02::1", "::", "::1"].map(|bad| bad.parse::<IpAddr>().unwrap()),
        );
        self.needed_groups = desired.iter().filter_map(group_of).collect();
        self.desired = desired;
        self.segment.handle(Input::Announce(&given), self.now);
        self.check();
        self.check_sets();
    }

    /// Changes the link.
    pub fn link(&mut self, link: Link) {
        self.link = link;
        self.segment.handle(Input::Link(link), self.now);
        self.check();
        self.check_sets();
    }

    /// Announces again.
    pub fn reannounce(&mut self) {
        self.segment.handle(Input::Reannounce, self.now);
        self.check();
    }

    /// Receives a frame; gives the number of frames that were sent besides announcements that were
    /// due anyway.
    pub fn receive(&mut self, frame: &[u8]) -> usize {
        self.segment.handle(Input::Timeout, self.now);
        self.check();
        self.segment.handle(Input::Frame(frame), self.now);
        self.check()
    }

    /// Takes all outputs and checks each; gives the number of frames.
    fn check(&mut self) -> usize {
        let (mut frames, mut others) = (0, 0);
        while let Some(output) = self.segment.poll() {
            others += 1;
            match output {
                Output::Transmit(frame) => {
                    frames += 1;
                    others -= 1;
                    self.check_frame(&frame);
                }
                Output::JoinGroup(group) => assert!(self.groups.insert(group), "joined twice"),
                Output::LeaveGroup(group) => assert!(self.groups.remove(&group), "not a member"),
                Output::Announcing(vip) => assert!(self.announcing.insert(vip), "said twice"),
                Output::Withdrawn(vip) => assert!(self.announcing.remove(&vip), "not announced"),
            }
        }
        assert!(frames <= FRAMES_PER_INPUT, "{frames} frames for one input");
        let waiting = self.segment.deadline().is_some();
        assert_eq!(waiting, !self.announcing.is_empty());
        if others > 0 {
            self.check_sets();
        }
        frames
    }

    /// What was said so far adds up to what must be so.
    fn check_sets(&self) {
        if self.link.up {
            assert_eq!(self.announcing, self.desired);
        } else {
            assert!(self.announcing.is_empty(), "the link is down");
        }
        assert_eq!(self.groups, self.needed_groups);
    }

    fn check_frame(&self, frame: &Frame) {
        let bytes = frame.as_bytes();
        assert!(self.link.up, "the link is down");
        assert_eq!(bytes[6..12], self.link.mac.0, "from us");
        let vip = match bytes.len() {
            42 => self.check_arp(bytes),
            86 => self.check_advertisement(bytes),
            len => panic!("a frame of {len} octets"),
        };
        assert!(self.desired.contains(&vip), "{vip} is not desired");
    }

    fn check_arp(&self, bytes: &[u8]) -> IpAddr {
        assert_eq!(bytes[12..21], [0x08, 0x06, 0, 1, 8, 0, 6, 4, 0]);
        assert_eq!(bytes[22..28], self.link.mac.0, "about us");
        let announcement = bytes[..6] == [0xff; 6];
        if announcement {
            assert_eq!(
                bytes[28..32],
                bytes[38..42],
                "sender and target are the VIP"
            );
        } else {
            assert_eq!(bytes[21], 2, "only replies go to one station");
            assert_eq!(bytes[..6], bytes[32..38], "to the target");
            assert_eq!(bytes[0] & 1, 0, "to one station");
        }
        IpAddr::from(<[u8; 4]>::try_from(&bytes[28..32]).unwrap())
    }

    fn check_advertisement(&self, bytes: &[u8]) -> IpAddr {
        assert_eq!(bytes[12..22], [0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255]);
        assert_eq!(bytes[54..56], [136, 0]);
        assert_eq!(
            frames::ones_complement_sum(&bytes[14..]),
            0xffff,
            "checksum"
        );
        let to_all = bytes[..6] == [0x33, 0x33, 0, 0, 0, 1];
        assert_eq!(bytes[58..62], [if to_all { 0x20 } else { 0x60 }, 0, 0, 0]);
        assert_eq!(bytes[22..38], bytes[62..78], "from the VIP");
        assert_eq!(bytes[78..80], [2, 1]);
        assert_eq!(bytes[80..86], self.link.mac.0, "about us");
        IpAddr::from(<[u8; 16]>::try_from(&bytes[62..78]).unwrap())
    }
}

/// Uses the one station of this process, which announces all of [`VIPS`], a millisecond after its
/// last use. Building one for each frame costs thirty times what reading the frame does.
pub fn with_station(receive: impl FnOnce(&mut Station)) {
    thread_local!(static STATION: RefCell<Station> = RefCell::new(Station::announcing_all()));
    STATION.with_borrow_mut(|station| {
        station.wait(Duration::from_millis(1));
        receive(station);
    });
}

impl Default for Station {
    fn default() -> Self {
        Self::new()
    }
}

fn group_of(vip: &IpAddr) -> Option<Ipv6Addr> {
    let IpAddr::V6(vip) = vip else { return None };
    Some(Ipv6Addr::from(
        (0xff02_u128 << 112) | 0x1_ff00_0000 | (vip.to_bits() & 0xff_ffff),
    ))
}
