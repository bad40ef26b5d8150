//! What a plan changes, for the timeline of a person who reads the log.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use model::{Holder, InterfaceName};

use crate::{Announced, Plan, Withheld};

/// An address that begins, ceases or changes its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// It is answered from now on, on these interfaces; or on others than before.
    Announce {
        /// The address.
        address: IpAddr,
        /// The Service it is announced for.
        service: Arc<Holder>,
        /// Where.
        interfaces: Arc<[InterfaceName]>,
    },
    /// It is no longer answered.
    Withdraw {
        /// The address.
        address: IpAddr,
        /// The Service it was announced for.
        service: Arc<Holder>,
        /// Why it ceases.
        why: Withheld,
    },
}

/// The difference between what was announced before and what `plan` announces, by address.
pub fn transitions(before: &BTreeMap<IpAddr, Announced>, plan: &Plan) -> Vec<Transition> {
    let mut transitions = Vec::new();
    for (&address, was) in before.iter().filter(|(_, was)| !was.interfaces.is_empty()) {
        let now = plan.announced.get(&address);
        let continued =
            now.is_some_and(|now| now.service.uid == was.service.uid && !now.interfaces.is_empty());
        if !continued {
            transitions.push(Transition::Withdraw {
                address,
                service: Arc::clone(&was.service),
                why: why_withdrawn(address, &was.service, plan),
            });
        }
    }
    for (&address, now) in (plan.announced.iter()).filter(|(_, now)| !now.interfaces.is_empty()) {
        let unchanged = before.get(&address).is_some_and(|was| {
            was.service.uid == now.service.uid && was.interfaces == now.interfaces
        });
        if !unchanged {
            transitions.push(Transition::Announce {
                address,
                service: Arc::clone(&now.service),
                interfaces: Arc::clone(&now.interfaces),
            });
        }
    }
    transitions
}

/// A Service of which the plan says nothing is not there any more.
fn why_withdrawn(address: IpAddr, service: &Holder, plan: &Plan) -> Withheld {
    let successor = plan.announced.get(&address).map(|now| &now.service);
    if let Some(successor) = successor.filter(|successor| successor.service != service.service) {
        return Withheld::HeldByAnother {
            service: successor.service.clone(),
        };
    }
    let withheld = plan.withheld.get(&address);
    let withheld = withheld.filter(|withheld| withheld.service.uid == service.uid);
    withheld.map_or(Withheld::ServiceGone, |withheld| withheld.why.clone())
}

#[cfg(test)]
mod tests;
