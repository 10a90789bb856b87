//! The engine: what every request handler and every worker of a process shares.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use pith_blobs::Blobs;
use pith_core::error::PulpError;
use pith_core::{Clock, TaskId};
use pith_fetch::Fetcher;
use pith_store::{NewTask, Store};
use pith_trust::Authority;
use tokio::sync::Semaphore;

use crate::deferred::Deferred;
use crate::error::from_store;
use crate::{Job, Registry};

/// Told when mounts have changed, so that the content server of this process shows the new publication before the
/// task that made it is seen as finished.
#[async_trait]
pub trait MountListener: Send + Sync {
    /// Reads the mounts again.
    async fn mounts_changed(&self);
}

/// The parts of a running pith.
pub struct Engine {
    /// The database.
    pub store: Store,
    /// The files.
    pub blobs: Blobs,
    /// Outgoing connections.
    pub fetcher: Fetcher,
    /// The content types.
    pub registry: Registry,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The name of this machine, as worker names show it.
    pub host: String,
    /// Where the files lie that describe alternate content sources.
    pub(crate) content_sources: Option<PathBuf>,
    pub(crate) deferred: Deferred,
    pub(crate) mounts: OnceLock<Arc<dyn MountListener>>,
    pub(crate) authority: OnceLock<Arc<Authority>>,
    /// The right to make a certificate, of which there is one.
    pub(crate) issuing: Semaphore,
    pub(crate) running: crate::worker::Running,
}

impl Engine {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        store: Store,
        blobs: Blobs,
        fetcher: Fetcher,
        registry: Registry,
        clock: Arc<dyn Clock>,
        host: impl Into<String>,
    ) -> Self {
        Self {
            store,
            blobs,
            fetcher,
            registry,
            clock,
            host: host.into(),
            content_sources: None,
            deferred: Deferred::default(),
            mounts: OnceLock::new(),
            authority: OnceLock::new(),
            issuing: Semaphore::new(1),
            running: crate::worker::Running::default(),
        }
    }

    /// With alternate content sources, described by the files `*.conf` in `folder`. They are read whenever they are
    /// needed, so a change counts at once.
    #[must_use]
    pub fn with_content_sources(mut self, folder: impl Into<PathBuf>) -> Self {
        self.content_sources = Some(folder.into());
        self
    }

    /// Names who is told of changed mounts; the first call counts.
    pub fn listen_to_mounts(&self, listener: Arc<dyn MountListener>) {
        let _ = self.mounts.set(listener);
    }

    pub(crate) async fn mounts_changed(&self) {
        if let Some(listener) = self.mounts.get() {
            listener.mounts_changed().await;
        }
    }

    /// Queues a task.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enqueue(&self, job: Job) -> Result<TaskId, PulpError> {
        let task = self.new_task(&job)?;
        self.store.task_enqueue(&task).await.map_err(from_store)?;
        Ok(task.id)
    }

    pub(crate) fn new_task(&self, job: &Job) -> Result<NewTask, PulpError> {
        let args =
            serde_json::to_value(job).map_err(|error| PulpError::execution(error.to_string()))?;
        Ok(NewTask {
            id: TaskId::new(),
            kind: job.task_type().to_owned(),
            args,
            tags: job.tags(),
            resources: job.resources(),
            group: None,
        })
    }

    /// Cancels a task: a waiting one never runs, a running one stops at its next await. Whether there is such a task.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel(&self, task: TaskId) -> Result<bool, PulpError> {
        match self.store.task_cancel(task).await {
            Ok(_) => {
                self.running.cancel(task);
                Ok(true)
            }
            Err(pith_store::StoreError::Missing { .. }) => Ok(false),
            Err(error) => Err(from_store(error)),
        }
    }
}
