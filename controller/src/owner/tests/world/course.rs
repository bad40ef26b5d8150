//! What the owner is told, and what comes of it.

use crds::PasswordSecret;
use k8s_openapi::jiff::SignedDuration;
use runtime::watch::WatchEvent;

use super::{World, owner};
use crate::effect::{Effect, Release, Settle};
use crate::owner::Event;

impl World {
    pub(in crate::owner) fn tell(&mut self, event: Event) {
        self.owner.handle(event, self.now);
    }

    /// Everything decided so far.
    pub(in crate::owner) fn effects(&mut self) -> Vec<Effect> {
        self.owner.settle(self.now);
        std::iter::from_fn(|| self.owner.poll()).collect()
    }

    /// The effects on Services and their entries.
    pub(in crate::owner) fn service_effects(&mut self) -> Vec<Effect> {
        let mut effects = self.effects();
        effects.retain(|effect| {
            matches!(
                effect,
                Effect::Settle(_) | Effect::Release(_) | Effect::Leave(..)
            )
        });
        effects
    }

    /// The one Service that is to be settled.
    pub(in crate::owner) fn one_settle(&mut self) -> Settle {
        match self.service_effects().as_slice() {
            [Effect::Settle(settle)] => (**settle).clone(),
            other => panic!("{other:#?}"),
        }
    }

    pub(in crate::owner) fn one_release(&mut self) -> Release {
        match self.service_effects().as_slice() {
            [Effect::Release(release)] => (**release).clone(),
            other => panic!("{other:#?}"),
        }
    }

    /// A new owner reads complete lists and settles, until nothing is left to do.
    pub(in crate::owner) fn start(&mut self) {
        self.restart();
        self.converge();
    }

    /// A new owner reads complete lists; nothing is decided yet.
    pub(in crate::owner) fn restart(&mut self) {
        self.restart_without_peers();
        let peers = self.bgp_peers.values().cloned().collect();
        self.tell_peer(WatchEvent::Restarted(peers));
    }

    /// The same, but no BFDProfiles are read.
    pub(in crate::owner) fn restart_without_profiles(&mut self) {
        self.restart_with_the_rest();
        let peers = self.bgp_peers.values().cloned().collect();
        self.tell_peer(WatchEvent::Restarted(peers));
        self.read_secrets();
    }

    /// The same, but no BGPPeers are read.
    pub(in crate::owner) fn restart_without_peers(&mut self) {
        self.restart_with_the_rest();
        self.read_profiles();
        self.read_secrets();
    }

    /// The same, but no Secrets are read.
    pub(in crate::owner) fn restart_without_secrets(&mut self) {
        self.restart_with_the_rest();
        self.read_profiles();
        let peers = self.bgp_peers.values().cloned().collect();
        self.tell_peer(WatchEvent::Restarted(peers));
    }

    fn read_profiles(&mut self) {
        let profiles = self.bfd_profiles.values().cloned().collect();
        self.tell(Event::BfdProfile(WatchEvent::Restarted(profiles)));
    }

    fn read_secrets(&mut self) {
        let secrets = self.secrets.values().cloned().map(PasswordSecret::from);
        let secrets = secrets.collect();
        self.tell(Event::Secret(WatchEvent::Restarted(secrets)));
    }

    fn restart_with_the_rest(&mut self) {
        self.owner = owner();
        let services = self.services.values().cloned().collect();
        self.tell_service(WatchEvent::Restarted(services));
        let entries = self.entries.values().cloned().collect();
        self.tell(Event::Allocation(WatchEvent::Restarted(entries)));
        let pools = self.pools.values().cloned().collect();
        self.tell(Event::Pool(WatchEvent::Restarted(pools)));
        let l2 = self.advertisements.values().cloned().collect();
        self.tell(Event::L2Advertisement(WatchEvent::Restarted(l2)));
        let bgp = self.bgp_advertisements.values().cloned().collect();
        self.tell(Event::BgpAdvertisement(WatchEvent::Restarted(bgp)));
        let communities = self.communities.values().cloned().collect();
        self.tell(Event::Community(WatchEvent::Restarted(communities)));
        let config = self.config.iter().cloned().collect();
        self.tell(Event::SpeakerConfig(WatchEvent::Restarted(config)));
    }

    /// Carry out what is decided, and let time pass, until nothing is left to do.
    pub(in crate::owner) fn converge(&mut self) {
        for _ in 0..100 {
            let effects = self.effects();
            if effects.is_empty() && self.owner.deadline().is_none_or(|at| at > self.now) {
                let Some(at) = self.owner.deadline() else {
                    return;
                };
                if at > self.now + SignedDuration::from_mins(1) {
                    return;
                }
                self.now = at;
            }
            for effect in effects {
                let outcome = self.carry_out(effect);
                self.tell(Event::Done(outcome));
            }
        }
        panic!("it never comes to rest");
    }
}
