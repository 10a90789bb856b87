//! A publish as its content type sees it.

use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use parking_lot::Mutex;
use pith_blobs::{KindRef, PublicationBuilder, headers_text};
use pith_content::publish::{Entry, GeneratedFile, PublishContext, ReadSeek};
use pith_content::sync::RepoInfo;
use pith_content::unit::{RepoUnit, Select};
use pith_content::{Config, ContentError, Headers};
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Clock, MultiHasher, RelativePath, Sha256, Timestamp, UnitId};
use pith_store::UnitQuery;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::error::platform;
use crate::run::generated::Generated;
use crate::run::retire::index_of;
use crate::run::units;
use crate::worker::Run;

/// The index that grows, and what is in it.
pub(super) struct Index {
    pub(super) builder: PublicationBuilder,
    pub(super) paths: u64,
    pub(super) bytes: u64,
}

/// One publish.
pub(super) struct Context<'a> {
    pub(super) run: &'a Run,
    pub(super) repo: RepoInfo,
    pub(super) distributor_id: String,
    pub(super) config: Config,
    pub(super) index: Mutex<Index>,
    pub(super) generated: Arc<Mutex<Vec<(Sha256, u64)>>>,
}

#[async_trait]
impl PublishContext for Context<'_> {
    fn repo(&self) -> &RepoInfo {
        &self.repo
    }

    fn config(&self) -> &Config {
        &self.config
    }

    fn distributor_id(&self) -> &str {
        &self.distributor_id
    }

    fn clock(&self) -> &dyn Clock {
        &*self.run.engine.clock
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.run.cancel
    }

    async fn count(&self, type_id: &str) -> Result<u64, ContentError> {
        let query = UnitQuery {
            type_ids: vec![type_id],
            repo: Some(&self.repo.id),
            ..UnitQuery::default()
        };
        let count = self.run.store.units_count(&query).await.map_err(platform)?;
        u64::try_from(count).map_err(ContentError::other)
    }

    async fn units(
        &self,
        select: Select,
    ) -> Result<BoxStream<'_, Result<Vec<RepoUnit>, ContentError>>, ContentError> {
        Ok(units::present(&self.run.store, &self.repo.id, &select)?)
    }

    async fn outline(
        &self,
        type_id: &'static str,
        fields: &'static [&'static str],
    ) -> Result<BoxStream<'_, Result<Vec<RepoUnit>, ContentError>>, ContentError> {
        Ok(units::outline(
            &self.run.store,
            &self.repo.id,
            type_id,
            fields,
        )?)
    }

    async fn pick(&self, select: Select, ids: &[UnitId]) -> Result<Vec<RepoUnit>, ContentError> {
        let store = &self.run.store;
        let units = store
            .units_pick(select.type_id, ids, select.fields, select.parts)
            .await
            .map_err(platform)?;
        Ok(units::to_repo_units(units, select.parts))
    }

    async fn add_with(
        &self,
        path: RelativePath,
        entry: Entry,
        modified: Timestamp,
        headers: Headers,
    ) -> Result<(), ContentError> {
        let headers = text_of(&path, &headers)?;
        let mtime = modified.as_second();
        let entry = match entry {
            Entry::Blob { sha256, size } => pith_blobs::Entry::blob(sha256, size, mtime),
            Entry::Deferred { unit, sha256, size } => {
                pith_blobs::Entry::source(unit.0.into_bytes(), sha256, size, mtime)
            }
            Entry::Inline(bytes) => pith_blobs::Entry::inline(bytes, mtime),
            Entry::Redirect(location) => pith_blobs::Entry::redirect(location, mtime),
        };
        let entry = entry.with_headers(headers);
        let mut index = self.index.lock();
        index.paths += 1;
        index.bytes += entry.size;
        index.builder.add(path, entry).map_err(platform)
    }

    async fn previous(
        &self,
        prefix: &str,
    ) -> Result<Vec<(RelativePath, Entry, Timestamp)>, ContentError> {
        let store = &self.run.store;
        let list = store
            .publication_list(&self.repo.id, &self.distributor_id)
            .await
            .map_err(platform)?;
        let Some(newest) = list.first() else {
            return Ok(Vec::new());
        };
        let Some(index) = index_of(self.run, newest).await? else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for entry in index.iter() {
            let entry = match entry {
                Err(error) if error.is_lost() => {
                    tracing::warn!(%error, "the last publication is damaged: publishing as if there were none");
                    return Ok(Vec::new());
                }
                entry => entry.map_err(platform)?,
            };
            if !entry.path.starts_with(prefix) {
                continue;
            }
            let kind = match entry.kind {
                KindRef::Blob(sha256) => {
                    let there = self.run.engine.blobs.size(sha256).await;
                    if there.map_err(platform)?.is_none() {
                        tracing::warn!(%sha256, path = entry.path, "a file of the last publication is lost");
                        continue;
                    }
                    let size = entry.size;
                    Entry::Blob { sha256, size }
                }
                KindRef::Inline(bytes) => Entry::Inline(bytes::Bytes::copy_from_slice(bytes)),
                KindRef::Redirect(location) => Entry::Redirect(location.to_owned()),
                KindRef::Source { .. } => continue,
            };
            let path = RelativePath::new(entry.path).map_err(ContentError::other)?;
            let modified = Timestamp::from_second(entry.mtime).map_err(ContentError::other)?;
            found.push((path, kind, modified));
        }
        Ok(found)
    }

    async fn open(&self, blob: Sha256) -> Result<Box<dyn ReadSeek>, ContentError> {
        let file = self.run.engine.blobs.open_document(blob).await;
        Ok(Box::new(file.map_err(platform)?))
    }

    async fn digest(&self, blob: Sha256, algorithm: Algorithm) -> Result<String, ContentError> {
        let mut bytes = self.run.engine.blobs.read(blob, None);
        let mut hasher = MultiHasher::new(&[algorithm]);
        while let Some(piece) = bytes.try_next().await.map_err(platform)? {
            hasher.update(&piece);
        }
        let digest = hasher.finish().hex(algorithm);
        digest.ok_or_else(|| ContentError::other(format!("{algorithm} was not computed")))
    }

    async fn learn(
        &self,
        type_id: &str,
        field: &'static str,
        values: Vec<(UnitId, Value)>,
    ) -> Result<(), ContentError> {
        Ok(units::learn(&self.run.store, type_id, field, &values).await?)
    }

    fn file(&self, also: &[Algorithm]) -> Result<Box<dyn GeneratedFile>, ContentError> {
        let generated = Arc::clone(&self.generated);
        let finished = move |stored: &Hashed| {
            generated.lock().push((stored.sha256, stored.size));
        };
        let file = Generated::new(&self.run.engine.blobs, also, finished);
        Ok(Box::new(file))
    }

    fn progress(&self, report: Value) {
        self.run.progress.report(report);
    }
}

/// The headers as the index keeps them.
fn text_of(path: &RelativePath, headers: &Headers) -> Result<Option<String>, ContentError> {
    let refused = |why| ContentError::other(format!("'{path}': {why}"));
    headers.check().map_err(refused)?;
    let others = headers.others.iter();
    let others = others.map(|(name, value)| (name.as_str(), value.as_str()));
    Ok(headers_text(headers.content_type.as_deref(), others))
}
