//! Which addresses BGP peers are told of from this node.
//!
//! There is no election: every node that may tell, tells, and routers spread the traffic.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use model::{
    BgpAdvertisement, BgpPeer, ExternalTrafficPolicy, IpFamily, PeerName, PoolName, SpeakerConfig,
};

use crate::eligibility::Rules;
use crate::evidence::{Evidence, Subject};
use crate::merge::{Conflict, conflicts};
use crate::routing::{Gathering, Member};
use crate::speaking::{Admission, Speaking};
use crate::terms::Terms;
use crate::{Advertised, Node, Snapshot, Withheld};

/// The BGP advertisements and peers of a snapshot, applied to this node; each combination of
/// advertisements is worked out once for all the addresses that it speaks for.
pub(crate) struct Advertising<'a> {
    snapshot: &'a Snapshot,
    config: Option<&'a SpeakerConfig>,
    here: Option<&'a Node>,
    /// The peers that this node speaks to, by name; none while configuration or node is unknown.
    peers: Vec<&'a BgpPeer>,
    pools: BTreeMap<&'a PoolName, Speaking<'a, BgpAdvertisement>>,
    /// By the indices of its advertisements, what each combination comes to for a family.
    agreed: BTreeMap<IpFamily, BTreeMap<Vec<usize>, Result<usize, Withheld>>>,
    /// The terms of the plan before, each once.
    before: Vec<&'a Arc<Terms>>,
    /// By earlier terms, what is left of them.
    kept: BTreeMap<*const Terms, Result<usize, Withheld>>,
    /// The addresses, by the terms on which they are told.
    gatherings: Vec<Gathering<'a>>,
    passed_over: Vec<(IpAddr, Advertised)>,
}

/// The gathering in which an address is.
enum Place {
    /// By what advertisements and peers are now.
    Known(usize),
    /// By what they were, and what is not known of them.
    Remembered(usize, Withheld),
}

impl Place {
    fn gathering(&self) -> usize {
        match self {
            Self::Known(gathering) | Self::Remembered(gathering, _) => *gathering,
        }
    }
}

impl<'a> Advertising<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot) -> Self {
        let config = snapshot.config.as_deref();
        let here = snapshot.nodes.get(&snapshot.node).map(AsRef::as_ref);
        let mut peers: Vec<_> = match (config, here) {
            (Some(config), Some(here)) => {
                let peers = config.bgp_peers.iter();
                peers.filter(|peer| speaks_to(peer, Some(here))).collect()
            }
            (None, _) | (_, None) => Vec::new(),
        };
        peers.sort_unstable_by_key(|peer| &peer.name);
        Self {
            snapshot,
            config,
            here,
            peers,
            pools: BTreeMap::new(),
            agreed: BTreeMap::new(),
            before: before(snapshot),
            kept: BTreeMap::new(),
            gatherings: Vec::new(),
            passed_over: Vec::new(),
        }
    }

    /// In which gathering an address is told, or why not. It starts only what ledger and status agree
    /// on, and goes on with what it tells unless something was read that says stop.
    pub(crate) fn verdict(
        &mut self,
        subject: &Subject<'a>,
        rules: &Rules<'a>,
    ) -> Result<usize, Withheld> {
        match &subject.evidence {
            Evidence::Stop(why) => Err(why.clone()),
            Evidence::Complete(pool) => self.offer(subject, pool, rules),
            Evidence::Incomplete(why) => match (subject.advertised, subject.pool()) {
                (Some(_), Some(pool)) => self.offer(subject, pool, rules),
                (None, Some(pool)) => {
                    if let Ok(place) = self.place(subject, pool) {
                        self.pass_over(place.gathering(), subject, pool);
                    }
                    Err(why.clone())
                }
                (_, None) => Err(why.clone()),
            },
        }
    }

    /// Whether an advertisement is known to speak for an address.
    pub(crate) fn speaks_for(&mut self, subject: &Subject<'a>) -> bool {
        subject
            .pool()
            .is_some_and(|pool| match self.terms(subject, pool) {
                Admission::Admitted(_) => true,
                Admission::Unknown(why) | Admission::Refused(why) => !why.is_silence(),
            })
    }

    /// Adds an address to the gathering that [`Self::verdict`] gave; says on which terms, and as
    /// which member.
    pub(crate) fn tell(
        &mut self,
        gathering: usize,
        subject: &Subject<'a>,
    ) -> Option<(Arc<Terms>, usize)> {
        let gathering = self.gatherings.get_mut(gathering)?;
        gathering.told.push(Member::of(subject));
        Some((Arc::clone(&gathering.terms), gathering.told.len() - 1))
    }

    fn offer(
        &mut self,
        subject: &Subject<'a>,
        pool: &'a PoolName,
        rules: &Rules<'a>,
    ) -> Result<usize, Withheld> {
        let place = self.place(subject, pool)?;
        let family = IpFamily::of(subject.address);
        let gathering = place.gathering();
        let why = match (rules.deadness(subject.service, family), place) {
            (Some(why), _) => why,
            (None, Place::Remembered(_, why)) if subject.advertised.is_none() => why,
            (None, Place::Known(_) | Place::Remembered(..)) => return Ok(gathering),
        };
        self.pass_over(gathering, subject, pool);
        Err(why)
    }

    fn place(&mut self, subject: &Subject<'a>, pool: &'a PoolName) -> Result<Place, Withheld> {
        match self.terms(subject, pool) {
            Admission::Admitted(terms) => terms.map(Place::Known),
            Admission::Refused(why) => Err(why),
            Admission::Unknown(why) => match self.as_before(subject) {
                Some(terms) => terms.map(|gathering| Place::Remembered(gathering, why)),
                None => Err(why),
            },
        }
    }

    /// An address that is not told from here stands against aggregates if it is Local: what they
    /// would draw here for it would be lost.
    fn pass_over(&mut self, gathering: usize, subject: &Subject<'a>, pool: &PoolName) {
        let local = match subject.service.traffic_policy {
            ExternalTrafficPolicy::Local => true,
            ExternalTrafficPolicy::Cluster => false,
        };
        let gathering = self.gatherings.get_mut(gathering);
        let gathering = gathering.filter(|gathering| local && gathering.terms.aggregate());
        if let Some(gathering) = gathering {
            gathering.passed_over.push(Member::of(subject));
            let passed_over = Advertised {
                service: Arc::clone(&subject.service.holder),
                pool: pool.clone(),
                terms: Arc::clone(&gathering.terms),
                told: false,
            };
            self.passed_over.push((subject.address, passed_over));
        }
    }

    /// What the advertisements come to for an address of `pool`.
    fn terms(
        &mut self,
        subject: &Subject<'a>,
        pool: &'a PoolName,
    ) -> Admission<Result<usize, Withheld>> {
        let Some(config) = self.config else {
            return Admission::Unknown(Withheld::ConfigUnknown);
        };
        let labels = &subject.service.labels;
        let speaking = (self.pools.entry(pool)).or_insert_with(|| Speaking::new(config, pool));
        let combination = speaking.combination(labels);
        if combination.is_empty() {
            return speaking.silence(config, pool, labels);
        }
        let Some(here) = self.here else {
            return Admission::Unknown(Withheld::NodeUnknown);
        };
        let family = IpFamily::of(subject.address);
        let agreed = self.agreed.get(&family);
        if let Some(agreed) = agreed.and_then(|agreed| agreed.get(combination.as_ref())) {
            return Admission::Admitted(agreed.clone());
        }
        let (advertisements, combination) = (speaking.of(&combination), combination.into_owned());
        let agreed = self.agree(family, config, here, advertisements);
        let of_family = self.agreed.entry(family).or_default();
        of_family.insert(combination, agreed.clone());
        Admission::Admitted(agreed)
    }

    fn agree(
        &mut self,
        family: IpFamily,
        config: &SpeakerConfig,
        here: &Node,
        mut advertisements: Vec<&BgpAdvertisement>,
    ) -> Result<usize, Withheld> {
        advertisements.retain(|a| a.admits_node(&here.labels));
        if advertisements.is_empty() {
            return Err(Withheld::NodeNotSelected);
        }
        let terms = Terms::new(family, &advertisements, &self.peers);
        if terms.offers.is_empty() {
            return Err(nobody(config, here, &advertisements, family));
        }
        // The same attributes as before, for whoever compares them by pointer.
        let mut before = self.before.iter().copied();
        let before = before.find(|before| ***before == terms);
        let terms = before.map_or_else(|| Arc::new(terms), Arc::clone);
        Ok(self.gather(terms))
    }

    /// The terms on which an address was told, as far as they are not known to have ended.
    fn as_before(&mut self, subject: &Subject<'a>) -> Option<Result<usize, Withheld>> {
        let before = &subject.advertised.or(subject.passed_over)?.terms;
        let key = Arc::as_ptr(before);
        if let Some(kept) = self.kept.get(&key) {
            return Some(kept.clone());
        }
        let still_told = |name: &PeerName| match self.config {
            Some(config) => {
                let mut peers = config.bgp_peers.iter().filter(|peer| peer.name == *name);
                peers.any(|peer| speaks_to(peer, self.here) && peer.exchanges(before.family))
            }
            None => true,
        };
        let kept = match before.among(still_told) {
            Some(terms) => Ok(self.gather(terms)),
            None => Err(Withheld::NoPeer),
        };
        self.kept.insert(key, kept.clone());
        Some(kept)
    }

    fn gather(&mut self, terms: Arc<Terms>) -> usize {
        self.gatherings.push(Gathering::of(terms));
        self.gatherings.len() - 1
    }

    /// The addresses, by the terms on which they are told.
    pub(crate) fn gatherings(&self) -> &[Gathering<'a>] {
        &self.gatherings
    }

    /// The addresses that are not told but stand against aggregates.
    pub(crate) fn passed_over(self) -> impl Iterator<Item = (IpAddr, Advertised)> {
        self.passed_over.into_iter()
    }

    /// The peers that this node speaks to. What is not known ends no session and begins none.
    pub(crate) fn peers(&self) -> Vec<&'a PeerName> {
        if self.config.is_some() && self.here.is_some() {
            return self.peers.iter().map(|peer| &peer.name).collect();
        }
        let before = self.snapshot.bgp.keys();
        let remain = before.filter(|name| {
            self.config.is_none_or(|config| {
                let mut peers = config.bgp_peers.iter().filter(|peer| peer.name == **name);
                peers.any(|peer| speaks_to(peer, self.here))
            })
        });
        remain.collect()
    }

    /// What the advertisements disagree about that tell the same route.
    pub(crate) fn conflicts(&self, together: &BTreeSet<Vec<&str>>) -> BTreeSet<Conflict> {
        let Some(config) = self.config else {
            return BTreeSet::new();
        };
        let of_names = together.iter().flat_map(|names| {
            let speaking = config.bgp_advertisements.iter();
            let speaking = speaking.filter(|a| names.contains(&a.name.as_str()));
            conflicts(speaking.map(|a| (&a.name, a.attributes.as_ref())))
        });
        of_names.collect()
    }
}

/// The terms of the plan before, each once: they are few, and neighbours mostly share them.
fn before(snapshot: &Snapshot) -> Vec<&Arc<Terms>> {
    let advertised = snapshot.advertised.values();
    let mut before: Vec<&Arc<Terms>> = Vec::new();
    for Advertised { terms, .. } in advertised.chain(snapshot.passed_over.values()) {
        if !before.iter().rev().any(|known| Arc::ptr_eq(known, terms)) {
            before.push(terms);
        }
    }
    before
}

/// Whether a node speaks to a peer, as far as is known.
fn speaks_to(peer: &BgpPeer, node: Option<&Node>) -> bool {
    // No feature is known yet.
    peer.requires.is_empty() && node.is_none_or(|node| peer.admits_node(&node.labels))
}

/// Why no peer is told what these advertisements speak for.
fn nobody(
    config: &SpeakerConfig,
    here: &Node,
    advertisements: &[&BgpAdvertisement],
    family: IpFamily,
) -> Withheld {
    let peers = config.bgp_peers.iter().filter(|peer| {
        let named = advertisements.iter().any(|a| a.admits_peer(&peer.name));
        named && peer.admits_node(&here.labels) && peer.exchanges(family)
    });
    match peers.filter_map(|peer| peer.requires.iter().min()).min() {
        Some(feature) => Withheld::UnknownFeature {
            feature: feature.clone(),
        },
        None => Withheld::NoPeer,
    }
}
