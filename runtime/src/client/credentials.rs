//! Who we say we are, kept fresh.
//!
//! kube reads a token file again once a minute and everything else never. A token that was revoked
//! or a kubeconfig that was renewed is noticed here by its first 401: then all is read again, the
//! kubeconfig and the file that it names too, and an exec plugin is run again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use hyper::body::Incoming;
use kube::Config;
use kube::client::middleware::AuthLayer;
use kube::client::{Body, ConfigExt};
use tokio::time::Instant;
use tower::{BoxError, Layer, ServiceExt};

use super::source::Source;
use super::transport::Inner;
use crate::log;

/// How old a token that comes from a file may get. Kubelets renew theirs long before they expire.
const TOKEN_AGE: Duration = Duration::from_secs(30);

/// The least time between two readings, however many requests were refused meanwhile.
const SETTLE: Duration = Duration::from_secs(1);

pub(super) struct Credentials {
    source: Source,
    from_file: bool,
    refused: AtomicBool,
    current: Mutex<Current>,
}

struct Current {
    layer: Option<AuthLayer>,
    read: Instant,
    /// The last reading failed, and the log knows.
    failed: bool,
}

impl Credentials {
    pub(super) fn new(source: Source, config: &Config) -> Result<Self, kube::Error> {
        let current = Current {
            layer: config.auth_layer()?,
            read: Instant::now(),
            failed: false,
        };
        Ok(Self {
            source,
            from_file: config.auth_info.token_file.is_some(),
            refused: AtomicBool::new(false),
            current: Mutex::new(current),
        })
    }

    /// Send a request with our credentials.
    pub(super) fn send(
        &self,
        inner: Inner,
        request: Request<Body>,
    ) -> BoxFuture<'static, Result<Response<Incoming>, BoxError>> {
        match &self.current().layer {
            Some(layer) => layer.layer(inner).oneshot(request).boxed(),
            None => inner.oneshot(request).boxed(),
        }
    }

    /// The API server has refused them: they are read again before the next request.
    pub(super) fn refuse(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    /// Read them again if they are old or were refused. If that fails the old ones stay in use.
    pub(super) async fn refresh(&self) {
        let age = self.current().read.elapsed();
        let old = self.from_file && age >= TOKEN_AGE;
        let refused = self.refused.load(Ordering::Relaxed) && age >= SETTLE;
        if !old && !refused {
            return;
        }
        self.refused.store(false, Ordering::Relaxed);
        self.current().read = Instant::now();
        let layer = match self.source.load().await {
            Ok(config) => config.auth_layer().map_err(|error| log::chain(&error)),
            Err(error) => Err(log::chain(&error)),
        };
        let mut current = self.current();
        match layer {
            Ok(layer) => {
                current.layer = layer;
                current.failed = false;
            }
            Err(error) if !std::mem::replace(&mut current.failed, true) => {
                tracing::warn!(
                    error,
                    "cannot read the credentials again, keeping the old ones"
                );
            }
            Err(error) => tracing::debug!(error, "cannot read the credentials again"),
        }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        // Nothing that can panic happens under the lock.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
