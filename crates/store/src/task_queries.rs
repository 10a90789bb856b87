//! Looking at tasks, and forgetting old ones.

use pith_core::task::TaskState;
use pith_core::{TaskId, Timestamp};
use uuid::Uuid;

use crate::dialect::{CHUNK, Sql, sql};
use crate::tasks::{COLUMNS, SHOWN, Task, task};
use crate::{Result, Store};

impl Store {
    /// One task.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn task_get(&self, id: TaskId) -> Result<Option<Task>> {
        Ok(self.tasks_by_ids(&[id]).await?.pop())
    }

    /// The tasks that have all of these tags, without their arguments, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn task_list(&self, tags: &[String]) -> Result<Vec<Task>> {
        let mut query = Sql::new(self.backend(), "SELECT ");
        query.push(SHOWN).push(" FROM tasks");
        for (at, tag) in tags.iter().enumerate() {
            query.push(if at == 0 { " WHERE " } else { " AND " });
            query
                .push("id IN (SELECT task_id FROM task_tags WHERE tag = ")
                .bind(tag)
                .push(")");
        }
        query.push(" ORDER BY seq");
        self.gather(query.build(), task).await
    }

    /// Returns these tasks, of those there are, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tasks_by_ids(&self, ids: &[TaskId]) -> Result<Vec<Task>> {
        let mut tasks: Vec<Task> = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(CHUNK) {
            let mut query = self.select_tasks();
            query.push(" WHERE ").bind_in("id", chunk.iter().copied());
            for row in self.all(query.build()).await? {
                tasks.push(task(&row)?);
            }
        }
        tasks.sort_unstable_by_key(|task| task.seq);
        tasks.dedup_by_key(|task| task.seq);
        Ok(tasks)
    }

    /// The tasks of a group, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tasks_by_group(&self, group: Uuid) -> Result<Vec<Task>> {
        let mut query = self.select_tasks();
        query
            .push(" WHERE group_id = ")
            .bind(group)
            .push(" ORDER BY seq");
        self.all(query.build()).await?.iter().map(task).collect()
    }

    /// Returns how many tasks of a group are in which state; states without tasks are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn task_group_states(&self, group: Uuid) -> Result<Vec<(TaskState, i64)>> {
        let statement =
            sql("SELECT state, COUNT(*) FROM tasks WHERE group_id = $1 GROUP BY state").bind(group);
        let rows = self.all(statement).await?;
        rows.iter()
            .map(|row| Ok((row.get(0)?, row.get(1)?)))
            .collect()
    }

    /// The running tasks of this worker that somebody asked to cancel.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tasks_to_cancel(&self, worker: &str) -> Result<Vec<TaskId>> {
        let statement = sql(
            "SELECT id FROM tasks WHERE worker = $1 AND open AND cancel_requested ORDER BY seq",
        )
        .bind(worker);
        self.all(statement)
            .await?
            .iter()
            .map(|row| row.get(0))
            .collect()
    }

    /// Deletes the tasks in these states that hold nothing; answers how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn task_delete_in_states(&self, states: &[TaskState]) -> Result<u64> {
        let mut query = Sql::new(self.backend(), "DELETE FROM tasks WHERE NOT open AND ");
        query.bind_in("state", states.iter().copied());
        self.execute(query.build()).await
    }

    /// Deletes the tasks queued before `before` that hold nothing; answers how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn task_delete_before(&self, before: Timestamp) -> Result<u64> {
        self.execute(sql("DELETE FROM tasks WHERE NOT open AND created < $1").bind(before))
            .await
    }

    fn select_tasks(&self) -> Sql {
        let mut query = Sql::new(self.backend(), "SELECT ");
        query.push(COLUMNS).push(" FROM tasks");
        query
    }
}
