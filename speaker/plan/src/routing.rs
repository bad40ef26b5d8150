//! From addresses and the terms on which they are told to what each peer is told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use model::{BgpAttributes, ExternalTrafficPolicy, IpFamily, PeerName};

use crate::evidence::Subject;
use crate::merge::join;
use crate::terms::{Offer, Terms};
use crate::{Route, RoutePrefix, Service, Withheld};

/// The addresses that are told on the same terms, in their order.
pub(crate) struct Gathering<'a> {
    pub(crate) terms: Arc<Terms>,
    pub(crate) told: Vec<Member<'a>>,
    /// Local ones that are not told from here.
    pub(crate) passed_over: Vec<Member<'a>>,
}

/// An address and the Service that it leads to.
#[derive(Clone, Copy)]
pub(crate) struct Member<'a> {
    address: IpAddr,
    service: &'a Service,
}

/// What each peer is told, and what became of each address.
pub(crate) struct Routing<'g> {
    gatherings: &'g [Gathering<'g>],
    pub(crate) bgp: BTreeMap<PeerName, Arc<[Route]>>,
    /// Why some route to an address is not told.
    pub(crate) withheld: BTreeMap<IpAddr, Withheld>,
    /// The names of advertisements that tell the same route.
    pub(crate) together: BTreeSet<Vec<&'g str>>,
    /// For each gathering, whether a peer is told of its members.
    reach: Vec<Reach>,
}

#[derive(Clone, Default)]
struct Reach {
    all: bool,
    /// For each member whether it is in an aggregate that is told.
    some: Vec<bool>,
}

/// What is known of a prefix of several addresses.
#[derive(Default)]
struct Aggregate<'g> {
    /// By whom it is told.
    offers: Vec<&'g Offer>,
    anyway: bool,
    /// The first Service under it that is Local.
    local: Option<&'g Service>,
}

impl<'a> Gathering<'a> {
    pub(crate) fn of(terms: Arc<Terms>) -> Self {
        Self {
            terms,
            told: Vec::new(),
            passed_over: Vec::new(),
        }
    }

    fn family(&self) -> IpFamily {
        self.terms.family
    }
}

impl<'a> Member<'a> {
    pub(crate) fn of(subject: &Subject<'a>) -> Self {
        Self {
            address: subject.address,
            service: subject.service,
        }
    }

    fn is_local(&self) -> bool {
        match self.service.traffic_policy {
            ExternalTrafficPolicy::Local => true,
            ExternalTrafficPolicy::Cluster => false,
        }
    }
}

impl<'g> Routing<'g> {
    /// Peers that are told the same share it; what is as before is what it was before.
    pub(crate) fn new(
        peers: &[&PeerName],
        gatherings: &'g [Gathering<'g>],
        before: &BTreeMap<PeerName, Arc<[Route]>>,
    ) -> Self {
        let mut routing = Self {
            gatherings,
            bgp: BTreeMap::new(),
            withheld: BTreeMap::new(),
            together: BTreeSet::new(),
            reach: vec![Reach::default(); gatherings.len()],
        };
        let mut alike: BTreeMap<Vec<(usize, usize)>, Vec<&PeerName>> = BTreeMap::new();
        for &peer in peers {
            alike.entry(taken(peer, gatherings)).or_default().push(peer);
        }
        let mut made: Vec<Arc<[Route]>> = Vec::new();
        for (taken, peers) in alike {
            let routes = routing.routes(&taken);
            let known = peers.iter().filter_map(|peer| before.get(*peer));
            let known = known.chain(&made).find(|known| known[..] == routes[..]);
            let routes: Arc<[Route]> = known.map_or_else(|| routes.into(), Arc::clone);
            made.push(Arc::clone(&routes));
            let told = peers
                .into_iter()
                .map(|peer| (peer.clone(), Arc::clone(&routes)));
            routing.bgp.extend(told);
        }
        routing
    }

    /// Whether any peer is told of the `member`th address of a gathering.
    pub(crate) fn reaches(&self, gathering: usize, member: usize) -> bool {
        let reach = self.reach.get(gathering);
        reach.is_some_and(|reach| reach.all || reach.some.get(member) == Some(&true))
    }

    /// The routes of some offers, sorted, each prefix once.
    fn routes(&mut self, taken: &[(usize, usize)]) -> Vec<Route> {
        let mut routes = Vec::new();
        let mut aggregates = BTreeMap::new();
        for (index, gathering, offer) in offers(self.gatherings, taken) {
            self.consider(offer.advertisements.iter().map(|name| name.as_str()));
            if offer.is_aggregate(gathering.family()) {
                add(&mut aggregates, gathering, offer);
            } else {
                routes.extend(gathering.told.iter().map(|member| Route {
                    prefix: RoutePrefix::host(member.address),
                    attributes: Arc::clone(&offer.attributes),
                }));
                if let Some(reach) = self.reach.get_mut(index) {
                    reach.all = true;
                }
            }
        }
        for (&prefix, aggregate) in &aggregates {
            let names = aggregate
                .offers
                .iter()
                .flat_map(|o| o.advertisements.iter());
            self.consider(names.map(|name| name.as_str()));
            let attributes = aggregate.attributes().filter(|_| aggregate.is_told());
            routes.extend(attributes.map(|attributes| Route { prefix, attributes }));
        }
        for (index, gathering, offer) in offers(self.gatherings, taken) {
            if offer.is_aggregate(gathering.family()) {
                self.settle(index, gathering, offer, &aggregates);
            }
        }
        // Sorted pieces one after the other: merging them is all there is to do.
        routes.sort_by_key(|route| route.prefix);
        routes
    }

    /// What became of the addresses that are told by a prefix around them.
    fn settle(
        &mut self,
        index: usize,
        gathering: &Gathering<'g>,
        offer: &Offer,
        aggregates: &BTreeMap<RoutePrefix, Aggregate<'g>>,
    ) {
        let Some(reach) = self.reach.get_mut(index) else {
            return;
        };
        reach.some.resize(gathering.told.len(), false);
        let members = gathering.told.iter().zip(&mut reach.some);
        for (member, reached) in members {
            let prefix = RoutePrefix::around(member.address, offer.length);
            match aggregates
                .get(&prefix)
                .and_then(|aggregate| aggregate.obstacle())
            {
                None => *reached = true,
                Some(local) => {
                    let service = local.holder.service.clone();
                    let why = Withheld::LocalInAggregate { prefix, service };
                    self.withheld.entry(member.address).or_insert(why);
                }
            }
        }
    }

    fn consider(&mut self, names: impl Iterator<Item = &'g str>) {
        let names: BTreeSet<&str> = names.collect();
        if names.len() > 1 {
            self.together.insert(names.into_iter().collect());
        }
    }
}

impl<'g> Aggregate<'g> {
    /// Whose traffic it would draw to where it is lost.
    fn obstacle(&self) -> Option<&'g Service> {
        self.local.filter(|_| !self.anyway)
    }

    fn is_told(&self) -> bool {
        self.obstacle().is_none()
    }

    /// What it carries; nothing if nothing under it is told.
    fn attributes(&self) -> Option<Arc<BgpAttributes>> {
        let attributes = self
            .offers
            .iter()
            .map(|offer| Arc::clone(&offer.attributes));
        attributes.reduce(|one, other| join(&one, &other))
    }
}

/// Which offers are made to a peer, by the indices of gathering and offer.
fn taken(peer: &PeerName, gatherings: &[Gathering<'_>]) -> Vec<(usize, usize)> {
    let mut taken = Vec::new();
    for (index, gathering) in gatherings.iter().enumerate() {
        let offers = gathering.terms.offers.iter().enumerate();
        let made = offers.filter(|(_, offer)| offer.peers.binary_search(peer).is_ok());
        taken.extend(made.map(|(offer, _)| (index, offer)));
    }
    taken
}

fn offers<'g>(
    gatherings: &'g [Gathering<'g>],
    taken: &[(usize, usize)],
) -> impl Iterator<Item = (usize, &'g Gathering<'g>, &'g Offer)> {
    taken.iter().filter_map(|&(index, offer)| {
        let gathering = gatherings.get(index)?;
        Some((index, gathering, gathering.terms.offers.get(offer)?))
    })
}

/// Adds what a gathering has to do with prefixes of several addresses. Neighbours mostly share
/// their prefix, so that each prefix is looked up once and not for each address.
fn add<'g>(
    aggregates: &mut BTreeMap<RoutePrefix, Aggregate<'g>>,
    gathering: &'g Gathering<'g>,
    offer: &'g Offer,
) {
    let prefix = |member: &Member<'_>| RoutePrefix::around(member.address, offer.length);
    for (members, told) in [(&gathering.told, true), (&gathering.passed_over, false)] {
        for members in members.chunk_by(|one, other| prefix(one) == prefix(other)) {
            let Some(first) = members.first() else {
                continue;
            };
            let aggregate = aggregates.entry(prefix(first)).or_default();
            let local = members.iter().find(|member| member.is_local());
            aggregate.local = aggregate.local.or(local.map(|member| member.service));
            aggregate.anyway |= offer.aggregate_anyway;
            if told {
                aggregate.offers.push(offer);
            }
        }
    }
}
