//! Network namespaces: entering one by a thread, never by the whole process.

use std::fs::File;
use std::path::Path;
use std::thread;

use anyhow::{Context, Result, anyhow};
use nix::sched::{CloneFlags, setns};

/// Run a closure in a named namespace, on a thread of its own that ends with it. Sockets that it
/// opens stay in that namespace wherever they are used later.
pub(crate) fn within<T: Send>(
    namespace: &str,
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            enter(namespace)?;
            work()
        });
        worker
            .join()
            .map_err(|_| anyhow!("the work in namespace {namespace} panicked"))?
    })
}

/// Move the calling thread into a named namespace for good.
pub(crate) fn enter(namespace: &str) -> Result<()> {
    let path = Path::new("/run/netns").join(namespace);
    let file = File::open(&path).with_context(|| format!("no namespace {}", path.display()))?;
    setns(file, CloneFlags::CLONE_NEWNET)
        .with_context(|| format!("cannot enter namespace {namespace}"))
}
