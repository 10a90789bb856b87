//! The engine: what the workers of a process and all that queues work for them share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pith_blobs::{Blobs, OpenFolders};
use pith_content::repository::Units;
use pith_content::unit::Select;
use pith_core::{Clock, SignedDuration, TaskId, Timestamp};
use pith_fetch::Fetcher;
use pith_store::{Backend, NewTask, Retired, Store};

use crate::deferred::Deferred;
use crate::error::Error;
use crate::job::{self, Job};
use crate::rsync::Ssh;
use crate::run::units;
use crate::{Registry, acting};

/// The time for which paths that a publication leaves out can be fetched, unless somebody says otherwise.
pub const PUBLICATION_GRACE: SignedDuration = SignedDuration::from_hours(24);
/// A task that depends on servers of others takes no longer, unless somebody says otherwise.
const FEED_TASK_LIMIT: Duration = Duration::from_hours(72);
/// A commit that adds as many units as this has changed what the database plans with.
const MANY: i64 = 1000;

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
    /// The folder of the files that describe alternate content sources.
    pub(crate) content_sources: Option<PathBuf>,
    /// The folders that exports may be written to.
    pub(crate) exports: OpenFolders,
    /// The way to other machines.
    pub(crate) ssh: Ssh,
    pub(crate) deferred: Deferred,
    pub(crate) publication_grace: SignedDuration,
    pub(crate) running: crate::worker::Running,
    pub(crate) disks: crate::room::Disks,
    pub(crate) figures: crate::figures::Figures,
    pub(crate) kept_versions: i64,
    /// A worker that says nothing for this long is dead.
    pub(crate) lost_after: SignedDuration,
    /// A task that depends on servers of others takes no longer.
    pub(crate) feed_task_limit: Duration,
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
            exports: OpenFolders::default(),
            ssh: Ssh::default(),
            deferred: Deferred::default(),
            publication_grace: PUBLICATION_GRACE,
            running: crate::worker::Running::default(),
            disks: crate::room::Disks::default(),
            figures: crate::figures::Figures::default(),
            kept_versions: crate::upkeep::KEPT_VERSIONS,
            lost_after: crate::worker::LOST_AFTER,
            feed_task_limit: FEED_TASK_LIMIT,
        }
    }

    /// Sets the time after which a worker that says nothing is dead, and its tasks are taken over.
    #[must_use]
    pub fn with_lost_after(mut self, lost_after: SignedDuration) -> Self {
        self.lost_after = lost_after;
        self
    }

    /// Sets the limit for tasks that depend on servers of others.
    #[must_use]
    pub fn with_feed_task_limit(mut self, limit: Duration) -> Self {
        self.feed_task_limit = limit;
        self
    }

    /// Sets the folder of the files `*.conf` that describe alternate content sources. They are read whenever they are needed, so
    /// a change counts at once.
    #[must_use]
    pub fn with_content_sources(mut self, folder: impl Into<PathBuf>) -> Self {
        self.content_sources = Some(folder.into());
        self
    }

    /// Sets the folders of this machine that exports may be written to; none otherwise.
    #[must_use]
    pub fn with_exports(mut self, folders: OpenFolders) -> Self {
        self.exports = folders;
        self
    }

    /// Sets the way to other machines; no key may be used otherwise.
    #[must_use]
    pub fn with_ssh(mut self, ssh: Ssh) -> Self {
        self.ssh = ssh;
        self
    }

    /// Sets the grace for paths that a publication leaves out: so long they can still be fetched. None for zero.
    #[must_use]
    pub fn with_publication_grace(mut self, grace: SignedDuration) -> Self {
        self.publication_grace = grace;
        self
    }

    /// Sets how many versions of each repository are kept; 0 for all.
    #[must_use]
    pub fn with_kept_versions(mut self, count: u32) -> Self {
        self.kept_versions = i64::from(count);
        self
    }

    /// Since when a path that was retired can still be fetched.
    fn retired_since(&self) -> Timestamp {
        let since = self.clock.now().checked_sub(self.publication_grace);
        since.unwrap_or(Timestamp::MIN)
    }

    /// The file that stood last at `path` below the mount `prefix`, which was last changed in this way at `retired`, when that can
    /// still be fetched.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retired_path(
        &self,
        prefix: &str,
        retired: Option<Timestamp>,
        path: &str,
    ) -> pith_store::Result<Option<Retired>> {
        let since = self.retired_since();
        if retired.is_none_or(|at| at <= since) {
            return Ok(None);
        }
        self.store.retired_find(prefix, path, since).await
    }

    /// Forgets the retired paths whose grace is over; answers how many.
    pub(crate) async fn retired_expire(&self) -> Result<u64, Error> {
        let since = self.retired_since();
        Ok(self.store.retired_expire(since).await?)
    }

    /// Queues a task.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enqueue<J: Job>(&self, job: J) -> Result<TaskId, Error> {
        let task = self.new_task(&job)?;
        self.enqueue_task(&task, J::ADDS).await
    }

    /// Queues a task, which needs room on the disk when it adds something.
    pub(crate) async fn enqueue_task(&self, task: &NewTask, adds: bool) -> Result<TaskId, Error> {
        let queued = match adds {
            true => self.store.task_enqueue(task).await,
            false => {
                let queue = || self.store.task_enqueue(task);
                self.taking_away(queue).await
            }
        };
        queued?;
        Ok(task.id)
    }

    /// Looks after the database when `added` units were committed to a repository.
    pub(crate) fn content_grew(&self, added: i64) {
        // PostgreSQL looks at new rows by itself only after a minute; until then it would search them row by row.
        if self.store.backend() == Backend::Postgres && added >= MANY {
            let store = self.store.clone();
            tokio::spawn(async move {
                if let Err(error) = store.analyze().await {
                    tracing::warn!(%error, "the statistics of the database could not be refreshed");
                }
            });
        }
    }

    /// The row of a task for `job`, to be queued by whoever saves what it follows from.
    ///
    /// # Errors
    /// When the job cannot be written, which takes a fault of pith.
    pub fn new_task(&self, job: &impl Job) -> Result<NewTask, Error> {
        Ok(NewTask {
            id: TaskId::new(),
            kind: job.task_type().to_owned(),
            args: acting::marked(job::stored(job)?),
            tags: job.tags(),
            resources: job.resources(),
            group: None,
        })
    }

    /// Streams the units of a repository in batches.
    ///
    /// # Errors
    /// When `select` names what no unit can have.
    pub fn units(&self, repo_id: &str, select: &Select) -> Result<Units<'static>, Error> {
        units::counted(&self.store, repo_id, select)
    }

    /// Cancels a task: a waiting one never runs, a running one stops at its next await, one that has committed what it did
    /// stays as it is. Whether there is such a task.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel(&self, task: TaskId) -> Result<bool, Error> {
        match self.store.task_cancel(task).await {
            Ok(was) => {
                if !was.is_complete() {
                    self.running.cancel(task);
                }
                Ok(true)
            }
            Err(pith_store::StoreError::Missing { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
