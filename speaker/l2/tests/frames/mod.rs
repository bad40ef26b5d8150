//! What the tests of the public machine share.

mod hex;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use l2::{Config, Input, Link, Mac, Output, Segment};

pub(crate) use self::hex::golden;

/// The station in the golden frames that has the VIPs.
pub(crate) const OURS: Mac = Mac([0x02, 0x00, 0x5e, 0x00, 0x00, 0x0a]);

/// The VIPs in the golden frames.
pub(crate) const VIP_V4: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 200);
pub(crate) const VIP_V6: Ipv6Addr = Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 0x200);

#[expect(
    clippy::disallowed_methods,
    reason = "an Instant has no other source; any one will do"
)]
pub(crate) fn start() -> Instant {
    Instant::now()
}

/// A segment that announces the VIPs, and what it put out since it began.
pub(crate) fn announcing(now: Instant) -> (Segment, Vec<Output>) {
    let mut segment = Segment::new(
        Config::default(),
        Link {
            mac: OURS,
            up: true,
        },
    );
    let vips = BTreeSet::from([VIP_V4.into(), VIP_V6.into()]);
    segment.handle(Input::Announce(&vips), now);
    let outputs = drain(&mut segment);
    (segment, outputs)
}

/// The frames that are sent for one frame received.
pub(crate) fn answers(segment: &mut Segment, frame: &[u8], now: Instant) -> Vec<Vec<u8>> {
    segment.handle(Input::Frame(frame), now);
    transmitted(&drain(segment))
}

/// The frames among outputs.
pub(crate) fn transmitted(outputs: &[Output]) -> Vec<Vec<u8>> {
    let frames = outputs.iter().filter_map(|output| match output {
        Output::Transmit(frame) => Some(frame.as_bytes().to_vec()),
        Output::JoinGroup(_)
        | Output::LeaveGroup(_)
        | Output::Announcing(_)
        | Output::Withdrawn(_) => None,
    });
    frames.collect()
}

fn drain(segment: &mut Segment) -> Vec<Output> {
    std::iter::from_fn(|| segment.poll()).collect()
}
