//! One watch of one kind, for ever: what the API server holds, as events into one channel.
//!
//! ```text
//!            ┌──────── 410 Gone, or the kind was missing ◀──────────────┐
//!            ▼                                                          │
//!   list, page by page ──Restarted──▶ watch ──Applied, Deleted──▶ ... ──┤
//!        ▲       │                      ▲  │                            │
//!        └─Failed┘                      │  └── ends in order after 45 s ┤
//!                                       └──────── Failed … Resumed ◀────┘
//! ```
//!
//! kube has a `watcher` of its own. It does not tell when a broken watch has healed, asks again
//! without a pause when a watch ends at once, never lists again when a watch is refused with 410,
//! and warns at every attempt; hence this one.

mod backoff;
mod failure;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use kube::api::{ListParams, WatchParams};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tracing::Instrument;

pub use failure::WatchFailure;

use backoff::Backoff;
use failure::Access;

/// Objects in one page of a list.
const PAGE: u32 = 500;

/// How long the API server keeps one watch open. A watch that it has forgotten is noticed after
/// this time even where nothing else notices; jitter keeps a fleet from asking in step.
const WATCH_SECONDS: std::ops::Range<u64> = 40..50;

/// How much longer we wait for the end of a watch than we asked the API server to keep it.
const WATCH_GRACE: Duration = Duration::from_secs(5);

/// A watch that ends sooner than this without an event has not worked, even if it ended in order;
/// one that lasts this long has. The API server accepts a watch before it looks whether it still
/// has the version.
const SHORT_LIVED: Duration = Duration::from_secs(1);

/// What a watch tells.
///
/// The first event is `Restarted` or `Failed`. After `Failed`, nothing but another `Failed` comes
/// before `Restarted` or `Resumed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchEvent<K> {
    /// The complete list: what is not in it does not exist.
    Restarted(Vec<K>),
    /// The watch goes on where it broke: nothing was missed, what was told before holds.
    Resumed,
    /// An object was created or changed.
    Applied(K),
    /// An object was deleted.
    Deleted(K),
    /// The kind cannot be read now, and what was told before may be out of date. Told once for
    /// each reason, not at each attempt. It never means that anything was deleted.
    Failed(WatchFailure),
}

/// Which objects of a kind are watched. The default is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// A field selector, as in `spec.type=LoadBalancer`.
    pub fields: Option<String>,
    /// A label selector, as in `!service.kubernetes.io/headless`.
    pub labels: Option<String>,
}

/// Watch until nobody receives any more, sending each event through `map` into `to`.
///
/// `Api<PartialObjectMeta<K>>` watches metadata only. When the channel is full the watch waits, and
/// the API server with it: no event is dropped. It logs once when it fails, once for each change of
/// reason, and once when it has recovered.
pub async fn pump<K, T>(
    api: Api<K>,
    selection: Selection,
    to: mpsc::Sender<T>,
    map: impl FnMut(WatchEvent<K>) -> T,
) where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let resource = match K::group(&()).as_ref() {
        "" => K::plural(&()).into_owned(),
        group => format!("{}.{group}", K::plural(&())),
    };
    // Of the highest level, so that a warning names its kind even where only warnings are logged.
    let span = tracing::error_span!("watch", kind = resource);
    let pump = Pump {
        api,
        selection,
        to,
        map,
        resource,
        backoff: Backoff::default(),
        expired: Backoff::default(),
        logged: None,
        told: None,
    };
    pump.run().instrument(span).await;
}

struct Pump<K, T, F> {
    api: Api<K>,
    selection: Selection,
    to: mpsc::Sender<T>,
    map: F,
    /// `plural.group`, as an RBAC message and `kubectl` name it.
    resource: String,
    backoff: Backoff,
    /// Versions that expired in a row have pauses of their own: the API server answers, so that it
    /// does not matter how long the pauses of an outage had become.
    expired: Backoff,
    /// The failure that the log speaks of, until the watch works again.
    logged: Option<WatchFailure>,
    /// The failure that the receiver was told of, until it was told of a recovery.
    told: Option<WatchFailure>,
}

/// Why a list or a watch did not go on.
enum Stop {
    /// Nobody receives any more.
    Closed,
    /// The version is too old: list again.
    Expired,
    Failed {
        failure: WatchFailure,
        error: String,
        /// The version from which the watch may go on; none if it must list again.
        resume: Option<String>,
    },
}

impl<K, T, F> Pump<K, T, F>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
    F: FnMut(WatchEvent<K>) -> T,
{
    async fn run(mut self) {
        let mut version = None;
        loop {
            let outcome = match version.take() {
                None => self.list().await,
                Some(version) => self.watch(version).await,
            };
            version = match outcome {
                Ok(version) => Some(version),
                Err(Stop::Closed) => return,
                Err(Stop::Expired) => {
                    tracing::debug!("version expired, listing again");
                    let delay = self.expired.next_delay();
                    if self.pause(delay).await.is_err() {
                        return;
                    }
                    None
                }
                Err(Stop::Failed {
                    failure,
                    error,
                    resume,
                }) => {
                    let delay = self.backoff.next_delay();
                    if self.report(failure, &error).await.is_err()
                        || self.pause(delay).await.is_err()
                    {
                        return;
                    }
                    resume
                }
            };
        }
    }

    /// Read the complete list; returns its version.
    async fn list(&mut self) -> Result<String, Stop> {
        let mut parameters = ListParams {
            field_selector: self.selection.fields.clone(),
            label_selector: self.selection.labels.clone(),
            limit: Some(PAGE),
            ..ListParams::default()
        };
        let mut objects = Vec::new();
        loop {
            let page = match self.api.list(&parameters).await {
                Ok(page) => page,
                Err(error) => return Err(self.stop("list", &error, None)),
            };
            objects.extend(page.items);
            parameters.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if parameters.continue_token.is_some() {
                continue;
            }
            let Some(version) = page
                .metadata
                .resource_version
                .filter(|version| !version.is_empty())
            else {
                return Err(Stop::Failed {
                    failure: WatchFailure::Other,
                    error: format!("the list of {} has no version", self.resource),
                    resume: None,
                });
            };
            self.told = None;
            self.send(WatchEvent::Restarted(objects)).await?;
            return Ok(version);
        }
    }

    /// Watch from `version` until the API server ends it; returns the version to go on from.
    async fn watch(&mut self, mut version: String) -> Result<String, Stop> {
        let limit = backoff::between(WATCH_SECONDS);
        let parameters = WatchParams {
            field_selector: self.selection.fields.clone(),
            label_selector: self.selection.labels.clone(),
            timeout: u32::try_from(limit).ok(),
            bookmarks: true,
            send_initial_events: false,
        };
        let started = Instant::now();
        let stream = match self.api.watch(&parameters, &version).await {
            Ok(stream) => stream,
            Err(error) => return Err(self.stop("watch", &error, Some(version))),
        };
        let mut stream = pin!(stream);
        let deadline = started + Duration::from_secs(limit) + WATCH_GRACE;
        let proof = Instant::now() + SHORT_LIVED;
        let mut works = false;
        loop {
            let next = tokio::select! {
                next = timeout_at(deadline, stream.next()) => next.ok().flatten(),
                () = sleep_until(proof), if !works => {
                    works = true;
                    self.works().await?;
                    continue;
                }
                () = self.to.closed() => return Err(Stop::Closed),
            };
            let event = match next {
                None => break,
                Some(Ok(event)) => event,
                Some(Err(error)) => return Err(self.stop("watch", &error, Some(version))),
            };
            let event = match event {
                kube::core::WatchEvent::Added(object)
                | kube::core::WatchEvent::Modified(object) => {
                    version = object.resource_version().unwrap_or(version);
                    WatchEvent::Applied(object)
                }
                kube::core::WatchEvent::Deleted(object) => {
                    version = object.resource_version().unwrap_or(version);
                    WatchEvent::Deleted(object)
                }
                kube::core::WatchEvent::Bookmark(bookmark) => {
                    version = bookmark.metadata.resource_version;
                    continue;
                }
                kube::core::WatchEvent::Error(status) => {
                    let error = kube::Error::Api(status);
                    return Err(self.stop("watch", &error, Some(version)));
                }
            };
            works = true;
            self.works().await?;
            self.send(event).await?;
        }
        if !works {
            let delay = self.backoff.next_delay();
            self.pause(delay).await?;
        }
        Ok(version)
    }

    /// What an error means for the loop.
    fn stop(&mut self, verb: &'static str, error: &kube::Error, resume: Option<String>) -> Stop {
        let Some(failure) = WatchFailure::of(error) else {
            return Stop::Expired;
        };
        let access = Access {
            verb,
            resource: &self.resource,
        };
        let resume = if failure.lists_again() { None } else { resume };
        Stop::Failed {
            failure,
            error: failure::sentence(failure, &access, error),
            resume,
        }
    }

    async fn report(&mut self, failure: WatchFailure, error: &str) -> Result<(), Stop> {
        if self.logged.replace(failure) == Some(failure) {
            tracing::debug!(reason = failure.reason(), error, "watch failed again");
        } else {
            tracing::warn!(
                reason = failure.reason(),
                error,
                "watch failed, trying again"
            );
        }
        if self.told.replace(failure) != Some(failure) {
            self.send(WatchEvent::Failed(failure)).await?;
        }
        Ok(())
    }

    /// The watch has told something, or has lasted: it goes on where it broke.
    async fn works(&mut self) -> Result<(), Stop> {
        self.backoff.reset();
        self.expired.reset();
        if self.logged.take().is_some() {
            tracing::info!("watch recovered");
        }
        if self.told.take().is_some() {
            self.send(WatchEvent::Resumed).await?;
        }
        Ok(())
    }

    async fn pause(&self, delay: Duration) -> Result<(), Stop> {
        tokio::select! {
            () = sleep(delay) => Ok(()),
            () = self.to.closed() => Err(Stop::Closed),
        }
    }

    async fn send(&mut self, event: WatchEvent<K>) -> Result<(), Stop> {
        let event = (self.map)(event);
        self.to.send(event).await.map_err(|_| Stop::Closed)
    }
}
