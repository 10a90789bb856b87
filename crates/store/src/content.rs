//! What repositories have: staging by a task, commits, versions.

use pith_core::{TaskId, Timestamp, UnitId};

use crate::units::{StreamedUnit, UnitQuery};
use crate::{BatchStream, Result, Store};

/// What a commit did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    /// The new version; `None` when nothing was added or removed.
    pub version: Option<i64>,
    /// Associations made.
    pub added: i64,
    /// Associations that were there and were staged again.
    pub updated: i64,
    /// Associations ended.
    pub removed: i64,
}

/// A numbered state of a repository's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    /// 1, 2, 3…
    pub number: i64,
    /// When it was committed.
    pub created: Timestamp,
    /// Units added against the version before.
    pub added: i64,
    /// Units removed against the version before.
    pub removed: i64,
}

impl Store {
    /// Notes that the task wants these units in its repository. Staging a unit again changes nothing; staging one that
    /// was staged for removal wants it back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stage_add(&self, _task: TaskId, _units: &[(UnitId, &str)]) -> Result<()> {
        unimplemented!()
    }

    /// Notes that the task wants these units out of its repository.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stage_remove(&self, _task: TaskId, _units: &[(UnitId, &str)]) -> Result<()> {
        unimplemented!()
    }

    /// Stages for removal what the repository has of these types and the task has not staged; answers how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stage_remove_missing(
        &self,
        _task: TaskId,
        _repo: &str,
        _type_ids: &[&str],
    ) -> Result<i64> {
        unimplemented!()
    }

    /// What `query.repo` will have when the task commits: present, less removals, plus additions (whose `updated` is
    /// the store's now).
    ///
    /// # Errors
    /// As [`Store::units_stream`]; `query.repo` must be given.
    pub fn units_stream_after(
        &self,
        _task: TaskId,
        _query: &UnitQuery<'_>,
    ) -> Result<BatchStream<StreamedUnit>> {
        unimplemented!()
    }

    /// Forgets what the task staged.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stage_clear(&self, _task: TaskId) -> Result<()> {
        unimplemented!()
    }

    /// Makes what the task staged the content of the repository, in one transaction.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when the repository is gone.
    pub async fn content_commit(
        &self,
        _task: TaskId,
        _repo: &str,
        _now: Timestamp,
    ) -> Result<Committed> {
        unimplemented!()
    }

    /// The versions of a repository, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn version_list(&self, _repo: &str) -> Result<Vec<Version>> {
        unimplemented!()
    }

    /// The units that the repository had in a version, by type and id.
    ///
    /// # Errors
    /// Items are errors when the database fails on the way.
    #[must_use]
    pub fn version_units(&self, _repo: &str, _number: i64) -> BatchStream<(UnitId, String)> {
        unimplemented!()
    }

    /// Forgets the versions before `number`, with the associations that only they had.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn version_prune(&self, _repo: &str, _number: i64) -> Result<()> {
        unimplemented!()
    }
}
