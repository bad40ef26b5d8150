//! The Nodes of the cluster.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::NodeName;
use plan::{Node, Snapshot};

use super::reading::Objects;
use crate::slim::SlimNode;

/// The label, with any value, that keeps load balancers away from a node.
const EXCLUDE: &str = "node.kubernetes.io/exclude-from-external-load-balancers";

/// What kubelet says in the condition Ready, among other troubles perhaps, once systemd has asked it
/// to let its pods end. It has no word of its own: the reason is KubeletNotReady, as it mostly is.
const SHUTTING_DOWN: &str = "node is shutting down";

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
            changed |= std::mem::take(&mut self.facts.deleted);
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
        let name = name(&object);
        self.facts.deleted |= name == self.facts.node;
        self.facts.nodes.remove(&name).is_some()
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
    let shutting_down = conditions.iter().any(|condition| {
        let message = condition.message.as_deref().unwrap_or_default();
        let unready = condition.r#type == "Ready" && condition.status == "False";
        unready && message.contains(SHUTTING_DOWN)
    });
    let labels = object.metadata.labels.unwrap_or_default();
    Node {
        excluded: labels.contains_key(EXCLUDE),
        cordoned: object.spec.unschedulable == Some(true),
        shutting_down,
        deleting: object.metadata.deletion_timestamp.is_some(),
        labels,
        ready: holds("Ready"),
        network_unavailable: holds("NetworkUnavailable"),
    }
}

fn name(object: &SlimNode) -> NodeName {
    NodeName::new(object.metadata.name.as_deref().unwrap_or_default())
}
