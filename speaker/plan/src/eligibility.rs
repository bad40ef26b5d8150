//! Which nodes the advertisements that speak for an address make candidates.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;

use l2::election::{self, Candidate};
use model::{ExternalTrafficPolicy, IpFamily, L2Advertisement, NodeName, PoolName};

use crate::fitness::{Fitness, Grade, Verdict};
use crate::interfaces::{Interfaces, Wanted};
use crate::speaking::{Admission, Speaking};
use crate::{Departure, Node, Service, Snapshot, Withheld};

/// The advertisements of a snapshot, applied to its nodes; each combination of advertisements is
/// worked out once for all the Services that it speaks for.
pub(crate) struct Rules<'a> {
    snapshot: &'a Snapshot,
    /// By pool, the advertisements that speak for it.
    pools: BTreeMap<&'a PoolName, Speaking<'a, L2Advertisement>>,
    /// By the indices of its advertisements, what each combination means.
    fields: BTreeMap<Vec<usize>, Rc<Field<'a>>>,
}

/// What a combination of advertisements means for nodes and interfaces.
pub(crate) struct Field<'a> {
    candidates: Vec<Candidate<'a>>,
    /// The candidates' names, in the same order.
    names: Vec<&'a NodeName>,
    /// Whether it admits this node, as far as is known.
    admits_here: bool,
    pub(crate) wanted: Wanted,
}

impl<'a> Rules<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot) -> Self {
        Self {
            snapshot,
            pools: BTreeMap::new(),
            fields: BTreeMap::new(),
        }
    }

    /// What the advertisements say of an address of `pool` that a Service has.
    pub(crate) fn admission(
        &mut self,
        pool: &'a PoolName,
        service: &Service,
        interfaces: &Interfaces<'_>,
    ) -> Admission<Rc<Field<'a>>> {
        let Some(config) = self.snapshot.config.as_deref() else {
            return Admission::Unknown(Withheld::ConfigUnknown);
        };
        let speaking = (self.pools.entry(pool)).or_insert_with(|| Speaking::new(config, pool));
        let combination = speaking.combination(&service.labels);
        if combination.is_empty() {
            return speaking.silence(config, pool, &service.labels);
        }
        if let Some(field) = self.fields.get(combination.as_ref()) {
            return Admission::Admitted(Rc::clone(field));
        }
        let advertisements = speaking.of(&combination);
        let field = Rc::new(Field::new(self.snapshot, &advertisements, interfaces));
        self.fields
            .insert(combination.into_owned(), Rc::clone(&field));
        Admission::Admitted(field)
    }

    /// Why this node may not announce for a Service: what is known to speak against it, whatever
    /// the other nodes are. Without a field only the node itself and the endpoints are asked.
    pub(crate) fn ineligibility(
        &self,
        field: Option<&Field<'_>>,
        service: &Service,
        family: IpFamily,
    ) -> Option<Withheld> {
        if field.is_some_and(|field| !field.admits_here) {
            return Some(Withheld::NodeNotSelected);
        }
        let here = self.here();
        if here.is_some_and(|node| node.excluded) {
            return Some(Withheld::NodeExcluded);
        }
        if is_leaving(self.snapshot) {
            return Some(Departure::Uninstalled.into());
        }
        let gated = match field {
            // On a segment it waits until the others know as well.
            Some(_) => is_gated(self.snapshot, &self.snapshot.node),
            None => self.snapshot.fitness == Fitness::Unverified,
        };
        if gated {
            return Some(Withheld::ProxyUnverified);
        }
        lacking(service, family, &self.snapshot.node)
    }

    /// Why what routers send here for a Service would be lost. They have other nodes to go to, and
    /// no other node needs to know.
    pub(crate) fn deadness(&self, service: &Service, family: IpFamily) -> Option<Withheld> {
        match self.snapshot.fitness {
            Fitness::Unverified => return Some(Withheld::ProxyUnverified),
            Fitness::Dead => return Some(Withheld::ProxyDead),
            Fitness::Unknown | Fitness::Healthy | Fitness::Late | Fitness::Settling => {}
        }
        lacking(service, family, &self.snapshot.node)
    }

    /// Why this node is no candidate although nothing is known against it.
    pub(crate) fn uncertainty(&self) -> Withheld {
        match self.here() {
            Some(_) => Withheld::SpeakerUnknown,
            None => Withheld::NodeUnknown,
        }
    }

    fn here(&self) -> Option<&'a Node> {
        let node = self.snapshot.nodes.get(&self.snapshot.node);
        node.map(AsRef::as_ref)
    }
}

impl<'a> Field<'a> {
    fn new(
        snapshot: &'a Snapshot,
        advertisements: &[&L2Advertisement],
        interfaces: &Interfaces<'_>,
    ) -> Self {
        let nodes = snapshot.nodes.iter().filter(|(name, node)| {
            let speaks = snapshot.speakers.contains(*name) && !is_gated(snapshot, name);
            speaks && !node.excluded && !is_leaving(snapshot)
        });
        let preferred = nodes.filter_map(|(name, node)| {
            let preference = preference(node, advertisements)?;
            Some((grade(snapshot, name, node), preference, name))
        });
        let preferred: Vec<_> = preferred.collect();
        let grades: BTreeSet<_> = preferred.iter().map(|&(grade, ..)| grade).collect();
        let candidates = preferred
            .iter()
            .map(|&(grade, preference, name)| Candidate {
                node: name.as_str(),
                tier: u8::try_from(grades.range(..grade).count()).unwrap_or(u8::MAX),
                preference,
            });
        let here = snapshot.nodes.get(&snapshot.node);
        let mut admitting = advertisements.to_vec();
        admitting.retain(|a| here.is_none_or(|node| a.admits_node(&node.labels)));
        Self {
            candidates: candidates.collect(),
            names: preferred.iter().map(|&(.., name)| name).collect(),
            admits_here: !admitting.is_empty(),
            wanted: interfaces.wanted(&admitting),
        }
    }

    /// The node that announces `vip`, by the rank that every node computes alike.
    pub(crate) fn owner(&self, vip: IpAddr, service: &Service) -> Option<&'a str> {
        let owner = |candidates: &[Candidate<'a>]| {
            let best = election::owner(vip, candidates)?;
            candidates.get(best).map(|candidate| candidate.node)
        };
        match service.traffic_policy {
            ExternalTrafficPolicy::Cluster if service.vacancy.of(IpFamily::of(vip)) => None,
            ExternalTrafficPolicy::Cluster => owner(&self.candidates),
            ExternalTrafficPolicy::Local => {
                let nodes = service.local_endpoints.of(IpFamily::of(vip));
                let candidates = self.candidates.iter().zip(&self.names);
                let serving = candidates.filter(|(_, name)| nodes.contains(name));
                owner(&serving.map(|(candidate, _)| *candidate).collect::<Vec<_>>())
            }
        }
    }
}

/// How much a node is preferred by the advertisements that admit it, if any does.
fn preference(node: &Node, advertisements: &[&L2Advertisement]) -> Option<u32> {
    let admitting = advertisements
        .iter()
        .filter(|a| a.admits_node(&node.labels));
    let preferences = admitting.map(|advertisement| advertisement.preference(&node.labels));
    preferences.reduce(u32::saturating_add)
}

/// What comes before all preference; smaller is better.
fn grade(snapshot: &Snapshot, name: &NodeName, node: &Node) -> (bool, Grade) {
    let away = !node.ready || node.network_unavailable;
    (away, verdict(snapshot, name).grade())
}

/// Whether the node has just booted and its service proxy was not yet seen to serve. Of its own,
/// a node knows that before it has made it known; and it waits until all know that it is over.
fn is_gated(snapshot: &Snapshot, name: &NodeName) -> bool {
    let own = *name == snapshot.node && snapshot.fitness == Fitness::Unverified;
    own || verdict(snapshot, name).fitness == Fitness::Unverified
}

/// Whether all speakers are ordered to fall silent: no node takes over from another then.
fn is_leaving(snapshot: &Snapshot) -> bool {
    let config = snapshot.config.as_ref();
    config.is_some_and(|config| config.leaving)
}

fn verdict(snapshot: &Snapshot, name: &NodeName) -> Verdict {
    snapshot.verdicts.get(name).copied().unwrap_or_default()
}

/// Why kube-proxy on the node has nowhere to send what arrives there for the Service.
fn lacking(service: &Service, family: IpFamily, node: &NodeName) -> Option<Withheld> {
    match service.traffic_policy {
        ExternalTrafficPolicy::Cluster => {
            (service.vacancy.of(family)).then_some(Withheld::NoEndpoint)
        }
        ExternalTrafficPolicy::Local => {
            let here = service.local_endpoints.of(family).contains(node);
            (!here).then_some(Withheld::NoLocalEndpoint)
        }
    }
}
