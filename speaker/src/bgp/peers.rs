//! From a plan to what the driver is asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use bgp::RouterId;
use model::{BgpPeer, NodeName, Password, PeerName, SpeakerConfig};
use plan::{Interface, NextHops, Plan};

use super::{Desired, Peers, Secret};

/// The peers of a plan, with all that their sessions need. A peer that the configuration no longer
/// has is kept with the settings that it had `before`, as the plan would not have it otherwise.
pub(crate) fn peers(
    plan: &Plan,
    config: &SpeakerConfig,
    passwords: &BTreeMap<PeerName, Password>,
    interfaces: &[Interface],
    router_id: RouterId,
    before: &Peers,
) -> Peers {
    let all = plan.bgp.iter().filter_map(|(name, routes)| {
        let known = config.bgp_peers.iter().find(|peer| peer.name == *name);
        let settings = known.or_else(|| before.get(name).map(|peer| &peer.settings))?;
        let next_hops = match settings.remote.address() {
            Some(address) => plan::next_hops(interfaces, address, settings.source_address),
            None => NextHops::default(),
        };
        let desired = Desired {
            secret: secret(settings, passwords),
            router_id,
            next_hops,
            settings: settings.clone(),
            routes: Arc::clone(routes),
        };
        Some((name.clone(), desired))
    });
    Arc::new(all.collect())
}

/// The identifier of this node where a BGPPeer names none. It is chosen once: an address that
/// comes or goes later must not end sessions.
pub(crate) fn router_id(interfaces: &[Interface], node: &NodeName) -> Option<RouterId> {
    RouterId::from(plan::router_id(interfaces, node))
}

fn secret(settings: &BgpPeer, passwords: &BTreeMap<PeerName, Password>) -> Secret {
    match (&settings.password, passwords.get(&settings.name)) {
        (None, _) => Secret::None,
        (Some(_), Some(password)) => Secret::Known(password.clone()),
        (Some(_), None) => Secret::Missing,
    }
}
