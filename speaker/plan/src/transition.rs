//! What a plan changes, for the timeline of a person who reads the log.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use model::{Holder, InterfaceName, PoolName};

use crate::{Announced, Plan, Snapshot, Terms, Withheld};

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
    /// BGP peers are told of it from now on. That other peers are, or that they are told something
    /// else, is no transition: it concerns the peers and not the address.
    Advertise {
        /// The address.
        address: IpAddr,
        /// The Service it is advertised for.
        service: Arc<Holder>,
        /// Who is told, and what.
        terms: Arc<Terms>,
    },
    /// It is no longer answered, or no peer is told of it any more.
    Withdraw {
        /// The address.
        address: IpAddr,
        /// The Service it was announced for.
        service: Arc<Holder>,
        /// In which way it was announced.
        protocol: Protocol,
        /// Why it ceases.
        why: Withheld,
    },
}

/// The ways in which an address is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// ARP and NDP.
    Layer2,
    /// BGP.
    Bgp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Layer2 => "layer2",
            Self::Bgp => "bgp",
        })
    }
}

/// The difference between what was announced `before` and what `plan` announces: what ceases,
/// then what begins, each by address.
pub fn transitions(before: &Snapshot, plan: &Plan) -> Vec<Transition> {
    let mut transitions = ceased(before, plan);
    for (&address, now) in plan.announced.iter().filter(|(_, now)| now.is_answered()) {
        let unchanged = before.announced.get(&address).is_some_and(|was| {
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
    for (&address, now) in plan.advertised.iter().filter(|(_, now)| now.told) {
        let was = before.advertised.get(&address);
        if !was.is_some_and(|was| was.told && was.service.uid == now.service.uid) {
            transitions.push(Transition::Advertise {
                address,
                service: Arc::clone(&now.service),
                terms: Arc::clone(&now.terms),
            });
        }
    }
    transitions
}

fn ceased(before: &Snapshot, plan: &Plan) -> Vec<Transition> {
    let mut ceased = Vec::new();
    for (&address, was) in (before.announced.iter()).filter(|(_, was)| was.is_answered()) {
        let now = plan.announced.get(&address);
        if !now.is_some_and(|now| now.service.uid == was.service.uid && now.is_answered()) {
            let (service, pool) = (&was.service, &was.pool);
            ceased.push(Was { service, pool }.withdrawal(address, Protocol::Layer2, plan));
        }
    }
    for (&address, was) in (before.advertised.iter()).filter(|(_, was)| was.told) {
        let now = plan.advertised.get(&address);
        if !now.is_some_and(|now| now.service.uid == was.service.uid && now.told) {
            let (service, pool) = (&was.service, &was.pool);
            ceased.push(Was { service, pool }.withdrawal(address, Protocol::Bgp, plan));
        }
    }
    ceased
}

impl Announced {
    fn is_answered(&self) -> bool {
        !self.interfaces.is_empty()
    }
}

/// What was announced, in whichever way.
struct Was<'a> {
    service: &'a Arc<Holder>,
    pool: &'a PoolName,
}

impl Was<'_> {
    fn withdrawal(&self, address: IpAddr, protocol: Protocol, plan: &Plan) -> Transition {
        Transition::Withdraw {
            address,
            service: Arc::clone(self.service),
            protocol,
            why: self.why(address, protocol, plan),
        }
    }

    /// A Service of which the plan says nothing is not there any more.
    fn why(&self, address: IpAddr, protocol: Protocol, plan: &Plan) -> Withheld {
        let announced = plan.announced.get(&address).map(|now| &now.service);
        let advertised = plan.advertised.get(&address).map(|now| &now.service);
        let now = announced.or(advertised);
        if let Some(now) = now.filter(|now| now.service != self.service.service) {
            return Withheld::HeldByAnother {
                service: now.service.clone(),
            };
        }
        let withheld = plan.withheld.get(&address);
        let withheld = withheld.filter(|withheld| withheld.service.uid == self.service.uid);
        let why = withheld.and_then(|withheld| match protocol {
            Protocol::Layer2 => withheld.layer2.clone(),
            Protocol::Bgp => withheld.bgp.clone(),
        });
        let there = withheld.is_some() || now.is_some_and(|now| now.uid == self.service.uid);
        why.unwrap_or_else(|| match there {
            // It goes on in the other way, or would: this way is not asked for any more.
            true => Withheld::NoAdvertisement {
                pool: self.pool.clone(),
            },
            false => Withheld::ServiceGone,
        })
    }
}

#[cfg(test)]
mod tests;
