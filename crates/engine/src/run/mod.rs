//! The work of jobs that are about content, where it is longer than a job's own file.

mod basis;
mod commit;
mod content;
pub mod copy;
pub(crate) mod download;
pub(crate) mod download_repository;
mod files;
mod found;
mod generated;
pub(crate) mod group;
pub(crate) mod inspect;
mod keep;
pub(crate) mod learn;
mod moving;
pub(crate) mod own;
pub(crate) mod publish;
pub(crate) mod reading;
pub(crate) mod refresh_sources;
mod retire;
mod said;
mod save;
mod screen;
mod stage;
mod steps;
mod subject;
pub(crate) mod sync;
pub(crate) mod units;
pub(crate) mod upload;
pub mod withdraw;

use async_trait::async_trait;
use pith_store::{History, HistoryKind, TaskStore};
use serde_json::Value;

use crate::error::Error;

/// Shows an entry of the history as the result of the task that wrote it.
pub type EntryDocument = fn(HistoryKind, &History) -> Value;

/// Units that a client selected.
#[async_trait]
pub trait Selection: Send + Sync {
    /// Notes for the task of `store` that those of a repository are to come, or to go.
    ///
    /// # Errors
    /// 400 for a selection that cannot be read; when the database fails.
    async fn stage(&self, store: &TaskStore, repo_id: &str, remove: bool) -> Result<(), Error>;
}
