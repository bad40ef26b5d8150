//! Events about the sessions of BGP peers, on the BGPPeer they belong to.
//!
//! ```text
//! BGP driver ──Changes (watch, latest)──▶ ┌────────┐ ──create──▶ API server
//! owner ───────Peers (watch, latest)────▶ └────────┘
//! ```
//!
//! A session waits for no Event. While the API server is away, or a peer flaps more than its share
//! allows, what is told next is how it stands by then. SpeakerStatus says the same at any time.

mod share;

use std::collections::BTreeMap;

use crds::BGPPeer;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use model::{NodeName, PeerName, Uid};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::warn;

use crate::bgp::{Change, Changes, Peers, SessionName};
use crate::due::due;
use crate::status::FIELD_MANAGER;
use share::Told;

/// What the API server takes as the note of an Event.
const NOTE: usize = 1024;

/// Tells the last change of each peer's session until there can be no more. The uid of its BGPPeer
/// comes from `peers`.
pub(crate) async fn tell(
    client: Client,
    node: NodeName,
    mut changes: watch::Receiver<Changes>,
    peers: watch::Receiver<Peers>,
) {
    let mut teller = Teller {
        client,
        node,
        told: BTreeMap::new(),
        failing: false,
    };
    loop {
        let latest = changes.borrow_and_update().clone();
        let wake = teller.tell(&latest, &peers).await;
        tokio::select! {
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = due(wake) => {}
        }
    }
}

struct Teller {
    client: Client,
    node: NodeName,
    told: BTreeMap<SessionName, Told>,
    failing: bool,
}

impl Teller {
    /// Tells what is news and may be told now; when the rest may be.
    async fn tell(&mut self, changes: &Changes, peers: &watch::Receiver<Peers>) -> Option<Instant> {
        self.told.retain(|name, _| changes.contains_key(name));
        let mut wake = None;
        for (name, change) in changes {
            // The session of a peer that is wanted no more is nobody's concern.
            let Some(uid) = uid(peers, &name.peer) else {
                continue;
            };
            let told = self.told.entry(name.clone()).or_default();
            let mut due = told.due(change, Instant::now());
            if due.is_some_and(|due| due <= Instant::now()) {
                match publish(&self.client, &self.node, name, uid, change).await {
                    Ok(()) => {
                        told.sent(change, Instant::now());
                        self.failing = false;
                    }
                    Err(error) => {
                        told.failed(Instant::now());
                        if !std::mem::replace(&mut self.failing, true) {
                            let error = runtime::log::chain(&error);
                            warn!(peer = %name, error, "failed to write an Event, trying again");
                        }
                    }
                }
                due = told.due(change, Instant::now());
            }
            wake = [wake, due].into_iter().flatten().min();
        }
        wake
    }
}

/// The uid of a peer's BGPPeer, if the peer is wanted; `Some(None)` if SpeakerConfig has none.
fn uid(peers: &watch::Receiver<Peers>, peer: &PeerName) -> Option<Option<Uid>> {
    let peers = peers.borrow();
    peers.get(peer).map(|desired| desired.settings.uid.clone())
}

async fn publish(
    client: &Client,
    node: &NodeName,
    session: &SessionName,
    uid: Option<Uid>,
    change: &Change,
) -> kube::Result<()> {
    let reporter = Reporter {
        controller: FIELD_MANAGER.to_owned(),
        instance: Some(node.to_string()),
    };
    // Cluster-scoped, so that its Events are in the namespace `default`.
    let regarding = ObjectReference {
        api_version: Some(BGPPeer::api_version(&()).into_owned()),
        kind: Some(BGPPeer::kind(&()).into_owned()),
        name: Some(session.peer.to_string()),
        uid: uid.map(|uid| uid.to_string()),
        ..ObjectReference::default()
    };
    // A recorder counts Events of one reason as one, in the words of the first: here each has its
    // own words, and a recorder of its own.
    let recorder = Recorder::new(client.clone(), reporter);
    recorder
        .publish(&event(node, session, change), &regarding)
        .await
}

fn event(node: &NodeName, session: &SessionName, change: &Change) -> Event {
    let phrase = change.phrase();
    let mut note = match session.neighbor {
        None => format!("node {node}: {phrase}"),
        Some(neighbor) => format!("node {node}, neighbor {neighbor}: {phrase}"),
    };
    let type_ = match change.trouble() {
        None => EventType::Normal,
        Some(_) => EventType::Warning,
    };
    if let Some(why) = change.trouble().or(change.occasion()) {
        note.push_str(": ");
        note.push_str(why);
    }
    note.truncate(note.floor_char_boundary(NOTE));
    Event {
        type_,
        reason: change.reason().to_owned(),
        note: Some(note),
        action: "Peer".to_owned(),
        secondary: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_names_the_node_and_says_what_the_log_says() {
        let node = NodeName::new("n1");
        let peer = SessionName::from(PeerName::new("tor-1"));
        let good = event(&node, &peer, &Change::Established);
        assert_eq!(good.type_, EventType::Normal);
        assert_eq!(
            good.note.as_deref(),
            Some("node n1: BGP session established")
        );
        let bad = event(&node, &peer, &Change::Ended("why; do this".to_owned()));
        assert_eq!(bad.type_, EventType::Warning);
        let said = (bad.reason.as_str(), bad.note.as_deref());
        let note = "node n1: BGP session ended: why; do this";
        assert_eq!(said, ("SessionEnded", Some(note)));
    }

    #[test]
    fn an_event_about_a_range_names_the_neighbour() {
        let neighbor = "fd99::1".parse().unwrap();
        let name = SessionName::of_neighbor(&PeerName::new("leafs"), neighbor);
        let event = event(&NodeName::new("n1"), &name, &Change::Established);
        let note = "node n1, neighbor fd99::1: BGP session established";
        assert_eq!(event.note.as_deref(), Some(note));
    }

    #[test]
    fn a_note_is_no_longer_than_the_api_server_takes() {
        let long = Change::Refused("é".repeat(NOTE));
        let peer = SessionName::from(PeerName::new("tor-1"));
        let note = event(&NodeName::new("n1"), &peer, &long).note.unwrap();
        assert!(note.len() <= NOTE && note.ends_with('é'), "{note}");
    }
}
