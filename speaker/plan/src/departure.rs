//! Whether this node is to be emptied, and what the end of its speaker means.

use std::fmt;

use crate::{Node, Snapshot, Withheld};

/// Why load balancers leave a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Departure {
    /// It carries the label that keeps load balancers away.
    Excluded,
    /// kubelet says that the node shuts down.
    ShuttingDown,
    /// Its Node object is being deleted, or was seen deleted.
    Deleted,
    /// Seamark is being taken off the cluster.
    Uninstalled,
    /// No pods are placed there any more. This alone means nothing while the speaker runs.
    Cordoned,
}

/// What it means that this node's speaker is told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It comes back in a moment, as after an upgrade.
    Restarting,
    /// Nobody serves here for some time.
    Leaving(Departure),
}

/// Why BGP peers are led away from this node, if they are. Only what was read counts: a node that
/// nothing is known of stays.
pub fn departure(snapshot: &Snapshot) -> Option<Departure> {
    snapshot.leaving.or_else(|| read(snapshot))
}

/// What it means that this node's speaker is told to end now. A speaker on a cordoned node is taken
/// to go with its node, which is about to be serviced.
pub fn ending(snapshot: &Snapshot) -> Ending {
    let cordoned = here(snapshot).is_some_and(|node| node.cordoned);
    let cordoned = cordoned.then_some(Departure::Cordoned);
    match departure(snapshot).or(cordoned) {
        Some(why) => Ending::Leaving(why),
        None => Ending::Restarting,
    }
}

fn read(snapshot: &Snapshot) -> Option<Departure> {
    let here = here(snapshot);
    let says = |fact: fn(&Node) -> bool| here.is_some_and(fact);
    let uninstalled = snapshot
        .config
        .as_ref()
        .is_some_and(|config| config.leaving);
    let facts = [
        (says(|node| node.excluded), Departure::Excluded),
        (says(|node| node.shutting_down), Departure::ShuttingDown),
        (
            snapshot.deleted || says(|node| node.deleting),
            Departure::Deleted,
        ),
        (uninstalled, Departure::Uninstalled),
    ];
    let mut true_ones = facts.into_iter().filter(|(holds, _)| *holds);
    true_ones.next().map(|(_, why)| why)
}

fn here(snapshot: &Snapshot) -> Option<&Node> {
    snapshot.nodes.get(&snapshot.node).map(AsRef::as_ref)
}

impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Excluded => {
                "the node is labelled node.kubernetes.io/exclude-from-external-load-balancers"
            }
            Self::ShuttingDown => "the node is shutting down",
            Self::Deleted => "the Node object is deleted",
            Self::Uninstalled => "Seamark is being removed from the cluster",
            Self::Cordoned => "the speaker was told to end on a cordoned node",
        })
    }
}

impl From<Departure> for Withheld {
    fn from(why: Departure) -> Self {
        match why {
            Departure::Excluded => Self::NodeExcluded,
            Departure::ShuttingDown
            | Departure::Deleted
            | Departure::Uninstalled
            | Departure::Cordoned => Self::NodeDrained { why },
        }
    }
}
