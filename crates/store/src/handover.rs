//! Workers that are told to stop give their tasks to others.

use crate::dialect::{Sql, sql};
use crate::{Result, Store};

impl Store {
    /// Puts the running tasks of these workers, which stop, back into the queue, where any worker may take them at once, and
    /// forgets the workers; answers how many tasks. Stopping does not count as dying (see [`Store::task_requeue_lost`]). Tasks
    /// that somebody cancelled stay until they are released.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tasks_hand_back(&self, workers: &[String]) -> Result<u64> {
        let mut tx = self.begin().await?;
        let mut query = Sql::new(
            self.backend(),
            "UPDATE tasks SET state = 'waiting', worker = NULL, started = NULL, heartbeat = NULL, \
             progress = jsonb('{}'), handed_back = handed_back + 1 WHERE open AND state = 'running' AND ",
        );
        query.bind_in("worker", workers);
        let given = tx.inner.execute(query.build()).await?;
        for worker in workers {
            let forget = sql("DELETE FROM workers WHERE name = $1").bind(worker);
            tx.inner.execute(forget).await?;
        }
        tx.wake_at_commit();
        tx.commit().await?;
        Ok(given)
    }
}
