//! Workers and their signs of life.

use pith_core::Timestamp;

use crate::dialect::{Stmt, sql};
use crate::{Result, Store};

/// A process that runs tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// `reserved_resource_worker-<N>@<host>` and the like.
    pub name: String,
    /// The time at which it first said something.
    pub started: Timestamp,
    /// The time at which it last said something.
    pub heartbeat: Timestamp,
}

/// Notes that the worker lives.
pub(crate) fn beat(name: &str, now: Timestamp) -> Stmt {
    sql(
        "INSERT INTO workers (name, started, heartbeat) VALUES ($1, $2, $3) \
         ON CONFLICT (name) DO UPDATE SET heartbeat = excluded.heartbeat",
    )
    .bind(name)
    .bind(now)
    .bind(now)
}

impl Store {
    /// Notes that the worker lives.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn worker_beat(&self, name: &str, now: Timestamp) -> Result<()> {
        self.execute(beat(name, now)).await.map(drop)
    }

    /// The workers known, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn workers_list(&self) -> Result<Vec<Worker>> {
        let rows = self
            .all(sql(
                "SELECT name, started, heartbeat FROM workers ORDER BY name",
            ))
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Worker {
                    name: row.get(0)?,
                    started: row.get(1)?,
                    heartbeat: row.get(2)?,
                })
            })
            .collect()
    }
}
