//! Pools.

use kube::ResourceExt;
use model::{AddressRange, Pool, PoolName};

use super::{Report, created};
use crate::address;
use crate::ip_address_pool::{IPAddressPool, IPAddressPoolSpec, ServiceAllocation};
use crate::problem::Problem;

/// Reads a pool.
pub(super) fn pool(object: &IPAddressPool, report: &mut Report) -> Pool {
    let spec = &object.spec;
    Pool {
        name: PoolName::new(object.name_any()),
        created: created(&object.metadata),
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
