//! Which addresses this node answers for on its segments.

use std::rc::Rc;
use std::sync::Arc;

use model::{InterfaceName, IpFamily, NodeName, PoolName};

use crate::eligibility::{Field, Rules};
use crate::evidence::{Evidence, Subject};
use crate::interfaces::Interfaces;
use crate::speaking::Admission;
use crate::{Snapshot, Withheld};

/// The layer 2 advertisements of a snapshot, applied to its nodes and to this one's interfaces.
pub(crate) struct Announcing<'a> {
    pub(crate) rules: Rules<'a>,
    interfaces: Interfaces<'a>,
    here: &'a str,
}

/// By what an address is announced.
pub(crate) struct Grounds<'a> {
    pub(crate) pool: &'a PoolName,
    /// `None` where the advertisements are unknown and it only goes on.
    field: Option<Rc<Field<'a>>>,
}

impl<'a> Announcing<'a> {
    pub(crate) fn new(snapshot: &'a Snapshot) -> Self {
        Self {
            rules: Rules::new(snapshot),
            interfaces: Interfaces::new(&snapshot.interfaces),
            here: snapshot.node.as_str(),
        }
    }

    /// On what grounds an address is announced, or why not.
    pub(crate) fn verdict(&mut self, subject: &Subject<'a>) -> Result<Grounds<'a>, Withheld> {
        match &subject.evidence {
            Evidence::Stop(why) => Err(why.clone()),
            Evidence::Complete(pool) => self.elect(subject, pool),
            Evidence::Incomplete(why) => match (subject.announced, subject.pool()) {
                (Some(_), Some(pool)) => self.keep(subject, pool),
                (Some(_), None) | (None, _) => Err(why.clone()),
            },
        }
    }

    /// Whether an advertisement is known to speak for an address.
    pub(crate) fn speaks_for(&mut self, subject: &Subject<'a>) -> bool {
        let Some(pool) = subject.pool() else {
            return false;
        };
        match self.admission(subject, pool) {
            Admission::Admitted(_) => true,
            Admission::Unknown(why) | Admission::Refused(why) => !why.is_silence(),
        }
    }

    /// The interfaces on which an address is answered.
    pub(crate) fn interfaces(
        &mut self,
        subject: &Subject<'a>,
        grounds: &Grounds<'a>,
    ) -> Result<Arc<[InterfaceName]>, Withheld> {
        match &grounds.field {
            Some(field) => self.interfaces.choose(subject.address, &field.wanted),
            None => {
                let wanted = self.interfaces.unasked();
                self.interfaces.choose(subject.address, &wanted)
            }
        }
    }

    /// Ledger and status agree: the best candidate announces.
    fn elect(
        &mut self,
        subject: &Subject<'a>,
        pool: &'a PoolName,
    ) -> Result<Grounds<'a>, Withheld> {
        let field = match self.admission(subject, pool) {
            Admission::Admitted(field) => field,
            Admission::Refused(why) => return Err(why),
            Admission::Unknown(why) => return self.go_on(subject, pool, why),
        };
        let owner = field.owner(subject.address, subject.service);
        if owner == Some(self.here) {
            let field = Some(field);
            return Ok(Grounds { pool, field });
        }
        let family = IpFamily::of(subject.address);
        let ineligibility = (self.rules).ineligibility(Some(&field), subject.service, family);
        match (ineligibility, owner) {
            (Some(why), _) => Err(why),
            (None, Some(owner)) => Err(Withheld::OtherNode {
                owner: NodeName::new(owner),
            }),
            (None, None) => self.go_on(subject, pool, self.rules.uncertainty()),
        }
    }

    /// Part of the evidence is missing: whoever announces goes on, whatever its rank, unless it
    /// was read that it is not eligible.
    fn keep(&mut self, subject: &Subject<'a>, pool: &'a PoolName) -> Result<Grounds<'a>, Withheld> {
        let field = match self.admission(subject, pool) {
            Admission::Admitted(field) => Some(field),
            Admission::Refused(why) => return Err(why),
            Admission::Unknown(_) => None,
        };
        let family = IpFamily::of(subject.address);
        match (self.rules).ineligibility(field.as_deref(), subject.service, family) {
            Some(why) => Err(why),
            None => Ok(Grounds { pool, field }),
        }
    }

    /// Who should announce is unknown: as before.
    fn go_on(
        &mut self,
        subject: &Subject<'a>,
        pool: &'a PoolName,
        unknown: Withheld,
    ) -> Result<Grounds<'a>, Withheld> {
        match subject.announced {
            Some(_) => self.keep(subject, pool),
            None => Err(unknown),
        }
    }

    fn admission(&mut self, subject: &Subject<'a>, pool: &'a PoolName) -> Admission<Rc<Field<'a>>> {
        (self.rules).admission(pool, subject.service, &self.interfaces)
    }
}
