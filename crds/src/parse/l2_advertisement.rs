//! Layer 2 advertisements.

use std::collections::BTreeSet;

use model::{AdvertisementName, InterfacePattern, L2Advertisement, PoolName};

use super::Report;
use crate::l2_advertisement::{L2AdvertisementSpec, PreferredNodeSelector};
use crate::problem::Problem;

/// Reads a layer 2 advertisement.
pub(super) fn l2_advertisement(
    name: &str,
    spec: &L2AdvertisementSpec,
    known_pools: &BTreeSet<&str>,
    report: &mut Report,
) -> L2Advertisement {
    report.unknown_pools(&spec.ip_address_pools, known_pools);
    L2Advertisement {
        name: AdvertisementName::new(name),
        pools: spec.ip_address_pools.iter().map(PoolName::new).collect(),
        pool_selectors: report.selectors(
            "spec.ipAddressPoolSelectors",
            &spec.ip_address_pool_selectors,
        ),
        service_selectors: report.selectors("spec.serviceSelectors", &spec.service_selectors),
        node_selectors: report.selectors("spec.nodeSelectors", &spec.node_selectors),
        interfaces: report.each("spec.interfaces", &spec.interfaces, |text| {
            interface_pattern(text)
        }),
        preferred_node_selectors: report.each(
            "spec.preferredNodeSelectors",
            &spec.preferred_node_selectors,
            preferred_node_selector,
        ),
        requires: Vec::new(),
    }
}

/// Linux: at most 15 bytes, neither `/` nor white space (`dev_valid_name`).
fn interface_pattern(text: &str) -> Result<InterfacePattern, Problem> {
    let possible =
        (1..=15).contains(&text.len()) && !text.contains(|c: char| c == '/' || c.is_whitespace());
    if possible {
        Ok(InterfacePattern::new(text))
    } else {
        Err(Problem::InterfacePattern(text.to_owned()))
    }
}

/// Reads one line of `preferredNodeSelectors`.
pub(crate) fn preferred_node_selector(
    preferred: &PreferredNodeSelector,
) -> Result<model::PreferredNodeSelector, Problem> {
    let weight = u32::try_from(preferred.weight).ok();
    let weight = weight.filter(|weight| (1..=100).contains(weight));
    Ok(model::PreferredNodeSelector {
        weight: weight.ok_or(Problem::WeightOutOfRange(preferred.weight))?,
        preference: (&preferred.preference).try_into()?,
    })
}
