//! Peers that are the same to a node.

use model::{BgpPeer, PeerName, Remote};

use super::overlap::overlap;
use crate::bgp_peer::BGPPeer;
use crate::problem::{BgpProblem, Invalid, ObjectRef};

/// One BGPPeer: what its object says, and what was in force of it.
pub(super) struct Candidate {
    /// When it was created, in seconds since 1970.
    pub(super) created: i64,
    pub(super) name: PeerName,
    pub(super) read: Option<BgpPeer>,
    pub(super) last: Option<BgpPeer>,
}

/// The peers in force, by name: of two that are the same to a node, the older one; of two equally
/// old ones, the one with the earlier name. The other one stays as it was in force before, if that
/// is not the same as an older one too.
pub(super) fn settle(mut candidates: Vec<Candidate>) -> (Vec<BgpPeer>, Vec<Invalid>) {
    candidates.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
    let mut peers: Vec<BgpPeer> = Vec::new();
    let mut problems = Vec::new();
    for candidate in candidates {
        let older = |peer: &BgpPeer| peers.iter().find(|older| is_same(older, peer));
        let clash = candidate.read.as_ref().and_then(older);
        if let (Some(peer), Some(older)) = (&candidate.read, clash) {
            problems.push(duplicate(peer, &older.name));
        }
        let read = candidate.read.filter(|_| clash.is_none());
        let last = candidate.last.filter(|last| older(last).is_none());
        let settled = read.or(last);
        peers.extend(settled);
    }
    peers.sort_by(|a, b| a.name.cmp(&b.name));
    (peers, problems)
}

/// Whether a node could have to speak to both, which are one to it. An address inside a range is
/// not: the peer that names it is the one that is meant.
fn is_same(a: &BgpPeer, b: &BgpPeer) -> bool {
    let same = match (&a.remote, &b.remote) {
        (Remote::Address(one), Remote::Address(other)) => {
            (one, a.port, &a.vrf) == (other, b.port, &b.vrf)
        }
        (Remote::Interface(one), Remote::Interface(other)) => one == other,
        (Remote::Range(one), Remote::Range(other)) => {
            let overlapping = one.contains(other.address()) || other.contains(one.address());
            overlapping && a.vrf == b.vrf
        }
        (Remote::Address(_) | Remote::Interface(_) | Remote::Range(_), _) => false,
    };
    same && overlap(&a.node_selectors, &b.node_selectors)
}

/// What makes another one the same.
fn sameness(remote: &Remote) -> &'static str {
    match remote {
        Remote::Address(_) => "the same address, port and VRF",
        Remote::Interface(_) => "the same interface",
        Remote::Range(_) => "an overlapping range in the same VRF",
    }
}

fn duplicate(peer: &BgpPeer, older: &PeerName) -> Invalid {
    let problem = BgpProblem::DuplicatePeer {
        older: older.to_string(),
        same: sameness(&peer.remote),
    };
    Invalid {
        object: ObjectRef::of::<BGPPeer>(peer.name.as_str()),
        field: super::remote::field(&peer.remote).to_owned(),
        reason: problem.into(),
    }
}
