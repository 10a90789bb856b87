//! The threads on which tasks run. They are others than those that serve: whatever a task computes between two waits, requests
//! are answered meanwhile, and the system gives both their share of the cores.

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Threads beyond one for each task: they keep the connections of those that compute going.
const SPARE: usize = 2;

/// A runtime of its own for tasks.
pub(crate) struct Workshop(Option<Runtime>);

impl Workshop {
    /// Threads for so many tasks at once.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub(crate) fn open(tasks: usize) -> anyhow::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(tasks + SPARE)
            .thread_name("pith-worker")
            .enable_all()
            .build();
        let runtime = runtime.context("cannot start the threads for tasks")?;
        Ok(Self(Some(runtime)))
    }

    /// Runs `work` in here.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        match &self.0 {
            Some(runtime) => runtime.spawn(work),
            None => tokio::spawn(work),
        }
    }
}

impl Drop for Workshop {
    /// A runtime must not be waited for where others run.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
