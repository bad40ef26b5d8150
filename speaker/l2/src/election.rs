//! Who should answer for a VIP: a pure ranking that every node computes alike, without a word
//! between them.
//!
//! Better tier first; within it the larger preference; within that weighted rendezvous hashing at
//! equal weights, which moves only the VIPs of a node that comes or goes; then the node's name.

use std::cmp::Reverse;
use std::net::IpAddr;

/// A node that can announce the VIP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Its name: the stable bytes that are hashed.
    pub node: &'a str,
    /// 0 is best; a worse tier serves only when all better ones are empty.
    pub tier: u8,
    /// The sum of the weights of the preferences that it matches; more is better.
    pub preference: u32,
}

/// The candidates' indices, best first. The order of the candidates does not matter.
pub fn rank(vip: IpAddr, candidates: &[Candidate<'_>]) -> Vec<usize> {
    let mut keyed: Vec<_> = candidates
        .iter()
        .map(|candidate| key(vip, candidate))
        .zip(0..)
        .collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, index)| index).collect()
}

/// The index of the best candidate: the first of [`rank`], without sorting the others.
pub fn owner(vip: IpAddr, candidates: &[Candidate<'_>]) -> Option<usize> {
    let keyed = candidates
        .iter()
        .map(|candidate| key(vip, candidate))
        .zip(0..);
    keyed.min().map(|(_, index)| index)
}

/// Smaller is better.
type Key<'a> = (u8, Reverse<u32>, Reverse<u64>, &'a str);

fn key<'a>(vip: IpAddr, candidate: &Candidate<'a>) -> Key<'a> {
    let &Candidate {
        node,
        tier,
        preference,
    } = candidate;
    (tier, Reverse(preference), Reverse(score(vip, node)), node)
}

/// The rendezvous hash: FNV-1a of a family octet (4 or 6), the VIP and the node's name, finished
/// by MurmurHash3's 64-bit mixer, as FNV alone leaves similar names close together.
///
/// Fixed for ever: nodes of different versions must agree, and a change would move VIPs during an
/// upgrade. Golden values hold it.
fn score(vip: IpAddr, node: &str) -> u64 {
    let hash = match vip {
        IpAddr::V4(vip) => fnv1a(fnv1a(FNV_OFFSET, &[4]), &vip.octets()),
        IpAddr::V6(vip) => fnv1a(fnv1a(FNV_OFFSET, &[6]), &vip.octets()),
    };
    fmix64(fnv1a(hash, node.as_bytes()))
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

fn fnv1a(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME)
    })
}

fn fmix64(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests;
