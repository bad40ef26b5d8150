//! Planned routes in the words of the protocol.

use std::cmp::Ordering;
use std::mem;
use std::sync::Arc;

use bgp::{Attributes, Community, ExtendedCommunity, LargeCommunity, Prefix, Route, RouteSet};
use model::BgpAttributes;

/// More changes than this are not looked up one by one: the set is built anew.
pub(super) const FEW: usize = 1_000;

/// What a peer is to hold, as it was planned last and as a set. One change among 100,000 routes
/// costs a look at both plans and the part of the set in which it lies.
#[derive(Debug, Default)]
pub(super) struct Routes {
    planned: Arc<[plan::Route]>,
    set: RouteSet,
}

impl Routes {
    /// Makes the set that of the routes that are planned now; returns those that were before. What
    /// has not changed is shared with the set before, so that the machine passes over it.
    pub(super) fn follow(&mut self, planned: &Arc<[plan::Route]>) -> Arc<[plan::Route]> {
        let before = mem::replace(&mut self.planned, Arc::clone(planned));
        if !Arc::ptr_eq(&before, planned) {
            self.set = match differences(&before, planned) {
                Some(differences) => self.set.with(differences.iter().filter_map(change)),
                None => build(planned, &self.set),
            };
        }
        before
    }

    /// What the peer is to hold.
    pub(super) fn set(&self) -> &RouteSet {
        &self.set
    }
}

/// A route that was not planned before, or otherwise; or one that is planned no more.
enum Difference<'a> {
    Planned(&'a plan::Route),
    Gone(&'a plan::Route),
}

/// What differs between two plans, both sorted; `None` if that is much.
fn differences<'a>(
    mut before: &'a [plan::Route],
    mut now: &'a [plan::Route],
) -> Option<Vec<Difference<'a>>> {
    let mut differences = Vec::new();
    while differences.len() <= FEW {
        let same = before.iter().zip(now).take_while(|(old, new)| old == new);
        let same = same.count();
        before = before.get(same..).unwrap_or_default();
        now = now.get(same..).unwrap_or_default();
        let order = match (before.first(), now.first()) {
            (None, None) => return Some(differences),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.prefix.cmp(&new.prefix),
        };
        if order.is_le()
            && let Some((old, rest)) = before.split_first()
        {
            before = rest;
            if order.is_lt() {
                differences.push(Difference::Gone(old));
            }
        }
        if order.is_ge()
            && let Some((new, rest)) = now.split_first()
        {
            now = rest;
            differences.push(Difference::Planned(new));
        }
    }
    None
}

fn change(difference: &Difference<'_>) -> Option<(Prefix, Option<Arc<Attributes>>)> {
    match difference {
        Difference::Planned(route) => {
            let attributes = Arc::new(attributes(&route.attributes));
            Some((prefix(route)?, Some(attributes)))
        }
        Difference::Gone(route) => Some((prefix(route)?, None)),
    }
}

/// All of it anew.
fn build(planned: &[plan::Route], previous: &RouteSet) -> RouteSet {
    let mut last: Option<(&Arc<BgpAttributes>, Arc<Attributes>)> = None;
    let routes = planned.iter().filter_map(|route| {
        let attributes = match &last {
            Some((known, attributes)) if Arc::ptr_eq(known, &route.attributes) => {
                Arc::clone(attributes)
            }
            Some(_) | None => Arc::new(attributes(&route.attributes)),
        };
        last = Some((&route.attributes, Arc::clone(&attributes)));
        let prefix = prefix(route)?;
        Some(Route { prefix, attributes })
    });
    RouteSet::build(routes, previous)
}

/// A planned prefix has no bits behind its length, and its family's length at most.
fn prefix(route: &plan::Route) -> Option<Prefix> {
    Prefix::new(route.prefix.address(), route.prefix.length()).ok()
}

fn attributes(planned: &BgpAttributes) -> Attributes {
    let mut attributes = Attributes {
        multi_exit_disc: planned.med,
        local_pref: planned.local_pref,
        as_path_prepend: planned.as_path_prepend,
        ..Attributes::default()
    };
    for community in &planned.communities {
        match *community {
            model::Community::Standard(value) => {
                attributes.communities.push(Community(value));
            }
            model::Community::Large(global, local1, local2) => {
                attributes.large_communities.push(LargeCommunity {
                    global,
                    local1,
                    local2,
                });
            }
            model::Community::Extended(octets) => {
                attributes
                    .extended_communities
                    .push(ExtendedCommunity(octets));
            }
        }
    }
    attributes
}

#[cfg(test)]
mod tests {
    use plan::RoutePrefix;

    use super::*;

    fn route(number: u32, med: u32) -> plan::Route {
        let v4 = std::net::Ipv4Addr::from(0x0a61_0000 + number);
        let v6 = std::net::Ipv6Addr::from((0xfd97 << 112) + u128::from(number));
        plan::Route {
            prefix: RoutePrefix::host(if number < 5_000 { v4.into() } else { v6.into() }),
            attributes: Arc::new(BgpAttributes {
                med: Some(med),
                ..BgpAttributes::default()
            }),
        }
    }

    #[test]
    fn a_set_that_follows_plans_is_the_set_of_the_last_one() {
        let plans = [
            Vec::new(),
            (0..10_000).map(|n| route(n, 1)).collect(),
            // The first, the last and some between go; some change; then they come back.
            (1..9_999)
                .filter(|n| n % 100 != 7)
                .map(|n| route(n, 1 + u32::from(n % 50 == 0)))
                .collect(),
            (0..10_000).map(|n| route(n, 1)).collect(),
            (0..10_000).map(|n| route(n, 2)).collect(),
            (3..4).map(|n| route(n, 2)).collect(),
            Vec::new(),
        ];
        let mut routes = Routes::default();
        for plan in plans.map(Arc::from) {
            let expected = build(&plan, &RouteSet::default());
            routes.follow(&plan);
            assert_eq!(*routes.set(), expected);
            assert_eq!(expected.len(), plan.len());
        }
    }

    #[test]
    fn few_differences_are_told_from_many() {
        let all: Vec<plan::Route> = (0..10_000).map(|n| route(n, 1)).collect();
        let mut few = all.clone();
        few.remove(5_000);
        few.push(route(10_000, 1));
        assert_eq!(differences(&all, &few).map(|few| few.len()), Some(2));
        assert_eq!(differences(&all, &all).map(|none| none.len()), Some(0));
        assert!(differences(&all, &[]).is_none());
    }
}
