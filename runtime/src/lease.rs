//! Of several replicas one leads: a Lease object of the API server says which.
//!
//! ```text
//!   watch (its name only) ─▶ ┌───────────┐ ─▶ create, replace (with the version it was decided on)
//!   answers ───────────────▶ │ Candidate │
//!   deadline ──────────────▶ └───────────┘ ─▶ Tenure (watch): until when we lead
//! ```
//!
//! `Candidate` decides, this is its driver. What only who leads may write goes through a client
//! that is [`fence`]d by the [`Tenure`]: a process that was stopped for a while finds that its time
//! has passed before it has heard of anything.

mod candidate;
mod fence;

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, OwnerReference};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::PostParams;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::watch::{Selection, WatchEvent, pump};

pub use fence::{NotLeading, fence};

use candidate::{Candidate, Input, Output, Seen, Terms, Write};

/// As most of Kubernetes has it: who dies is followed after this time at most.
const DURATION: Duration = Duration::from_secs(15);
const MARGIN: Duration = Duration::from_secs(3);
const RENEW: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_secs(1);

/// A write that takes longer is given up, so that another can be tried before the lease runs out.
const WRITE_LIMIT: Duration = Duration::from_secs(3);

/// Events of the watch under way.
const EVENTS: usize = 8;

/// Whether this replica leads.
#[derive(Debug, Clone)]
pub struct Tenure(watch::Receiver<Option<Instant>>);

impl Tenure {
    /// A tenure of who has no rivals.
    pub fn for_ever() -> Self {
        let far = Instant::now() + Duration::from_secs(100 * 365 * 24 * 3600);
        let (_, receiver) = watch::channel(Some(far));
        Self(receiver)
    }

    /// Whether something that only who leads may do may be begun now.
    pub fn leads(&self) -> bool {
        self.0.borrow().is_some_and(|until| Instant::now() < until)
    }

    /// Waits until this replica begins or ceases to lead, and says which. Pending for ever once
    /// nothing can change any more.
    pub async fn changed(&mut self, leads: bool) -> bool {
        let other = |until: &Option<Instant>| until.is_some() != leads;
        if self.0.wait_for(other).await.is_err() {
            std::future::pending::<()>().await;
        }
        !leads
    }
}

/// What a replica takes part in.
#[derive(Debug)]
pub struct Election {
    api: Api<Lease>,
    name: String,
    identity: String,
    place: Option<String>,
    owner: Option<OwnerReference>,
    tenure: watch::Sender<Option<Instant>>,
    resign: CancellationToken,
}

impl Election {
    /// Take part in the election for the Lease `name` in this namespace. `replica` is
    /// the name of our place among the replicas, in which one process lives at a time. `resign` is
    /// cancelled once nothing more will be done that only who leads may do: then the lease is given
    /// back.
    pub fn new(
        api: Api<Lease>,
        name: &str,
        replica: Option<&str>,
        resign: CancellationToken,
    ) -> (Self, Tenure) {
        let (tenure, receiver) = watch::channel(None);
        let place = replica.map(|replica| format!("{replica}_"));
        let election = Self {
            api,
            name: name.to_owned(),
            identity: format!("{}{}", place.clone().unwrap_or_else(host), chance()),
            place,
            owner: None,
            tenure,
            resign,
        };
        (election, Tenure(receiver))
    }

    /// The Lease goes when this object of its namespace does.
    #[must_use]
    pub fn owned_by(self, owner: Option<OwnerReference>) -> Self {
        Self { owner, ..self }
    }

    /// Runs until it has resigned.
    pub async fn run(self) {
        let (events, mut watched) = mpsc::channel(EVENTS);
        let selection = Selection {
            fields: Some(format!("metadata.name={}", self.name)),
            ..Selection::default()
        };
        let watch = pump(self.api.clone(), selection, events, |event| event);
        tokio::select! {
            () = watch => {}
            () = self.take_part(&mut watched) => {}
        }
    }

    async fn take_part(&self, watched: &mut mpsc::Receiver<WatchEvent<Lease>>) {
        let terms = Terms {
            identity: self.identity.clone(),
            place: self.place.clone(),
            duration: DURATION,
            margin: MARGIN,
            renew: RENEW,
            retry: RETRY,
        };
        let mut candidate = Candidate::new(terms, Instant::now().into_std());
        let mut acquired = Timestamp::now();
        let mut resigning = false;
        loop {
            while let Some(output) = candidate.poll() {
                match output {
                    Output::Leads(leads) => self.tell(leads),
                    Output::Write(write) => {
                        if write.acquires {
                            acquired = Timestamp::now();
                        }
                        let answer = self.write(&write, acquired).await;
                        candidate.handle(answer, Instant::now().into_std());
                    }
                }
                self.publish(&candidate);
            }
            if resigning {
                return;
            }
            let deadline = candidate.deadline().map(Instant::from_std);
            let input = tokio::select! {
                biased;
                () = self.resign.cancelled() => {
                    resigning = true;
                    Input::Resign
                }
                event = watched.recv() => match event {
                    Some(event) => match seen(event) {
                        Some(lease) => Input::Seen(lease),
                        None => continue,
                    },
                    None => return,
                },
                () = until(deadline) => Input::Timeout,
            };
            candidate.handle(input, Instant::now().into_std());
            self.publish(&candidate);
        }
    }

    fn tell(&self, leads: bool) {
        let identity = self.identity.as_str();
        if leads {
            tracing::info!(holder = identity, "leading");
        } else {
            tracing::info!(holder = identity, "no longer leading");
        }
    }

    fn publish(&self, candidate: &Candidate) {
        let until = candidate.held_until().map(Instant::from_std);
        self.tenure.send_if_modified(|known| {
            let changed = *known != until;
            *known = until;
            changed
        });
    }

    async fn write(&self, write: &Write, acquired: Timestamp) -> Input {
        let lease = self.lease(write, acquired);
        let params = PostParams::default();
        let sent = async {
            match &write.version {
                None => self.api.create(&params, &lease).await,
                Some(_) => self.api.replace(&self.name, &params, &lease).await,
            }
        };
        match timeout(WRITE_LIMIT, sent).await {
            Ok(Ok(lease)) => read(&lease).map_or(Input::Failed, Input::Written),
            Ok(Err(kube::Error::Api(status)))
                if status.is_conflict() || status.is_already_exists() =>
            {
                Input::Refused
            }
            Ok(Err(error)) => {
                let error = crate::log::chain(&error);
                tracing::debug!(error, "lease not written");
                Input::Failed
            }
            Err(_) => {
                tracing::debug!("lease not written in time");
                Input::Failed
            }
        }
    }

    /// The times are for people: nobody decides anything on them.
    fn lease(&self, write: &Write, acquired: Timestamp) -> Lease {
        let mut lease = Lease::default();
        lease.metadata.name = Some(self.name.clone());
        lease.metadata.resource_version.clone_from(&write.version);
        lease.metadata.owner_references = self.owner.clone().map(|owner| vec![owner]);
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(write.holder.clone().unwrap_or_default()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            lease_transitions: Some(write.transitions),
            renew_time: Some(MicroTime(Timestamp::now())),
            acquire_time: Some(MicroTime(acquired)),
            ..LeaseSpec::default()
        });
        lease
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// What a watch event says of the lease; nothing if it says nothing.
fn seen(event: WatchEvent<Lease>) -> Option<Option<Seen>> {
    match event {
        WatchEvent::Restarted(list) => Some(list.first().and_then(read)),
        WatchEvent::Applied(lease) => Some(read(&lease)),
        WatchEvent::Deleted(_) => Some(None),
        WatchEvent::Resumed | WatchEvent::Failed(_) => None,
    }
}

fn read(lease: &Lease) -> Option<Seen> {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = spec
        .lease_duration_seconds
        .and_then(|s| u64::try_from(s).ok());
    Some(Seen {
        version: lease.metadata.resource_version.clone()?,
        holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
        duration: seconds.map_or(DURATION, Duration::from_secs),
        transitions: spec.lease_transitions.unwrap_or_default(),
    })
}

/// Who says nothing of its place is told by its machine, on which there may be others.
fn host() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}_", host.trim())
}

/// Tells the processes of one place apart.
fn chance() -> String {
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}
