//! Running a job of a family: the platform's half.

use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use pith_content::job::{AnyJob, JobContext, JobRepository};
use pith_content::publish::{GeneratedFile, ReadSeek};
use pith_content::sync::{RepoInfo, StageObserver};
use pith_content::unit::{RepoUnit, Select, WantedUnit};
use pith_content::{Config, ContentError, ContentType, UnitType};
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Clock, Document, UnitId};
use pith_store::{TaskStore, UnitQuery};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::commit::commit;
use super::generated::Generated;
use super::stage::Stages;
use super::subject::{Subject, info};
use super::upload::Quiet;
use super::{inspect, units};
use crate::Engine;
use crate::error::{Error, missing, platform};
use crate::worker::{Done, Run};

/// Runs a job of `family`. Its repositories change in the end, all of them or none.
pub(crate) async fn run(
    run: Run,
    family: &dyn ContentType,
    name: &str,
    job: Box<dyn AnyJob>,
) -> Result<Done, Error> {
    run.progress.set_key(name);
    let ids = job.repositories();
    let mut repositories = Vec::with_capacity(ids.len());
    for (lane, id) in (0..).zip(&ids) {
        let repository = Repository::open(&run, family, (lane, id.as_str()));
        repositories.push(repository.await?);
    }
    let ctx = Context {
        run: &run,
        repositories,
    };
    let result = run.until_cancelled(job.run(&ctx)).await?;
    for repository in &ctx.repositories {
        repository.stages.drain().await?;
    }
    commit(&run, &ids, result).await
}

struct Context<'a> {
    run: &'a Run,
    repositories: Vec<Repository>,
}

#[async_trait]
impl JobContext for Context<'_> {
    fn clock(&self) -> &dyn Clock {
        &*self.run.engine.clock
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.run.cancel
    }

    fn progress(&self, report: Value) {
        self.run.progress.report(report);
    }

    fn repositories(&self) -> Vec<&dyn JobRepository> {
        let all = self.repositories.iter();
        all.map(|one| one as &dyn JobRepository).collect()
    }

    fn file(&self, also: &[Algorithm]) -> Result<Box<dyn GeneratedFile>, ContentError> {
        let file = Generated::new(&self.run.engine.blobs, also, |_| ());
        Ok(Box::new(file))
    }

    async fn inspect(
        &self,
        kind: &'static UnitType,
        hashed: &Hashed,
    ) -> Result<Document, ContentError> {
        inspect::required(&self.run.engine, kind, hashed).await
    }
}

/// A repository of a job, with the part of its content that the task may change.
struct Repository {
    engine: Arc<Engine>,
    store: TaskStore,
    repo: RepoInfo,
    config: Config,
    stages: Stages,
}

impl Repository {
    /// Opens the repository of a lane. One that has become another family's meanwhile is as good as none.
    async fn open(
        run: &Run,
        family: &dyn ContentType,
        (lane, id): (u32, &str),
    ) -> Result<Self, Error> {
        let subject = Subject::of(run, id).await?;
        let of_family = family.importers();
        let mut of_family = of_family.iter().map(|own| own.descriptor().id);
        if !of_family.any(|own| own == subject.importer.type_id) {
            return Err(missing(&[("repo_id", json!(id))]));
        }
        let store = run.store.lane(lane);
        Ok(Self {
            engine: Arc::clone(&run.engine),
            repo: info(&subject.repo),
            config: Config::new(subject.importer.config),
            stages: Stages::local(Arc::clone(&run.engine), store.clone(), id)?,
            store,
        })
    }
}

#[async_trait]
impl JobRepository for Repository {
    fn repo(&self) -> &RepoInfo {
        &self.repo
    }

    fn config(&self) -> &Config {
        &self.config
    }

    async fn units(
        &self,
        select: Select,
    ) -> Result<BoxStream<'_, Result<Vec<RepoUnit>, ContentError>>, ContentError> {
        Ok(units::present(&self.store, &self.repo.id, &select)?)
    }

    async fn units_after(
        &self,
        select: Select,
    ) -> Result<BoxStream<'_, Result<Vec<RepoUnit>, ContentError>>, ContentError> {
        Ok(units::after(&self.store, &self.repo.id, &select).await?)
    }

    async fn open(
        &self,
        type_id: &'static str,
        unit: UnitId,
    ) -> Result<Option<Box<dyn ReadSeek>>, ContentError> {
        let query = UnitQuery {
            type_ids: vec![type_id],
            repo: Some(&self.repo.id),
            ids: Some(vec![unit]),
            fields: Some(Vec::new()),
            ..UnitQuery::default()
        };
        let found = self.store.units_stream(&query).map_err(platform)?;
        let found = found.try_concat().await.map_err(platform)?;
        let file = found.into_iter().next().map(|found| found.unit);
        let file = file.filter(|unit| unit.downloaded);
        let Some(blob) = file.and_then(|unit| unit.blob) else {
            return Ok(None);
        };
        let file = self.engine.blobs.open_document(blob).await;
        Ok(Some(Box::new(file.map_err(platform)?)))
    }

    async fn stage(&self, units: Vec<WantedUnit>) -> Result<(), ContentError> {
        let observer: Arc<dyn StageObserver> = Arc::new(Quiet);
        self.stages.stage(units, &observer).await?;
        Ok(self.stages.drain().await?)
    }

    async fn remove(&self, type_id: &'static str, units: Vec<UnitId>) -> Result<(), ContentError> {
        Ok(units::remove(&self.store, type_id, units).await?)
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
