//! One attempt of a task: what its job has at hand while it runs, and how it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pith_core::TaskId;
use pith_core::error::{ErrorDetail, PulpError};
use pith_store::{LastTx, StoreError, TaskOutcome, TaskStore};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::Engine;
use crate::error::Error;
use crate::progress::Progress;

/// The outcome of a job.
#[derive(Debug, Default)]
pub struct Done {
    /// `result` of the task.
    pub result: Value,
    /// A partial failure.
    pub error: Option<ErrorDetail>,
    /// Tasks it queued.
    pub spawned: Vec<TaskId>,
}

impl Done {
    pub(crate) fn outcome(&self) -> TaskOutcome {
        let error = self.error.as_ref();
        TaskOutcome::Finished {
            result: self.result.clone(),
            error: error.and_then(|error| serde_json::to_value(error).ok()),
            spawned: self.spawned.clone(),
        }
    }
}

/// The way in which the end of a task that fails is written.
#[derive(Clone)]
pub(crate) struct Ends {
    pub(crate) engine: Arc<Engine>,
    /// Says what clients are told of an error.
    pub(crate) told: fn(&Error) -> PulpError,
}

impl Ends {
    pub(crate) fn of(&self, error: &Error) -> TaskOutcome {
        match error {
            Error::Cancelled => TaskOutcome::Canceled,
            error => failed(&self.told(error)),
        }
    }

    fn told(&self, error: &Error) -> PulpError {
        self.engine.blaming_the_disk((self.told)(error))
    }

    /// Logs why a task failed, with the causes.
    pub(crate) fn log(&self, error: &Error) {
        if matches!(error, Error::Cancelled) {
            return;
        }
        let (told, repeat) = (self.told(error), error.is_worth_repeating());
        let (code, cause) = (told.code(), error as &dyn std::error::Error);
        match error.outage() {
            Some(_) => tracing::error!(error = %told, code, cause, repeat, "task failed"),
            None => tracing::warn!(error = %told, code, cause, repeat, "task failed"),
        }
    }
}

/// The end of a task that failed, as clients are told of it.
pub(crate) fn failed(told: &PulpError) -> TaskOutcome {
    TaskOutcome::Error {
        detail: serde_json::to_value(&told.detail).ok(),
        traceback: Some(format!("{}: {told}\n", told.code())),
    }
}

/// The things that a running job has at hand.
pub struct Run {
    /// The engine of this process.
    pub engine: Arc<Engine>,
    pub(crate) task: TaskId,
    /// The database as this attempt may change it. A job writes through nothing else.
    pub store: TaskStore,
    pub(crate) cancel: CancellationToken,
    pub(crate) progress: Progress,
    pub(crate) ends: Ends,
    /// Is true when the job has written the end of its task itself.
    pub(crate) ended: Arc<AtomicBool>,
    /// Is true when the job asks servers of others, which may take as long as they like.
    pub(crate) asks_feeds: bool,
}

impl Run {
    /// Starts the transaction in which a job leaves what it did, with the end of its task. Whoever cancels the task from
    /// now on comes too late.
    ///
    /// # Errors
    /// [`Error::Cancelled`] when somebody was faster; when the database fails.
    pub async fn last(&self) -> Result<LastTx, Error> {
        let last = self.store.begin_last().await?;
        match last.is_canceled() {
            true => Err(Error::Cancelled),
            false => Ok(last),
        }
    }

    /// Ends the task well: commits what was written in `last` and frees what the task holds.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish(&self, last: LastTx, done: Done) -> Result<Done, Error> {
        self.write(last, &done.outcome()).await?;
        Ok(done)
    }

    /// Ends the task with `error`: commits what was written in `last` and frees what the task holds.
    pub(crate) async fn fail(&self, last: LastTx, error: Error) -> Error {
        match self.write(last, &self.ends.of(&error)).await {
            Ok(()) => error,
            Err(failed) => failed.into(),
        }
    }

    async fn write(&self, last: LastTx, outcome: &TaskOutcome) -> Result<(), StoreError> {
        if let Some(report) = self.progress.unwritten() {
            last.set_progress(&report.document).await?;
        }
        last.finish(outcome, self.engine.clock.now()).await?;
        last.commit().await?;
        self.ended.store(true, Ordering::Release);
        Ok(())
    }

    /// Drives `work` until it ends or has taken as long as work that depends on servers of others may.
    ///
    /// # Errors
    /// Those of `work`; when it took too long.
    pub(crate) async fn in_time<T, E: Into<Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        if !self.asks_feeds {
            return work.await.map_err(Into::into);
        }
        let limit = self.engine.feed_task_limit;
        let ended = tokio::time::timeout(limit, work).await;
        ended.map_or_else(
            |_| {
            let text = format!(
                "it took longer than {limit:?}; find out why the feed is so slow, or raise --feed-task-timeout of the server"
            );
            Err(Error::fault(text))
            },
            |ended| ended.map_err(Into::into),
        )
    }

    /// Drives `work` until it ends or the task is cancelled, which drops it where it stands.
    ///
    /// Once the task is cancelled, every failure is the cancellation: a transfer that was cut off may fail before it is
    /// dropped.
    pub(crate) async fn until_cancelled<T, E: Into<Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        match self.cancel.run_until_cancelled(work).await {
            Some(Err(_)) if self.cancel.is_cancelled() => Err(Error::Cancelled),
            Some(ended) => ended.map_err(Into::into),
            None => Err(Error::Cancelled),
        }
    }
}
