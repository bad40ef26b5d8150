//! What there is to say about this speaker, as it stands now.

use std::collections::BTreeSet;

use crds::{MAX_INTERFACES, SessionState, SpeakerInterface, WithheldCount};
use model::IpFamily;
use plan::{Conflict, Fitness};

use crate::bgp::{Guarded, SessionName, Sessions};
use crate::driver::Driver;
use crate::index::Index;
use crate::metrics::Counts;

/// How many conflicts are named before the rest is only counted.
const NAMED: usize = 3;

/// What SpeakerStatus should say, and what it takes to write it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Standing {
    /// Uid of this node's Node object, which owns the SpeakerStatus.
    pub(crate) node_uid: Option<String>,
    /// Whether the SpeakerStatus is there at this moment.
    pub(crate) exists: bool,
    /// Whether all speakers are ordered to leave, and somebody waits for what this one says.
    pub(crate) leaving: bool,
    /// Whether this speaker was told to end, to be back.
    pub(crate) restarting: bool,
    pub(crate) config_generation: Option<i64>,
    pub(crate) interfaces: Vec<SpeakerInterface>,
    /// On a segment, to BGP peers or both.
    pub(crate) announced_v4: i64,
    pub(crate) announced_v6: i64,
    pub(crate) withheld: Vec<WithheldCount>,
    /// What is thought of this node's service proxy.
    pub(crate) fitness: Fitness,
    /// What the layer 2 driver cannot do at present.
    pub(crate) troubles: Vec<String>,
    /// What BGPAdvertisements disagree about.
    pub(crate) conflicts: Vec<String>,
    /// How the BGP peers stand.
    pub(crate) sessions: Sessions,
}

impl Standing {
    pub(crate) fn new(
        index: &Index,
        counts: &Counts,
        driver: &Driver,
        conflicts: &BTreeSet<Conflict>,
        sessions: &Sessions,
    ) -> Self {
        let withheld = counts.withheld.iter();
        Self {
            node_uid: index.own_uid().map(ToOwned::to_owned),
            exists: index.has_own_status(),
            leaving: index.is_leaving(),
            restarting: false,
            config_generation: index.config_generation(),
            interfaces: interfaces(index),
            announced_v4: counts.of_family(IpFamily::V4).either,
            announced_v6: counts.of_family(IpFamily::V6).either,
            withheld: withheld
                .map(|(reason, count)| WithheldCount {
                    reason: (*reason).to_owned(),
                    count: *count,
                })
                .collect(),
            fitness: index.facts().fitness,
            troubles: driver.troubles(),
            conflicts: named(conflicts),
            sessions: sessions.clone(),
        }
    }
}

impl Standing {
    /// Whether the same peers have a session, the same are protected by BFD, and the same have none.
    pub(crate) fn has_sessions_as(&self, other: &Self) -> bool {
        let states = |standing: &Self| -> Vec<(SessionName, SessionState, Option<bool>)> {
            let sessions = standing.sessions.iter();
            sessions
                .map(|(name, session)| {
                    let protected = session.bfd.as_ref().map(Guarded::is_up);
                    (name.clone(), session.state, protected)
                })
                .collect()
        };
        states(self) == states(other)
    }
}

/// The first few in words, and how many more there are.
fn named(conflicts: &BTreeSet<Conflict>) -> Vec<String> {
    let mut named: Vec<String> = conflicts
        .iter()
        .take(NAMED)
        .map(ToString::to_string)
        .collect();
    let more = conflicts.len() - named.len();
    named.extend((more > 0).then(|| format!("and {more} more")));
    named
}

/// The interfaces that can carry announcements, the first of them by name.
fn interfaces(index: &Index) -> Vec<SpeakerInterface> {
    let fit = index
        .facts()
        .interfaces
        .iter()
        .filter(|interface| interface.is_fit());
    let with_mac = fit.filter_map(|interface| {
        let mac = index.mac(&interface.name)?.to_string();
        Some(SpeakerInterface {
            name: interface.name.as_str().to_owned(),
            mac,
        })
    });
    let mut interfaces: Vec<_> = with_mac.collect();
    interfaces.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    interfaces.truncate(MAX_INTERFACES);
    interfaces
}
