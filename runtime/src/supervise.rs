//! The tasks that make up a process live and end together.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// Named tasks, each of which must run until shutdown.
#[derive(Debug)]
pub struct Supervisor {
    tasks: JoinSet<()>,
    names: BTreeMap<Id, String>,
    shutdown: CancellationToken,
}

impl Supervisor {
    /// No task yet. `shutdown` is what the tasks watch to know when to end.
    pub fn new(shutdown: CancellationToken) -> Self {
        Self {
            tasks: JoinSet::new(),
            names: BTreeMap::new(),
            shutdown,
        }
    }

    /// Start a task. It ends when shutdown is asked for, and not before.
    ///
    /// Must be called inside a runtime.
    pub fn spawn(
        &mut self,
        name: impl Into<String>,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let handle = self.tasks.spawn(task);
        self.names.insert(handle.id(), name.into());
    }

    /// Wait for shutdown, then up to `grace` for the tasks to end; those that have not are dropped.
    ///
    /// A task that panics or ends before shutdown is a bug of ours: it is logged as such, the
    /// others are told to shut down, and the exit code is 1. A process that lacks a part must not
    /// go on as if it were whole.
    pub async fn run(mut self, grace: Duration) -> ExitCode {
        let mut code = ExitCode::SUCCESS;
        let shutdown = self.shutdown.clone();
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            Some(ended) = self.tasks.join_next_with_id() => {
                code = ExitCode::FAILURE;
                match ended {
                    Ok((id, ())) => {
                        let task = self.name(id);
                        tracing::error!(bug = true, task, "task ended before shutdown");
                    }
                    Err(error) => self.report(error),
                }
                shutdown.cancel();
            }
        }
        let deadline = Instant::now() + grace;
        while let Ok(Some(ended)) = timeout_at(deadline, self.tasks.join_next_with_id()).await {
            match ended {
                Ok((id, ())) => drop(self.names.remove(&id)),
                Err(error) => {
                    code = ExitCode::FAILURE;
                    self.report(error);
                }
            }
        }
        for task in self.names.values() {
            tracing::warn!(task, "task did not end in time");
        }
        code
    }

    fn name(&mut self, id: Id) -> String {
        self.names.remove(&id).unwrap_or_default()
    }

    fn report(&mut self, error: JoinError) {
        let task = self.name(error.id());
        let words = match error.try_into_panic() {
            Ok(panic) => match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
                (Some(words), _) => (*words).to_owned(),
                (None, Some(words)) => words.clone(),
                (None, None) => "no message".to_owned(),
            },
            Err(error) => error.to_string(),
        };
        tracing::error!(bug = true, task, error = words, "task panicked");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(3);

    fn supervisor() -> (Supervisor, CancellationToken) {
        let shutdown = CancellationToken::new();
        (Supervisor::new(shutdown.clone()), shutdown)
    }

    fn until(shutdown: &CancellationToken) -> impl Future<Output = ()> + Send + 'static {
        shutdown.clone().cancelled_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn an_orderly_shutdown_is_success_and_waits_for_no_longer_than_needed() {
        let (mut supervisor, shutdown) = supervisor();
        supervisor.spawn("one", until(&shutdown));
        supervisor.spawn("two", until(&shutdown));
        shutdown.cancel();
        let start = Instant::now();
        assert_eq!(supervisor.run(GRACE).await, ExitCode::SUCCESS);
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_shuts_the_others_down_and_is_failure() {
        let (mut supervisor, shutdown) = supervisor();
        supervisor.spawn("steady", until(&shutdown));
        supervisor.spawn("broken", async { panic!("an invariant is broken") });
        assert_eq!(supervisor.run(GRACE).await, ExitCode::FAILURE);
        assert!(shutdown.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_ends_before_shutdown_is_failure() {
        let (mut supervisor, shutdown) = supervisor();
        supervisor.spawn("steady", until(&shutdown));
        supervisor.spawn("early", async {});
        assert_eq!(supervisor.run(GRACE).await, ExitCode::FAILURE);
        assert!(shutdown.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_end_is_left_after_the_grace_time() {
        let (mut supervisor, shutdown) = supervisor();
        supervisor.spawn("stuck", std::future::pending());
        shutdown.cancel();
        let start = Instant::now();
        assert_eq!(supervisor.run(GRACE).await, ExitCode::SUCCESS);
        assert_eq!(start.elapsed(), GRACE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_during_shutdown_is_failure() {
        let (mut supervisor, shutdown) = supervisor();
        let told = until(&shutdown);
        supervisor.spawn("broken", async move {
            told.await;
            panic!("too late");
        });
        shutdown.cancel();
        assert_eq!(supervisor.run(GRACE).await, ExitCode::FAILURE);
    }
}
