//! From the facts to what this node announces.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use model::{Holder, InterfaceName, IpFamily, PoolName};

use crate::eligibility::{Admission, Field, Rules};
use crate::evidence::{Evidence, Subject};
use crate::interfaces::Interfaces;
use crate::{Announced, Snapshot, Withheld};

/// What this node announces, and why not the rest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// For each interface that answers for anything, the addresses.
    pub l2: BTreeMap<InterfaceName, Arc<BTreeSet<IpAddr>>>,
    /// What this node has the right to, for the next snapshot's `announced`.
    pub announced: BTreeMap<IpAddr, Announced>,
    /// Every other address of a Service of ours, and those of `announced` that no interface can
    /// answer for, each with the reason.
    pub withheld: BTreeMap<IpAddr, WithheldAddress>,
}

/// An address that is not announced here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithheldAddress {
    /// The Service whose address it is or wants to be.
    pub service: Arc<Holder>,
    /// Why not.
    pub why: Withheld,
}

/// Decides what this node announces.
///
/// It starts only what ledger and status agree on, where it ranks first of the nodes known to be
/// fit. It goes on with what it announces unless something was read that says stop: the Service
/// is gone; the ledger names other holders; this node is not admitted, is excluded, or has no
/// endpoint under `Local`; or, with all facts known, another node ranks first. What is missing or
/// unreadable stops nothing.
pub fn plan(snapshot: &Snapshot) -> Plan {
    let mut planner = Planner {
        interfaces: Interfaces::new(&snapshot.interfaces),
        rules: Rules::new(snapshot),
        here: snapshot.node.as_str(),
        announced: Vec::new(),
        withheld: Vec::new(),
    };
    let subjects = Subject::all(snapshot);
    for of_address in subjects.chunk_by(|one, other| one.address == other.address) {
        planner.settle(of_address);
    }
    planner.finish()
}

struct Planner<'a> {
    interfaces: Interfaces<'a>,
    rules: Rules<'a>,
    here: &'a str,
    announced: Vec<(IpAddr, Announced)>,
    withheld: Vec<(IpAddr, WithheldAddress)>,
}

enum Verdict<'a> {
    Announce(Grounds<'a>),
    Withhold(Withheld),
}

/// By what an address is announced.
struct Grounds<'a> {
    pool: &'a PoolName,
    /// `None` where the advertisements are unknown and it only goes on.
    field: Option<Rc<Field<'a>>>,
}

impl<'a> Planner<'a> {
    /// One address and every Service that has to do with it: at most one of them announces it,
    /// and the first one's reason stands for all.
    fn settle(&mut self, of_address: &[Subject<'a>]) {
        let mut withheld = None;
        for subject in of_address {
            match self.verdict(subject) {
                Verdict::Announce(grounds) => return self.announce(subject, &grounds),
                Verdict::Withhold(why) => {
                    withheld.get_or_insert((subject, why));
                }
            }
        }
        if let Some((subject, why)) = withheld {
            self.withhold(subject, why);
        }
    }

    fn verdict(&mut self, subject: &Subject<'a>) -> Verdict<'a> {
        match subject.evidence() {
            Evidence::Stop(why) => Verdict::Withhold(why),
            Evidence::Complete(pool) => self.elect(subject, pool),
            Evidence::Incomplete(why) => match (subject.announced, subject.pool()) {
                (Some(_), Some(pool)) => self.keep(subject, pool),
                (Some(_), None) | (None, _) => Verdict::Withhold(why),
            },
        }
    }

    /// Ledger and status agree: the best candidate announces.
    fn elect(&mut self, subject: &Subject<'a>, pool: &'a PoolName) -> Verdict<'a> {
        let field = match self
            .rules
            .admission(pool, subject.service, &self.interfaces)
        {
            Admission::Admitted(field) => field,
            Admission::Refused(why) => return Verdict::Withhold(why),
            Admission::Unknown(why) => return self.go_on(subject, pool, why),
        };
        let owner = field.owner(subject.address, subject.service);
        if owner == Some(self.here) {
            let field = Some(field);
            return Verdict::Announce(Grounds { pool, field });
        }
        let family = IpFamily::of(subject.address);
        let ineligibility = (self.rules).ineligibility(Some(&field), subject.service, family);
        match (ineligibility, owner) {
            (Some(why), _) => Verdict::Withhold(why),
            (None, Some(owner)) => Verdict::Withhold(Withheld::OtherNode {
                owner: model::NodeName::new(owner),
            }),
            (None, None) => self.go_on(subject, pool, self.rules.uncertainty()),
        }
    }

    /// Part of the evidence is missing: whoever announces goes on, whatever its rank, unless it
    /// was read that it is not eligible.
    fn keep(&mut self, subject: &Subject<'a>, pool: &'a PoolName) -> Verdict<'a> {
        let field = match self
            .rules
            .admission(pool, subject.service, &self.interfaces)
        {
            Admission::Admitted(field) => Some(field),
            Admission::Refused(why) => return Verdict::Withhold(why),
            Admission::Unknown(_) => None,
        };
        let family = IpFamily::of(subject.address);
        match (self.rules).ineligibility(field.as_deref(), subject.service, family) {
            Some(why) => Verdict::Withhold(why),
            None => Verdict::Announce(Grounds { pool, field }),
        }
    }

    /// Who should announce is unknown: as before.
    fn go_on(
        &mut self,
        subject: &Subject<'a>,
        pool: &'a PoolName,
        unknown: Withheld,
    ) -> Verdict<'a> {
        match subject.announced {
            Some(_) => self.keep(subject, pool),
            None => Verdict::Withhold(unknown),
        }
    }

    fn announce(&mut self, subject: &Subject<'a>, grounds: &Grounds<'a>) {
        let chosen = match &grounds.field {
            Some(field) => self.interfaces.choose(subject.address, &field.wanted),
            None => {
                let wanted = self.interfaces.unasked();
                self.interfaces.choose(subject.address, &wanted)
            }
        };
        let interfaces = chosen.unwrap_or_else(|why| {
            self.withhold(subject, why);
            Arc::default()
        });
        let announced = Announced {
            service: Arc::clone(&subject.service.holder),
            pool: grounds.pool.clone(),
            interfaces,
        };
        self.announced.push((subject.address, announced));
    }

    fn withhold(&mut self, subject: &Subject<'_>, why: Withheld) {
        let service = Arc::clone(&subject.service.holder);
        let withheld = WithheldAddress { service, why };
        self.withheld.push((subject.address, withheld));
    }

    fn finish(self) -> Plan {
        let mut l2: BTreeMap<&InterfaceName, Vec<IpAddr>> = BTreeMap::new();
        for (address, announced) in &self.announced {
            for interface in announced.interfaces.iter() {
                l2.entry(interface).or_default().push(*address);
            }
        }
        let set = |addresses: Vec<IpAddr>| Arc::new(addresses.into_iter().collect());
        Plan {
            l2: (l2.into_iter())
                .map(|(interface, addresses)| (interface.clone(), set(addresses)))
                .collect(),
            announced: self.announced.into_iter().collect(),
            withheld: self.withheld.into_iter().collect(),
        }
    }
}
