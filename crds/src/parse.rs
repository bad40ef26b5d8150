//! From configuration objects to one settled configuration.

mod bgp_advertisement;
mod bgp_peer;
mod communities;
mod duplicates;
mod l2_advertisement;
mod overlap;
mod pool;
mod remote;
mod resilience;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use model::{AdvertisementName, BgpAdvertisement, Config, L2Advertisement, PeerName};

use crate::bfd_profile::BFDProfile;
use crate::bgp_advertisement::BGPAdvertisement;
use crate::bgp_peer::BGPPeer;
use crate::community::Community;
use crate::ip_address_pool::IPAddressPool;
use crate::l2_advertisement::L2Advertisement as L2AdvertisementObject;
use crate::label_selector::LabelSelector;
use crate::problem::{Invalid, ObjectRef, Problem, Severity};

use resilience::Profiles;

pub(crate) use bgp_peer::{number, read_dynamic_asn, read_family, read_role, role_word};
pub(crate) use l2_advertisement::preferred_node_selector;
pub(crate) use remote::{Written, read_remote};
pub(crate) use resilience::{bfd_budget, interval, minimum_ttl, multiplier, restart_time, wait};

/// All configuration objects.
#[derive(Debug, Clone, Default)]
pub struct Objects<'a> {
    /// The pools.
    pub pools: Vec<&'a IPAddressPool>,
    /// The layer 2 advertisements.
    pub l2_advertisements: Vec<&'a L2AdvertisementObject>,
    /// The BGP advertisements.
    pub bgp_advertisements: Vec<&'a BGPAdvertisement>,
    /// The BGP peers.
    pub bgp_peers: Vec<&'a BGPPeer>,
    /// The BFD profiles.
    pub bfd_profiles: Vec<&'a BFDProfile>,
    /// The names for communities.
    pub communities: Vec<&'a Community>,
}

/// What was in force before.
#[derive(Debug, Clone, Default)]
pub struct Last {
    /// The layer 2 advertisements, by name.
    pub l2_advertisements: BTreeMap<AdvertisementName, L2Advertisement>,
    /// The BGP advertisements, by name.
    pub bgp_advertisements: BTreeMap<AdvertisementName, BgpAdvertisement>,
    /// The BGP peers, by name.
    pub bgp_peers: BTreeMap<PeerName, model::BgpPeer>,
}

/// What [`parse`] made of the objects.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parsed {
    /// The objects in force, in the order of their names.
    pub config: Config,
    /// What is wrong, with these and with the ones that are not in force.
    pub problems: Vec<Invalid>,
}

/// Reads all configuration objects. An object with a problem of [`Severity::Rejected`] is left
/// out whole and stops none of the others; every problem of it is reported, not only the first.
///
/// An advertisement or a peer that is refused stays in force as `last` has it: a mistake in it must
/// not withdraw what it speaks for. A refused pool gives nothing new, and keeps nothing of `last`.
/// A peer whose BFDProfile is missing or refused is in force only with the values that `last` has.
///
/// What several objects must agree on is settled by their age, then by their names: the older
/// one wins. Only what several pools must agree on (overlaps) is found where addresses are given
/// out.
pub fn parse(objects: &Objects<'_>, last: &Last) -> Parsed {
    let mut parsed = Parsed::default();
    for object in &objects.pools {
        let pool = parsed.read(*object, |report| pool::pool(object, report));
        parsed.config.pools.extend(pool);
    }
    parsed.config.pools.sort_by(|a, b| a.name.cmp(&b.name));
    // What exists but is refused says so itself.
    let known_pools = names(&objects.pools);
    for object in &objects.l2_advertisements {
        let name = name_of(&object.metadata);
        let read = parsed.read(*object, |report| {
            l2_advertisement::l2_advertisement(name, &object.spec, &known_pools, report)
        });
        let known = last.l2_advertisements.get(&AdvertisementName::new(name));
        let settled = read.or_else(|| known.cloned());
        parsed.config.l2_advertisements.extend(settled);
    }
    let order = |a: &L2Advertisement, b: &L2Advertisement| a.name.cmp(&b.name);
    parsed.config.l2_advertisements.sort_by(order);
    let profiles = Profiles::read(&objects.bfd_profiles, &mut parsed);
    parsed.bgp_peers(&objects.bgp_peers, &profiles, last);
    parsed.bgp_advertisements(objects, &known_pools, last);
    parsed
}

impl Parsed {
    fn bgp_peers(&mut self, objects: &[&BGPPeer], profiles: &Profiles<'_>, last: &Last) {
        let mut candidates = Vec::new();
        for object in objects {
            let name = PeerName::new(name_of(&object.metadata));
            let read = self.read(*object, |report| {
                bgp_peer::bgp_peer(object, profiles, last, report)
            });
            candidates.push(duplicates::Candidate {
                created: created(&object.metadata),
                last: last.bgp_peers.get(&name).cloned(),
                name,
                read,
            });
        }
        let (peers, problems) = duplicates::settle(candidates);
        self.config.bgp_peers = peers;
        self.problems.extend(problems);
    }

    fn bgp_advertisements(
        &mut self,
        objects: &Objects<'_>,
        known_pools: &BTreeSet<&str>,
        last: &Last,
    ) {
        let (named, problems) = communities::read(&objects.communities);
        self.problems.extend(problems);
        let pools = self.config.pools.clone();
        let surroundings = bgp_advertisement::Surroundings {
            known_pools,
            known_peers: &names(&objects.bgp_peers),
            communities: &named,
            pools: &pools,
        };
        for object in &objects.bgp_advertisements {
            let name = name_of(&object.metadata);
            let read = self.read(*object, |report| {
                bgp_advertisement::bgp_advertisement(name, &object.spec, &surroundings, report)
            });
            let known = last.bgp_advertisements.get(&AdvertisementName::new(name));
            let settled = read.or_else(|| known.cloned());
            self.config.bgp_advertisements.extend(settled);
        }
        let order = |a: &BgpAdvertisement, b: &BgpAdvertisement| a.name.cmp(&b.name);
        self.config.bgp_advertisements.sort_by(order);
    }

    /// Reads one object; it is in force unless a problem of it says otherwise.
    fn read<K: Resource<DynamicType = ()>, T>(
        &mut self,
        object: &K,
        parse: impl FnOnce(&mut Report) -> T,
    ) -> Option<T> {
        let (value, problems) = read(object, parse);
        self.problems.extend(problems);
        value
    }
}

fn read<K: Resource<DynamicType = ()>, T>(
    object: &K,
    parse: impl FnOnce(&mut Report) -> T,
) -> (Option<T>, Vec<Invalid>) {
    let mut report = Report {
        object: ObjectRef::of::<K>(name_of(object.meta())),
        problems: Vec::new(),
    };
    let value = parse(&mut report);
    let rejected = report
        .problems
        .iter()
        .any(|p| p.severity() == Severity::Rejected);
    ((!rejected).then_some(value), report.problems)
}

fn name_of(meta: &ObjectMeta) -> &str {
    meta.name.as_deref().unwrap_or_default()
}

fn names<'a, K: Resource>(objects: &[&'a K]) -> BTreeSet<&'a str> {
    let names = objects.iter().map(|object| name_of(object.meta()));
    names.collect()
}

/// When an object was created, in seconds since 1970. What is not created yet is younger than
/// everything.
fn created(meta: &ObjectMeta) -> i64 {
    let created = meta.creation_timestamp.as_ref();
    created.map_or(i64::MAX, |created| created.0.as_second())
}

/// The problems of one object.
struct Report {
    object: ObjectRef,
    problems: Vec<Invalid>,
}

impl Report {
    fn add(&mut self, field: impl Into<String>, reason: impl Into<Problem>) {
        self.problems.push(Invalid {
            object: self.object.clone(),
            field: field.into(),
            reason: reason.into(),
        });
    }

    /// A good value; a bad one is reported.
    fn take<T, P: Into<Problem>>(&mut self, field: &str, read: Result<T, P>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(problem) => {
                self.add(field, problem);
                None
            }
        }
    }

    /// The good values of a list, each bad one reported under its index.
    fn each<'a, I, T, P: Into<Problem>>(
        &mut self,
        field: &str,
        items: &'a [I],
        read: impl Fn(&'a I) -> Result<T, P>,
    ) -> Vec<T> {
        let mut good = Vec::new();
        for (index, item) in items.iter().enumerate() {
            good.extend(self.take(&format!("{field}[{index}]"), read(item)));
        }
        good
    }

    fn selectors(&mut self, field: &str, selectors: &[LabelSelector]) -> Vec<model::LabelSelector> {
        self.each(field, selectors, model::LabelSelector::try_from)
    }

    fn unknown_pools(&mut self, named: &[String], known: &BTreeSet<&str>) {
        for (index, pool) in named.iter().enumerate() {
            if !known.contains(pool.as_str()) {
                let field = format!("spec.ipAddressPools[{index}]");
                self.add(field, Problem::UnknownPool(pool.clone()));
            }
        }
    }
}

#[cfg(test)]
mod tests;
