//! From the facts to what this node announces, and tells to whom.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use model::{Holder, InterfaceName, PeerName};

use crate::advertising::Advertising;
use crate::announcing::{Announcing, Grounds};
use crate::evidence::{Evidence, Subject};
use crate::routing::Routing;
use crate::{Advertised, Announced, Conflict, Departure, Route, Snapshot, Withheld, departure};

/// What this node announces on its segments and tells its BGP peers, and why not the rest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// For each interface that answers for anything, the addresses.
    pub l2: BTreeMap<InterfaceName, Arc<BTreeSet<IpAddr>>>,
    /// For each BGP peer that this node speaks to, the routes, sorted by prefix and each prefix
    /// once. Peers that are told the same share it, and what is as in the snapshot's `bgp` is the
    /// very same slice.
    pub bgp: BTreeMap<PeerName, Arc<[Route]>>,
    /// Why the peers are to be led away from here, if they are. The routes in `bgp` are as if they
    /// were not: a peer is told them once more before they go.
    pub drain: Option<Departure>,
    /// What this node has the right to on its segments, for the next snapshot's `announced`.
    pub announced: BTreeMap<IpAddr, Announced>,
    /// What this node has the right to tell its peers, for the next snapshot's `advertised`.
    pub advertised: BTreeMap<IpAddr, Advertised>,
    /// The addresses of Local Services that are not told from here but stand against aggregates,
    /// for the next snapshot's `passed_over`.
    pub passed_over: BTreeMap<IpAddr, Advertised>,
    /// Every address of a Service of ours that is not announced, or not in each way that is asked
    /// for, with the reasons.
    pub withheld: BTreeMap<IpAddr, WithheldAddress>,
    /// What advertisements disagree about that tell the same route.
    pub conflicts: BTreeSet<Conflict>,
}

/// An address that is not announced here, or not in each way that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithheldAddress {
    /// The Service whose address it is or wants to be.
    pub service: Arc<Holder>,
    /// Why it is not answered on a segment. Nothing where it is, and where BGP alone is asked for.
    pub layer2: Option<Withheld>,
    /// Why BGP peers are not told, or not all that they should be. Nothing where they are, and
    /// where layer 2 alone is asked for.
    pub bgp: Option<Withheld>,
}

impl WithheldAddress {
    /// Each reason once.
    pub fn reasons(&self) -> impl Iterator<Item = &Withheld> {
        let bgp = self.bgp.as_ref();
        let further = bgp.filter(|why| self.layer2.as_ref() != Some(why));
        self.layer2.iter().chain(further)
    }
}

/// Decides what this node announces.
///
/// It starts only what ledger and status agree on; on a segment, only where it ranks first of the
/// nodes known to be fit. It goes on with what it announces unless something was read that says
/// stop: the Service is gone; the ledger names other holders; this node is not admitted, is
/// excluded or (towards peers) leaves, or has no endpoint under `Local`; all speakers are ordered to
/// leave; no peer is left; or, on a segment and with all facts known, another node ranks first. What is missing or unreadable stops
/// nothing.
pub fn plan(snapshot: &Snapshot) -> Plan {
    let mut planner = Planner {
        announcing: Announcing::new(snapshot),
        advertising: Advertising::new(snapshot),
        announced: Vec::new(),
        told: Vec::new(),
        withheld: Vec::new(),
    };
    let subjects = Subject::all(snapshot);
    for of_address in subjects.chunk_by(|one, other| one.address == other.address) {
        planner.settle(of_address);
    }
    planner.finish(snapshot)
}

struct Planner<'a> {
    announcing: Announcing<'a>,
    advertising: Advertising<'a>,
    announced: Vec<(IpAddr, Announced)>,
    told: Vec<Told>,
    withheld: Vec<(IpAddr, WithheldAddress)>,
}

/// An address that peers are told of: as which member of which gathering.
struct Told {
    address: IpAddr,
    gathering: usize,
    member: usize,
    advertised: Advertised,
}

/// What is to be done with an address on segments and towards peers.
type Verdicts<'a> = (Result<Grounds<'a>, Withheld>, Result<usize, Withheld>);

impl<'a> Planner<'a> {
    /// One address and every Service that has to do with it: at most one of them announces it, in
    /// any way, and the first one's reasons stand for all.
    fn settle(&mut self, of_address: &[Subject<'a>]) {
        let mut withheld = None;
        for subject in of_address {
            let layer2 = self.announcing.verdict(subject);
            let bgp = self.advertising.verdict(subject, &self.announcing.rules);
            if layer2.is_ok() || bgp.is_ok() {
                return self.conclude(subject, (layer2, bgp));
            }
            withheld.get_or_insert((subject, (layer2, bgp)));
        }
        if let Some((subject, verdicts)) = withheld {
            self.conclude(subject, verdicts);
        }
    }

    fn conclude(&mut self, subject: &Subject<'a>, (layer2, bgp): Verdicts<'a>) {
        let (mut why_layer2, mut why_bgp) = self.asked_for(subject, &layer2, &bgp);
        if let Ok(grounds) = layer2 {
            why_layer2 = self.announce(subject, &grounds).err();
        }
        if let Ok(gathering) = bgp {
            why_bgp = None;
            self.tell(subject, gathering);
        }
        if why_layer2.is_some() || why_bgp.is_some() {
            let withheld = WithheldAddress {
                service: Arc::clone(&subject.service.holder),
                layer2: why_layer2,
                bgp: why_bgp,
            };
            self.withheld.push((subject.address, withheld));
        }
    }

    /// The reasons, without those for which nobody asks: what one kind of advertisement asks for
    /// is not wrong for want of the other kind.
    fn asked_for(
        &mut self,
        subject: &Subject<'a>,
        layer2: &Result<Grounds<'a>, Withheld>,
        bgp: &Result<usize, Withheld>,
    ) -> (Option<Withheld>, Option<Withheld>) {
        let mut why_layer2 = layer2.as_ref().err();
        let mut why_bgp = bgp.as_ref().err();
        let (no_layer2, no_bgp) = (silent(why_layer2), silent(why_bgp));
        let incomplete = match &subject.evidence {
            Evidence::Incomplete(_) => true,
            Evidence::Complete(_) | Evidence::Stop(_) => false,
        };
        // What goes on in one way was stopped in the other for want of evidence.
        if no_layer2 && !no_bgp || incomplete && bgp.is_ok() && !self.announcing.speaks_for(subject)
        {
            why_layer2 = None;
        }
        if no_bgp && !no_layer2
            || incomplete && layer2.is_ok() && !self.advertising.speaks_for(subject)
        {
            why_bgp = None;
        }
        (why_layer2.cloned(), why_bgp.cloned())
    }

    fn announce(&mut self, subject: &Subject<'a>, grounds: &Grounds<'a>) -> Result<(), Withheld> {
        let chosen = self.announcing.interfaces(subject, grounds);
        let (interfaces, done) = match chosen {
            Ok(interfaces) => (interfaces, Ok(())),
            Err(why) => (Arc::default(), Err(why)),
        };
        let announced = Announced {
            service: Arc::clone(&subject.service.holder),
            pool: grounds.pool.clone(),
            interfaces,
        };
        self.announced.push((subject.address, announced));
        done
    }

    fn tell(&mut self, subject: &Subject<'a>, gathering: usize) {
        let (Some((terms, member)), Some(pool)) =
            (self.advertising.tell(gathering, subject), subject.pool())
        else {
            return;
        };
        self.told.push(Told {
            address: subject.address,
            gathering,
            member,
            advertised: Advertised {
                service: Arc::clone(&subject.service.holder),
                pool: pool.clone(),
                terms,
                told: false,
            },
        });
    }

    fn finish(self, snapshot: &Snapshot) -> Plan {
        let mut l2: BTreeMap<&InterfaceName, Vec<IpAddr>> = BTreeMap::new();
        for (address, announced) in &self.announced {
            for interface in announced.interfaces.iter() {
                l2.entry(interface).or_default().push(*address);
            }
        }
        let set = |addresses: Vec<IpAddr>| Arc::new(addresses.into_iter().collect());
        let peers = self.advertising.peers();
        let routing = Routing::new(&peers, self.advertising.gatherings(), &snapshot.bgp);
        let drain = departure(snapshot);
        let advertised = self.told.into_iter().map(|told| {
            let reached = routing.reaches(told.gathering, told.member);
            let advertised = Advertised {
                told: reached && drain.is_none(),
                ..told.advertised
            };
            (told.address, advertised)
        });
        let advertised: BTreeMap<_, _> = advertised.collect();
        let mut withheld: BTreeMap<_, _> = self.withheld.into_iter().collect();
        add(&mut withheld, routing.withheld, &advertised);
        if let Some(why) = drain {
            let drained = advertised.keys().map(|address| (*address, why.into()));
            add(&mut withheld, drained.collect(), &advertised);
        }
        Plan {
            l2: (l2.into_iter())
                .map(|(interface, addresses)| (interface.clone(), set(addresses)))
                .collect(),
            conflicts: self.advertising.conflicts(&routing.together),
            bgp: routing.bgp,
            drain,
            announced: self.announced.into_iter().collect(),
            advertised,
            passed_over: self.advertising.passed_over().collect(),
            withheld,
        }
    }
}

/// Whether the reason is that no advertisement is known to speak.
fn silent(why: Option<&Withheld>) -> bool {
    why.is_some_and(Withheld::is_silence)
}

/// Adds why routes to some addresses are not told.
fn add(
    withheld: &mut BTreeMap<IpAddr, WithheldAddress>,
    untold: BTreeMap<IpAddr, Withheld>,
    advertised: &BTreeMap<IpAddr, Advertised>,
) {
    for (address, why) in untold {
        if let Some(advertised) = advertised.get(&address) {
            let entry = withheld.entry(address).or_insert_with(|| WithheldAddress {
                service: Arc::clone(&advertised.service),
                layer2: None,
                bgp: None,
            });
            entry.bgp = Some(why);
        }
    }
}
