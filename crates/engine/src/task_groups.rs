//! Tasks that belong together (pulp2/tasks#groups).

use uuid::Uuid;

use crate::Engine;
use crate::error::Error;
use crate::job::Job;

impl Engine {
    /// Queues tasks as a group, all or none; the group's id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enqueue_group(&self, jobs: &[impl Job]) -> Result<Uuid, Error> {
        let group = Uuid::new_v4();
        let mut tx = self.store.begin().await?;
        for job in jobs {
            let mut task = self.new_task(job)?;
            task.group = Some(group);
            self.store.task_enqueue_in(&mut tx, &task).await?;
        }
        tx.commit().await?;
        Ok(group)
    }

    /// Cancels the tasks of a group; whether it has any.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel_group(&self, group: Uuid) -> Result<bool, Error> {
        let tasks = self.store.tasks_by_group(group).await?;
        for task in &tasks {
            self.cancel(task.id).await?;
        }
        Ok(!tasks.is_empty())
    }
}
