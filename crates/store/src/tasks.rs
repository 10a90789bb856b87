//! The task queue (reference: platform-api §6 and §11).

use pith_core::task::{Resource, TaskState};
use pith_core::{ObjectId, TaskId, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use crate::{BatchStream, Result, Store, Tx};

/// A task as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// `task_id` on the wire.
    pub id: TaskId,
    /// `_id` on the wire.
    pub oid: ObjectId,
    /// Which code runs it.
    pub kind: String,
    /// Its arguments, typed by the kind.
    pub args: Value,
    /// Where it is in its life.
    pub state: TaskState,
    /// Tags, in the order given.
    pub tags: Vec<String>,
    /// Who runs it.
    pub worker: Option<String>,
    /// The task group it belongs to.
    pub group: Option<Uuid>,
    /// Its place in the queue; grows with each task.
    pub seq: i64,
    /// When it was queued.
    pub created: Timestamp,
    /// When it started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Last sign of life of its worker.
    pub heartbeat: Option<Timestamp>,
    /// Pulp's progress report.
    pub progress: Value,
    /// What it answered; null until then.
    pub result: Value,
    /// Why it failed, or partly failed.
    pub error: Option<Value>,
    /// For the log.
    pub traceback: Option<String>,
    /// Tasks it queued.
    pub spawned: Vec<TaskId>,
    /// How often it was started.
    pub attempt: i64,
    /// Whether somebody asked to cancel it.
    pub cancel_requested: bool,
}

/// A task to queue.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// Its id.
    pub id: TaskId,
    /// Which code runs it.
    pub kind: String,
    /// Its arguments.
    pub args: Value,
    /// Tags.
    pub tags: Vec<String>,
    /// What it must hold while it runs.
    pub resources: Vec<Resource>,
    /// The task group it belongs to.
    pub group: Option<Uuid>,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskOutcome {
    /// Normally, perhaps with a partial failure.
    Finished {
        /// What it answers.
        result: Value,
        /// The partial failure.
        error: Option<Value>,
        /// Tasks it queued.
        spawned: Vec<TaskId>,
    },
    /// With an error.
    Error {
        /// Pulp's error details.
        detail: Option<Value>,
        /// For the log.
        traceback: Option<String>,
    },
    /// Stopped because somebody asked.
    Canceled,
}

/// Why a task waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// What it waits for.
    pub resource: String,
    /// Who holds it, or is before it in the queue.
    pub task: TaskId,
    /// What that task does.
    pub kind: String,
    /// Whether that one runs or waits itself.
    pub state: TaskState,
}

/// What became of the tasks of dead workers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lost {
    /// Waiting again.
    pub requeued: Vec<TaskId>,
    /// Ended as error PLP0049.
    pub given_up: Vec<TaskId>,
    /// Had been cancelled; released.
    pub released: Vec<TaskId>,
}

impl Store {
    /// Queues a task and wakes the workers.
    ///
    /// # Errors
    /// [`crate::StoreError::Duplicate`] when the id is taken.
    pub async fn task_enqueue(&self, _task: &NewTask) -> Result<Task> {
        unimplemented!()
    }

    /// Queues a task in the transaction that makes it necessary; the workers wake at its commit. Queue last: on
    /// PostgreSQL queuing transactions go one after another from here on.
    ///
    /// # Errors
    /// [`crate::StoreError::Duplicate`] when the id is taken.
    pub async fn task_enqueue_in(&self, _tx: &mut Tx, _task: &NewTask) -> Result<Task> {
        unimplemented!()
    }

    /// Gives the worker the oldest waiting task that no earlier task stands in the way of, now running.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn task_claim(&self, _worker: &str, _now: Timestamp) -> Result<Option<Task>> {
        unimplemented!()
    }

    /// Notes that the worker and its running tasks live.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn task_heartbeat(&self, _worker: &str, _now: Timestamp) -> Result<()> {
        unimplemented!()
    }

    /// Replaces the progress report; answers whether somebody asked to cancel the task.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such task.
    pub async fn task_progress(&self, _id: TaskId, _progress: &Value) -> Result<bool> {
        unimplemented!()
    }

    /// Ends a running task and frees its resources. A normal end never overwrites a complete state, a failing end
    /// does (reference: platform-api §11.2.6, §11.5). Answers the state it has then.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such task.
    pub async fn task_finish(
        &self,
        _id: TaskId,
        _outcome: &TaskOutcome,
        _now: Timestamp,
    ) -> Result<TaskState> {
        unimplemented!()
    }

    /// Cancels: a waiting task never runs, a running one is `canceled` at once and keeps its resources until its
    /// worker calls [`Store::task_finish`]; a complete one stays. Answers what it was.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such task.
    pub async fn task_cancel(&self, _id: TaskId) -> Result<TaskState> {
        unimplemented!()
    }

    /// Takes the running tasks of workers not seen since `before`: queued again, or ended when they were started
    /// `max_attempts` times. The dead workers are forgotten.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn task_requeue_lost(
        &self,
        _before: Timestamp,
        _max_attempts: i64,
        _now: Timestamp,
    ) -> Result<Lost> {
        unimplemented!()
    }

    /// One task.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn task_get(&self, _id: TaskId) -> Result<Option<Task>> {
        unimplemented!()
    }

    /// The tasks that have all of these tags, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn task_list(&self, _tags: &[String]) -> Result<Vec<Task>> {
        unimplemented!()
    }

    /// These tasks, of those there are, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tasks_by_ids(&self, _ids: &[TaskId]) -> Result<Vec<Task>> {
        unimplemented!()
    }

    /// The tasks of a group, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tasks_by_group(&self, _group: Uuid) -> Result<Vec<Task>> {
        unimplemented!()
    }

    /// The running tasks of this worker that somebody asked to cancel.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tasks_to_cancel(&self, _worker: &str) -> Result<Vec<TaskId>> {
        unimplemented!()
    }

    /// Every task, oldest first.
    ///
    /// # Errors
    /// Items are errors when the database fails on the way.
    #[must_use]
    pub fn tasks_all(&self) -> BatchStream<Task> {
        unimplemented!()
    }

    /// Deletes the tasks in these states that hold nothing; answers how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn task_delete_in_states(&self, _states: &[TaskState]) -> Result<u64> {
        unimplemented!()
    }

    /// Deletes the tasks queued before `before` that hold nothing; answers how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn task_delete_before(&self, _before: Timestamp) -> Result<u64> {
        unimplemented!()
    }

    /// What stands in the way of a waiting task.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn task_blockers(&self, _id: TaskId) -> Result<Vec<Blocker>> {
        unimplemented!()
    }
}
