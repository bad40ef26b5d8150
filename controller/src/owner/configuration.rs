//! The configuration kinds, what they settle to, and what is said back about them.

mod statuses;

use std::collections::{BTreeMap, BTreeSet};

use crds::{
    IPAddressPool, Invalid, L2Advertisement, Severity, SpeakerConfig, SpeakerConfigSpec,
    SpeakerConfigStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use model::{AdvertisementName, Config, Labels, PoolName};
use runtime::watch::{WatchEvent, WatchFailure};
use tracing::{debug, warn};

use super::{Owner, Timer};
use crate::effect::{ConfigKind, Effect, WriteFailure};
use crate::kind::{SettledKind, Unknown};
use crate::service::newer;
use crate::status::condition;

/// How long a pool's counts may lag behind: a burst of 1,000 Services is a handful of writes.
const STATUS_DELAY: SignedDuration = SignedDuration::from_millis(500);

/// What was read of the configuration, and what it settles to.
#[derive(Debug, Default)]
pub(super) struct Configuration {
    pools: SettledKind<IPAddressPool>,
    advertisements: SettledKind<L2Advertisement>,
    written: Option<SpeakerConfig>,
    written_synced: bool,
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
    pub(super) fn is_synced(&self) -> bool {
        self.pools.is_synced() && self.advertisements.is_synced() && self.written_synced
    }

    pub(super) fn needs_namespaces(&self) -> bool {
        let selects = |pool: &model::Pool| !pool.service_allocation.namespace_selectors.is_empty();
        self.settled.pools.iter().any(selects)
    }

    pub(super) fn mark_dirty(&mut self) {
        self.dirty = true;
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
        if !stale {
            self.written = Some(object);
        }
    }

    /// Parses everything in force. An advertisement that was edited into something unreadable
    /// stays as it was last settled: a mistake in it must not withdraw what it speaks for.
    fn parse(&mut self) {
        let pools: Vec<&IPAddressPool> = self.pools.objects().collect();
        let advertisements: Vec<&L2Advertisement> = self.advertisements.objects().collect();
        let parsed = crds::parse(&pools, &advertisements);
        let mut config = parsed.config;
        let before = self.last_advertisements();
        for object in &advertisements {
            let name = AdvertisementName::new(object.name_any());
            let known = config.l2_advertisements.iter().any(|a| a.name == name);
            if let (false, Some(last)) = (known, before.get(&name)) {
                config.l2_advertisements.push(last.clone());
            }
        }
        config.l2_advertisements.sort_by(|a, b| a.name.cmp(&b.name));
        for pool in &config.pools {
            self.last_labels
                .insert(pool.name.clone(), pool.labels.clone());
        }
        self.settled = config;
        self.problems = parsed.problems;
    }

    fn last_advertisements(&self) -> BTreeMap<AdvertisementName, model::L2Advertisement> {
        let written = self.written.as_ref();
        let running = written.and_then(|w| model::SpeakerConfig::try_from(&w.spec).ok());
        let running = running
            .map(|config| config.l2_advertisements)
            .unwrap_or_default();
        let all = running
            .into_iter()
            .chain(self.settled.l2_advertisements.iter().cloned());
        all.map(|advertisement| (advertisement.name.clone(), advertisement))
            .collect()
    }

    fn degraded(&self, oversize: bool) -> Option<(&'static str, String)> {
        let unknown = [
            (ConfigKind::Pool, self.pools.unknown(), self.pools.len()),
            (
                ConfigKind::L2Advertisement,
                self.advertisements.unknown(),
                self.advertisements.len(),
            ),
        ];
        if oversize {
            let text = "the configuration is larger than 1 MiB and was not written; the last one \
                        stays in force; merge advertisements or shorten selectors";
            return Some(("TooLarge", text.to_owned()));
        }
        for (kind, unknown, count) in unknown {
            if let Some(unknown) = unknown {
                return Some((unknown.reason(), unknown.message(kind, count)));
            }
        }
        let mut rejected = self
            .problems
            .iter()
            .filter(|p| p.severity() == Severity::Rejected);
        let first = rejected.next()?;
        let more = rejected.count();
        let others = if more == 0 {
            String::new()
        } else {
            format!(" (and {more} more)")
        };
        Some(("InvalidObjects", format!("{first}{others}")))
    }
}

impl Unknown {
    fn reason(self) -> &'static str {
        match self {
            Self::Unreadable => "KindUnreadable",
            Self::DefinitionGone => "KindGone",
            Self::Lost => "KindLost",
        }
    }

    fn message(self, kind: ConfigKind, count: usize) -> String {
        let (kind, definition) = (kind.kind(), kind.definition());
        match self {
            Self::Unreadable => {
                format!("{kind} cannot be read; the {count} objects read last stay in force")
            }
            Self::DefinitionGone => format!(
                "the definition {definition} is missing or being deleted; the {count} objects read \
                 last stay in force; apply the definition and the objects again"
            ),
            Self::Lost => format!(
                "{kind} was lost for a while, and not all of it is back; its {count} objects stay in \
                 force; apply them again, or restart the controller to let them go"
            ),
        }
    }
}

impl Owner {
    pub(super) fn on_pool(&mut self, event: WatchEvent<IPAddressPool>) {
        if take(&mut self.configuration.pools, event, same_pool) {
            self.configuration.dirty = true;
        }
        self.look_up_if_doubtful();
    }

    pub(super) fn on_l2_advertisement(&mut self, event: WatchEvent<L2Advertisement>) {
        if take(
            &mut self.configuration.advertisements,
            event,
            same_advertisement,
        ) {
            self.configuration.dirty = true;
        }
        self.look_up_if_doubtful();
    }

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

    fn look_up_if_doubtful(&mut self) {
        for kind in [ConfigKind::Pool, ConfigKind::L2Advertisement] {
            let doubtful = match kind {
                ConfigKind::Pool => self.configuration.pools.is_doubtful(),
                ConfigKind::L2Advertisement => self.configuration.advertisements.is_doubtful(),
            };
            if doubtful && self.configuration.looking_up.insert(kind) {
                self.effects.push_back(Effect::LookUpKind(kind));
            }
        }
    }

    pub(super) fn on_kind_looked_up(
        &mut self,
        kind: ConfigKind,
        whole: Option<bool>,
        now: Timestamp,
    ) {
        let configuration = &mut self.configuration;
        configuration.looking_up.remove(&kind);
        let Some(whole) = whole else {
            self.set_timer(now + super::backoff(2), Timer::Configuration);
            return;
        };
        let gone = match kind {
            ConfigKind::Pool => configuration.pools.confirm(whole),
            ConfigKind::L2Advertisement => configuration.advertisements.confirm(whole),
        };
        if gone || !whole {
            configuration.dirty = true;
        }
        if !whole {
            warn!(
                kind = kind.kind(),
                "definition is missing or being deleted; what it held stays in force"
            );
        }
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
            self.settle_advertisement_statuses(now);
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
        if !oversize && written.is_none_or(|written| written.spec != spec) {
            let resource_version = written.and_then(|written| written.resource_version());
            self.configuration.writing.insert(object);
            let spec = Box::new(spec);
            self.effects.push_back(Effect::WriteSpeakerConfig {
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
            self.effects
                .push_back(Effect::WriteSpeakerConfigStatus(status));
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
        SpeakerConfigSpec::from(&crds::speaker_config(&configuration.settled, &referenced))
    }

    pub(super) fn on_configuration_written(
        &mut self,
        object: &str,
        result: Result<Option<Box<SpeakerConfig>>, WriteFailure>,
        now: Timestamp,
    ) {
        self.configuration.writing.remove(object);
        match result {
            Ok(written) => {
                self.configuration.failures = 0;
                debug!(object, "configuration written");
                // What changed while it was written is compared with it now.
                if let Some(written) = written {
                    self.configuration.take_written(*written);
                    self.configuration.dirty = true;
                } else {
                    self.configuration.usage_changed();
                }
            }
            // Gone meanwhile; its watch says so too.
            Err(WriteFailure::NotFound) if !object.starts_with("SpeakerConfig/") => {}
            Err(failure) => {
                self.configuration.failures = self.configuration.failures.saturating_add(1);
                warn!(object, error = %failure, "configuration not written yet; trying again");
                let at = now + super::backoff(self.configuration.failures);
                self.set_timer(at, Timer::Configuration);
            }
        }
    }
}

/// Feeds one event into a kind; returns whether what is in force may have changed.
fn take<K: ResourceExt>(
    kind: &mut SettledKind<K>,
    event: WatchEvent<K>,
    same: fn(&K, &K) -> bool,
) -> bool {
    match event {
        WatchEvent::Restarted(list) => {
            kind.restart(
                list.into_iter()
                    .map(|object| (object.name_any(), object))
                    .collect(),
            );
            true
        }
        WatchEvent::Applied(object) => {
            let name = object.name_any();
            let changed = kind.unknown().is_some()
                || !kind.object(&name).is_some_and(|known| same(known, &object));
            kind.apply(name, object);
            changed
        }
        WatchEvent::Deleted(object) => {
            kind.delete(&object.name_any());
            false
        }
        WatchEvent::Failed(failure) => {
            let before = kind.unknown();
            match failure {
                // Nothing can be read or said; that is not the kind's fault.
                WatchFailure::Unreachable | WatchFailure::Unauthorized => kind.silence(),
                WatchFailure::NotFound | WatchFailure::Forbidden | WatchFailure::Other => {
                    kind.fail();
                }
            }
            kind.unknown() != before
        }
        WatchEvent::Resumed => {
            let before = kind.unknown();
            kind.resume();
            kind.unknown() != before
        }
    }
}

/// Whether two states of a pool mean the same and show the same status.
fn same_pool(a: &IPAddressPool, b: &IPAddressPool) -> bool {
    a.spec == b.spec && a.labels() == b.labels() && a.status == b.status
}

fn same_advertisement(a: &L2Advertisement, b: &L2Advertisement) -> bool {
    a.spec == b.spec && a.status == b.status
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
