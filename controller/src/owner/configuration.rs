//! The configuration kinds, what they settle to, and what is said back about them.

mod kinds;
mod passwords;
mod statuses;

use std::collections::{BTreeMap, BTreeSet};

use crds::{Invalid, Last, Severity, SpeakerConfig, SpeakerConfigSpec, SpeakerConfigStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use model::{Config, Labels, PoolName};
use runtime::watch::WatchEvent;
use tracing::{debug, warn};

use super::{Owner, Timer};
use crate::account::Account;
use crate::effect::{ConfigKind, Effect, WriteFailure, Written};
use crate::service::newer;
use crate::status::condition;
use kinds::Kinds;
use passwords::Secrets;

/// How long a pool's counts may lag behind: a burst of 1,000 Services is a handful of writes.
const STATUS_DELAY: SignedDuration = SignedDuration::from_millis(500);

/// What was read of the configuration, and what it settles to.
#[derive(Debug)]
pub(super) struct Configuration {
    kinds: Kinds,
    secrets: Secrets,
    account: Option<Account>,
    written: Option<SpeakerConfig>,
    /// The version with which SpeakerConfig was last deleted: an answer to an earlier write is past.
    deleted: String,
    written_synced: bool,
    /// What was last asked of the API server, until it answers.
    asked: Option<Box<SpeakerConfigSpec>>,
    /// What it took without something that its kind does not know.
    pruned: Option<Box<SpeakerConfigSpec>>,
    settled: Config,
    problems: Vec<Invalid>,
    last_labels: BTreeMap<PoolName, Labels>,
    dirty: bool,
    status: StatusDue,
    writing: BTreeSet<String>,
    looking_up: BTreeSet<ConfigKind>,
    failures: u32,
}

/// Whether pools' counts must be compared with what their status shows.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum StatusDue {
    #[default]
    No,
    Changed,
    Waiting,
    Now,
}

impl Configuration {
    /// Nothing has been read. `namespace` is where Secrets with passwords are.
    pub(super) fn new(namespace: String) -> Self {
        Self {
            kinds: Kinds::default(),
            secrets: Secrets::of(namespace),
            account: None,
            written: None,
            deleted: String::new(),
            written_synced: false,
            asked: None,
            pruned: None,
            settled: Config::default(),
            problems: Vec::new(),
            last_labels: BTreeMap::new(),
            dirty: false,
            status: StatusDue::default(),
            writing: BTreeSet::new(),
            looking_up: BTreeSet::new(),
            failures: 0,
        }
    }

    pub(super) fn runs_as(&mut self, account: Option<Account>) {
        self.account = account;
    }

    /// Whether this installation is being taken off the cluster. An order that was meant for an
    /// earlier one is none; one that names nobody, or that nobody can tell, is.
    pub(super) fn is_leaving(&self) -> bool {
        let Some(written) = &self.written else {
            return false;
        };
        let meant = written.spec.leaving_installation.as_deref();
        let own = self.account.as_ref().map(Account::uid);
        written.spec.leaving && (meant.is_none() || own.is_none() || meant == own)
    }

    /// Whether everything was read that speakers are told of. Passwords are not waited for: who
    /// has none that is known, lacks it visibly.
    pub(super) fn is_synced(&self) -> bool {
        self.kinds.is_synced() && self.written_synced
    }

    pub(super) fn needs_namespaces(&self) -> bool {
        let selects = |pool: &model::Pool| !pool.service_allocation.namespace_selectors.is_empty();
        self.settled.pools.iter().any(selects)
    }

    pub(super) fn mark_dirty(&mut self) {
        self.dirty = true;
    }

    /// Whoever decides now asks and writes all of it itself.
    pub(super) fn stand_down(&mut self) {
        self.writing.clear();
        self.looking_up.clear();
        self.status = StatusDue::No;
    }

    pub(super) fn pool_status_due(&mut self) {
        self.status = StatusDue::Now;
    }

    /// Counts may have changed.
    pub(super) fn usage_changed(&mut self) {
        if self.status == StatusDue::No {
            self.status = StatusDue::Changed;
        }
    }

    /// An entry names this pool, or no longer does: if the pool is gone, what speakers are told
    /// of it depends on that.
    pub(super) fn pool_referenced(&mut self, pool: &PoolName) {
        if !self.settled.pools.iter().any(|known| known.name == *pool) {
            self.dirty = true;
        }
    }

    /// Takes a state of SpeakerConfig, from the watch or from the answer to a write of ours; an
    /// older one than is known changes nothing.
    fn take_written(&mut self, object: SpeakerConfig) {
        let version = |object: &SpeakerConfig| object.resource_version().unwrap_or_default();
        let stale = self.written.as_ref().is_some_and(|known| {
            known.uid() == object.uid() && !newer(&version(&object), &version(known))
        });
        let past = newer(&self.deleted, &version(&object));
        if !stale && !past {
            self.written = Some(object);
        }
    }

    /// Parses everything in force. What was edited into something that is refused stays as it was
    /// last settled, also over a restart: SpeakerConfig has it.
    fn parse(&mut self) {
        let parsed = crds::parse(&self.kinds.objects(), &self.last());
        for pool in &parsed.config.pools {
            self.last_labels
                .insert(pool.name.clone(), pool.labels.clone());
        }
        self.settled = parsed.config;
        self.problems = parsed.problems;
    }

    fn last(&self) -> Last {
        let written = self.written.as_ref();
        let running = written.and_then(|w| model::SpeakerConfig::try_from(&w.spec).ok());
        let running = running.unwrap_or_default();
        let settled = &self.settled;
        // The later one counts.
        let l2 = running.l2_advertisements.iter();
        let l2 = l2.chain(&settled.l2_advertisements);
        let bgp = running.bgp_advertisements.iter();
        let bgp = bgp.chain(&settled.bgp_advertisements);
        let peers = running.bgp_peers.iter().chain(&settled.bgp_peers);
        Last {
            l2_advertisements: l2.map(|a| (a.name.clone(), a.clone())).collect(),
            bgp_advertisements: bgp.map(|a| (a.name.clone(), a.clone())).collect(),
            bgp_peers: peers
                .map(|peer| (peer.name.clone(), peer.clone()))
                .collect(),
        }
    }

    fn degraded(&self, oversize: bool) -> Option<(&'static str, String)> {
        if oversize {
            let text = "the configuration is larger than 1 MiB and was not written; the last one \
                        stays in force; merge advertisements or shorten selectors";
            return Some(("TooLarge", text.to_owned()));
        }
        if let Some(unknown) = self.kinds.unknown() {
            return Some(unknown);
        }
        if self.pruned.is_some() {
            let text = "the kinds in the cluster are older than this controller, and what they lack \
                        is not in force; apply the definitions of its version, as an upgrade of the \
                        chart does";
            return Some(("KindsOutdated", text.to_owned()));
        }
        let mut serious = self
            .problems
            .iter()
            .filter(|p| p.severity() != Severity::Warning);
        let first = serious.next()?;
        let more = serious.count();
        let others = if more == 0 {
            String::new()
        } else {
            format!(" (and {more} more)")
        };
        Some(("InvalidObjects", format!("{first}{others}")))
    }
}

impl Owner {
    pub(super) fn on_speaker_config(&mut self, event: WatchEvent<SpeakerConfig>) {
        let ours = |object: &SpeakerConfig| object.name_any() == crds::SPEAKER_CONFIG_NAME;
        let configuration = &mut self.configuration;
        match event {
            WatchEvent::Restarted(list) => {
                configuration.written = list.into_iter().find(ours);
                configuration.written_synced = true;
            }
            WatchEvent::Applied(object) if ours(&object) => configuration.take_written(object),
            WatchEvent::Deleted(object) if ours(&object) => {
                warn!("SpeakerConfig was deleted; writing it again");
                configuration.written = None;
                configuration.deleted = object.resource_version().unwrap_or_default();
            }
            WatchEvent::Applied(_)
            | WatchEvent::Deleted(_)
            | WatchEvent::Resumed
            | WatchEvent::Failed(_) => return,
        }
        if let Some(written) = &configuration.written {
            for pool in &written.spec.pools {
                let name = PoolName::new(pool.name.clone());
                let labels = pool.labels.clone();
                configuration.last_labels.entry(name).or_insert(labels);
            }
        }
        configuration.dirty = true;
    }

    /// Settles what was read anew, and wakes the Services that a changed pool touches.
    pub(super) fn settle_configuration(&mut self, now: Timestamp) {
        if !self.configuration.dirty {
            self.schedule_pool_status(now);
            return;
        }
        self.look_up_if_doubtful();
        let before = std::mem::take(&mut self.configuration.settled.pools);
        self.configuration.parse();
        self.settle_passwords();
        let after = &self.configuration.settled.pools;
        if *after != before {
            self.allocator.set_pools(after);
            let changed = changed_pools(&before, after);
            for gone in before
                .iter()
                .filter(|b| !after.iter().any(|a| a.name == b.name))
            {
                self.metrics.forget_pool(gone.name.as_str());
            }
            self.wake_touched(&changed);
        }
        self.configuration.status = StatusDue::Now;
    }

    fn wake_touched(&mut self, changed: &BTreeSet<PoolName>) {
        let touched = self.services.iter().filter(|(uid, tracked)| {
            !tracked.standing.is_complete()
                || self
                    .allocator
                    .held_by(uid)
                    .any(|held| changed.contains(&held.pool))
        });
        self.dirty.extend(touched.map(|(uid, _)| uid.clone()));
    }

    /// Counts wait a little, so that a burst is one write a pool.
    fn schedule_pool_status(&mut self, now: Timestamp) {
        if self.configuration.status == StatusDue::Changed {
            self.configuration.status = StatusDue::Waiting;
            self.set_timer(now + STATUS_DELAY, Timer::PoolStatus);
        }
    }

    /// Writes SpeakerConfig, its status and the status of every object it comes from, each only
    /// if it is not so already.
    pub(super) fn settle_speaker_config(&mut self, now: Timestamp) {
        if self.configuration.status == StatusDue::Now {
            self.configuration.status = StatusDue::No;
            self.settle_pool_statuses(now);
            self.settle_condition_statuses(now);
        }
        if std::mem::take(&mut self.configuration.dirty) {
            self.write_speaker_config(now);
        }
        self.schedule_pool_status(now);
    }

    fn write_speaker_config(&mut self, now: Timestamp) {
        let object = format!("SpeakerConfig/{}", crds::SPEAKER_CONFIG_NAME);
        let configuration = &self.configuration;
        if configuration.writing.contains(&object) {
            return;
        }
        let spec = self.speaker_config_spec();
        let oversize = !crds::fits(&spec);
        let written = configuration.written.as_ref();
        let pruned = configuration.pruned.as_deref() == Some(&spec) && written.is_some();
        if !oversize && !pruned && written.is_none_or(|written| written.spec != spec) {
            let resource_version = written.and_then(|written| written.resource_version());
            self.configuration.writing.insert(object);
            let spec = Box::new(spec);
            self.configuration.asked = Some(spec.clone());
            self.want(Effect::WriteSpeakerConfig {
                spec,
                resource_version,
            });
            return;
        }
        let Some(written) = written else { return };
        let before = written
            .status
            .as_ref()
            .and_then(|s| find(&s.conditions, "Degraded"));
        let fine = (
            "Settled",
            "every object is in force as it stands".to_owned(),
        );
        let degraded = configuration.degraded(oversize);
        let (status, (reason, message)) = (degraded.is_some(), degraded.unwrap_or(fine));
        let generation = written.metadata.generation;
        let conditions = vec![condition(
            "Degraded", status, reason, &message, generation, before, now,
        )];
        let shown = written
            .status
            .as_ref()
            .map(|s| s.conditions.as_slice())
            .unwrap_or_default();
        if shown != conditions.as_slice() {
            self.configuration.writing.insert(object);
            let status = Box::new(SpeakerConfigStatus { conditions });
            self.want(Effect::WriteSpeakerConfigStatus(status));
        }
    }

    /// The configuration as it should be written, with a line for each vanished pool that an
    /// entry still names.
    fn speaker_config_spec(&self) -> SpeakerConfigSpec {
        let configuration = &self.configuration;
        // Also of an entry that vanished and is being written again.
        let referenced: BTreeMap<PoolName, Labels> = self
            .allocator
            .recorded_pools()
            .filter(|name| {
                !configuration
                    .settled
                    .pools
                    .iter()
                    .any(|pool| pool.name == **name)
            })
            .map(|name| {
                (
                    name.clone(),
                    configuration
                        .last_labels
                        .get(name)
                        .cloned()
                        .unwrap_or_default(),
                )
            })
            .collect();
        // Nothing is written while we leave: an order to leave that is there is not meant for us.
        let config = crds::speaker_config(&configuration.settled, &referenced);
        SpeakerConfigSpec::from(&config)
    }

    pub(super) fn on_configuration_written(
        &mut self,
        object: &str,
        result: Result<Written, WriteFailure>,
        now: Timestamp,
    ) {
        let configuration = &mut self.configuration;
        configuration.writing.remove(object);
        match result {
            Ok(written) => {
                configuration.failures = 0;
                debug!(object, "configuration written");
                // What changed while it was written is compared with it now.
                match written {
                    Written::SpeakerConfig(written) => {
                        // Asked again, it would be taken and pruned again.
                        if let Some(asked) = configuration.asked.take() {
                            configuration.pruned = (written.spec != *asked).then_some(asked);
                        }
                        configuration.take_written(*written);
                        configuration.dirty = true;
                    }
                    Written::SpeakerSecret(written) => {
                        configuration.secrets.put(*written);
                        configuration.dirty = true;
                    }
                    Written::Status => configuration.usage_changed(),
                }
            }
            // Gone meanwhile; its watch says so too.
            Err(WriteFailure::NotFound) if is_of_users(object) => {}
            Err(failure) => {
                self.configuration.failures = self.configuration.failures.saturating_add(1);
                warn!(object, error = %failure, "configuration not written yet; trying again");
                let at = now + super::backoff(self.configuration.failures);
                self.set_timer(at, Timer::Configuration);
            }
        }
    }
}

/// Whether users write the object, so that we only say something about it.
fn is_of_users(object: &str) -> bool {
    let kind = object.split('/').next().unwrap_or_default();
    ConfigKind::ALL.iter().any(|known| known.kind() == kind)
}

fn changed_pools(before: &[model::Pool], after: &[model::Pool]) -> BTreeSet<PoolName> {
    let differs = |pool: &&model::Pool, others: &[model::Pool]| !others.contains(pool);
    let lost = before.iter().filter(|pool| differs(pool, after));
    let gained = after.iter().filter(|pool| differs(pool, before));
    lost.chain(gained).map(|pool| pool.name.clone()).collect()
}

fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}
