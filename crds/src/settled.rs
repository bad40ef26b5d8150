//! The settled configuration on its way to the speakers.

mod bgp;

use std::collections::BTreeMap;

use kube::Resource;
use model::{
    AdvertisementName, Config, InterfacePattern, L2Advertisement, Labels, PoolName, SpeakerConfig,
    SpeakerPool,
};
use thiserror::Error;

use crate::bgp_advertisement::BGPAdvertisement;
use crate::bgp_peer::BGPPeer;
use crate::l2_advertisement::L2Advertisement as L2AdvertisementObject;
use crate::l2_advertisement::PreferredNodeSelector;
use crate::label_selector::LabelSelector;
use crate::parse::preferred_node_selector;
use crate::problem::{ObjectRef, Problem};
use crate::speaker_config::{SpeakerConfigL2Advertisement, SpeakerConfigPool, SpeakerConfigSpec};

/// Largest spec that is written. The API server's store takes 1.5 MiB by default, and metadata
/// and status come on top.
const MAX_BYTES: usize = 1 << 20;

/// Why a SpeakerConfig cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("failed to read {item} in SpeakerConfig")]
pub struct ReadSpeakerConfigError {
    /// The object that the item was made from.
    pub item: ObjectRef,
    /// What is wrong with it.
    #[source]
    pub problem: Box<Problem>,
}

/// The part of the configuration that speakers need. `still_referenced` are the pools that ledger
/// entries name, with their last known labels; those of them that the configuration does not have
/// become tombstones, so that what was given out of a vanished pool stays announced.
pub fn speaker_config(
    config: &Config,
    still_referenced: &BTreeMap<PoolName, Labels>,
) -> SpeakerConfig {
    let pool = |labels: &Labels, vanished| SpeakerPool {
        labels: labels.clone(),
        vanished,
    };
    let tombstones = still_referenced
        .iter()
        .map(|(name, labels)| (name, pool(labels, true)));
    let living = config
        .pools
        .iter()
        .map(|living| (&living.name, pool(&living.labels, false)));
    SpeakerConfig {
        // The later one counts: a living pool takes the place of its tombstone.
        pools: tombstones
            .chain(living)
            .map(|(name, pool)| (name.clone(), pool))
            .collect(),
        l2_advertisements: config.l2_advertisements.clone(),
        bgp_advertisements: config.bgp_advertisements.clone(),
        bgp_peers: config.bgp_peers.clone(),
        leaving: false,
    }
}

/// Whether the configuration is small enough to be written: above 1 MiB nothing is, and the last
/// one stays in force.
pub fn fits(spec: &SpeakerConfigSpec) -> bool {
    // Serializing this type cannot fail; if it did, it could not be written either.
    serde_json::to_vec(spec).is_ok_and(|bytes| bytes.len() <= MAX_BYTES)
}

impl From<&SpeakerConfig> for SpeakerConfigSpec {
    fn from(config: &SpeakerConfig) -> Self {
        let pool = |(name, pool): (&PoolName, &SpeakerPool)| SpeakerConfigPool {
            name: name.to_string(),
            labels: pool.labels.clone(),
            vanished: pool.vanished,
        };
        Self {
            pools: config.pools.iter().map(pool).collect(),
            l2_advertisements: config.l2_advertisements.iter().map(Into::into).collect(),
            bgp_advertisements: config.bgp_advertisements.iter().map(Into::into).collect(),
            bgp_peers: config.bgp_peers.iter().map(Into::into).collect(),
            leaving: config.leaving,
            leaving_installation: None,
        }
    }
}

impl TryFrom<&SpeakerConfigSpec> for SpeakerConfig {
    type Error = ReadSpeakerConfigError;

    fn try_from(spec: &SpeakerConfigSpec) -> Result<Self, ReadSpeakerConfigError> {
        let pool = |pool: &SpeakerConfigPool| {
            let known = SpeakerPool {
                labels: pool.labels.clone(),
                vanished: pool.vanished,
            };
            (PoolName::new(pool.name.clone()), known)
        };
        Ok(Self {
            pools: spec.pools.iter().map(pool).collect(),
            l2_advertisements: read::<L2AdvertisementObject, _, _>(
                &spec.l2_advertisements,
                |item| &item.name,
            )?,
            bgp_advertisements: read::<BGPAdvertisement, _, _>(&spec.bgp_advertisements, |item| {
                &item.name
            })?,
            bgp_peers: read::<BGPPeer, _, _>(&spec.bgp_peers, |item| &item.name)?,
            leaving: spec.leaving,
        })
    }
}

/// Reads items that were made from objects of kind `K`.
fn read<'a, K, I, T>(
    items: &'a [I],
    name: fn(&I) -> &String,
) -> Result<Vec<T>, ReadSpeakerConfigError>
where
    K: Resource<DynamicType = ()>,
    T: TryFrom<&'a I, Error = Problem>,
{
    let read = |item: &'a I| {
        T::try_from(item).map_err(|problem| ReadSpeakerConfigError {
            item: ObjectRef::of::<K>(name(item)),
            problem: Box::new(problem),
        })
    };
    items.iter().map(read).collect()
}

fn from_selectors(selectors: &[model::LabelSelector]) -> Vec<LabelSelector> {
    selectors.iter().map(Into::into).collect()
}

fn to_selectors(selectors: &[LabelSelector]) -> Result<Vec<model::LabelSelector>, Problem> {
    selectors.iter().map(TryInto::try_into).collect()
}

impl From<&L2Advertisement> for SpeakerConfigL2Advertisement {
    fn from(advertisement: &L2Advertisement) -> Self {
        let preferred = |preferred: &model::PreferredNodeSelector| PreferredNodeSelector {
            weight: i64::from(preferred.weight),
            preference: (&preferred.preference).into(),
        };
        let interface = |pattern: &InterfacePattern| pattern.as_str().to_owned();
        Self {
            name: advertisement.name.to_string(),
            ip_address_pools: advertisement
                .pools
                .iter()
                .map(PoolName::to_string)
                .collect(),
            ip_address_pool_selectors: from_selectors(&advertisement.pool_selectors),
            service_selectors: from_selectors(&advertisement.service_selectors),
            node_selectors: from_selectors(&advertisement.node_selectors),
            interfaces: advertisement.interfaces.iter().map(interface).collect(),
            preferred_node_selectors: advertisement
                .preferred_node_selectors
                .iter()
                .map(preferred)
                .collect(),
            requires: advertisement.requires.clone(),
        }
    }
}

impl TryFrom<&SpeakerConfigL2Advertisement> for L2Advertisement {
    type Error = Problem;

    fn try_from(item: &SpeakerConfigL2Advertisement) -> Result<Self, Problem> {
        Ok(Self {
            name: AdvertisementName::new(item.name.clone()),
            pools: item.ip_address_pools.iter().map(PoolName::new).collect(),
            pool_selectors: to_selectors(&item.ip_address_pool_selectors)?,
            service_selectors: to_selectors(&item.service_selectors)?,
            node_selectors: to_selectors(&item.node_selectors)?,
            interfaces: item.interfaces.iter().map(InterfacePattern::new).collect(),
            preferred_node_selectors: item
                .preferred_node_selectors
                .iter()
                .map(preferred_node_selector)
                .collect::<Result<_, _>>()?,
            requires: item.requires.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
