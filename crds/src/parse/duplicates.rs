//! Peers that are the same to a node.

use model::{BgpPeer, PeerName};

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
        if let Some(older) = clash {
            problems.push(duplicate(&candidate.name, &older.name));
        }
        let read = candidate.read.filter(|_| clash.is_none());
        let last = candidate.last.filter(|last| older(last).is_none());
        let settled = read.or(last);
        peers.extend(settled);
    }
    peers.sort_by(|a, b| a.name.cmp(&b.name));
    (peers, problems)
}

/// Whether a node could have to speak to both, which are one to it.
fn is_same(a: &BgpPeer, b: &BgpPeer) -> bool {
    (&a.remote, a.port, &a.vrf) == (&b.remote, b.port, &b.vrf)
        && overlap(&a.node_selectors, &b.node_selectors)
}

fn duplicate(name: &PeerName, older: &PeerName) -> Invalid {
    let problem = BgpProblem::DuplicatePeer {
        older: older.to_string(),
    };
    Invalid {
        object: ObjectRef::of::<BGPPeer>(name.as_str()),
        field: "spec.peerAddress".to_owned(),
        reason: problem.into(),
    }
}
