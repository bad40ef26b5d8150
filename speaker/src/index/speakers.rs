//! Which nodes have a SpeakerStatus, and so a speaker; and what they say of their service proxies.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crds::{PROXY_HEALTHY, RESTARTING};
use k8s_openapi::jiff::Timestamp;
use model::NodeName;
use plan::{Fitness, Snapshot, Verdict};

use super::reading::Objects;
use crate::slim::SlimSpeakerStatus;

/// How long a node still counts as a candidate after its SpeakerStatus is gone. Its speaker makes
/// a new one at once, so that deleting them all moves no address. While there is none at all, as
/// when the CRD is gone, nothing is known of any of them, and the time does not run.
const GRACE: Duration = Duration::from_secs(5);

/// How long a node still counts as a candidate after its speaker was told to end, to be back: as long
/// as BGP routers wait by default. Whoever knows its addresses is served by its service proxy
/// meanwhile, and moving them would break connections.
pub(crate) const ABSENCE: Duration = Duration::from_secs(30);

/// The SpeakerStatus objects that are there, and the nodes that count only for a time, as they have
/// none or their speaker is away.
#[derive(Debug, Default)]
pub(super) struct Speakers {
    there: BTreeSet<NodeName>,
    until: BTreeMap<NodeName, Instant>,
}

impl Speakers {
    /// Whether the node has a SpeakerStatus at this moment.
    pub(super) fn has(&self, node: &NodeName) -> bool {
        self.there.contains(node)
    }

    /// When the next node ceases to count.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let first = self.until.values().min().copied();
        first.filter(|_| !self.there.is_empty())
    }

    /// Takes out the nodes whose time is over.
    pub(super) fn expire(&mut self, facts: &mut Snapshot, now: Instant) -> bool {
        if self.there.is_empty() {
            return false;
        }
        let before = facts.speakers.len();
        self.until.retain(|node, until| {
            let over = *until <= now;
            if over {
                facts.speakers.remove(node);
                facts.verdicts.remove(node);
            }
            !over
        });
        facts.speakers.len() != before
    }
}

/// The snapshot's speakers, at one moment.
pub(super) struct Statuses<'a> {
    pub(super) facts: &'a mut Snapshot,
    pub(super) speakers: &'a mut Speakers,
    pub(super) now: Instant,
}

impl Objects<SlimSpeakerStatus> for Statuses<'_> {
    fn count(&self) -> usize {
        self.speakers.there.len()
    }

    fn apply(&mut self, object: SlimSpeakerStatus) -> bool {
        let node = name(&object);
        if self.speakers.there.is_empty() {
            let all = self.speakers.until.values_mut();
            all.for_each(|until| *until = self.now + GRACE);
        }
        self.speakers.until.remove(&node);
        let mut changed = self.speakers.there.insert(node.clone());
        let Some(verdict) = verdict(&object) else {
            return changed;
        };
        match absence(&object) {
            Some(Duration::ZERO) => {
                self.facts.verdicts.remove(&node);
                return changed | self.facts.speakers.remove(&node);
            }
            Some(left) => drop(self.speakers.until.insert(node.clone(), self.now + left)),
            None => {}
        }
        changed |= self.facts.speakers.insert(node.clone());
        changed |= self.facts.verdicts.insert(node, verdict) != Some(verdict);
        changed
    }

    fn delete(&mut self, object: SlimSpeakerStatus) -> bool {
        self.leave(name(&object))
    }

    fn replace(&mut self, objects: Vec<SlimSpeakerStatus>) -> bool {
        let read: BTreeSet<NodeName> = objects.iter().map(name).collect();
        let gone: Vec<NodeName> = self.speakers.there.difference(&read).cloned().collect();
        let mut changed = false;
        for node in gone {
            changed |= self.leave(node);
        }
        for object in objects {
            changed |= self.apply(object);
        }
        changed
    }
}

impl Statuses<'_> {
    fn leave(&mut self, node: NodeName) -> bool {
        let was = self.speakers.there.remove(&node);
        if was {
            self.speakers.until.insert(node, self.now + GRACE);
        }
        was
    }
}

/// What a SpeakerStatus says of its node's service proxy. Nothing, as long as nothing is written in
/// it: its speaker has just made it, and says a moment later how the node is to be ranked.
fn verdict(object: &SlimSpeakerStatus) -> Option<Verdict> {
    let conditions = object.status.as_ref()?.conditions.as_ref();
    let mut conditions = conditions.into_iter().flatten();
    let said = conditions.find(|condition| condition.r#type == PROXY_HEALTHY);
    let fitness = said.and_then(|said| said.reason.as_deref());
    let fitness = fitness.map(Fitness::of_reason).unwrap_or_default();
    let since = match fitness {
        Fitness::Settling => said.and_then(|said| said.last_transition_time.as_ref()),
        Fitness::Unverified
        | Fitness::Unknown
        | Fitness::Healthy
        | Fitness::Late
        | Fitness::Dead => None,
    };
    let since = since.and_then(|since| since.parse::<Timestamp>().ok());
    Some(Verdict {
        fitness,
        since: since.map_or(0, Timestamp::as_second),
    })
}

/// How long its node still counts, if its speaker has been told to end and is not back. By the clock,
/// so that whoever reads it late waits no longer than the rest.
fn absence(object: &SlimSpeakerStatus) -> Option<Duration> {
    let conditions = object.status.as_ref()?.conditions.as_ref();
    let mut conditions = conditions.into_iter().flatten();
    let said = conditions.find(|one| one.r#type == RESTARTING && one.status == "True")?;
    let since = said.last_transition_time.as_ref()?;
    let since = since.parse::<Timestamp>().ok()?;
    let passed = Timestamp::now().duration_since(since);
    let passed = Duration::try_from(passed).unwrap_or_default();
    Some(ABSENCE.saturating_sub(passed))
}

/// A SpeakerStatus has the name of its node.
fn name(object: &SlimSpeakerStatus) -> NodeName {
    NodeName::new(object.metadata.name.as_deref().unwrap_or_default())
}
