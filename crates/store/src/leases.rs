//! Work that only one process does at a time, and work that comes round by itself.

use pith_core::Timestamp;

use crate::dialect::sql;
use crate::{NewTask, Result, Store, StoreError};

impl Store {
    /// Takes or keeps a lease until `expires`: possible when nobody has it, the holder asks again, or it ran out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_take(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<bool> {
        let statement = sql(
            "INSERT INTO leases (name, holder, expires) VALUES ($1, $2, $3) \
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires = excluded.expires \
             WHERE leases.holder = excluded.holder OR leases.expires <= $4 RETURNING name",
        )
        .bind(name)
        .bind(holder)
        .bind(expires)
        .bind(now);
        Ok(!self.write_all(statement).await?.is_empty())
    }

    /// Gives a lease back, so that the next one need not wait for its end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_release(&self, name: &str, holder: &str) -> Result<()> {
        let statement = sql("DELETE FROM leases WHERE name = $1 AND holder = $2");
        self.execute(statement.bind(name).bind(holder))
            .await
            .map(drop)
    }

    /// Takes a lease from whoever has it: for a process that knows that it is alone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_break(&self, name: &str) -> Result<()> {
        let statement = sql("DELETE FROM leases WHERE name = $1").bind(name);
        self.execute(statement).await.map(drop)
    }

    /// Returns when a piece of housekeeping last ran. One that nobody knew before counts as having run `now`: a new server has
    /// nothing to tidy.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn periodic_last_run(&self, name: &str, now: Timestamp) -> Result<Timestamp> {
        let find = || sql("SELECT last_run FROM periodic WHERE name = $1").bind(name);
        if let Some(row) = self.optional(find()).await? {
            return row.get(0);
        }
        let statement = sql(
            "INSERT INTO periodic (name, last_run) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        );
        self.execute(statement.bind(name).bind(now)).await?;
        match self.optional(find()).await? {
            Some(row) => row.get(0),
            None => Err(StoreError::missing("housekeeping", name)),
        }
    }

    /// Notes that housekeeping last seen at `seen` runs `now`, and queues its task, both or nothing. `false` when
    /// somebody else did so before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn periodic_dispatch(
        &self,
        name: &str,
        seen: Timestamp,
        now: Timestamp,
        task: &NewTask,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let statement = sql("UPDATE periodic SET last_run = $1 WHERE name = $2 AND last_run = $3")
            .bind(now)
            .bind(name)
            .bind(seen);
        if tx.inner.execute(statement).await? == 0 {
            return Ok(false);
        }
        self.task_enqueue_in(&mut tx, task).await?;
        tx.commit().await?;
        Ok(true)
    }
}
