//! What there is to say about this speaker, as it stands now.

use crds::{MAX_INTERFACES, SpeakerInterface, WithheldCount};
use model::IpFamily;

use crate::driver::Driver;
use crate::index::Index;
use crate::metrics::Counts;

/// What SpeakerStatus should say, and what it takes to write it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Standing {
    /// Uid of this node's Node object, which owns the SpeakerStatus.
    pub(crate) node_uid: Option<String>,
    /// Whether the SpeakerStatus is there at this moment.
    pub(crate) exists: bool,
    pub(crate) config_generation: Option<i64>,
    pub(crate) interfaces: Vec<SpeakerInterface>,
    pub(crate) announced_v4: i64,
    pub(crate) announced_v6: i64,
    pub(crate) withheld: Vec<WithheldCount>,
    /// What the layer 2 driver cannot do at present.
    pub(crate) troubles: Vec<String>,
}

impl Standing {
    pub(crate) fn new(index: &Index, counts: &Counts, driver: &Driver) -> Self {
        let withheld = counts.withheld.iter();
        Self {
            node_uid: index.own_uid().map(ToOwned::to_owned),
            exists: index.has_own_status(),
            config_generation: index.config_generation(),
            interfaces: interfaces(index),
            announced_v4: counts.announced(IpFamily::V4),
            announced_v6: counts.announced(IpFamily::V6),
            withheld: withheld
                .map(|(reason, count)| WithheldCount {
                    reason: (*reason).to_owned(),
                    count: *count,
                })
                .collect(),
            troubles: driver.troubles(),
        }
    }
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
