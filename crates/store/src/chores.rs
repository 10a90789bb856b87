//! Upkeep that one process does for all.

use pith_core::Timestamp;

use crate::dialect::sql;
use crate::{Result, Store};

impl Store {
    /// Takes a chore that is due at `now`, so that nobody else does it before `next`; false when it is not due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn chore_take(&self, name: &str, now: Timestamp, next: Timestamp) -> Result<bool> {
        let statement = sql("INSERT INTO chores (name, due) VALUES ($1, $2) \
             ON CONFLICT (name) DO UPDATE SET due = excluded.due WHERE chores.due <= $3")
        .bind(name)
        .bind(next)
        .bind(now);
        Ok(self.execute(statement).await? > 0)
    }
}
