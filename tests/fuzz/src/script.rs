//! Octets as a script: each step is an octet that says what happens, and its arguments.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use l2::{Link, Mac};

use crate::{OURS, Station, VIPS, frames};

/// Plays a script on a new station, to its end. A step cut off is left out.
pub fn play(script: &[u8]) {
    let mut station = Station::new();
    let mut rest = script;
    while step(&mut station, &mut rest).is_some() {}
}

fn step(station: &mut Station, script: &mut &[u8]) -> Option<()> {
    match octet(script)? % 10 {
        0 => station.time_out(),
        1 => station.wait(Duration::from_millis(number(script)?)),
        2 => station.announce(some_vips(number(script)?)),
        3 => station.announce(many_vips(octet(script)?)),
        4 => station.link(Link {
            mac: OURS,
            up: octet(script)? % 2 == 0,
        }),
        5 => station.link(Link {
            mac: Mac([2, 0, 0, 0, 0, octet(script)?]),
            up: true,
        }),
        6 => station.reannounce(),
        7 => ask(station, octet(script)?),
        8 => storm(station, octet(script)?),
        9 => {
            let len = usize::from(octet(script)?);
            let (frame, rest) = script.split_at_checked(len)?;
            *script = rest;
            station.receive(frame);
        }
        10.. => unreachable!("ten steps"),
    }
    Some(())
}

/// Asks for one of the VIPs, desired or not: answered once or not at all.
fn ask(station: &mut Station, which: u8) {
    let vip = VIPS[usize::from(which) % VIPS.len()].parse().unwrap();
    assert!(station.receive(&frames::question(vip, which >= 128)) <= 1);
}

/// The same question many times at the same moment.
fn storm(station: &mut Station, which: u8) {
    let vip = VIPS[usize::from(which) % VIPS.len()].parse().unwrap();
    let question = frames::question(vip, which >= 128);
    for _ in 0..64 {
        assert!(station.receive(&question) <= 1);
    }
}

/// The VIPs whose bit is set.
fn some_vips(bits: u64) -> BTreeSet<IpAddr> {
    let chosen = VIPS
        .iter()
        .enumerate()
        .filter(|(at, _)| bits >> at & 1 == 1);
    chosen.map(|(_, vip)| vip.parse().unwrap()).collect()
}

/// So many VIPs, of both families in turn; enough that they have to be paced.
fn many_vips(count: u8) -> BTreeSet<IpAddr> {
    let vip = |n: u32| {
        if n % 2 == 0 {
            IpAddr::from(Ipv4Addr::from_bits(0x0a63_0000 + n))
        } else {
            IpAddr::from(Ipv6Addr::from_bits((0xfd99_u128 << 112) + u128::from(n)))
        }
    };
    (0..u32::try_from(count).expect("a 16-bit number"))
        .map(vip)
        .collect()
}

fn octet(script: &mut &[u8]) -> Option<u8> {
    let (octet, rest) = script.split_first()?;
    *script = rest;
    Some(*octet)
}

fn number(script: &mut &[u8]) -> Option<u64> {
    Some(u64::from(octet(script)?) << 8 | u64::from(octet(script)?))
}
