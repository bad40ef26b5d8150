//! What 100,000 announced paths, half of them of each family, cost the core alone, without the
//! plan, the driver and TCP that `make bench` measures with it: the bytes of a path, and how long one
//! Service change takes from the changed set of routes to the UPDATE. Besides: how long it takes to
//! build the set anew from all routes, and how many prefixes a second a session is told at its start.
//! `cargo run --release -p seamark-bgp --example bgp_change_ms`
//!
//! Memory is the growth of the resident set, so that it counts what the allocator wastes too.

use std::error::Error;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgp::wire::{Capability, Message, Open};
use bgp::{
    Asn, Attributes, Community, Config, ConnectionId, Families, Input, Mode, Output, Peer, PeerAsn,
    Prefix, Route, RouteSet, RouterId,
};

const PATHS: u32 = 100_000;
const CHANGES: u32 = 2_000;
const CONNECTION: ConnectionId = ConnectionId::Dialed(0);

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let now = clock();
    let mut peer = established(now)?;
    let before = resident()?;
    let attributes = Arc::new(attributes(0));
    let mut desired = RouteSet::build(routes(&attributes), &RouteSet::default());
    let (octets, started) = told(&mut peer, &desired, now);
    let bytes = resident()?.saturating_sub(before) / u64::from(PATHS);
    if octets < PATHS as usize {
        return Err("the session is not told, so that the figures say nothing".into());
    }

    let start = clock();
    let again = RouteSet::build(routes(&attributes), &desired);
    let rebuilt = start.elapsed();
    if again != desired {
        return Err("the same routes make another set".into());
    }

    let mut times = Vec::new();
    for change in 0..CHANGES {
        let prefix = prefix(change.wrapping_mul(7_919) % PATHS);
        let attributes = Arc::new(self::attributes(change + 1));
        let start = clock();
        desired = desired.with([(prefix, Some(attributes))]);
        let (octets, _) = told(&mut peer, &desired, now);
        times.push(start.elapsed());
        if !(30..300).contains(&octets) {
            return Err(format!("a change took {octets} octets, not one UPDATE").into());
        }
    }
    times.sort_unstable();

    let mut out = std::io::stdout();
    writeln!(out, "core_bytes_per_path {bytes} B")?;
    writeln!(out, "core_change_ms_p50 {:.4} ms", ms(&times, 50))?;
    writeln!(out, "core_change_ms_p99 {:.4} ms", ms(&times, 99))?;
    let millis = rebuilt.as_secs_f64() * 1000.0;
    writeln!(out, "core_route_set_rebuild_ms {millis:.3} ms")?;
    let rate = f64::from(PATHS) / started.as_secs_f64();
    writeln!(out, "core_prefixes_told_per_s {rate:.0} 1/s")?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]
fn clock() -> Instant {
    Instant::now()
}

fn ms(sorted: &[Duration], percent: usize) -> f64 {
    let at = sorted.get(sorted.len() * percent / 100);
    at.map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
}

/// Hands over the routes and takes all that is said, as a socket that never fills would: how many
/// octets, in what time.
fn told(peer: &mut Peer, desired: &RouteSet, now: Instant) -> (usize, Duration) {
    let start = clock();
    let mut octets = 0;
    peer.handle(Input::Desired(desired.clone()), now);
    loop {
        let mut more = 0;
        while let Some(output) = peer.poll() {
            if let Output::Transmit { bytes, .. } = output {
                more += std::hint::black_box(bytes).len();
            }
        }
        if more == 0 {
            return (octets, start.elapsed());
        }
        octets += more;
        let sent = Input::Sent {
            connection: CONNECTION,
            queued: 0,
        };
        peer.handle(sent, now);
    }
}

fn established(now: Instant) -> Outcome<Peer> {
    let router_id = RouterId::from(Ipv4Addr::new(10, 0, 0, 1)).ok_or("an identifier")?;
    let config = Config {
        local_asn: Asn(65_000),
        peer_asn: PeerAsn::External,
        router_id,
        hold_time: Duration::from_secs(90),
        keepalive_time: None,
        connect_retry_time: Duration::from_secs(60),
        mode: Mode::Dial,
        families: Families::BOTH,
        next_hop_v4: None,
        next_hop_v6: Some(Ipv6Addr::LOCALHOST),
        max_prefixes: 1_000,
        role: None,
        ebgp_multihop: false,
        protection: bgp::Protection::None,
        hostname: "bench".to_owned(),
        graceful_restart: None,
    };
    let families = Families::BOTH.iter();
    let mut capabilities: Vec<Capability> = families
        .map(|family| Capability::Multiprotocol(family.into()))
        .collect();
    capabilities.push(Capability::FourOctetAs(Asn(65_001)));
    let theirs = Message::Open(Open {
        asn: Asn(65_001),
        hold_time: 90,
        router_id,
        capabilities,
    });
    let mut peer = Peer::new(config, 1);
    peer.handle(Input::Start, now);
    let address = IpAddr::from(Ipv4Addr::LOCALHOST);
    let connected = Input::Connected {
        connection: CONNECTION,
        local: address,
        remote: address,
    };
    peer.handle(connected, now);
    for message in [theirs, Message::Keepalive] {
        let mut octets = Vec::new();
        message.emit(None, &mut octets);
        let received = Input::Received {
            connection: CONNECTION,
            bytes: &octets,
        };
        peer.handle(received, now);
    }
    let sent = Input::Sent {
        connection: CONNECTION,
        queued: 0,
    };
    peer.handle(sent, now);
    while peer.poll().is_some() {}
    Ok(peer)
}

/// What a Service with some settings carries.
fn attributes(med: u32) -> Attributes {
    Attributes {
        multi_exit_disc: Some(med),
        communities: vec![Community::new(65_000, 1), Community::NO_EXPORT],
        ..Attributes::default()
    }
}

fn routes(attributes: &Arc<Attributes>) -> impl Iterator<Item = Route> {
    (0..PATHS).map(|n| Route {
        prefix: prefix(n),
        attributes: Arc::clone(attributes),
    })
}

fn prefix(n: u32) -> Prefix {
    let address: IpAddr = if n.is_multiple_of(2) {
        Ipv4Addr::from_bits(0x0a00_0000 + n / 2).into()
    } else {
        Ipv6Addr::from_bits((0xfd99 << 112) + u128::from(n / 2)).into()
    };
    Prefix::host(address)
}

/// Octets of this process that are in memory.
fn resident() -> Outcome<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(kib.ok_or("no VmRSS")?.parse::<u64>()? * 1024)
}
