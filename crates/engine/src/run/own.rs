//! Running a job of a family: the platform's half.

use async_trait::async_trait;
use futures::TryStreamExt;
use pith_content::job::{AnyJob, JobContext, JobRepository};
use pith_content::publish::{GeneratedFile, ReadSeek};
use pith_content::repository::RepositoryContext;
use pith_content::task::{ProgressContext, Within};
use pith_content::{Config, ContentError, ContentType, UnitType};
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Document, UnitId};
use pith_store::UnitQuery;
use serde_json::{Value, json};

use super::commit::commit;
use super::content::{Content, Staging};
use super::generated::Generated;
use super::inspect;
use super::subject::Subject;
use crate::attempt::{Done, Run};
use crate::error::{Error, missing, platform};

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
        repository.0.drain().await?;
    }
    commit(&run, &ids, result).await
}

struct Context<'a> {
    run: &'a Run,
    repositories: Vec<Repository<'a>>,
}

impl Within for Context<'_> {
    type Inner = Run;

    fn inner(&self) -> &Run {
        self.run
    }
}

impl ProgressContext for Context<'_> {
    fn progress(&self, report: Value) {
        self.run.progress.report(report);
    }
}

#[async_trait]
impl JobContext for Context<'_> {
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
struct Repository<'a>(Staging<'a>);

impl<'a> Repository<'a> {
    /// Opens the repository of a lane. One that has become another family's meanwhile is as good as none.
    async fn open(
        run: &'a Run,
        family: &dyn ContentType,
        (lane, id): (u32, &str),
    ) -> Result<Self, Error> {
        let subject = Subject::of(run, id).await?;
        let of_family = family.importers();
        let mut of_family = of_family.iter().map(|own| own.descriptor().id);
        if !of_family.any(|own| own == subject.importer.type_id) {
            return Err(missing(&[("repo_id", json!(id))]));
        }
        let config = Config::new(subject.importer.config);
        let content = Content::in_lane(run, run.store.lane(lane), &subject.repo, config);
        Ok(Self(Staging::start(content)?))
    }
}

impl<'a> Within for Repository<'a> {
    type Inner = Staging<'a>;

    fn inner(&self) -> &Staging<'a> {
        &self.0
    }
}

#[async_trait]
impl JobRepository for Repository<'_> {
    async fn open(
        &self,
        type_id: &'static str,
        unit: UnitId,
    ) -> Result<Option<Box<dyn ReadSeek>>, ContentError> {
        let Content { run, store, .. } = &self.0.content;
        let query = UnitQuery {
            type_ids: vec![type_id],
            repo: Some(&self.repo().id),
            ids: Some(vec![unit]),
            fields: Some(Vec::new()),
            ..UnitQuery::default()
        };
        let found = store.units_stream(&query).map_err(platform)?;
        let found = found.try_concat().await.map_err(platform)?;
        let file = found.into_iter().next().map(|found| found.unit);
        let file = file.filter(|unit| unit.downloaded);
        let Some(blob) = file.and_then(|unit| unit.blob) else {
            return Ok(None);
        };
        let file = run.engine.blobs.open_document(blob).await;
        Ok(Some(Box::new(file.map_err(platform)?)))
    }
}
