//! What a service is given to run with.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Health;

/// What a service is given to run with. Cheap to clone; all clones share it.
#[derive(Debug, Clone)]
pub struct Context {
    /// `ingest`, `evaluator` …: part of metric names, of the variables' prefix and of files' names.
    pub name: &'static str,
    /// Cancelled when the service is to finish what it has in hand and return.
    pub shutdown: CancellationToken,
    /// Where the service's metrics are registered.
    pub registry: prometheus::Registry,
    /// What `/readyz` says.
    pub health: Health,
    tasks: TaskTracker,
}

impl Context {
    /// A context for `name`. Services that share a process may share registry and token; each has its own health.
    pub fn new(name: &'static str, registry: prometheus::Registry, shutdown: CancellationToken) -> Self {
        Self { name, shutdown, registry, health: Health::default(), tasks: TaskTracker::new() }
    }

    /// Runs `task` beside the service. It must end soon after [`shutdown`](Self::shutdown) is cancelled: the program waits for
    /// it then.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(task);
    }

    /// Waits until every spawned task has ended, for `limit` at most. Returns whether they have.
    pub async fn join(&self, limit: Duration) -> bool {
        self.tasks.close();
        tokio::time::timeout(limit, self.tasks.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn joining_waits_for_tasks_and_no_longer_than_allowed() {
        let context = Context::new("test", prometheus::Registry::new(), CancellationToken::new());
        let shutdown = context.shutdown.clone();
        context.spawn(async move { shutdown.cancelled().await });
        assert!(!context.join(Duration::from_millis(20)).await);
        context.shutdown.cancel();
        assert!(context.join(Duration::from_secs(5)).await);
    }
}
