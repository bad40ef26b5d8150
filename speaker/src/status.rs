//! The writer of this node's SpeakerStatus.
//!
//! ```text
//!            ┌──────────── gone ◀───────────────┐
//!            ▼                                  │
//!   absent ──create──▶ (seen by the watch) ──▶ there ──differs? trouble at once, else ≤ 1 / 30 s──▶ apply
//! ```
//!
//! The object makes this node a candidate for every other one, so it is made only when the speaker
//! can serve, and made again at once when somebody deletes it.

mod schedule;

use bfd::State;
use crds::{
    BfdState, MAX_SESSIONS, PROXY_HEALTHY, RESTARTING, SpeakerBfd, SpeakerSession, SpeakerStatus,
    SpeakerStatusSpec, SpeakerStatusStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, OwnerReference, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Resource};
use model::NodeName;
use plan::Fitness;
use runtime::admin::Gate;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::bgp::{Guarded, Sessions};
use crate::due::due;
use crate::index::ABSENCE;
use crate::standing::Standing;
use schedule::{Schedule, Step};

/// Type of the condition that says what is amiss.
const DEGRADED: &str = "Degraded";

/// The field manager of everything that a speaker writes.
pub(crate) const FIELD_MANAGER: &str = "seamark-speaker";

/// Writes for as long as there is somebody to say what. `candidate` opens once the object is there,
/// which makes this node a candidate. `told` becomes true once it stands there that this speaker
/// restarts.
pub(crate) async fn write(
    api: Api<SpeakerStatus>,
    node: NodeName,
    mut standings: watch::Receiver<Option<Standing>>,
    candidate: Gate,
    told: watch::Sender<bool>,
) {
    let mut writer = Writer {
        api,
        node,
        conditions: Vec::new(),
        failing: false,
    };
    let mut schedule = Schedule::default();
    loop {
        let standing = standings.borrow_and_update().clone();
        let step = match &standing {
            Some(standing) => schedule.step(standing, Instant::now()),
            None => Step::Wait(None),
        };
        if standing.as_ref().is_some_and(|standing| standing.exists) {
            candidate.open();
        }
        match (step, standing) {
            (Step::Create, Some(standing)) => {
                let done = writer.create(&standing).await;
                writer.succeeded(done);
                schedule.created(Instant::now());
            }
            (Step::Apply, Some(standing)) => {
                let done = writer.apply(&standing).await;
                if writer.succeeded(done) {
                    told.send_replace(standing.restarting);
                    schedule.applied(standing, Instant::now());
                } else {
                    schedule.failed(Instant::now());
                }
            }
            (Step::Wait(until), _) => {
                tokio::select! {
                    changed = standings.changed() => {
                        if changed.is_err() {
                            return;
                        }
                    }
                    () = due(until) => {}
                }
            }
            (Step::Create | Step::Apply, None) => {}
        }
    }
}

struct Writer {
    api: Api<SpeakerStatus>,
    node: NodeName,
    /// As last made, for the times at which they changed.
    conditions: Vec<Condition>,
    failing: bool,
}

impl Writer {
    /// Creates the object, owned by the Node so that it goes with it. That it is there already,
    /// which the watch has not shown yet, is as good.
    async fn create(&self, standing: &Standing) -> kube::Result<()> {
        let Some(uid) = &standing.node_uid else {
            return Ok(());
        };
        let name = self.node.as_str();
        let mut object = SpeakerStatus::new(name, SpeakerStatusSpec {});
        object.metadata.owner_references = Some(vec![OwnerReference {
            api_version: "v1".to_owned(),
            kind: "Node".to_owned(),
            name: name.to_owned(),
            uid: uid.clone(),
            ..OwnerReference::default()
        }]);
        let parameters = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        match self.api.create(&parameters, &object).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn apply(&mut self, standing: &Standing) -> kube::Result<()> {
        let before = |named: &str| {
            let mut conditions = self.conditions.iter();
            conditions.find(|condition| condition.type_ == named)
        };
        let degraded = degraded(standing, before(DEGRADED));
        let healthy = proxy_healthy(standing.fitness, before(PROXY_HEALTHY));
        let restarting = standing.restarting.then(|| restarting(before(RESTARTING)));
        self.conditions = vec![degraded, healthy];
        self.conditions.extend(restarting);
        let name = self.node.as_str();
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let object = json!({
            "apiVersion": SpeakerStatus::api_version(&()),
            "kind": SpeakerStatus::kind(&()),
            "status": status(standing, self.conditions.clone()),
        });
        self.api
            .patch_status(name, &parameters, &Patch::Apply(object))
            .await
            .map(drop)
    }

    /// Whether it worked; says so once for each streak.
    fn succeeded(&mut self, done: kube::Result<()>) -> bool {
        match done {
            Ok(()) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!(node = %self.node, "SpeakerStatus written again");
                }
                true
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    // What the API server says of it, without the object that says it.
                    let error = if let kube::Error::Api(status) = &error {
                        status.message.clone()
                    } else {
                        runtime::log::chain(&error)
                    };
                    tracing::warn!(
                        node = %self.node,
                        error,
                        "failed to write SpeakerStatus, trying again"
                    );
                }
                false
            }
        }
    }
}

fn status(standing: &Standing, conditions: Vec<Condition>) -> SpeakerStatusStatus {
    SpeakerStatusStatus {
        config_generation: standing.config_generation,
        interfaces: standing.interfaces.clone(),
        announced_ipv4: standing.announced_v4,
        announced_ipv6: standing.announced_v6,
        withheld: standing.withheld.clone(),
        sessions: sessions(&standing.sessions),
        conditions,
    }
}

fn sessions(sessions: &Sessions) -> Vec<SpeakerSession> {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let sessions = sessions.iter().take(MAX_SESSIONS);
    let sessions = sessions.map(|(name, session)| SpeakerSession {
        peer: name.peer.as_str().to_owned(),
        neighbor: session
            .neighbor
            .map(|address| address.to_string())
            .unwrap_or_default(),
        state: session.state,
        since: Time(session.since),
        last_error: session.last_error.clone(),
        bfd: session.bfd.as_ref().map(bfd),
        advertised_ipv4: count(session.advertised.v4),
        advertised_ipv6: count(session.advertised.v6),
    });
    sessions.collect()
}

/// Whether the path of a session is watched.
fn bfd(guarded: &Guarded) -> SpeakerBfd {
    SpeakerBfd {
        state: match guarded.state {
            State::Up => BfdState::Up,
            State::Init => BfdState::Init,
            State::Down => BfdState::Down,
            State::AdminDown => BfdState::AdminDown,
        },
        since: Time(guarded.since),
        detection_time: guarded.detection_time.map(|time| format!("{time:?}")),
    }
}

/// What is amiss, with what to do about it.
fn degraded(standing: &Standing, before: Option<&Condition>) -> Condition {
    let (status, reason, message) = if !standing.troubles.is_empty() {
        ("True", "Layer2Failing", standing.troubles.join("; "))
    } else if standing.config_generation.is_none() {
        let message = "no SpeakerConfig has been read; see that the controller runs";
        ("True", "ConfigUnknown", message.to_owned())
    } else if !standing.conflicts.is_empty() {
        (
            "True",
            "AdvertisementsConflict",
            standing.conflicts.join("; "),
        )
    } else {
        ("False", "AsExpected", String::new())
    };
    condition(DEGRADED, status, reason, message, before)
}

/// What is thought of the service proxy. Others rank this node by the reason, and while the proxy
/// comes up by the time.
fn proxy_healthy(fitness: Fitness, before: Option<&Condition>) -> Condition {
    let status = match fitness {
        Fitness::Healthy | Fitness::Settling => "True",
        Fitness::Late | Fitness::Dead => "False",
        Fitness::Unverified | Fitness::Unknown => "Unknown",
    };
    let message = fitness.to_string();
    condition(PROXY_HEALTHY, status, fitness.reason(), message, before)
}

/// That the speaker is away, for others to wait a while.
fn restarting(before: Option<&Condition>) -> Condition {
    let message = format!(
        "the speaker was told to end; what it answers for on segments moves after {ABSENCE:?} unless it \
         is back"
    );
    condition(RESTARTING, "True", "ToldToEnd", message, before)
}

/// A condition that says since when its status holds.
fn condition(
    named: &str,
    status: &str,
    reason: &str,
    message: String,
    before: Option<&Condition>,
) -> Condition {
    let unchanged = before.filter(|before| before.status == status);
    Condition {
        type_: named.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        last_transition_time: unchanged.map_or_else(
            || Time(Timestamp::now()),
            |before| before.last_transition_time.clone(),
        ),
        observed_generation: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_says_since_when_its_status_holds() {
        let mut standing = Standing {
            config_generation: Some(1),
            ..Standing::default()
        };
        let fine = degraded(&standing, None);
        assert_eq!(
            (fine.status.as_str(), fine.reason.as_str()),
            ("False", "AsExpected")
        );
        let earlier = Condition {
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
            ..fine
        };
        assert_eq!(degraded(&standing, Some(&earlier)), earlier);

        standing.troubles = vec!["eth0: gone".to_owned(), "eth1: gone".to_owned()];
        let troubled = degraded(&standing, Some(&earlier));
        assert_eq!(
            (troubled.status.as_str(), troubled.reason.as_str()),
            ("True", "Layer2Failing")
        );
        assert_eq!(troubled.message, "eth0: gone; eth1: gone");
        assert_ne!(troubled.last_transition_time, earlier.last_transition_time);

        let before = Condition {
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
            ..troubled
        };
        standing.troubles.pop();
        let fewer = degraded(&standing, Some(&before));
        assert_eq!(fewer.last_transition_time, before.last_transition_time);
    }

    #[test]
    fn the_reason_of_a_healthy_proxy_changes_without_its_time() {
        let settling = proxy_healthy(Fitness::Settling, None);
        let earlier = Condition {
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
            ..settling
        };
        let healthy = proxy_healthy(Fitness::Healthy, Some(&earlier));
        let said = (healthy.status.as_str(), healthy.reason.as_str());
        assert_eq!(said, ("True", "Healthy"));
        assert_eq!(healthy.last_transition_time, earlier.last_transition_time);
        let dead = proxy_healthy(Fitness::Dead, Some(&earlier));
        assert_eq!(
            (dead.status.as_str(), dead.reason.as_str()),
            ("False", "Dead")
        );
        assert_ne!(dead.last_transition_time, earlier.last_transition_time);
    }

    #[test]
    fn without_a_configuration_the_node_says_what_to_do() {
        let condition = degraded(&Standing::default(), None);
        assert_eq!(condition.reason, "ConfigUnknown");
        assert!(
            condition.message.contains("controller"),
            "{}",
            condition.message
        );
    }

    #[test]
    fn advertisements_that_disagree_are_named_after_what_is_worse() {
        let mut standing = Standing {
            config_generation: Some(1),
            conflicts: vec!["a and b".to_owned(), "and 2 more".to_owned()],
            ..Standing::default()
        };
        let condition = degraded(&standing, None);
        let said = (condition.reason.as_str(), condition.message.as_str());
        assert_eq!(said, ("AdvertisementsConflict", "a and b; and 2 more"));
        standing.troubles = vec!["eth0: gone".to_owned()];
        assert_eq!(degraded(&standing, None).reason, "Layer2Failing");
    }

    #[test]
    fn counts_and_lists_are_always_written_so_that_old_ones_go() {
        let empty = serde_json::to_value(status(&Standing::default(), Vec::new())).unwrap();
        for field in [
            "announcedIPv4",
            "announcedIPv6",
            "interfaces",
            "withheld",
            "conditions",
        ] {
            assert!(
                empty.get(field).is_some(),
                "{field} is missing from {empty}"
            );
        }
    }
}
