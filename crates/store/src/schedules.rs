//! Schedules of syncs and publishes (pulp2/schedules).

use pith_core::{Document, ObjectId, TaskId, Timestamp};
use serde_json::Value;

use crate::dialect::{ColumnType, Sql, bulk, for_update, sql};
use crate::secrets::Secrets;
use crate::transaction::DbTx;
use crate::value::Row;
use crate::{NewTask, Result, Store, StoreError, TaskOutcome};

/// The thing that a schedule runs on, and goes away with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScheduleOwner {
    /// The importer of a repository.
    Importer {
        /// The repository.
        repo_id: String,
    },
    /// A distributor of a repository.
    Distributor {
        /// The repository.
        repo_id: String,
        /// The distributor.
        distributor_id: String,
    },
}

/// A user who answers for something that is done later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maker {
    /// The login.
    pub login: String,
    /// `_id` of the user: another one of the same login is somebody else.
    pub oid: ObjectId,
}

/// A schedule as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// `_id` on the wire.
    pub oid: ObjectId,
    /// `pulp:importer:<repo>:<importer>` and the like.
    pub resource: String,
    /// The thing that it runs on.
    pub owner: ScheduleOwner,
    /// The name of what it runs.
    pub task: String,
    /// Arguments by place.
    pub args: Value,
    /// Arguments by name.
    pub kwargs: Document,
    /// The interval as given.
    pub schedule: String,
    /// The first run, as text with the offset that was given.
    pub first_run: String,
    /// Is true when it runs at all.
    pub enabled: bool,
    /// After so many failures in a row it is switched off.
    pub failure_threshold: Option<i64>,
    /// Failures in a row.
    pub consecutive_failures: i64,
    /// The number of times that it ran.
    pub total_run_count: i64,
    /// The number of times that it may still run.
    pub remaining_runs: Option<i64>,
    /// The time at which it last ran.
    pub last_run_at: Option<Timestamp>,
    /// The time at which somebody last changed it.
    pub last_updated: Timestamp,
    /// The time at which it has to run next; `None` is never. Whoever changes a schedule works it out.
    pub due: Option<Timestamp>,
    /// The user who last said what it does; `None` for nobody, or an earlier version of pith that did not note it.
    pub maker: Option<Maker>,
}

/// The columns of a [`Schedule`], in the order of `schedule`.
const COLUMNS: &str = "oid, resource, importer_of, distributor_of, distributor_id, task, json(args), json(kwargs), \
     iso_schedule, first_run, enabled, failure_threshold, consecutive_failures, total_run_count, remaining_runs, \
     last_run_at, last_updated, due, maker_login, maker_oid";

fn schedule(row: &Row, secrets: &Secrets) -> Result<Schedule> {
    let owner: (Option<String>, Option<String>, Option<String>) =
        (row.get(2)?, row.get(3)?, row.get(4)?);
    let owner = match owner {
        (Some(repo_id), _, _) => ScheduleOwner::Importer { repo_id },
        (None, Some(repo_id), Some(distributor_id)) => ScheduleOwner::Distributor {
            repo_id,
            distributor_id,
        },
        _ => return Err(StoreError::Corrupt("schedule without owner".to_owned())),
    };
    let maker: (Option<String>, Option<ObjectId>) = (row.get(18)?, row.get(19)?);
    Ok(Schedule {
        oid: row.get(0)?,
        resource: row.get(1)?,
        owner,
        task: row.get(5)?,
        args: row.get(6)?,
        kwargs: secrets.opened(row.get(7)?)?,
        schedule: row.get(8)?,
        first_run: row.get(9)?,
        enabled: row.get(10)?,
        failure_threshold: row.get(11)?,
        consecutive_failures: row.get(12)?,
        total_run_count: row.get(13)?,
        remaining_runs: row.get(14)?,
        last_run_at: row.get(15)?,
        last_updated: row.get(16)?,
        due: row.get(17)?,
        maker: match maker {
            (Some(login), Some(oid)) => Some(Maker { login, oid }),
            _ => None,
        },
    })
}

/// Login and `_id` of a schedule's maker, as they are stored.
fn maker_of(schedule: &Schedule) -> (Option<String>, Option<String>) {
    let maker = schedule.maker.clone();
    maker
        .map(|maker| (maker.login, maker.oid.to_string()))
        .unzip()
}

fn select(store: &Store) -> Sql {
    let mut query = Sql::new(store.backend(), "SELECT ");
    query.push(COLUMNS).push(" FROM schedules");
    query
}

/// Counts the end of a task for the schedule that queued it, if one did (pulp2/schedules#run-times). What the
/// task spawned will be counted too. A cancelled task counts as nothing.
pub(crate) async fn task_ended(tx: &mut DbTx, id: TaskId, outcome: &TaskOutcome) -> Result<()> {
    let query = sql("SELECT schedule FROM scheduled_tasks WHERE task_id = $1").bind(id);
    let Some(row) = tx.optional(query).await? else {
        return Ok(());
    };
    let schedule: String = row.get(0)?;
    match outcome {
        TaskOutcome::Canceled => Ok(()),
        TaskOutcome::Error { .. } => {
            let statement = sql(
                "UPDATE schedules SET consecutive_failures = consecutive_failures + 1, \
                 enabled = enabled AND (failure_threshold IS NULL OR consecutive_failures + 1 < failure_threshold), \
                 due = CASE WHEN failure_threshold IS NULL OR consecutive_failures + 1 < failure_threshold \
                 THEN due END WHERE oid = $1",
            );
            tx.execute(statement.bind(&schedule)).await.map(drop)
        }
        TaskOutcome::Finished { spawned, .. } => {
            let statement = sql("UPDATE schedules SET consecutive_failures = 0 WHERE oid = $1");
            tx.execute(statement.bind(&schedule)).await?;
            follow(tx, &schedule, spawned).await
        }
    }
}

/// Notes that these tasks count for a schedule.
async fn follow(tx: &mut DbTx, schedule: &str, tasks: &[TaskId]) -> Result<()> {
    let row = |task: &TaskId| vec![(*task).into(), schedule.into()];
    let rows = tasks.iter().map(row).collect();
    let head = "INSERT INTO scheduled_tasks (task_id, schedule)";
    let tail = "ON CONFLICT (task_id) DO NOTHING";
    tx.execute_each(bulk(
        tx.backend(),
        head,
        &[ColumnType::Bytes, ColumnType::Text],
        rows,
        tail,
    ))
    .await
    .map(drop)
}

impl Store {
    /// Saves a new schedule.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when what it is to run on is gone.
    pub async fn schedule_create(&self, schedule: &Schedule) -> Result<()> {
        let (importer_of, distributor_of, distributor_id) = match &schedule.owner {
            ScheduleOwner::Importer { repo_id } => (Some(repo_id.clone()), None, None),
            ScheduleOwner::Distributor {
                repo_id,
                distributor_id,
            } => (None, Some(repo_id.clone()), Some(distributor_id.clone())),
        };
        let (maker_login, maker_oid) = maker_of(schedule);
        let statement = sql("INSERT INTO schedules (oid, resource, importer_of, distributor_of, distributor_id, task, args, \
             kwargs, iso_schedule, first_run, enabled, failure_threshold, consecutive_failures, total_run_count, \
             remaining_runs, last_run_at, last_updated, due, maker_login, maker_oid) VALUES ($1, $2, $3, $4, $5, $6, \
             jsonb($7), jsonb($8), $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)")
        .bind(&schedule.oid)
        .bind(&schedule.resource)
        .bind(&importer_of)
        .bind(&distributor_of)
        .bind(&distributor_id)
        .bind(&schedule.task)
        .bind(&schedule.args)
        .bind(&self.inner.secrets.sealed(&schedule.kwargs)?)
        .bind(&schedule.schedule)
        .bind(&schedule.first_run)
        .bind(schedule.enabled)
        .bind(schedule.failure_threshold)
        .bind(schedule.consecutive_failures)
        .bind(schedule.total_run_count)
        .bind(schedule.remaining_runs)
        .bind(schedule.last_run_at)
        .bind(schedule.last_updated)
        .bind(schedule.due)
        .bind(&maker_login)
        .bind(&maker_oid);
        self.execute(statement)
            .await
            .map(drop)
            .map_err(|error| error.or_missing("resource", &schedule.resource))
    }

    /// One schedule.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn schedule_get(&self, oid: &ObjectId) -> Result<Option<Schedule>> {
        let mut query = select(self);
        query.push(" WHERE oid = ").bind(oid);
        let row = self.optional(query.build()).await?;
        row.as_ref()
            .map(|row| schedule(row, &self.inner.secrets))
            .transpose()
    }

    /// The schedules of a resource, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn schedule_list(&self, resource: &str) -> Result<Vec<Schedule>> {
        let mut query = select(self);
        query
            .push(" WHERE resource = ")
            .bind(resource)
            .push(" ORDER BY seq");
        self.all(query.build())
            .await?
            .iter()
            .map(|row| schedule(row, &self.inner.secrets))
            .collect()
    }

    /// Changes a schedule as `change` says, seeing nobody else's change meanwhile; the schedule as it is then, or
    /// `None` when there is none. What it runs on and what it runs stay.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn schedule_change(
        &self,
        oid: &ObjectId,
        change: impl FnOnce(&mut Schedule) + Send,
    ) -> Result<Option<Schedule>> {
        let mut tx = self.begin().await?;
        let mut query = select(self);
        query
            .push(" WHERE oid = ")
            .bind(oid)
            .push(for_update(self.backend()));
        let Some(row) = tx.inner.optional(query.build()).await? else {
            return Ok(None);
        };
        let mut changed = schedule(&row, &self.inner.secrets)?;
        change(&mut changed);
        let (maker_login, maker_oid) = maker_of(&changed);
        let statement = sql("UPDATE schedules SET kwargs = jsonb($1), iso_schedule = $2, first_run = $3, enabled = $4, \
             failure_threshold = $5, consecutive_failures = $6, total_run_count = $7, remaining_runs = $8, \
             last_run_at = $9, last_updated = $10, due = $11, maker_login = $12, maker_oid = $13 WHERE oid = $14")
        .bind(&self.inner.secrets.sealed(&changed.kwargs)?)
        .bind(&changed.schedule)
        .bind(&changed.first_run)
        .bind(changed.enabled)
        .bind(changed.failure_threshold)
        .bind(changed.consecutive_failures)
        .bind(changed.total_run_count)
        .bind(changed.remaining_runs)
        .bind(changed.last_run_at)
        .bind(changed.last_updated)
        .bind(changed.due)
        .bind(&maker_login)
        .bind(&maker_oid)
        .bind(oid);
        tx.inner.execute(statement).await?;
        tx.commit().await?;
        Ok(Some(changed))
    }

    /// Removes a schedule; whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn schedule_delete(&self, oid: &ObjectId) -> Result<bool> {
        let statement = sql("DELETE FROM schedules WHERE oid = $1").bind(oid);
        Ok(self.execute(statement).await? > 0)
    }

    /// Up to `limit` schedules that have to run at `now`, the longest overdue first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn schedules_due(&self, now: Timestamp, limit: u64) -> Result<Vec<Schedule>> {
        let mut query = select(self);
        query
            .push(" WHERE due <= ")
            .bind(now)
            .push(" ORDER BY due, seq")
            .limit(limit);
        self.all(query.build())
            .await?
            .iter()
            .map(|row| schedule(row, &self.inner.secrets))
            .collect()
    }

    /// Advances a schedule from `seen` to `next` and queues its task, both or nothing. `false` when somebody else ran
    /// or changed it since it was seen; nothing is done then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn schedule_dispatch(
        &self,
        seen: &Schedule,
        next: &Schedule,
        task: &NewTask,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        // Before the schedule, as the end of a task does that queues others.
        crate::locks::lock_queue(&mut tx.inner).await?;
        let statement = sql(
            "UPDATE schedules SET last_run_at = $1, total_run_count = $2, remaining_runs = $3, enabled = $4, due = $5 \
             WHERE oid = $6 AND due = $7 AND last_updated = $8",
        )
        .bind(next.last_run_at)
        .bind(next.total_run_count)
        .bind(next.remaining_runs)
        .bind(next.enabled)
        .bind(next.due)
        .bind(&seen.oid)
        .bind(seen.due)
        .bind(seen.last_updated);
        if tx.inner.execute(statement).await? == 0 {
            return Ok(false);
        }
        self.task_enqueue_in(&mut tx, task).await?;
        follow(&mut tx.inner, seen.oid.as_str(), &[task.id]).await?;
        tx.commit().await?;
        Ok(true)
    }
}
