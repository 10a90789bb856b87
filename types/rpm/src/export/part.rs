//! One repository's part of an export: what came in a window of time, below a folder of its own.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use pith_content::export::{Images, Trees};
use pith_content::publish::{Entry, GeneratedFile, Outlet, Placing, PublishContext, ReadSeek};
use pith_content::repository::{Outlines, RepoInfo, Units};
use pith_content::signing::Signer;
use pith_content::unit::{RepoUnit, Select};
use pith_content::{Config, ContentError, Headers};
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Clock, RelativePath, Sha256, Timestamp, UnitId};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::config::Window;
use crate::type_ids::{DRPM, ERRATUM, RPM, SRPM};

/// The types of which a window of time leaves units out.
const DATED: [&str; 4] = [RPM, SRPM, DRPM, ERRATUM];

/// Batches of units, with some form of their documents.
type Batches<'a, D> = BoxStream<'a, Result<Vec<RepoUnit<D>>, ContentError>>;

/// The context of a publish, seen through a window of time; paths lie below a folder, and nothing was published before.
pub(super) struct Part<'a> {
    ctx: &'a dyn PublishContext,
    top: RelativePath,
    window: Window,
    /// Shows progress in the place of the context, where the part is one of several.
    shows: Option<&'a (dyn Fn() + Sync)>,
}

impl<'a> Part<'a> {
    pub(super) fn new(ctx: &'a dyn PublishContext, top: RelativePath, window: Window) -> Self {
        Self {
            ctx,
            top,
            window,
            shows: None,
        }
    }

    /// The same as one of several, whose progress `shows` shows.
    pub(super) fn showing(self, shows: &'a (dyn Fn() + Sync)) -> Self {
        Self {
            shows: Some(shows),
            ..self
        }
    }

    /// The window, where it counts for units of a type.
    fn window_of(&self, type_id: &str) -> Option<Window> {
        let counts = DATED.contains(&type_id) && !self.window.is_open();
        counts.then_some(self.window)
    }

    fn seen<'b, D: Send + 'b>(&self, type_id: &str, units: Batches<'b, D>) -> Batches<'b, D> {
        let Some(window) = self.window_of(type_id) else {
            return units;
        };
        let inside = move |mut batch: Vec<RepoUnit<D>>| {
            batch.retain(|unit| unit.added.is_some_and(|added| window.has(added)));
            batch
        };
        units.map_ok(inside).boxed()
    }
}

#[async_trait]
impl Outlet for Part<'_> {
    fn config(&self) -> &Config {
        self.ctx.config()
    }

    fn clock(&self) -> &dyn Clock {
        self.ctx.clock()
    }

    fn cancelled(&self) -> &CancellationToken {
        self.ctx.cancelled()
    }

    async fn add_with(
        &self,
        path: RelativePath,
        entry: Entry,
        modified: Timestamp,
        headers: Headers,
    ) -> Result<(), ContentError> {
        let path = self.top.join(&path).map_err(ContentError::other)?;
        self.ctx.add_with(path, entry, modified, headers).await
    }

    async fn add_files(
        &self,
        folder: Option<&RelativePath>,
        files: Sha256,
        modified: Timestamp,
    ) -> Result<u64, ContentError> {
        let below = folder.map(|folder| self.top.join(folder));
        let below = below.transpose().map_err(ContentError::other)?;
        let folder = below.as_ref().unwrap_or(&self.top);
        self.ctx.add_files(Some(folder), files, modified).await
    }

    fn file(&self, also: &[Algorithm]) -> Result<Box<dyn GeneratedFile>, ContentError> {
        self.ctx.file(also)
    }

    async fn export(&self, trees: Trees) -> Result<(), ContentError> {
        self.ctx.export(trees).await
    }

    async fn pack(&self, images: &Images<'_>) -> Result<Vec<Hashed>, ContentError> {
        self.ctx.pack(images).await
    }

    fn signer(&self) -> Result<Arc<dyn Signer>, ContentError> {
        self.ctx.signer()
    }

    fn progress(&self, report: Value) {
        match self.shows {
            Some(shows) => shows(),
            None => self.ctx.progress(report),
        }
    }
}

#[async_trait]
impl PublishContext for Part<'_> {
    fn repo(&self) -> &RepoInfo {
        self.ctx.repo()
    }

    fn distributor_id(&self) -> &str {
        self.ctx.distributor_id()
    }

    async fn count(&self, type_id: &str) -> Result<u64, ContentError> {
        let known = DATED.into_iter().find(|dated| *dated == type_id);
        let (Some(type_id), Some(_)) = (known, self.window_of(type_id)) else {
            return self.ctx.count(type_id).await;
        };
        let select = Select {
            fields: Some(&[]),
            ..Select::all(type_id)
        };
        let add = |count, batch: Vec<RepoUnit>| async move { Ok(count + batch.len() as u64) };
        self.units(select).await?.try_fold(0, add).await
    }

    async fn units(&self, select: Select) -> Result<Units<'_>, ContentError> {
        let type_id = select.type_id;
        Ok(self.seen(type_id, self.ctx.units(select).await?))
    }

    async fn outlines(
        &self,
        type_id: &'static str,
        fields: &'static [&'static str],
    ) -> Result<Outlines<'_>, ContentError> {
        let outlines = self.ctx.outlines(type_id, fields).await?;
        Ok(self.seen(type_id, outlines))
    }

    async fn pick(&self, select: Select, ids: &[UnitId]) -> Result<Vec<RepoUnit>, ContentError> {
        self.ctx.pick(select, ids).await
    }

    async fn previous(
        &self,
        _prefix: &str,
    ) -> Result<Vec<(RelativePath, Entry, Timestamp)>, ContentError> {
        Ok(Vec::new())
    }

    fn predistributor(&self) -> Option<&Config> {
        self.ctx.predistributor()
    }

    async fn pass_on(&self, types: &[&str], place: Placing<'_>) -> Result<u64, ContentError> {
        self.ctx.pass_on(types, place).await
    }

    async fn open(&self, blob: Sha256) -> Result<Box<dyn ReadSeek>, ContentError> {
        self.ctx.open(blob).await
    }

    async fn digest(&self, blob: Sha256, algorithm: Algorithm) -> Result<String, ContentError> {
        self.ctx.digest(blob, algorithm).await
    }

    async fn learn(
        &self,
        type_id: &str,
        field: &'static str,
        values: Vec<(UnitId, Value)>,
    ) -> Result<(), ContentError> {
        self.ctx.learn(type_id, field, values).await
    }
}
