//! Which session it is.

use std::fmt;
use std::net::IpAddr;

use model::PeerName;

/// A session with a neighbour: of most BGPPeers the only one, of a BGPPeer that is a range one of
/// several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionName {
    /// The BGPPeer.
    pub peer: PeerName,
    /// Who connected from the range; `None` for what concerns the BGPPeer as a whole.
    pub neighbor: Option<IpAddr>,
}

impl SessionName {
    /// The session with one neighbour in a range.
    pub fn of_neighbor(peer: &PeerName, neighbor: IpAddr) -> Self {
        Self {
            peer: peer.clone(),
            neighbor: Some(neighbor),
        }
    }
}

impl From<PeerName> for SessionName {
    fn from(peer: PeerName) -> Self {
        Self {
            peer,
            neighbor: None,
        }
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.neighbor {
            None => self.peer.fmt(f),
            Some(neighbor) => write!(f, "{}/{neighbor}", self.peer),
        }
    }
}
