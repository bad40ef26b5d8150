//! Whose neighbour it is that connects to us, and what is wanted of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use model::{Cidr, PeerName, Remote};
use sys::tcp::Device;

use super::{Desired, SessionName};

/// From where somebody connects.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) address: SocketAddr,
    /// Of the listener: the VRF, if it is not the main one.
    pub(super) device: Option<&'a Device>,
}

/// The session to which a connection belongs: that of the peer that has this very address and is
/// to connect to us, or else that of a neighbour in the longest range around it. `None` for
/// strangers and for peers that we connect to, whose connections are closed unread.
///
/// A link-local address belongs to a peer on its interface and to no range: without its link it
/// says nothing about who it is.
pub(super) fn whose(wanted: &BTreeMap<PeerName, Desired>, from: Origin<'_>) -> Option<SessionName> {
    let here = || {
        let device = from.device.map(Device::as_str);
        wanted
            .iter()
            .filter(move |(_, desired)| desired.settings.vrf.as_deref() == device)
    };
    let named = || here().filter(|(_, desired)| desired.is_at(from.address));
    if let Some((peer, _)) = named().find(|(_, desired)| desired.settings.passive) {
        return Some(SessionName::from(peer.clone()));
    }
    // Whom we connect to ourselves is no neighbour of a range besides.
    if named().next().is_some() {
        return None;
    }
    let address = from.address.ip().to_canonical();
    let around = here().filter(|(_, desired)| desired.holds(address));
    let (peer, _) = around.max_by_key(|(_, desired)| desired.range().map(Cidr::length))?;
    Some(SessionName::of_neighbor(peer, address))
}

/// What is wanted of a session; `None` if it is wanted no more.
pub(super) fn wanted_of<'a>(
    wanted: &'a BTreeMap<PeerName, Desired>,
    name: &SessionName,
) -> Option<Cow<'a, Desired>> {
    let desired = wanted.get(&name.peer)?;
    match (name.neighbor, desired.range()) {
        (None, None) => Some(Cow::Borrowed(desired)),
        (Some(address), Some(_)) => {
            let vrf = desired.settings.vrf.as_deref();
            let device = vrf.and_then(Device::new);
            let origin = Origin {
                address: SocketAddr::new(address, desired.settings.port),
                device: device.as_ref(),
            };
            let still = whose(wanted, origin).as_ref() == Some(name);
            still.then(|| Cow::Owned(desired.with_neighbor(address)))
        }
        // It was one kind of peer, and is the other now.
        (None, Some(_)) | (Some(_), None) => None,
    }
}

impl Desired {
    /// The range in which its neighbours are, if it is one.
    pub(super) fn range(&self) -> Option<Cidr> {
        match &self.settings.remote {
            Remote::Range(range) => Some(*range),
            Remote::Address(_) | Remote::Interface(_) => None,
        }
    }

    fn holds(&self, address: IpAddr) -> bool {
        let on_link = match address {
            IpAddr::V4(_) => false,
            IpAddr::V6(address) => address.is_unicast_link_local(),
        };
        !on_link && self.range().is_some_and(|range| range.contains(address))
    }

    /// Whether this is the peer's address, on its link where the peer has one.
    fn is_at(&self, from: SocketAddr) -> bool {
        let scope = |address: SocketAddr| match address {
            SocketAddr::V4(_) => 0,
            SocketAddr::V6(address) => address.scope_id(),
        };
        self.remote.is_some_and(|remote| {
            remote.ip() == from.ip().to_canonical()
                && (scope(remote) == 0 || scope(remote) == scope(from))
        })
    }

    /// The same for one neighbour in the range: a peer with an address like any other, except that
    /// we never dial it.
    fn with_neighbor(&self, address: IpAddr) -> Self {
        let mut one = self.clone();
        one.settings.remote = Remote::Address(address);
        one.settings.passive = true;
        one.remote = Some(SocketAddr::new(address, self.settings.port));
        let source = self.settings.source_address;
        one.next_hops = plan::next_hops(&self.interfaces, address, source);
        one.on_link = plan::is_on_link(&self.interfaces, address);
        one
    }
}

#[cfg(test)]
mod tests;
