//! The kinds that users write, as they stand in force.

use crds::{
    BFDProfile, BGPAdvertisement, BGPPeer, Community, IPAddressPool, L2Advertisement, Objects,
};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use runtime::watch::{WatchEvent, WatchFailure};
use tracing::warn;

use crate::effect::{ConfigKind, Effect};
use crate::kind::{SettledKind, Unknown};
use crate::owner::{Owner, Timer, backoff};

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    pub(super) pools: SettledKind<IPAddressPool>,
    pub(super) l2_advertisements: SettledKind<L2Advertisement>,
    pub(super) bgp_advertisements: SettledKind<BGPAdvertisement>,
    pub(super) bgp_peers: SettledKind<BGPPeer>,
    pub(super) bfd_profiles: SettledKind<BFDProfile>,
    pub(super) communities: SettledKind<Community>,
}

impl Kinds {
    /// Whether a complete list of each was ever read.
    pub(super) fn is_synced(&self) -> bool {
        self.pools.is_synced()
            && self.l2_advertisements.is_synced()
            && self.bgp_advertisements.is_synced()
            && self.bgp_peers.is_synced()
            && self.bfd_profiles.is_synced()
            && self.communities.is_synced()
    }

    /// The objects in force.
    pub(super) fn objects(&self) -> Objects<'_> {
        Objects {
            pools: self.pools.objects().collect(),
            l2_advertisements: self.l2_advertisements.objects().collect(),
            bgp_advertisements: self.bgp_advertisements.objects().collect(),
            bgp_peers: self.bgp_peers.objects().collect(),
            bfd_profiles: self.bfd_profiles.objects().collect(),
            communities: self.communities.objects().collect(),
        }
    }

    /// The first kind of which is not known what the API server holds: the word for it, and what
    /// to do.
    pub(super) fn unknown(&self) -> Option<(&'static str, String)> {
        ConfigKind::ALL.into_iter().find_map(|kind| {
            let (unknown, count) = match kind {
                ConfigKind::Pool => (self.pools.unknown(), self.pools.len()),
                ConfigKind::L2Advertisement => (
                    self.l2_advertisements.unknown(),
                    self.l2_advertisements.len(),
                ),
                ConfigKind::BgpAdvertisement => (
                    self.bgp_advertisements.unknown(),
                    self.bgp_advertisements.len(),
                ),
                ConfigKind::BgpPeer => (self.bgp_peers.unknown(), self.bgp_peers.len()),
                ConfigKind::BfdProfile => (self.bfd_profiles.unknown(), self.bfd_profiles.len()),
                ConfigKind::Community => (self.communities.unknown(), self.communities.len()),
            };
            unknown.map(|unknown| (unknown.reason(), unknown.message(kind, count)))
        })
    }

    fn is_doubtful(&self, kind: ConfigKind) -> bool {
        match kind {
            ConfigKind::Pool => self.pools.is_doubtful(),
            ConfigKind::L2Advertisement => self.l2_advertisements.is_doubtful(),
            ConfigKind::BgpAdvertisement => self.bgp_advertisements.is_doubtful(),
            ConfigKind::BgpPeer => self.bgp_peers.is_doubtful(),
            ConfigKind::BfdProfile => self.bfd_profiles.is_doubtful(),
            ConfigKind::Community => self.communities.is_doubtful(),
        }
    }

    fn confirm(&mut self, kind: ConfigKind, whole: bool) -> bool {
        match kind {
            ConfigKind::Pool => self.pools.confirm(whole),
            ConfigKind::L2Advertisement => self.l2_advertisements.confirm(whole),
            ConfigKind::BgpAdvertisement => self.bgp_advertisements.confirm(whole),
            ConfigKind::BgpPeer => self.bgp_peers.confirm(whole),
            ConfigKind::BfdProfile => self.bfd_profiles.confirm(whole),
            ConfigKind::Community => self.communities.confirm(whole),
        }
    }
}

impl Unknown {
    fn reason(self) -> &'static str {
        match self {
            Self::Unreadable => "KindUnreadable",
            Self::DefinitionGone => "KindGone",
            Self::Lost => "KindLost",
        }
    }

    fn message(self, kind: ConfigKind, count: usize) -> String {
        let (kind, definition) = (kind.kind(), kind.definition());
        match self {
            Self::Unreadable => {
                format!("{kind} cannot be read; the {count} objects read last stay in force")
            }
            Self::DefinitionGone => format!(
                "the definition {definition} is missing or being deleted; the {count} objects read \
                 last stay in force; apply the definition and the objects again"
            ),
            Self::Lost => format!(
                "{kind} was lost for a while, and not all of it is back; its {count} objects stay in \
                 force; apply them again, or restart the controller to let them go"
            ),
        }
    }
}

impl Owner {
    pub(in crate::owner) fn on_pool(&mut self, event: WatchEvent<IPAddressPool>) {
        let same = |a: &IPAddressPool, b: &IPAddressPool| {
            a.spec == b.spec && a.labels() == b.labels() && a.status == b.status
        };
        let changed = take(&mut self.configuration.kinds.pools, event, same);
        self.kind_read(changed);
    }

    pub(in crate::owner) fn on_l2_advertisement(&mut self, event: WatchEvent<L2Advertisement>) {
        let same =
            |a: &L2Advertisement, b: &L2Advertisement| a.spec == b.spec && a.status == b.status;
        let changed = take(&mut self.configuration.kinds.l2_advertisements, event, same);
        self.kind_read(changed);
    }

    pub(in crate::owner) fn on_bgp_advertisement(&mut self, event: WatchEvent<BGPAdvertisement>) {
        let same =
            |a: &BGPAdvertisement, b: &BGPAdvertisement| a.spec == b.spec && a.status == b.status;
        let changed = take(
            &mut self.configuration.kinds.bgp_advertisements,
            event,
            same,
        );
        self.kind_read(changed);
    }

    pub(in crate::owner) fn on_bgp_peer(&mut self, event: WatchEvent<BGPPeer>) {
        let same = |a: &BGPPeer, b: &BGPPeer| a.spec == b.spec && a.status == b.status;
        let changed = take(&mut self.configuration.kinds.bgp_peers, event, same);
        self.kind_read(changed);
    }

    pub(in crate::owner) fn on_bfd_profile(&mut self, event: WatchEvent<BFDProfile>) {
        let same = |a: &BFDProfile, b: &BFDProfile| a.spec == b.spec && a.status == b.status;
        let changed = take(&mut self.configuration.kinds.bfd_profiles, event, same);
        self.kind_read(changed);
    }

    pub(in crate::owner) fn on_community(&mut self, event: WatchEvent<Community>) {
        let same = |a: &Community, b: &Community| a.spec == b.spec && a.status == b.status;
        let changed = take(&mut self.configuration.kinds.communities, event, same);
        self.kind_read(changed);
    }

    fn kind_read(&mut self, changed: bool) {
        self.configuration.dirty |= changed;
        self.look_up_if_doubtful();
    }

    pub(in crate::owner) fn look_up_if_doubtful(&mut self) {
        for kind in ConfigKind::ALL {
            let configuration = &mut self.configuration;
            let doubtful = self.leads && configuration.kinds.is_doubtful(kind);
            if doubtful && configuration.looking_up.insert(kind) {
                self.want(Effect::LookUpKind(kind));
            }
        }
    }

    pub(in crate::owner) fn on_kind_looked_up(
        &mut self,
        kind: ConfigKind,
        whole: Option<bool>,
        now: Timestamp,
    ) {
        let configuration = &mut self.configuration;
        configuration.looking_up.remove(&kind);
        let Some(whole) = whole else {
            self.set_timer(now + backoff(2), Timer::Configuration);
            return;
        };
        let gone = configuration.kinds.confirm(kind, whole);
        if gone || !whole {
            configuration.dirty = true;
        }
        if !whole {
            warn!(
                kind = kind.kind(),
                "definition is missing or being deleted; what it held stays in force"
            );
        }
    }
}

/// Feeds one event into a kind; returns whether what is in force may have changed.
fn take<K: ResourceExt>(
    kind: &mut SettledKind<K>,
    event: WatchEvent<K>,
    same: fn(&K, &K) -> bool,
) -> bool {
    match event {
        WatchEvent::Restarted(list) => {
            kind.restart(
                list.into_iter()
                    .map(|object| (object.name_any(), object))
                    .collect(),
            );
            true
        }
        WatchEvent::Applied(object) => {
            let name = object.name_any();
            let changed = kind.unknown().is_some()
                || !kind.object(&name).is_some_and(|known| same(known, &object));
            kind.apply(name, object);
            changed
        }
        WatchEvent::Deleted(object) => {
            kind.delete(&object.name_any());
            false
        }
        WatchEvent::Failed(failure) => {
            let before = kind.unknown();
            match failure {
                // Nothing can be read or said; that is not the kind's fault.
                WatchFailure::Unreachable | WatchFailure::Unauthorized => kind.silence(),
                WatchFailure::NotFound | WatchFailure::Forbidden | WatchFailure::Other => {
                    kind.fail();
                }
            }
            kind.unknown() != before
        }
        WatchEvent::Resumed => {
            let before = kind.unknown();
            kind.resume();
            kind.unknown() != before
        }
    }
}
