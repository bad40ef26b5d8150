//! How fast UPDATEs are written and read: `cargo run --release -p seamark-bgp --example wire_per_s`
//!
//! Written are 100,000 host routes, half of them IPv4 and half IPv6, with one set of attributes for
//! each family, split at 4096 octets. Read is a stream of UPDATEs of four prefixes with eight
//! attributes each, as a router with a full table sends them, from octets to messages. The figures
//! are those of the median batch, so that a busy machine disturbs them little.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use bgp::wire::{Framer, Message, NextHop, PathAttributes, Session, announce, decode};
use bgp::{Asn, Community, Families, Family, LargeCommunity, Prefix};

const PREFIXES: u32 = 100_000;
const UPDATES: u32 = 10_000;
const BATCHES: usize = 101;
/// What one read from a socket may bring.
const CHUNK: usize = 65_536;

#[expect(clippy::print_stdout, reason = "its output is what it is for")]
fn main() {
    println!("bgp_encode_prefixes_per_s {} /s", encode());
    println!("bgp_decode_updates_per_s {} /s", read());
}

fn encode() -> u128 {
    let session = session();
    let v4: Vec<Prefix> = (0..PREFIXES / 2).map(host_v4).collect();
    let v6: Vec<Prefix> = (0..PREFIXES / 2).map(host_v6).collect();
    let (by_v4, by_v6) = (attributes(NEXT_HOP_V4), attributes(NEXT_HOP_V6));
    let mut out = Vec::new();
    let median = median(|| {
        out.clear();
        let told = announce(Family::Ipv4Unicast, &by_v4, &v4, &session, &mut out);
        assert!(told.is_ok());
        let told = announce(Family::Ipv6Unicast, &by_v6, &v6, &session, &mut out);
        assert!(told.is_ok());
    });
    per_second(PREFIXES, median)
}

fn read() -> u128 {
    let session = session();
    let mut stream = Vec::new();
    for n in 0..UPDATES {
        let prefixes = (0..4).map(|k| {
            if n % 2 == 0 {
                host_v4(4 * n + k)
            } else {
                host_v6(4 * n + k)
            }
        });
        let (family, next_hop) = if n % 2 == 0 {
            (Family::Ipv4Unicast, NEXT_HOP_V4)
        } else {
            (Family::Ipv6Unicast, NEXT_HOP_V6)
        };
        let told = announce(
            family,
            &attributes(next_hop),
            prefixes,
            &session,
            &mut stream,
        );
        assert_eq!(told, Ok(1));
    }
    let median = median(|| {
        let mut framer = Framer::new();
        let (mut updates, mut prefixes) = (0, 0);
        for chunk in stream.chunks(CHUNK) {
            framer.push(chunk);
            while let Some(frame) = framer.poll() {
                let message = frame.and_then(|frame| decode(&frame, Some(&session)));
                if let Ok(Message::Update(update)) = message {
                    updates += 1;
                    prefixes += update.announced.len();
                }
            }
        }
        assert_eq!((updates, prefixes), (UPDATES, 4 * UPDATES as usize));
    });
    per_second(UPDATES, median)
}

fn median(mut batch: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..BATCHES)
        .map(|_| {
            #[expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]
            let start = Instant::now();
            batch();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times.swap_remove(BATCHES / 2)
}

fn per_second(items: u32, time: Duration) -> u128 {
    u128::from(items) * 1_000_000_000 / time.as_nanos().max(1)
}

const NEXT_HOP_V4: NextHop = NextHop::V4(Ipv4Addr::new(192, 0, 2, 1));
const NEXT_HOP_V6: NextHop = NextHop::V6 {
    global: Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1),
    link_local: None,
};

fn session() -> Session {
    Session {
        local_asn: Asn(64_512),
        remote_asn: Asn(64_512),
        ebgp: false,
        families: Families::BOTH,
        four_octet_as: true,
        ..Session::default()
    }
}

/// Eight of them on the wire.
fn attributes(next_hop: NextHop) -> PathAttributes {
    PathAttributes {
        as_path: vec![Asn(64_500), Asn(4_200_000_000)],
        next_hop,
        multi_exit_disc: Some(10),
        local_pref: Some(100),
        communities: vec![Community::NO_EXPORT, Community::new(64_512, 1)],
        extended_communities: Vec::new(),
        large_communities: vec![LargeCommunity {
            global: 64_512,
            local1: 1,
            local2: 2,
        }],
    }
}

fn host_v4(n: u32) -> Prefix {
    Prefix::host(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n)))
}

fn host_v6(n: u32) -> Prefix {
    Prefix::host(IpAddr::V6(Ipv6Addr::from_bits(
        (0xfd99_u128 << 112) + u128::from(n),
    )))
}
