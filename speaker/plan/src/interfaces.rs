//! Which interfaces of this node answer for a VIP.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use model::{InterfaceName, IpFamily, L2Advertisement};

use crate::{Interface, InterfaceKind, Prefix, Withheld};

/// The interfaces that can carry announcements at all, in the order of their names.
pub(crate) struct Interfaces<'a> {
    fit: Vec<&'a Interface>,
    /// Lists of names that were given out before, by the indices they are made of.
    shared: BTreeMap<Vec<usize>, Arc<[InterfaceName]>>,
}

/// What the advertisements that admit a VIP say about interfaces.
pub(crate) struct Wanted {
    /// For each fit interface, whether a pattern names it.
    named: Vec<bool>,
    /// Whether an advertisement leaves the choice to us.
    automatic: bool,
}

impl<'a> Interfaces<'a> {
    pub(crate) fn new(interfaces: &'a [Interface]) -> Self {
        let mut fit: Vec<_> = interfaces.iter().filter(|i| i.is_fit()).collect();
        fit.sort_unstable();
        let shared = BTreeMap::new();
        Self { fit, shared }
    }

    pub(crate) fn wanted(&self, advertisements: &[&L2Advertisement]) -> Wanted {
        let named = |interface: &&Interface| {
            let mut advertisements = advertisements.iter();
            advertisements.any(|a| a.names_interface(&interface.name))
        };
        Wanted {
            named: self.fit.iter().map(named).collect(),
            automatic: advertisements.iter().any(|a| a.interfaces.is_empty()),
        }
    }

    /// What is wanted when no advertisement can be asked: our own choice.
    pub(crate) fn unasked(&self) -> Wanted {
        Wanted {
            named: vec![false; self.fit.len()],
            automatic: true,
        }
    }

    /// The interfaces that answer for `vip`, sorted by name, one for each segment.
    pub(crate) fn choose(
        &mut self,
        vip: IpAddr,
        wanted: &Wanted,
    ) -> Result<Arc<[InterfaceName]>, Withheld> {
        let mut chosen = self.admitted(vip, wanted);
        if !chosen.iter().any(|&i| self.is_up(i)) {
            return Err(match chosen.iter().find_map(|&i| self.fit.get(i)) {
                Some(interface) => Withheld::LinkDown {
                    interface: interface.name.clone(),
                },
                None => Withheld::NoInterface,
            });
        }
        chosen.retain(|&i| self.is_up(i));
        if chosen.len() > 1 {
            chosen = self.one_for_each_segment(vip, chosen);
        }
        Ok(self.names(chosen))
    }

    /// Everything that the advertisements admit, up or down: what they name, and where one names
    /// nothing, those whose prefix holds the VIP, else the way out by the default route.
    fn admitted(&self, vip: IpAddr, wanted: &Wanted) -> Vec<usize> {
        let indexed = || self.fit.iter().enumerate();
        let mut admitted: Vec<usize> = (wanted.named.iter().enumerate())
            .filter_map(|(i, named)| named.then_some(i))
            .collect();
        if wanted.automatic {
            let holding = indexed().filter(|(_, interface)| holds(interface, vip));
            let mut automatic: Vec<usize> = holding.map(|(i, _)| i).collect();
            if automatic.is_empty() {
                let way_out = indexed()
                    .filter(|(_, interface)| interface.default_route(IpFamily::of(vip)))
                    .min_by_key(|(i, interface)| (Reverse(interface.up), *i));
                automatic.extend(way_out.map(|(i, _)| i));
            }
            admitted.extend(automatic);
            admitted.sort_unstable();
            admitted.dedup();
        }
        admitted
    }

    /// Of interfaces that share a prefix, and so a segment, one acts: the one whose prefix holds
    /// the VIP, then the first by name.
    fn one_for_each_segment(&self, vip: IpAddr, mut chosen: Vec<usize>) -> Vec<usize> {
        let interface = |i: usize| self.fit.get(i);
        chosen.sort_by_key(|&i| (Reverse(interface(i).is_some_and(|x| holds(x, vip))), i));
        let mut acting: Vec<usize> = Vec::with_capacity(chosen.len());
        for i in chosen {
            let same = |&j: &usize| match (interface(i), interface(j)) {
                (Some(one), Some(other)) => share_a_prefix(one, other),
                (None, _) | (_, None) => false,
            };
            if !acting.iter().any(same) {
                acting.push(i);
            }
        }
        acting.sort_unstable();
        acting
    }

    fn names(&mut self, chosen: Vec<usize>) -> Arc<[InterfaceName]> {
        let fit = &self.fit;
        let names = |chosen: &Vec<usize>| {
            let interfaces = chosen.iter().filter_map(|&i| fit.get(i));
            interfaces.map(|interface| interface.name.clone()).collect()
        };
        match self.shared.get(&chosen) {
            Some(names) => Arc::clone(names),
            None => {
                let names: Arc<[InterfaceName]> = names(&chosen);
                self.shared.insert(chosen, Arc::clone(&names));
                names
            }
        }
    }

    fn is_up(&self, index: usize) -> bool {
        self.fit.get(index).is_some_and(|interface| interface.up)
    }
}

impl Interface {
    /// Whether clients can be behind it at all. Pods' veths have no prefix of their own; a veth
    /// that has one, or the default route, is the way out of a node that is a container itself.
    pub fn is_fit(&self) -> bool {
        let fit = match self.kind {
            InterfaceKind::Ethernet | InterfaceKind::Bridge { uplink: true } => true,
            InterfaceKind::Veth => {
                self.default_route_v4
                    || self.default_route_v6
                    || self.prefixes.iter().any(Prefix::tells_a_segment)
            }
            InterfaceKind::Bridge { uplink: false }
            | InterfaceKind::Internal
            | InterfaceKind::Tunnel => false,
        };
        fit && !self.enslaved
    }
}

fn holds(interface: &Interface, vip: IpAddr) -> bool {
    let mut prefixes = interface.prefixes.iter();
    prefixes.any(|prefix| prefix.tells_a_segment() && prefix.contains(vip))
}

fn share_a_prefix(one: &Interface, other: &Interface) -> bool {
    let mut prefixes = one.prefixes.iter().filter(|p| p.tells_a_segment());
    prefixes.any(|p| {
        let mut others = other.prefixes.iter();
        others.any(|q| q.length == p.length && p.contains(q.address))
    })
}

impl Prefix {
    /// Whether `address` is inside, in the same family.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differing = u32::from(own) ^ u32::from(other);
                differing.leading_zeros() >= u32::from(self.length.min(32))
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differing = u128::from(own) ^ u128::from(other);
                differing.leading_zeros() >= u32::from(self.length.min(128))
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// Whether it says which segment the interface is on: a host's own prefix holds nobody else,
    /// and every interface has the link-local one.
    fn tells_a_segment(&self) -> bool {
        match self.address {
            IpAddr::V4(address) => self.length < 32 && !address.is_link_local(),
            IpAddr::V6(address) => self.length < 128 && !address.is_unicast_link_local(),
        }
    }
}

#[cfg(test)]
mod tests;
