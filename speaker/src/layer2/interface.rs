//! One interface that the plan names, from its first VIP to its disappearance.

use std::error::Error;

use model::InterfaceName;
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::sleep;

use super::backoff::Backoff;
use super::directive::{Directive, Unusable};
use super::metrics::Metrics;
use super::port::{Port, PortError};
use super::report::{Report, Reporter};

/// Serves an interface by its name, whatever becomes of the interface; ends when no directive can
/// come any more. Without VIPs it has no sockets.
pub(super) async fn serve(
    name: InterfaceName,
    mut directives: watch::Receiver<Directive>,
    metrics: Metrics,
    reporter: Reporter,
) {
    let mut health = Health {
        interface: name.clone(),
        failure: None,
        reporter: reporter.clone(),
    };
    let mut backoff = Backoff::new();
    while directives.has_changed().is_ok() {
        let directive = directives.borrow_and_update().clone();
        let served = if directive.vips.is_empty() {
            Err(ServeError::NothingWanted)
        } else {
            match open(&name, &directive, &metrics, &reporter) {
                Ok(port) => {
                    health.ready();
                    port.serve(&mut directives).await.map_err(ServeError::Port)
                }
                Err(error) => Err(error),
            }
        };
        match served {
            // A directive has ended it, and the next says how to go on.
            Ok(()) => backoff.reset(),
            Err(error) => {
                health.failed(&error);
                error.wait(&mut directives, &mut backoff).await;
            }
        }
    }
    health.unused();
}

fn open(
    name: &InterfaceName,
    directive: &Directive,
    metrics: &Metrics,
    reporter: &Reporter,
) -> Result<Port, ServeError> {
    let attachment = directive.attachment().map_err(ServeError::Unusable)?;
    Port::open(name.clone(), attachment, metrics.clone(), reporter.clone())
        .map_err(ServeError::Port)
}

/// Why an interface is not served.
#[derive(Debug, Error)]
enum ServeError {
    #[error("no VIP is to be announced")]
    NothingWanted,
    #[error(transparent)]
    Unusable(Unusable),
    #[error(transparent)]
    Port(PortError),
}

impl ServeError {
    /// Waits until another try has a chance: for a change, and where none need come, some time.
    async fn wait(&self, directives: &mut watch::Receiver<Directive>, backoff: &mut Backoff) {
        match self {
            // That no more can come is seen by the caller.
            Self::NothingWanted | Self::Unusable(_) => drop(directives.changed().await),
            Self::Port(_) => tokio::select! {
                _ = directives.changed() => {}
                () = sleep(backoff.after_failure()) => {}
            },
        }
    }
}

/// Reports a failure once a streak, and its end.
struct Health {
    interface: InterfaceName,
    failure: Option<String>,
    reporter: Reporter,
}

impl Health {
    fn ready(&mut self) {
        self.failure = None;
        let interface = self.interface.clone();
        self.reporter.report(Report::InterfaceReady { interface });
    }

    /// What nobody wants cannot fail.
    fn unused(&mut self) {
        if self.failure.take().is_some() {
            let interface = self.interface.clone();
            self.reporter.report(Report::InterfaceUnused { interface });
        }
    }

    fn failed(&mut self, error: &ServeError) {
        match error {
            ServeError::NothingWanted => self.unused(),
            ServeError::Unusable(_) | ServeError::Port(_) => {
                let error = runtime::log::chain(error as &dyn Error);
                if self.failure.as_ref() != Some(&error) {
                    self.failure = Some(error.clone());
                    let interface = self.interface.clone();
                    self.reporter
                        .report(Report::InterfaceFailed { interface, error });
                }
            }
        }
    }
}
