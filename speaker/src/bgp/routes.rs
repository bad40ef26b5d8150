//! Planned routes in the words of the protocol.

use std::sync::Arc;

use bgp::{Attributes, Community, ExtendedCommunity, LargeCommunity, Prefix, Route, RouteSet};
use model::BgpAttributes;

/// The set that a peer is to hold. What is as in `previous` is shared with it, so that the machine
/// passes over it.
pub(super) fn route_set(planned: &[plan::Route], previous: &RouteSet) -> RouteSet {
    let mut last: Option<(&Arc<BgpAttributes>, Arc<Attributes>)> = None;
    let routes = planned.iter().filter_map(|route| {
        let attributes = match &last {
            Some((known, attributes)) if Arc::ptr_eq(known, &route.attributes) => {
                Arc::clone(attributes)
            }
            Some(_) | None => Arc::new(attributes(&route.attributes)),
        };
        last = Some((&route.attributes, Arc::clone(&attributes)));
        // A planned prefix has no bits behind its length, and its family's length at most.
        let prefix = Prefix::new(route.prefix.address(), route.prefix.length()).ok()?;
        Some(Route { prefix, attributes })
    });
    RouteSet::build(routes, previous)
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
