//! Which nodes the advertisements that speak for an address make candidates.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use l2::election::{self, Candidate};
use model::{ExternalTrafficPolicy, IpFamily, L2Advertisement, NodeName, PoolName};

use crate::interfaces::{Interfaces, Wanted};
use crate::speaking::{Admission, Speaking};
use crate::{Node, Service, Snapshot, Withheld};

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
        let served = serves(service, family, &self.snapshot.node);
        (!served).then_some(Withheld::NoLocalEndpoint)
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
        let nodes = snapshot.nodes.iter();
        let (candidates, names) = nodes
            .filter(|(name, node)| snapshot.speakers.contains(*name) && !node.excluded)
            .filter_map(|(name, node)| Some((candidate(name, node, advertisements)?, name)))
            .unzip();
        let here = snapshot.nodes.get(&snapshot.node);
        let mut admitting = advertisements.to_vec();
        admitting.retain(|a| here.is_none_or(|node| a.admits_node(&node.labels)));
        Self {
            candidates,
            names,
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

/// A node that some of the advertisements admit; those that do also say how it is preferred.
fn candidate<'a>(
    name: &'a NodeName,
    node: &Node,
    advertisements: &[&L2Advertisement],
) -> Option<Candidate<'a>> {
    let admitting = advertisements
        .iter()
        .filter(|a| a.admits_node(&node.labels));
    let preferences = admitting.map(|advertisement| advertisement.preference(&node.labels));
    let preference = preferences.reduce(u32::saturating_add)?;
    Some(Candidate {
        node: name.as_str(),
        tier: u8::from(!node.ready || node.network_unavailable),
        preference,
    })
}

/// Whether kube-proxy on the node serves what arrives there for the Service.
fn serves(service: &Service, family: IpFamily, node: &NodeName) -> bool {
    match service.traffic_policy {
        ExternalTrafficPolicy::Cluster => true,
        ExternalTrafficPolicy::Local => service.local_endpoints.of(family).contains(node),
    }
}
