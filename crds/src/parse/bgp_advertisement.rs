//! BGP advertisements.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{
    AddressRange, AdvertisementName, BgpAdvertisement, BgpAttributes, IpFamily, PeerName, Pool,
    PoolName,
};

use super::Report;
use super::bgp_peer::number;
use super::communities::Named;
use crate::bgp_advertisement::{BGPAdvertisementSpec, MAX_PREPEND};
use crate::problem::BgpProblem;

/// What an advertisement refers to.
pub(super) struct Surroundings<'a> {
    pub(super) known_pools: &'a BTreeSet<&'a str>,
    pub(super) known_peers: &'a BTreeSet<&'a str>,
    pub(super) communities: &'a Named,
    /// The pools in force.
    pub(super) pools: &'a [Pool],
}

/// Reads an advertisement. What stands for a value that was refused does not matter: the
/// advertisement is not in force then.
pub(super) fn bgp_advertisement(
    name: &str,
    spec: &BGPAdvertisementSpec,
    surroundings: &Surroundings<'_>,
    report: &mut Report,
) -> BgpAdvertisement {
    report.unknown_pools(&spec.ip_address_pools, surroundings.known_pools);
    for (index, peer) in spec.peers.iter().enumerate() {
        if !surroundings.known_peers.contains(peer.as_str()) {
            let problem = BgpProblem::UnknownPeer(peer.clone());
            report.add(format!("spec.peers[{index}]"), problem);
        }
    }
    let length = |report: &mut Report, field, value, max: u8| {
        let read = number(value, 1, max);
        report.take(field, read).unwrap_or(max)
    };
    let v4 = length(report, LENGTHS[0], spec.aggregation_length, 32);
    let v6 = length(report, LENGTHS[1], spec.aggregation_length_v6, 128);
    let advertisement = BgpAdvertisement {
        name: AdvertisementName::new(name),
        pools: spec.ip_address_pools.iter().map(PoolName::new).collect(),
        pool_selectors: report.selectors(
            "spec.ipAddressPoolSelectors",
            &spec.ip_address_pool_selectors,
        ),
        service_selectors: report.selectors("spec.serviceSelectors", &spec.service_selectors),
        node_selectors: report.selectors("spec.nodeSelectors", &spec.node_selectors),
        peers: spec.peers.iter().map(PeerName::new).collect(),
        aggregation_length: v4,
        aggregation_length_v6: v6,
        aggregate_anyway: spec.aggregate_anyway,
        attributes: Arc::new(attributes(spec, surroundings.communities, report)),
        requires: Vec::new(),
    };
    beyond_pools(&advertisement, surroundings.pools, report);
    advertisement
}

/// The fields of both lengths, IPv4 first.
const LENGTHS: [&str; 2] = ["spec.aggregationLength", "spec.aggregationLengthV6"];

fn attributes(spec: &BGPAdvertisementSpec, named: &Named, report: &mut Report) -> BgpAttributes {
    let mut value = |field, value: Option<i64>| {
        value.and_then(|value| report.take(field, number(value, 0, u32::MAX)))
    };
    // MetalLB writes 0 for none.
    let local_pref = value("spec.localPref", spec.local_pref).filter(|value| *value != 0);
    let med = value("spec.med", spec.med);
    let prepend = number(spec.as_path_prepend, 0, MAX_PREPEND);
    let communities = report.each("spec.communities", &spec.communities, |text| {
        named.resolve(text)
    });
    BgpAttributes {
        local_pref,
        med,
        as_path_prepend: report
            .take("spec.asPathPrepend", prepend)
            .unwrap_or_default(),
        communities: communities.into_iter().collect(),
    }
}

/// Tells of the first entry of a pool that is not made of whole prefixes of the length to tell.
fn beyond_pools(advertisement: &BgpAdvertisement, pools: &[Pool], report: &mut Report) {
    for (family, field) in IpFamily::ALL.into_iter().zip(LENGTHS) {
        let length = advertisement.aggregation_length(family);
        let mut entries = pools
            .iter()
            .filter(|pool| advertisement.admits_pool(&pool.name, &pool.labels))
            .flat_map(|pool| pool.addresses.iter().map(move |range| (pool, range)))
            .filter(|(_, range)| range.family() == family);
        if let Some((pool, range)) = entries.find(|(_, range)| !is_whole(range, length)) {
            let problem = BgpProblem::AggregateBeyondPool {
                length,
                range: *range,
                pool: pool.name.to_string(),
            };
            report.add(field, problem);
        }
    }
}

/// Whether a range is made of whole prefixes of this length.
fn is_whole(range: &AddressRange, length: u8) -> bool {
    let bits = match range.family() {
        IpFamily::V4 => 32_u32,
        IpFamily::V6 => 128,
    };
    let host_bits = bits.saturating_sub(u32::from(length));
    let host_mask = u128::MAX
        .checked_shl(host_bits)
        .map_or(u128::MAX, |net| !net);
    let (first, last) = range.bounds();
    first & host_mask == 0 && last & host_mask == host_mask
}
