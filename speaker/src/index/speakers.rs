//! Which nodes have a SpeakerStatus, and so a speaker.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use model::NodeName;
use plan::Snapshot;

use super::reading::Objects;
use crate::slim::SlimSpeakerStatus;

/// How long a node still counts as a candidate after its SpeakerStatus is gone. Its speaker makes
/// a new one at once, so that deleting them all moves no address. While there is none at all, as
/// when the CRD is gone, nothing is known of any of them, and the time does not run.
const GRACE: Duration = Duration::from_secs(5);

/// The SpeakerStatus objects that are there, and the nodes that still count without.
#[derive(Debug, Default)]
pub(super) struct Speakers {
    there: BTreeSet<NodeName>,
    leaving: BTreeMap<NodeName, Instant>,
}

impl Speakers {
    /// Whether the node has a SpeakerStatus at this moment.
    pub(super) fn has(&self, node: &NodeName) -> bool {
        self.there.contains(node)
    }

    /// When the next node ceases to count.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let leaving = self.leaving.values().min().copied();
        leaving.filter(|_| !self.there.is_empty())
    }

    /// Takes out the nodes whose time is over.
    pub(super) fn expire(&mut self, facts: &mut Snapshot, now: Instant) -> bool {
        if self.there.is_empty() {
            return false;
        }
        let before = facts.speakers.len();
        self.leaving.retain(|node, until| {
            let over = *until <= now;
            if over {
                facts.speakers.remove(node);
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
            let leaving = self.speakers.leaving.values_mut();
            leaving.for_each(|until| *until = self.now + GRACE);
        }
        self.speakers.leaving.remove(&node);
        self.facts.speakers.insert(node.clone());
        self.speakers.there.insert(node)
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
            self.speakers.leaving.insert(node, self.now + GRACE);
        }
        was
    }
}

/// A SpeakerStatus has the name of its node.
fn name(object: &SlimSpeakerStatus) -> NodeName {
    NodeName::new(object.metadata.name.as_deref().unwrap_or_default())
}
