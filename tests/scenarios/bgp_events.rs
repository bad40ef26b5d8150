//! What Kubernetes shows of sessions that come and go.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::peer::Program;
use lab::runner::Scenario;
use lab::{Lab, eventually};
use serde::Deserialize;

use crate::peering::{NODES, Over, Peering, SESSION, begin};

pub(crate) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new(
            "the BGPPeer has an Event for each session that comes or goes, by IPv4 and by IPv6",
            told,
        )
        .within(Duration::from_secs(240)),
    ]
}

/// An Event as `kubectl get events -o json` shows it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    reason: String,
    message: String,
    reporting_component: String,
    reporting_instance: String,
}

#[derive(Debug, Deserialize)]
struct Events {
    items: Vec<Event>,
}

fn told(lab: &mut Lab) -> Result<()> {
    for over in Over::BOTH {
        let peering = Peering {
            name: format!("{over:?}").to_lowercase(),
            ..Peering::over(over)
        };
        let name = &peering.name;
        let mut router = begin(lab, Program::Frr, &peering)?;
        let message = |node: &str| format!("node {node}: BGP session established");
        expect(lab, name, "Normal", "SessionEstablished", 1, message)?;
        // They are of this very object, so that it shows them itself.
        let described = lab.kubectl(&["describe", "bgppeer", name])?;
        for node in NODES {
            let shown = described.contains(&message(node));
            ensure!(shown, "it shows nothing of {node}: {described}");
        }

        router.kill()?;
        let ended = |node: &str| format!("node {node}: BGP session ended: ");
        expect(lab, name, "Warning", "SessionEnded", 1, ended)?;
        for node in NODES {
            same_words(lab, name, node)?;
        }

        router.start_again()?;
        peering.wait(lab, &*router)?;
        expect(lab, name, "Normal", "SessionEstablished", 2, message)?;
        let before = events(lab, name)?.len();
        let quiet = Duration::from_secs(5);
        eventually::throughout(quiet, "there is nothing more to tell", || {
            let now = events(lab, name)?.len();
            ensure!(now == before, "{now} Events, {before} before");
            Ok(())
        })?;
        peering.delete(lab)?;
    }
    Ok(())
}

/// What SpeakerStatus shows as the last error was told by an Event in the same words.
fn same_words(lab: &Lab, peer: &str, node: &str) -> Result<()> {
    eventually(SESSION, &format!("{node} shows what it has told"), || {
        let path = "jsonpath={.status.sessions[0].lastError}";
        let error = lab.kubectl(&["get", "speakerstatus", node, "-o", path])?;
        ensure!(!error.is_empty(), "it shows no error");
        let end = format!(": {error}");
        let events = events(lab, peer)?;
        let mut of_node = events
            .iter()
            .filter(|event| event.reporting_instance == node);
        let same = of_node.any(|event| event.message.ends_with(&end));
        ensure!(same, "it shows {error:?} and tells {events:#?}");
        Ok(())
    })
}

/// Wait until each node has told this of its session so many times at least.
fn expect(
    lab: &Lab,
    peer: &str,
    kind: &str,
    reason: &str,
    times: usize,
    message: impl Fn(&str) -> String,
) -> Result<()> {
    eventually(SESSION, &format!("{reason} of {peer}"), || {
        let events = events(lab, peer)?;
        for node in NODES {
            let told = events.iter().filter(|event| {
                let event_of = (event.kind.as_str(), event.reason.as_str());
                event_of == (kind, reason)
                    && event.message.starts_with(&message(node))
                    && event.reporting_instance == node
            });
            ensure!(told.count() >= times, "{node}: {events:#?}");
        }
        Ok(())
    })
}

/// All Events about a BGPPeer. None is of another speaker than the nodes'.
fn events(lab: &Lab, peer: &str) -> Result<Vec<Event>> {
    let about = format!("involvedObject.kind=BGPPeer,involvedObject.name={peer}");
    let said = lab.kubectl(&["get", "events", "--field-selector", &about, "-o", "json"])?;
    let events: Events = serde_json::from_str(&said).context("no list of Events")?;
    let by: BTreeSet<&str> = events
        .items
        .iter()
        .map(|event| event.reporting_component.as_str())
        .collect();
    let ours = by.iter().all(|by| *by == "seamark-speaker");
    ensure!(ours, "Events by {by:?}");
    Ok(events.items)
}
