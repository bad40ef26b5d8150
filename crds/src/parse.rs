//! From configuration objects to one settled configuration.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use model::{
    AddressRange, AdvertisementName, Config, InterfacePattern, L2Advertisement, Pool, PoolName,
};

use crate::address;
use crate::ip_address_pool::{IPAddressPool, IPAddressPoolSpec, ServiceAllocation};
use crate::l2_advertisement::{self, PreferredNodeSelector};
use crate::label_selector::LabelSelector;
use crate::problem::{Invalid, ObjectRef, Problem, Severity};

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
/// What several pools must agree on (overlaps) is found where addresses are given out.
pub fn parse(
    pools: &[&IPAddressPool],
    l2_advertisements: &[&l2_advertisement::L2Advertisement],
) -> Parsed {
    let mut parsed = Parsed::default();
    for object in pools {
        let name = name_of(&object.metadata);
        let (pool, problems) = read("IPAddressPool", name, |report| pool(object, report));
        parsed.config.pools.extend(pool);
        parsed.problems.extend(problems);
    }
    // A pool that exists but is refused says so itself.
    let known: BTreeSet<&str> = pools.iter().map(|pool| name_of(&pool.metadata)).collect();
    for object in l2_advertisements {
        let name = name_of(&object.metadata);
        let (advertisement, problems) = read("L2Advertisement", name, |report| {
            l2_advertisement(name, &object.spec, &known, report)
        });
        parsed.config.l2_advertisements.extend(advertisement);
        parsed.problems.extend(problems);
    }
    parsed.config.pools.sort_by(|a, b| a.name.cmp(&b.name));
    parsed
        .config
        .l2_advertisements
        .sort_by(|a, b| a.name.cmp(&b.name));
    parsed
}

/// Reads one object; it is in force unless a problem of it says otherwise.
fn read<T>(
    kind: &'static str,
    name: &str,
    parse: impl FnOnce(&mut Report) -> T,
) -> (Option<T>, Vec<Invalid>) {
    let mut report = Report {
        object: ObjectRef {
            kind,
            name: name.to_owned(),
        },
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

/// The problems of one object.
struct Report {
    object: ObjectRef,
    problems: Vec<Invalid>,
}

impl Report {
    fn add(&mut self, field: impl Into<String>, reason: Problem) {
        self.problems.push(Invalid {
            object: self.object.clone(),
            field: field.into(),
            reason,
        });
    }

    /// The good values of a list, each bad one reported under its index.
    fn each<'a, I, T>(
        &mut self,
        field: &str,
        items: &'a [I],
        read: impl Fn(&'a I) -> Result<T, Problem>,
    ) -> Vec<T> {
        let mut good = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match read(item) {
                Ok(value) => good.push(value),
                Err(problem) => self.add(format!("{field}[{index}]"), problem),
            }
        }
        good
    }

    fn selectors(&mut self, field: &str, selectors: &[LabelSelector]) -> Vec<model::LabelSelector> {
        self.each(field, selectors, model::LabelSelector::try_from)
    }
}

fn pool(object: &IPAddressPool, report: &mut Report) -> Pool {
    let spec = &object.spec;
    Pool {
        name: PoolName::new(object.name_any()),
        // What is not created yet is younger than everything.
        created: object
            .creation_timestamp()
            .map_or(i64::MAX, |created| created.0.as_second()),
        labels: object.labels().clone(),
        addresses: addresses(&spec.addresses, report),
        exclude: exclude(spec, report),
        auto_assign: spec.auto_assign,
        avoid_buggy_ips: spec.avoid_buggy_ips,
        service_allocation: spec
            .service_allocation
            .as_ref()
            .map(|allocation| service_allocation(allocation, report))
            .unwrap_or_default(),
    }
}

fn addresses(texts: &[String], report: &mut Report) -> Vec<AddressRange> {
    if texts.is_empty() {
        report.add("spec.addresses", Problem::NoAddresses);
    }
    let mut good: Vec<(usize, AddressRange)> = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let field = format!("spec.addresses[{index}]");
        match address::parse(text) {
            Err(problem) => report.add(field, problem),
            Ok(range) => match good.iter().find(|(_, earlier)| overlap(earlier, &range)) {
                None => good.push((index, range)),
                Some((with, _)) => report.add(
                    field,
                    Problem::OverlapsEntry {
                        entry: text.clone(),
                        with: texts.get(*with).cloned().unwrap_or_default(),
                    },
                ),
            },
        }
    }
    good.into_iter().map(|(_, range)| range).collect()
}

fn exclude(spec: &IPAddressPoolSpec, report: &mut Report) -> Vec<AddressRange> {
    let addresses = spec.addresses.iter().map(|text| address::parse(text).ok());
    // With an unreadable entry nobody knows what lies outside.
    let addresses: Option<Vec<AddressRange>> = addresses.collect();
    let outside = |range: &AddressRange| {
        let addresses = addresses.as_ref();
        addresses.is_some_and(|entries| !entries.iter().any(|entry| overlap(entry, range)))
    };
    let mut good = Vec::new();
    for (index, text) in spec.exclude.iter().enumerate() {
        let field = format!("spec.exclude[{index}]");
        match address::parse(text) {
            Err(problem) => report.add(field, problem),
            Ok(range) => {
                if outside(&range) {
                    report.add(field, Problem::ExcludesNothing(range));
                }
                good.push(range);
            }
        }
    }
    good
}

fn overlap(a: &AddressRange, b: &AddressRange) -> bool {
    a.family() == b.family() && a.first() <= b.last() && b.first() <= a.last()
}

fn service_allocation(
    allocation: &ServiceAllocation,
    report: &mut Report,
) -> model::ServiceAllocation {
    let field = "spec.serviceAllocation";
    let priority = i32::try_from(allocation.priority).ok();
    let priority = priority.and_then(|number| u32::try_from(number).ok());
    if priority.is_none() {
        report.add(
            format!("{field}.priority"),
            Problem::PriorityOutOfRange(allocation.priority),
        );
    }
    model::ServiceAllocation {
        priority: priority.filter(|&number| number != 0),
        namespaces: allocation.namespaces.clone(),
        namespace_selectors: report.selectors(
            &format!("{field}.namespaceSelectors"),
            &allocation.namespace_selectors,
        ),
        service_selectors: report.selectors(
            &format!("{field}.serviceSelectors"),
            &allocation.service_selectors,
        ),
    }
}

fn l2_advertisement(
    name: &str,
    spec: &l2_advertisement::L2AdvertisementSpec,
    known_pools: &BTreeSet<&str>,
    report: &mut Report,
) -> L2Advertisement {
    for (index, pool) in spec.ip_address_pools.iter().enumerate() {
        if !known_pools.contains(pool.as_str()) {
            let field = format!("spec.ipAddressPools[{index}]");
            report.add(field, Problem::UnknownPool(pool.clone()));
        }
    }
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

#[cfg(test)]
mod tests;
