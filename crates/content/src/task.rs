//! A task as the code of a type sees it, whatever it does.

use pith_core::Clock;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// A task.
pub trait TaskContext: Send + Sync {
    /// Time.
    fn clock(&self) -> &dyn Clock;

    /// Fires when the task is cancelled. The engine drops the work soon after; blocking loops must look at it.
    fn cancelled(&self) -> &CancellationToken;
}

/// A task that tells how far it is.
pub trait ProgressContext: TaskContext {
    /// Shows progress in the task's `progress_report`, under the importer's id or the name of the job. Cheap; written at most twice a
    /// second.
    fn progress(&self, report: Value);
}

/// A context that has what it shares with others from a part of itself. The shared traits are implemented for whoever says which.
pub trait Within: Send + Sync {
    /// The part.
    type Inner: Send + Sync;

    /// The part that implements what is shared.
    fn inner(&self) -> &Self::Inner;
}

impl<T: Within<Inner: TaskContext>> TaskContext for T {
    fn clock(&self) -> &dyn Clock {
        self.inner().clock()
    }

    fn cancelled(&self) -> &CancellationToken {
        self.inner().cancelled()
    }
}
