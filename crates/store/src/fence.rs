//! The right of one attempt of a task to write, and the transaction that ends it.
//!
//! A worker that was stopped for a while (a suspended machine, a full disk, a debugger) does not know that another one has
//! taken its task over. So everything that a task writes goes through a [`TaskStore`], whose transactions begin by looking at
//! the task's row under a lock: is this attempt still the one that runs? On PostgreSQL the lock is shared among the writers
//! of the attempt and keeps whoever takes tasks over out until the transaction ends; SQLite has one writer anyway. A late
//! attempt gets [`StoreError::Superseded`] from each of them and changes nothing.

use std::ops::Deref;
use std::sync::Arc;

use pith_core::task::TaskState;
use pith_core::{TaskId, Timestamp};
use serde_json::Value;

use crate::dialect::{Sql, Stmt, for_share, for_update, sql};
use crate::transaction::DbTx;
use crate::within::Within;
use crate::{Result, Store, StoreError};

/// One attempt at a task: what a claim gives out and every write of the attempt is checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fence {
    /// The task.
    pub task: TaskId,
    /// The number of the attempt; the first is 1.
    pub attempt: i64,
}

/// The end of a task.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskOutcome {
    /// Normally, perhaps with a partial failure.
    Finished {
        /// Its answer.
        result: Value,
        /// The partial failure.
        error: Option<Value>,
        /// Tasks it queued.
        spawned: Vec<TaskId>,
    },
    /// The task ended with an error.
    Error {
        /// Pulp's error details.
        detail: Option<Value>,
        /// A text for the log.
        traceback: Option<String>,
    },
    /// Stopped because somebody asked.
    Canceled,
}

/// The number that a lane adds to that of the attempt, where staged units are kept by it.
const LANE: i64 = 1 << 32;

/// True for the row of the task while this attempt runs, also after it was cancelled.
const RUNS: &str = " AND attempt = $2 AND open AND state <> 'waiting'";

impl Fence {
    /// A statement on the task's row that holds for this attempt alone: `head` ends before `WHERE`, and its own binds
    /// start at `$3`.
    pub(crate) fn statement(self, head: &str, tail: &str) -> Stmt {
        let statement = Stmt {
            text: format!("{head} WHERE id = $1{RUNS}{tail}").into(),
            binds: Vec::new(),
            keep: true,
        };
        statement.bind(self.task).bind(self.attempt)
    }

    pub(crate) fn superseded(self) -> StoreError {
        StoreError::Superseded(self)
    }
}

/// Makes sure that the attempt runs, and that nobody takes the task over before the transaction ends. Called first of all
/// in a transaction, so that nobody waits in a circle.
pub(crate) async fn require(tx: &mut DbTx, fence: Fence) -> Result<()> {
    let statement = fence.statement("SELECT 1 FROM tasks", for_share(tx.backend()));
    match tx.optional(statement).await? {
        Some(_) => Ok(()),
        None => Err(fence.superseded()),
    }
}

/// The store as one attempt of a task sees it: every write is refused once another attempt has begun or the task has ended.
#[derive(Debug, Clone)]
pub struct TaskStore {
    store: Store,
    fence: Fence,
}

impl Deref for TaskStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Store {
    /// The store for an attempt of a task.
    #[must_use]
    pub fn for_task(&self, fence: Fence) -> TaskStore {
        TaskStore {
            store: self.fenced(fence),
            fence,
        }
    }
}

impl TaskStore {
    /// The store of the same attempt for a further repository that it changes: what is staged there is kept apart from
    /// what is staged in other lanes. The lane of the attempt's own repository is 0.
    #[must_use]
    pub fn lane(&self, lane: u32) -> Self {
        let attempt = self.fence.attempt % LANE;
        Self {
            store: self.store.clone(),
            fence: Fence {
                attempt: attempt + i64::from(lane) * LANE,
                ..self.fence
            },
        }
    }

    /// The attempt.
    #[must_use]
    pub fn fence(&self) -> Fence {
        self.fence
    }

    /// Starts the transaction in which the attempt leaves what it did, together with its end.
    ///
    /// # Errors
    /// [`StoreError::Superseded`] when another attempt has begun or the task has ended.
    pub async fn begin_last(&self) -> Result<LastTx> {
        let mut tx = self.unfenced_tx().await?;
        // For update at once: whoever shares a row and then wants it alone waits for those who do the same.
        let look = "SELECT cancel_requested FROM tasks";
        let look = self.fence.statement(look, for_update(tx.backend()));
        let Some(row) = tx.optional(look).await? else {
            return Err(self.fence.superseded());
        };
        let canceled: bool = row.get(0)?;
        let within = Arc::new(Within::new(tx));
        Ok(LastTx {
            store: Self {
                store: self.store.within(&within),
                fence: self.fence,
            },
            within,
            canceled,
        })
    }

    /// Forgets what earlier attempts staged.
    ///
    /// # Errors
    /// [`StoreError::Superseded`]; when the database fails.
    pub async fn stage_clear_earlier(&self) -> Result<()> {
        // Above the number of the attempt stands that of the lane.
        let statement =
            sql("DELETE FROM staged_units WHERE task_id = $1 AND attempt % 4294967296 < $2");
        let statement = statement.bind(self.fence.task).bind(self.fence.attempt);
        self.execute(statement).await.map(drop)
    }
}

/// The last transaction of an attempt. Every method of the store that is called on it writes and reads in this one
/// transaction, and [`LastTx::commit`] makes all of it durable at once. Dropped without that it leaves nothing. An error of
/// any of these methods means that it must be dropped.
#[derive(Debug)]
pub struct LastTx {
    store: TaskStore,
    within: Arc<Within>,
    canceled: bool,
}

impl Deref for LastTx {
    type Target = TaskStore;

    fn deref(&self) -> &TaskStore {
        &self.store
    }
}

impl Drop for LastTx {
    fn drop(&mut self) {
        self.within.abandon();
    }
}

impl LastTx {
    /// Tells whether somebody asked to cancel the task before this transaction began; whoever asks from now on comes too late,
    /// if it ends well.
    #[must_use]
    pub fn is_canceled(&self) -> bool {
        self.canceled
    }

    /// Replaces the progress report.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_progress(&self, progress: &Value) -> Result<()> {
        let head = "UPDATE tasks SET progress = jsonb($3)";
        let statement = self.fence().statement(head, "").bind(progress);
        self.execute(statement).await.map(drop)
    }

    /// Writes how the task ends and frees what it holds, with this transaction's commit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish(&self, outcome: &TaskOutcome, now: Timestamp) -> Result<TaskState> {
        self.task_finish(self.fence(), outcome, now).await
    }

    /// Makes all of it durable and visible.
    ///
    /// # Errors
    /// When the database refuses; whether anything was changed is then told by the next write of the attempt.
    pub async fn commit(self) -> Result<()> {
        self.store.store.commit_within(&self.within).await
    }
}

impl Store {
    /// Notes that these attempts live; answers those that do not run any more: another one has begun, or the task ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn task_heartbeats(&self, fences: &[Fence], now: Timestamp) -> Result<Vec<Fence>> {
        let mut late = Vec::new();
        for fence in fences {
            let statement = fence
                .statement("UPDATE tasks SET heartbeat = $3", "")
                .bind(now);
            if self.execute(statement).await? == 0 {
                late.push(*fence);
            }
        }
        Ok(late)
    }

    /// Replaces the progress report of an attempt; answers whether somebody asked to cancel the task.
    ///
    /// # Errors
    /// [`StoreError::Superseded`] when another attempt has begun or the task has ended.
    pub async fn task_progress(&self, fence: Fence, progress: &Value) -> Result<bool> {
        let head = "UPDATE tasks SET progress = jsonb($3)";
        let statement = fence.statement(head, " RETURNING cancel_requested");
        // One statement, for the row is not shared first: see `begin_last`.
        let rows = self.write_all(statement.bind(progress)).await?;
        rows.first()
            .map_or_else(|| Err(fence.superseded()), |row| row.get(0))
    }
}

/// Appends the condition that a row of `staged_units` is of this attempt; `prefix` is the name of the table with its dot.
pub(crate) fn of_attempt(query: &mut Sql, prefix: &str, fence: Fence) {
    query
        .push(prefix)
        .push("task_id = ")
        .bind(fence.task)
        .push(" AND ")
        .push(prefix)
        .push("attempt = ")
        .bind(fence.attempt);
}
