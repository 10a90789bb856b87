//! Workers and their signs of life.

use pith_core::Timestamp;

use crate::{Result, Store};

/// A process that runs tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// `reserved_resource_worker-<N>@<host>` and the like.
    pub name: String,
    /// When it first said something.
    pub started: Timestamp,
    /// When it last said something.
    pub heartbeat: Timestamp,
}

impl Store {
    /// Notes that the worker lives.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn worker_beat(&self, _name: &str, _now: Timestamp) -> Result<()> {
        unimplemented!()
    }

    /// The workers known, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn workers_list(&self) -> Result<Vec<Worker>> {
        unimplemented!()
    }

    /// Forgets a worker that stopped cleanly.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn worker_remove(&self, _name: &str) -> Result<()> {
        unimplemented!()
    }
}
