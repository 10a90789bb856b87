//! The task queue (pulp2/tasks).

use std::collections::BTreeMap;

use pith_core::error::ErrorDetail;
use pith_core::task::{Resource, TaskState};
use pith_core::{ObjectId, SignedDuration, TaskId, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::dialect::{ColumnType, Sql, bulk, for_update, for_update_skip_locked, sql};
use crate::fence::Fence;
use crate::fence::TaskOutcome;
use crate::locks::lock_queue;
use crate::transaction::DbTx;
use crate::value::Row;
use crate::{Result, Store, StoreError, Tx};

/// A task as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// `task_id` on the wire.
    pub id: TaskId,
    /// `_id` on the wire.
    pub oid: ObjectId,
    /// The task type, which says what code runs it.
    pub kind: String,
    /// Its arguments, typed by the kind; with secrets in them only for whoever runs it.
    pub args: Value,
    /// Its state.
    pub state: TaskState,
    /// Tags, in the order given.
    pub tags: Vec<String>,
    /// The worker that runs it.
    pub worker: Option<String>,
    /// The task group it belongs to.
    pub group: Option<Uuid>,
    /// Its place in the queue; grows with each task.
    pub seq: i64,
    /// The time at which it was queued.
    pub created: Timestamp,
    /// The time at which it started.
    pub started: Option<Timestamp>,
    /// The time at which it ended.
    pub finished: Option<Timestamp>,
    /// Last sign of life of its worker.
    pub heartbeat: Option<Timestamp>,
    /// Pulp's progress report.
    pub progress: Value,
    /// Its answer; null until then.
    pub result: Value,
    /// The reason why it failed, or partly failed.
    pub error: Option<Value>,
    /// A text for the log.
    pub traceback: Option<String>,
    /// Tasks it queued.
    pub spawned: Vec<TaskId>,
    /// The number of times that it was started.
    pub attempt: i64,
    /// Is true when somebody asked to cancel it.
    pub cancel_requested: bool,
}

impl Task {
    /// The attempt that runs.
    #[must_use]
    pub fn fence(&self) -> Fence {
        Fence {
            task: self.id,
            attempt: self.attempt,
        }
    }
}

/// A task to queue.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// Its id.
    pub id: TaskId,
    /// The task type, which says what code runs it.
    pub kind: String,
    /// Its arguments.
    pub args: Value,
    /// Tags.
    pub tags: Vec<String>,
    /// The resources that it must hold while it runs.
    pub resources: Vec<Resource>,
    /// The task group it belongs to.
    pub group: Option<Uuid>,
}

/// The fate of the tasks of dead workers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lost {
    /// Waiting again.
    pub requeued: Vec<TaskId>,
    /// Ended as error PLP0049.
    pub given_up: Vec<TaskId>,
    /// Had been cancelled; released.
    pub released: Vec<TaskId>,
}

macro_rules! columns {
    ($args:literal) => {
        concat!(
            "id, oid, kind, ",
            $args,
            ", state, json(tags), worker, group_id, seq, created, started, finished, heartbeat, json(progress), \
             json(result), json(error), traceback, json(spawned), attempt, cancel_requested"
        )
    };
}

/// The columns of a [`Task`], in the order of `task`.
pub(crate) const COLUMNS: &str = columns!("json(args)");
/// The same for whoever only shows tasks: arguments may be long, and are not shown.
pub(crate) const SHOWN: &str = columns!("'null'");
/// The columns that may be long.
pub(crate) const HEAVY: &[&str] = &[
    "tags",
    "progress",
    "result",
    "error",
    "traceback",
    "spawned",
];

pub(crate) fn task(row: &Row) -> Result<Task> {
    Ok(Task {
        id: row.get(0)?,
        oid: row.get(1)?,
        kind: row.get(2)?,
        args: row.get(3)?,
        state: row.get(4)?,
        tags: serde_json::from_value(row.get(5)?)?,
        worker: row.get(6)?,
        group: row.get(7)?,
        seq: row.get(8)?,
        created: row.get(9)?,
        started: row.get(10)?,
        finished: row.get(11)?,
        heartbeat: row.get(12)?,
        progress: row.get(13)?,
        result: row.get(14)?,
        error: row.get(15)?,
        traceback: row.get(16)?,
        spawned: serde_json::from_value(row.get(17)?)?,
        attempt: row.get(18)?,
        cancel_requested: row.get(19)?,
    })
}

/// True when nothing earlier stands in the way of the waiting task `t`. Rows of `task_resources` exist from the queuing of a task
/// until its end, so it makes no difference whether the earlier one waits or runs.
const IS_FREE: &str = "NOT EXISTS (SELECT 1 FROM task_resources mine JOIN task_resources other \
     ON other.resource = mine.resource AND other.seq < mine.seq AND (other.exclusive OR mine.exclusive) \
     WHERE mine.task_id = t.id)";

/// Returns what the report of a lost task says: Pulp's PLP0049, and how often it was tried.
fn lost_error(id: TaskId, deaths: i64) -> Value {
    let text = format!(
        "Worker terminated abnormally while processing task {id}.  Check the logs for details: the process ended {deaths} \
         times without a word while it ran the task, as it does when memory runs out, so it is not run again"
    );
    let detail = ErrorDetail::new("PLP0049", text);
    let detail = detail.with("task_id", id.to_string());
    json!(detail.with("attempts", deaths))
}

/// Queues a task: its row, tags and resources.
async fn enqueue(tx: &mut DbTx, new: &NewTask, now: Timestamp) -> Result<Task> {
    lock_queue(tx).await?;
    let mut query = Sql::new(
        tx.backend(),
        "INSERT INTO tasks (id, oid, kind, args, state, open, tags, group_id, \
         created, progress, result, spawned, attempt, cancel_requested) VALUES (",
    );
    query
        .bind(new.id)
        .push(", ")
        .bind(&ObjectId::new(now))
        .push(", ")
        .bind(&new.kind);
    query
        .push(", jsonb(")
        .bind(&new.args)
        .push("), ")
        .bind(TaskState::Waiting)
        .push(", ")
        .bind(true);
    query
        .push(", jsonb(")
        .bind(&json!(new.tags))
        .push("), ")
        .bind(new.group)
        .push(", ")
        .bind(now);
    query
        .push(", jsonb('{}'), jsonb('null'), jsonb('[]'), 0, ")
        .bind(false);
    query.push(") RETURNING ").push(COLUMNS);
    let rows = tx
        .all(query.build())
        .await
        .map_err(|e| e.or_duplicate("task", &new.id.to_string()))?;
    let queued = rows
        .first()
        .map(task)
        .unwrap_or_else(|| Err(StoreError::missing("task", new.id)))?;
    let tags = new
        .tags
        .iter()
        .map(|tag| vec![tag.into(), new.id.into()])
        .collect();
    let head = "INSERT INTO task_tags (tag, task_id)";
    let tail = "ON CONFLICT (tag, task_id) DO NOTHING";
    tx.execute_each(bulk(
        tx.backend(),
        head,
        &[ColumnType::Text, ColumnType::Bytes],
        tags,
        tail,
    ))
    .await?;
    // Asked for twice, it is held once, exclusively if one of the two says so.
    let mut resources: BTreeMap<&str, bool> = BTreeMap::new();
    for resource in &new.resources {
        *resources.entry(&resource.name).or_default() |= resource.exclusive;
    }
    let row = |(name, exclusive): (&str, bool)| -> Vec<_> {
        vec![
            new.id.into(),
            name.into(),
            queued.seq.into(),
            exclusive.into(),
        ]
    };
    let rows = resources.into_iter().map(row).collect();
    let head = "INSERT INTO task_resources (task_id, resource, seq, exclusive)";
    let kinds = [
        ColumnType::Bytes,
        ColumnType::Text,
        ColumnType::Int,
        ColumnType::Bool,
    ];
    tx.execute_each(bulk(tx.backend(), head, &kinds, rows, ""))
        .await?;
    Ok(queued)
}

/// Frees what a task holds, wakes whoever waits for it, and forgets what it staged; `state` is its state from now on.
pub(crate) async fn release(tx: &mut Tx, id: TaskId, state: Option<TaskState>) -> Result<()> {
    let statement = sql("UPDATE tasks SET open = $1, state = COALESCE($2, state) WHERE id = $3")
        .bind(false)
        .bind(&state.map(|state| state.name().to_owned()))
        .bind(id);
    tx.inner.execute(statement).await?;
    for statement in [
        "DELETE FROM task_resources WHERE task_id = $1",
        "DELETE FROM staged_units WHERE task_id = $1",
    ] {
        tx.inner.execute(sql(statement).bind(id)).await?;
    }
    tx.wake_at_commit();
    Ok(())
}

/// Writes the end of a task whose state is `was`; the state that it will have.
async fn write_outcome(
    tx: &mut DbTx,
    id: TaskId,
    was: TaskState,
    outcome: &TaskOutcome,
    now: Timestamp,
) -> Result<TaskState> {
    crate::schedules::task_ended(tx, id, outcome).await?;
    let unless_complete = |state| if was.is_complete() { was } else { state };
    match outcome {
        TaskOutcome::Finished {
            result,
            error,
            spawned,
        } => {
            let statement = sql(
                "UPDATE tasks SET finished = $1, result = jsonb($2), error = jsonb($3), \
                 spawned = jsonb($4) WHERE id = $5",
            )
            .bind(now)
            .bind(result)
            .bind(error)
            .bind(&json!(spawned))
            .bind(id);
            tx.execute(statement).await?;
            Ok(unless_complete(TaskState::Finished))
        }
        TaskOutcome::Error { detail, traceback } => {
            let statement = sql(
                "UPDATE tasks SET finished = $1, error = jsonb($2), traceback = $3, \
                 result = jsonb('null') WHERE id = $4",
            )
            .bind(now)
            .bind(detail)
            .bind(traceback)
            .bind(id);
            tx.execute(statement).await?;
            Ok(TaskState::Error)
        }
        TaskOutcome::Canceled => Ok(unless_complete(TaskState::Canceled)),
    }
}

impl Store {
    /// Queues a task and wakes the workers.
    ///
    /// # Errors
    /// [`crate::StoreError::Duplicate`] when the id is taken.
    pub async fn task_enqueue(&self, task: &NewTask) -> Result<Task> {
        let mut tx = self.begin().await?;
        let queued = self.task_enqueue_in(&mut tx, task).await?;
        tx.commit().await?;
        Ok(queued)
    }

    /// Queues a task in the transaction that makes it necessary; the workers wake at its commit. Queue last: on
    /// PostgreSQL queuing transactions go one after another from here on.
    ///
    /// # Errors
    /// [`crate::StoreError::Duplicate`] when the id is taken.
    pub async fn task_enqueue_in(&self, tx: &mut Tx, task: &NewTask) -> Result<Task> {
        let sealed = NewTask {
            args: self.inner.secrets.sealed_json(&task.args)?,
            ..task.clone()
        };
        let queued = enqueue(&mut tx.inner, &sealed, self.now()).await?;
        tx.wake_at_commit();
        Ok(queued)
    }

    /// Gives the worker the oldest waiting task that no earlier task stands in the way of, now running.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn task_claim(&self, worker: &str, now: Timestamp) -> Result<Option<Task>> {
        self.task_claim_but(worker, &[], now).await
    }

    /// Does what [`Self::task_claim`] does, for a worker that leaves tasks of these kinds to others.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn task_claim_but(
        &self,
        worker: &str,
        left_out: &[&str],
        now: Timestamp,
    ) -> Result<Option<Task>> {
        let backend = self.backend();
        let mut query = Sql::new(backend, "UPDATE tasks SET state = 'running', worker = ");
        query
            .bind(worker)
            .push(", started = ")
            .bind(now)
            .push(", heartbeat = ")
            .bind(now);
        query.push(", attempt = attempt + 1 WHERE id = (SELECT t.id FROM tasks t WHERE t.state = 'waiting' AND t.open AND ");
        query
            .push("(t.not_before IS NULL OR t.not_before <= ")
            .bind(now)
            .push(") AND ");
        if !left_out.is_empty() {
            query
                .push("NOT ")
                .bind_in("t.kind", left_out.iter().copied())
                .push(" AND ");
        }
        query
            .push(IS_FREE)
            .push(" ORDER BY t.seq LIMIT 1")
            .push(for_update_skip_locked(backend))
            .push(") RETURNING ");
        query.push(COLUMNS);
        let rows = self.write_all(query.build()).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let mut claimed = self::task(row)?;
        // Nobody else needs to know what the arguments were.
        claimed.args = self.inner.secrets.opened_json(claimed.args)?;
        Ok(Some(claimed))
    }

    /// Ends a running attempt and frees its resources. A normal end never overwrites a complete state, a failing end
    /// does (pulp2/tasks#life, pulp2/tasks#cancelling). Answers the state the task has then.
    ///
    /// # Errors
    /// [`StoreError::Superseded`] when another attempt has begun or the task has ended.
    pub async fn task_finish(
        &self,
        fence: Fence,
        outcome: &TaskOutcome,
        now: Timestamp,
    ) -> Result<TaskState> {
        let mut tx = self.begin_unfenced().await?;
        let look = "SELECT state FROM tasks";
        let look = fence.statement(look, for_update(tx.inner.backend()));
        let Some(row) = tx.inner.optional(look).await? else {
            return Err(fence.superseded());
        };
        let was = row.get(0)?;
        let state = write_outcome(&mut tx.inner, fence.task, was, outcome, now).await?;
        release(&mut tx, fence.task, Some(state)).await?;
        tx.commit().await?;
        Ok(state)
    }

    /// Cancels: a waiting task never runs, a running one is `canceled` at once and keeps its resources until its worker calls
    /// [`Store::task_finish`]; a complete one stays. Answers its state before.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such task.
    pub async fn task_cancel(&self, id: TaskId) -> Result<TaskState> {
        let mut tx = self.begin().await?;
        let mut query = Sql::new(self.backend(), "SELECT state FROM tasks WHERE id = ");
        query.bind(id).push(for_update(self.backend()));
        let row = tx.inner.optional(query.build()).await?;
        let row = row.ok_or_else(|| StoreError::missing("task", id))?;
        let was: TaskState = row.get(0)?;
        if was.is_complete() {
            return Ok(was);
        }
        let statement = sql("UPDATE tasks SET state = $1, cancel_requested = $2 WHERE id = $3")
            .bind(TaskState::Canceled)
            .bind(true)
            .bind(id);
        tx.inner.execute(statement).await?;
        if was == TaskState::Waiting {
            release(&mut tx, id, None).await?;
        }
        tx.wake_at_commit();
        tx.commit().await?;
        Ok(was)
    }

    /// Takes the running tasks that gave no sign of life since `before`: queued again, or ended when they were started
    /// `max_attempts` times. The workers not seen since then are forgotten. `pause` says how long a task waits whose process
    /// died so many times.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn task_requeue_lost(
        &self,
        before: Timestamp,
        (max_attempts, pause): (i64, impl Fn(i64) -> SignedDuration + Send),
        now: Timestamp,
    ) -> Result<Lost> {
        let mut tx = self.begin().await?;
        let mut query = Sql::new(
            self.backend(),
            "SELECT t.id, t.state, t.attempt - t.handed_back FROM tasks t WHERE t.open AND t.worker \
             IS NOT NULL AND t.state <> 'waiting' AND t.heartbeat < ",
        );
        query
            .bind(before)
            .push(" ORDER BY t.seq")
            // A row that somebody shares belongs to an attempt that writes just now.
            .push(for_update_skip_locked(self.backend()));
        let mut lost = Lost::default();
        for row in tx.inner.all(query.build()).await? {
            let (id, state, attempt): (TaskId, TaskState, i64) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            if state.is_complete() {
                release(&mut tx, id, None).await?;
                lost.released.push(id);
            } else if attempt >= max_attempts {
                let outcome = TaskOutcome::Error {
                    detail: Some(lost_error(id, attempt)),
                    traceback: None,
                };
                let state = write_outcome(&mut tx.inner, id, state, &outcome, now).await?;
                release(&mut tx, id, Some(state)).await?;
                lost.given_up.push(id);
            } else {
                let again = sql(
                    "UPDATE tasks SET state = 'waiting', worker = NULL, started = NULL, heartbeat = NULL, \
                     progress = jsonb('{}'), not_before = $2 WHERE id = $1",
                );
                let pause = Some(pause(attempt)).filter(SignedDuration::is_positive);
                let until = pause.and_then(|pause| now.checked_add(pause).ok());
                tx.inner.execute(again.bind(id).bind(until)).await?;
                tx.wake_at_commit();
                lost.requeued.push(id);
            }
        }
        tx.inner
            .execute(sql("DELETE FROM workers WHERE heartbeat < $1").bind(before))
            .await?;
        tx.commit().await?;
        Ok(lost)
    }
}
