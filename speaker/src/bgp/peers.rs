//! From a plan to what the driver is asked for.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bgp::{Drain, RouterId};
use model::{BgpPeer, GracefulShutdown, NodeName, Password, PeerName, Remote, SpeakerConfig};
use plan::{Departure, Forwarding, Interface, NextHops, Route};

use super::{Desired, Peers, Secret};
use crate::discovery::Neighbors;

/// What a node has seen and chosen for itself, as far as sessions need it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Local<'a> {
    pub(crate) passwords: &'a BTreeMap<PeerName, Password>,
    pub(crate) interfaces: &'a [Interface],
    /// Who has been heard on the links of interfaces.
    pub(crate) neighbors: &'a Neighbors,
    pub(crate) router_id: RouterId,
    pub(crate) forwarding: Forwarding,
    /// Why all peers are to be left, if they are.
    pub(crate) drain: Option<Departure>,
}

/// The peers that are planned, with all that their sessions need. A peer that the configuration no longer
/// has is kept with the settings that it had `before`, as the plan would not have it otherwise.
pub(crate) fn peers(
    planned: &BTreeMap<PeerName, Arc<[Route]>>,
    config: &SpeakerConfig,
    local: Local<'_>,
    before: &Peers,
) -> Peers {
    let all = planned.iter().filter_map(|(name, routes)| {
        let known = config.bgp_peers.iter().find(|peer| peer.name == *name);
        let settings = known.or_else(|| before.get(name).map(|peer| &peer.settings))?;
        let remote = remote(settings, local.neighbors);
        let next_hops = match settings.remote {
            Remote::Address(address) => {
                plan::next_hops(local.interfaces, address, settings.source_address)
            }
            // Over its link our address on that is the next hop of both families (RFC 8950); of a
            // range each neighbour has its own.
            Remote::Interface(_) | Remote::Range(_) => NextHops::default(),
        };
        let desired = Desired {
            secret: secret(settings, local.passwords),
            router_id: local.router_id,
            remote,
            next_hops,
            on_link: is_on_link(remote, local.interfaces),
            interfaces: interfaces(settings, local.interfaces, before),
            forwarding: local.forwarding,
            drain: local.drain.map(|why| drain(settings, why)),
            settings: settings.clone(),
            routes: Arc::clone(routes),
        };
        Some((name.clone(), desired))
    });
    Arc::new(all.collect())
}

/// Where a peer is, as far as is known.
fn remote(settings: &BgpPeer, neighbors: &Neighbors) -> Option<SocketAddr> {
    match &settings.remote {
        Remote::Address(address) => Some(SocketAddr::new(*address, settings.port)),
        Remote::Interface(name) => {
            let neighbor = neighbors.get(name)?;
            Some(SocketAddr::V6(neighbor.socket_address(settings.port)))
        }
        Remote::Range(_) => None,
    }
}

/// Whether no router is on the way to it, as far as its address is known.
fn is_on_link(remote: Option<SocketAddr>, interfaces: &[Interface]) -> bool {
    remote.is_some_and(|remote| plan::is_on_link(interfaces, remote.ip()))
}

/// What a range needs to find its neighbours' next hops; the same as before while it is equal.
fn interfaces(settings: &BgpPeer, all: &[Interface], before: &Peers) -> Arc<[Interface]> {
    match settings.remote {
        Remote::Address(_) | Remote::Interface(_) => Arc::default(),
        Remote::Range(_) => {
            let known = before.get(&settings.name).map(|peer| &peer.interfaces);
            let known = known.filter(|known| ***known == *all);
            known.map_or_else(|| all.into(), Arc::clone)
        }
    }
}

/// The identifier of this node where a BGPPeer names none. It is chosen once: an address that
/// comes or goes later must not end sessions.
pub(crate) fn router_id(interfaces: &[Interface], node: &NodeName) -> Option<RouterId> {
    RouterId::from(plan::router_id(interfaces, node))
}

/// How a peer is left that is to be left for that reason.
fn drain(settings: &BgpPeer, why: Departure) -> Drain {
    let GracefulShutdown { enabled, wait } = settings.graceful_shutdown;
    // Where all nodes go there is none to go to instead.
    let waits = enabled && why != Departure::Uninstalled;
    Drain {
        wait: if waits { wait } else { Duration::ZERO },
        text: why.to_string(),
    }
}

fn secret(settings: &BgpPeer, passwords: &BTreeMap<PeerName, Password>) -> Secret {
    match (&settings.password, passwords.get(&settings.name)) {
        (None, _) => Secret::None,
        (Some(_), Some(password)) => Secret::Known(password.clone()),
        (Some(_), None) => Secret::Missing,
    }
}
