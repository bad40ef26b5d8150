//! Follows the interfaces of this node, for as long as the driver runs.

use std::convert::Infallible;
use std::sync::Arc;

use sys::netlink::{Interface, Monitor};
use tokio::sync::watch;
use tokio::time::sleep;

use super::backoff::Backoff;
use super::report::{Report, Reporter};

/// Publishes every change. When netlink fails it begins anew, and what was seen last stands
/// meanwhile: interfaces that cannot be listed are not gone.
pub(super) async fn follow(interfaces: watch::Sender<Arc<[Interface]>>, reporter: Reporter) {
    let mut backoff = Backoff::new();
    let mut failing = false;
    loop {
        let mut publish = |seen: Vec<Interface>| {
            if failing {
                reporter.report(Report::MonitorReady);
                failing = false;
            }
            backoff.reset();
            interfaces.send_replace(seen.into());
        };
        let Err(error) = follow_once(&mut publish).await;
        let error = runtime::log::chain(&*error);
        if !failing {
            reporter.report(Report::MonitorFailed { error });
            failing = true;
        }
        sleep(backoff.after_failure()).await;
    }
}

async fn follow_once(
    publish: &mut impl FnMut(Vec<Interface>),
) -> Result<Infallible, Box<dyn std::error::Error>> {
    let mut monitor = Monitor::open()?;
    loop {
        publish(monitor.changed().await?);
    }
}
