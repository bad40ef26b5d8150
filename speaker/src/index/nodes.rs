//! The Nodes of the cluster.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::NodeName;
use plan::{Node, Snapshot};

use super::reading::Objects;
use crate::slim::SlimNode;

/// The label, with any value, that keeps load balancers away from a node.
const EXCLUDE: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// The snapshot's Nodes, and the uid of this one.
pub(super) struct Nodes<'a> {
    pub(super) facts: &'a mut Snapshot,
    pub(super) own_uid: &'a mut Option<String>,
}

impl Objects<SlimNode> for Nodes<'_> {
    fn count(&self) -> usize {
        self.facts.nodes.len()
    }

    fn apply(&mut self, object: SlimNode) -> bool {
        let name = name(&object);
        let own = name == self.facts.node;
        let mut changed = own && *self.own_uid != object.metadata.uid;
        if own {
            self.own_uid.clone_from(&object.metadata.uid);
        }
        let node = node(object);
        if self
            .facts
            .nodes
            .get(&name)
            .is_none_or(|known| **known != node)
        {
            self.facts.nodes.insert(name, Arc::new(node));
            changed = true;
        }
        changed
    }

    fn delete(&mut self, object: SlimNode) -> bool {
        self.facts.nodes.remove(&name(&object)).is_some()
    }

    fn replace(&mut self, objects: Vec<SlimNode>) -> bool {
        let read: BTreeSet<NodeName> = objects.iter().map(name).collect();
        let before = self.facts.nodes.len();
        self.facts.nodes.retain(|name, _| read.contains(name));
        let mut changed = self.facts.nodes.len() != before;
        for object in objects {
            changed |= self.apply(object);
        }
        changed
    }
}

fn node(object: SlimNode) -> Node {
    let conditions = object.status.conditions.unwrap_or_default();
    let holds = |word: &str| {
        let mut conditions = conditions.iter();
        conditions.any(|condition| condition.r#type == word && condition.status == "True")
    };
    let labels = object.metadata.labels.unwrap_or_default();
    Node {
        excluded: labels.contains_key(EXCLUDE),
        labels,
        ready: holds("Ready"),
        network_unavailable: holds("NetworkUnavailable"),
    }
}

fn name(object: &SlimNode) -> NodeName {
    NodeName::new(object.metadata.name.as_deref().unwrap_or_default())
}
