//! The platform as a job of a family sees it.

use async_trait::async_trait;
use futures::stream::BoxStream;
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Clock, Document, UnitId};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::publish::{GeneratedFile, ReadSeek};
use crate::sync::RepoInfo;
use crate::unit::{RepoUnit, Select, WantedUnit};
use crate::{Config, ContentError, UnitType};

/// The platform as a job sees it.
#[async_trait]
pub trait JobContext: Send + Sync {
    /// Time.
    fn clock(&self) -> &dyn Clock;

    /// Fires when the task is cancelled. The engine drops the job soon after; blocking loops must look at it.
    fn cancelled(&self) -> &CancellationToken;

    /// Shows progress: the value under the job's name in the task's `progress_report`.
    fn progress(&self, report: Value);

    /// The repositories that the job has named, each once, in that order.
    fn repositories(&self) -> Vec<&dyn JobRepository>;

    /// The repository of this id, when the job has named it.
    ///
    /// # Errors
    /// When it has not.
    fn repository(&self, id: &str) -> Result<&dyn JobRepository, ContentError> {
        let found = self.repositories().into_iter();
        let mut found = found.filter(|each| each.repo().id == id);
        let missing = || ContentError::other(format!("the job has not named repository '{id}'"));
        found.next().ok_or_else(missing)
    }

    /// A file to write on a blocking thread, which becomes a blob. SHA-256 is always computed, `also` besides.
    fn file(&self, also: &[Algorithm]) -> Result<Box<dyn GeneratedFile>, ContentError>;

    /// Facts that the whole file tells of a unit of this type, by its [`crate::UnitRules::inspect`]. `hashed` is what the file answered
    /// when it was finished.
    ///
    /// # Errors
    /// [`ContentError::Failed`] when it is no file of such a unit.
    async fn inspect(
        &self,
        kind: &'static UnitType,
        hashed: &Hashed,
    ) -> Result<Document, ContentError>;
}

/// A repository that a job has to itself.
#[async_trait]
pub trait JobRepository: Send + Sync {
    /// The repository.
    fn repo(&self) -> &RepoInfo;

    /// The configuration of its importer.
    fn config(&self) -> &Config;

    /// Returns what it has.
    async fn units(
        &self,
        select: Select,
    ) -> Result<BoxStream<'_, Result<Vec<RepoUnit>, ContentError>>, ContentError>;

    /// Returns what it will have when the job commits.
    async fn units_after(
        &self,
        select: Select,
    ) -> Result<BoxStream<'_, Result<Vec<RepoUnit>, ContentError>>, ContentError>;

    /// The file of one of its units, to be read on a blocking thread; `None` when it has no such unit, or the file is not here.
    async fn open(
        &self,
        type_id: &'static str,
        unit: UnitId,
    ) -> Result<Option<Box<dyn ReadSeek>>, ContentError>;

    /// Hands over units that it should have; a source must be [`crate::unit::Source::Blob`] or none.
    async fn stage(&self, units: Vec<WantedUnit>) -> Result<(), ContentError>;

    /// Takes units out.
    async fn remove(&self, type_id: &'static str, units: Vec<UnitId>) -> Result<(), ContentError>;

    /// Keeps in the units' documents what was worked out about them. It is no change of the units, and holds whether or
    /// not the job commits.
    async fn learn(
        &self,
        type_id: &str,
        field: &'static str,
        values: Vec<(UnitId, Value)>,
    ) -> Result<(), ContentError>;
}
