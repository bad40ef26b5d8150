//! Frames that ask for an address in a way that deserves no answer. Each has one fault; all else
//! about it is right, the checksum as well.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lab::Mac;
use lab::frame::{self, Asker};

/// A faulty frame.
#[derive(Debug, Clone)]
pub(crate) struct Hostile {
    pub(crate) fault: String,
    pub(crate) frame: Vec<u8>,
}

/// Bytes put over others, from an offset on.
type Patch = (&'static str, usize, &'static [u8]);

const STRANGER_V4: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 99);
const STRANGER_V6: Ipv6Addr = Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 0x99);

/// Where in an IPv6 frame things are.
const PAYLOAD_LENGTH: usize = 18;
const SOURCE: usize = 22;
const DESTINATION: usize = 38;
const ICMP: usize = 54;
const CHECKSUM: usize = 56;
const OPTIONS: usize = 78;

const ARP: [Patch; 18] = [
    ("hardware type 6", 14, &[0, 6]),
    ("hardware type 0", 14, &[0, 0]),
    ("protocol type of IPv6", 16, &[0x86, 0xdd]),
    ("hardware length 0", 18, &[0]),
    ("hardware length 8", 18, &[8]),
    ("hardware length 255", 18, &[255]),
    ("protocol length 0", 19, &[0]),
    ("protocol length 16", 19, &[16]),
    ("protocol length 255", 19, &[255]),
    ("operation 0", 20, &[0, 0]),
    ("operation reply", 20, &[0, 2]),
    ("operation reverse request", 20, &[0, 3]),
    ("operation 65535", 20, &[255, 255]),
    ("a group's MAC as sender", 22, &[1, 0, 0x5e, 0, 0, 1]),
    ("all stations' MAC as sender", 22, &[255; 6]),
    ("nobody's MAC as sender", 22, &[0; 6]),
    ("a group's address as sender", 28, &[224, 0, 0, 1]),
    ("all hosts' address as sender", 28, &[255; 4]),
];

/// What a right checksum goes with.
const SEALED: [Patch; 12] = [
    ("code 1", 55, &[1]),
    ("an option of length 0", 79, &[0]),
    ("an option of 2 units where there is 1", 79, &[2]),
    ("an option of 255 units", 79, &[255]),
    (
        "a group's MAC as link-layer address",
        80,
        &[0x33, 0x33, 0, 0, 0, 1],
    ),
    ("all stations' MAC as link-layer address", 80, &[255; 6]),
    ("nobody's MAC as link-layer address", 80, &[0; 6]),
    (
        "a group as source",
        SOURCE,
        &[0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    ),
    ("no source, but a link-layer address", SOURCE, &[0; 16]),
    ("type advertisement", ICMP, &[136]),
    ("type router solicitation", ICMP, &[133]),
    ("a version that is not 6", 14, &[0x40]),
];

/// What the checksum does not cover, or is to contradict.
const UNSEALED: [Patch; 7] = [
    ("hop limit 254", 21, &[254]),
    ("hop limit 0", 21, &[0]),
    ("a wrong checksum", CHECKSUM, &[0xde, 0xad]),
    ("no checksum", CHECKSUM, &[0, 0]),
    (
        "a payload longer than the frame",
        PAYLOAD_LENGTH,
        &[0x05, 0xdc],
    ),
    ("the longest payload there is", PAYLOAD_LENGTH, &[255, 255]),
    (
        "a payload that ends in the target",
        PAYLOAD_LENGTH,
        &[0, 23],
    ),
];

/// All faulty questions for an address. Each comes from a station of its own, by which a wrong
/// answer is known.
pub(crate) fn all(vip: IpAddr) -> Vec<Hostile> {
    match vip {
        IpAddr::V4(vip) => arp(vip),
        IpAddr::V6(vip) => solicitations(vip),
    }
}

/// The stations from which they come begin so.
const STRANGERS: [u8; 5] = [2, 0xbd, 0, 0, 0];

fn stranger(number: usize) -> Asker {
    let [a, b, c, d, e] = STRANGERS;
    let last = u8::try_from(number).unwrap_or(u8::MAX);
    Asker {
        mac: Mac([a, b, c, d, e, last]),
        v4: STRANGER_V4,
        v6: STRANGER_V6,
    }
}

/// What is wrong, and how a good frame gets so.
type Fault = (String, Box<dyn Fn(Vec<u8>) -> Vec<u8>>);

/// Numbers the faults, and lets each spoil a question of its own.
fn spoil(faults: Vec<Fault>, vip: IpAddr) -> Vec<Hostile> {
    let numbered = faults.into_iter().enumerate();
    numbered
        .map(|(number, (fault, spoil))| {
            let asker = stranger(number);
            let fault = format!("{fault} (asking for {vip}, from {})", asker.mac);
            let frame = spoil(frame::question(&asker, vip));
            Hostile { fault, frame }
        })
        .collect()
}

fn fault(what: impl Into<String>, spoil: impl Fn(Vec<u8>) -> Vec<u8> + 'static) -> Fault {
    (what.into(), Box::new(spoil))
}

fn patch((what, at, bytes): Patch) -> Fault {
    fault(what, move |frame| patched(frame, at, bytes))
}

fn patched(mut frame: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    frame.splice(at..at + bytes.len(), bytes.iter().copied());
    frame
}

fn cut(length: usize) -> Fault {
    fault(
        format!("its end after {length} octets"),
        move |mut frame| {
            frame.truncate(length);
            frame
        },
    )
}

/// In VLAN 100, which no interface here is in.
fn tagged(mut frame: Vec<u8>) -> Vec<u8> {
    frame.splice(12..12, [0x81, 0, 0, 100]);
    frame
}

fn arp(vip: Ipv4Addr) -> Vec<Hostile> {
    let mut faults: Vec<Fault> = ARP.into_iter().map(patch).collect();
    faults.extend([14, 15, 20, 22, 28, 38, 41].map(cut));
    faults.push(fault("a tag of VLAN 100", tagged));
    faults.push(fault("the address itself as sender", move |frame| {
        patched(frame, 28, &vip.octets())
    }));
    spoil(faults, IpAddr::V4(vip))
}

fn solicitations(vip: Ipv6Addr) -> Vec<Hostile> {
    let mut faults: Vec<Fault> = UNSEALED.into_iter().map(patch).collect();
    let sealed = |(what, at, bytes): Patch| fault(what, move |f| seal(patched(f, at, bytes)));
    faults.extend(SEALED.into_iter().map(sealed));
    faults.extend([14, 33, 53, 54, 61, 77, 79, 85].map(cut));
    for length in [1, 4, 8, 23, 25, 26, 31] {
        let what = format!("{length} octets of ICMPv6");
        faults.push(fault(what, move |mut frame| {
            frame.truncate(ICMP + length);
            seal(frame)
        }));
    }
    faults.push(fault("a tag of VLAN 100", tagged));
    faults.push(fault("fragments, though only one (RFC 6980)", fragment));
    faults.push(fault(
        "no source, but the address as destination",
        move |mut frame| {
            frame.truncate(OPTIONS);
            let frame = patched(frame, DESTINATION, &vip.octets());
            seal(patched(frame, SOURCE, &[0; 16]))
        },
    ));
    spoil(faults, IpAddr::V6(vip))
}

/// RFC 8200 §4.5: a fragment header before the ICMPv6 message.
fn fragment(mut frame: Vec<u8>) -> Vec<u8> {
    frame.splice(ICMP..ICMP, [58, 0, 0, 0, 0, 0, 0, 1]);
    let mut frame = patched(frame, 20, &[44]);
    if let Some(length) = frame.get_mut(PAYLOAD_LENGTH + 1) {
        *length += 8;
    }
    frame
}

/// Gives an IPv6 frame the payload length and the checksum that it should have.
fn seal(frame: Vec<u8>) -> Vec<u8> {
    let address = |at: usize| {
        let octets: Option<[u8; 16]> = frame.get(at..at + 16).and_then(|o| o.try_into().ok());
        Ipv6Addr::from(octets.unwrap_or_default())
    };
    let (source, destination) = (address(SOURCE), address(DESTINATION));
    let length = u16::try_from(frame.len() - ICMP).unwrap_or(u16::MAX);
    let frame = patched(frame, PAYLOAD_LENGTH, &length.to_be_bytes());
    if frame.len() < CHECKSUM + 2 {
        return frame;
    }
    let frame = patched(frame, CHECKSUM, &[0, 0]);
    let sum = frame::checksum(source, destination, frame.get(ICMP..).unwrap_or_default());
    patched(frame, CHECKSUM, &sum.to_be_bytes())
}
