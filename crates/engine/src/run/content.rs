//! The content of a repository as a task reads and changes it: what the contexts of syncs, uploads, copies, removals
//! and jobs have in common.

use std::sync::Arc;

use async_trait::async_trait;
use pith_content::fetch::FetchFailure;
use pith_content::repository::{
    ChangeContext, Outlines, RepoInfo, RepositoryContext, StageContext, Units,
};
use pith_content::sync::StageObserver;
use pith_content::task::{TaskContext, Within};
use pith_content::unit::{Select, WantedUnit};
use pith_content::{Config, ContentError};
use pith_core::{Clock, UnitId};
use pith_store::{Repository, TaskStore};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::stage::Stages;
use super::subject::info;
use super::units;
use crate::attempt::Run;
use crate::error::Error;

impl TaskContext for Run {
    fn clock(&self) -> &dyn Clock {
        &*self.engine.clock
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.cancel
    }
}

/// A repository, and the database as the task may change its content.
pub(super) struct Content<'a> {
    pub(super) run: &'a Run,
    /// The lane of the repository.
    pub(super) store: TaskStore,
    pub(super) repo: RepoInfo,
    pub(super) config: Config,
}

impl<'a> Content<'a> {
    /// The content of the one repository of a task.
    pub(super) fn new(run: &'a Run, repo: &Repository, config: Config) -> Self {
        Self::in_lane(run, run.store.clone(), repo, config)
    }

    /// The content of one of several repositories.
    pub(super) fn in_lane(
        run: &'a Run,
        store: TaskStore,
        repo: &Repository,
        config: Config,
    ) -> Self {
        Self {
            run,
            store,
            repo: info(repo),
            config,
        }
    }
}

impl TaskContext for Content<'_> {
    fn clock(&self) -> &dyn Clock {
        self.run.clock()
    }

    fn cancelled(&self) -> &CancellationToken {
        self.run.cancelled()
    }
}

#[async_trait]
impl RepositoryContext for Content<'_> {
    fn repo(&self) -> &RepoInfo {
        &self.repo
    }

    fn config(&self) -> &Config {
        &self.config
    }

    async fn units(&self, select: Select) -> Result<Units<'_>, ContentError> {
        Ok(units::present(&self.store, &self.repo.id, &select)?)
    }

    async fn outlines(
        &self,
        type_id: &'static str,
        fields: &'static [&'static str],
    ) -> Result<Outlines<'_>, ContentError> {
        let outlines = units::outlines(&self.store, &self.repo.id, type_id, fields);
        Ok(outlines?)
    }

    async fn learn(
        &self,
        type_id: &str,
        field: &'static str,
        values: Vec<(UnitId, Value)>,
    ) -> Result<(), ContentError> {
        Ok(units::learn(&self.store, type_id, field, &values).await?)
    }
}

#[async_trait]
impl ChangeContext for Content<'_> {
    async fn units_after(&self, select: Select) -> Result<Units<'_>, ContentError> {
        Ok(units::after(&self.store, &self.repo.id, &select).await?)
    }

    async fn remove(&self, type_id: &'static str, units: Vec<UnitId>) -> Result<(), ContentError> {
        Ok(units::remove(&self.store, type_id, units).await?)
    }
}

/// A repository to which a task adds units whose files are in the store already.
pub(super) struct Staging<'a> {
    pub(super) content: Content<'a>,
    stages: Stages,
}

impl<'a> Staging<'a> {
    /// Starts the stages for `content`.
    pub(super) fn start(content: Content<'a>) -> Result<Self, Error> {
        let engine = Arc::clone(&content.run.engine);
        let stages = Stages::local(engine, content.store.clone(), &content.repo.id)?;
        Ok(Self { content, stages })
    }

    /// Waits until everything handed over is saved.
    pub(super) async fn drain(&self) -> Result<(), Error> {
        self.stages.drain().await
    }
}

impl<'a> Within for Staging<'a> {
    type Inner = Content<'a>;

    fn inner(&self) -> &Content<'a> {
        &self.content
    }
}

#[async_trait]
impl StageContext for Staging<'_> {
    async fn stage(&self, units: Vec<WantedUnit>) -> Result<(), ContentError> {
        let observer: Arc<dyn StageObserver> = Arc::new(Quiet);
        self.stages.stage(units, &observer).await?;
        Ok(self.drain().await?)
    }
}

/// Uploads, copies and jobs of types download nothing, so nothing can fail.
struct Quiet;

impl StageObserver for Quiet {
    fn failed(&self, _unit: &WantedUnit, failure: &FetchFailure) -> Result<(), ContentError> {
        Err(ContentError::Fetch(failure.clone()))
    }

    fn progress(&self) -> Value {
        Value::Null
    }
}
