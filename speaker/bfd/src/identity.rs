//! Names of a session that outlive the process.
//!
//! A speaker that restarts goes on with the session that it left behind, if the far side's packets
//! still find it. So discriminator and source port are no numbers drawn at random, as RFC 5880
//! §6.8.1 suggests for its safety, but come from the names of both ends. Who could guess them could
//! read them from the configuration, and still has to be on the link (RFC 5881 §5) or to know its
//! addresses.

use std::num::NonZeroU32;

use crate::path::SOURCE_PORTS;

/// bfd.LocalDiscr of the session of a node with a peer: RFC 5880 §6.8.1 wants it unique among all
/// sessions of the node, and not zero. `attempt` is zero, and counts up for as long as another
/// session of the node has the number already.
pub fn local_discriminator(node: &str, peer: &str, attempt: u32) -> NonZeroU32 {
    let [a, b, c, d, e, f, g, h] = digest("discriminator", node, peer, attempt);
    let (low, high) = (
        u32::from_be_bytes([a, b, c, d]),
        u32::from_be_bytes([e, f, g, h]),
    );
    NonZeroU32::new(low)
        .or(NonZeroU32::new(high))
        .unwrap_or(NonZeroU32::MIN)
}

/// The port that all packets of the session come from, out of [`SOURCE_PORTS`] (RFC 5881 §4).
/// `attempt` counts up for as long as the port is taken.
pub fn source_port(node: &str, peer: &str, attempt: u32) -> u16 {
    let [.., high, low] = digest("source port", node, peer, attempt);
    let offset = u16::from_be_bytes([high, low]) & (SOURCE_PORTS.end() - SOURCE_PORTS.start());
    SOURCE_PORTS.start() | offset
}

/// Fowler, Noll and Vo's hash (FNV-1a, 64 bits), its bits mixed once more as SplitMix64 does, as
/// the last octets alone would hardly reach the highest bits. It must never change: routers hold
/// the numbers while speakers are upgraded.
fn digest(purpose: &str, node: &str, peer: &str, attempt: u32) -> [u8; 8] {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |octet: u8| hash = (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3);
    for name in [purpose, node, peer] {
        name.bytes().for_each(&mut add);
        // No name holds this octet, so that (ab, c) and (a, bc) differ.
        add(0xff);
    }
    attempt.to_be_bytes().into_iter().for_each(add);
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_numbers_are_those_of_every_release() {
        let numbers = |attempt| {
            let discriminator = local_discriminator("node-1", "router-a", attempt);
            (
                discriminator.get(),
                source_port("node-1", "router-a", attempt),
            )
        };
        assert_eq!(numbers(0), (20_529_953, 57_847));
        assert_eq!(numbers(1), (1_761_203_598, 61_432));
    }

    /// RFC 5880 §6.8.1: unique and not zero, but for chance, which another attempt mends.
    #[test]
    fn discriminators_of_many_nodes_and_peers_differ() {
        let mut seen = BTreeSet::new();
        for node in 0..50 {
            for peer in 0..50 {
                let (node, peer) = (format!("node-{node}"), format!("router-{peer}"));
                assert!(seen.insert(local_discriminator(&node, &peer, 0)));
            }
        }
        assert!(seen.insert(local_discriminator("node-1", "router-1", 1)));
        assert_ne!(
            local_discriminator("ab", "c", 0),
            local_discriminator("a", "bc", 0)
        );
    }

    /// RFC 5881 §4.
    #[test]
    fn source_ports_fill_the_range_that_is_allowed_and_nothing_else() {
        let ports: BTreeSet<u16> = (0..200_000).map(|n| source_port("node", "r", n)).collect();
        assert!(ports.iter().all(|port| SOURCE_PORTS.contains(port)));
        assert_eq!(ports.len(), SOURCE_PORTS.count());
    }
}
