//! A repository as whatever works on it sees it: what it has, and what a task makes of it. The contexts of syncs, uploads, copies,
//! removals and jobs have this in common.

use async_trait::async_trait;
use futures::stream::BoxStream;
use pith_core::{Document, UnitId};
use serde_json::Value;

use crate::outline::Outline;
use crate::task::Within;
use crate::unit::{RepoUnit, Select, WantedUnit};
use crate::{Config, ContentError};

/// The repository as a type sees it: the one that it works on.
#[derive(Debug, Clone, Default)]
pub struct RepoInfo {
    /// The repository's id.
    pub id: String,
    /// Client data.
    pub notes: Document,
    /// The repository's scratchpad.
    pub scratchpad: Document,
}

/// Units in batches.
pub type Units<'a> = BoxStream<'a, Result<Vec<RepoUnit>, ContentError>>;

/// Some fields of units, in batches.
pub type Outlines<'a> = BoxStream<'a, Result<Vec<Outline>, ContentError>>;

/// A repository, to be read.
#[async_trait]
pub trait RepositoryContext: Send + Sync {
    /// The repository.
    fn repo(&self) -> &RepoInfo;

    /// The effective configuration of its importer.
    fn config(&self) -> &Config;

    /// Returns what the repository has.
    async fn units(&self, select: Select) -> Result<Units<'_>, ContentError>;

    /// Returns a little of what the repository has of a type, in the order of the units' ids.
    async fn outlines(
        &self,
        type_id: &'static str,
        fields: &'static [&'static str],
    ) -> Result<Outlines<'_>, ContentError>;

    /// Keeps in the units' documents what was worked out about them, so that nobody need do it again. It is no change of the units,
    /// and holds whether or not the task succeeds.
    async fn learn(
        &self,
        type_id: &str,
        field: &'static str,
        values: Vec<(UnitId, Value)>,
    ) -> Result<(), ContentError>;
}

/// A repository whose content the task may change. Nothing shows before the engine commits.
#[async_trait]
pub trait ChangeContext: RepositoryContext {
    /// Returns what the repository will hold when the task commits.
    async fn units_after(&self, select: Select) -> Result<Units<'_>, ContentError>;

    /// Takes these units out.
    async fn remove(&self, type_id: &'static str, units: Vec<UnitId>) -> Result<(), ContentError>;
}

/// A repository to which the task may add units that need no download.
#[async_trait]
pub trait StageContext: ChangeContext {
    /// Hands over units that the repository should have for itself; a source must be [`crate::unit::Source::Blob`] or none.
    async fn stage(&self, units: Vec<WantedUnit>) -> Result<(), ContentError>;
}

#[async_trait]
impl<T: Within<Inner: RepositoryContext>> RepositoryContext for T {
    fn repo(&self) -> &RepoInfo {
        self.inner().repo()
    }

    fn config(&self) -> &Config {
        self.inner().config()
    }

    async fn units(&self, select: Select) -> Result<Units<'_>, ContentError> {
        self.inner().units(select).await
    }

    async fn outlines(
        &self,
        type_id: &'static str,
        fields: &'static [&'static str],
    ) -> Result<Outlines<'_>, ContentError> {
        self.inner().outlines(type_id, fields).await
    }

    async fn learn(
        &self,
        type_id: &str,
        field: &'static str,
        values: Vec<(UnitId, Value)>,
    ) -> Result<(), ContentError> {
        self.inner().learn(type_id, field, values).await
    }
}

#[async_trait]
impl<T: Within<Inner: ChangeContext>> ChangeContext for T {
    async fn units_after(&self, select: Select) -> Result<Units<'_>, ContentError> {
        self.inner().units_after(select).await
    }

    async fn remove(&self, type_id: &'static str, units: Vec<UnitId>) -> Result<(), ContentError> {
        self.inner().remove(type_id, units).await
    }
}

#[async_trait]
impl<T: Within<Inner: StageContext>> StageContext for T {
    async fn stage(&self, units: Vec<WantedUnit>) -> Result<(), ContentError> {
        self.inner().stage(units).await
    }
}
