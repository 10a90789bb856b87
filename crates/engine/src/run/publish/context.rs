//! A publish as its content type sees it.

use async_trait::async_trait;
use futures::TryStreamExt;
use pith_blobs::{EntryKindRef, Publication};
use pith_content::publish::{Entry, Placing, PublishContext, PublishedEntry, ReadSeek};
use pith_content::repository::{Outlines, RepoInfo, Units};
use pith_content::task::Within;
use pith_content::unit::{RepoUnit, Select};
use pith_content::{Config, ContentError};
use pith_core::{Algorithm, MultiHasher, RelativePath, Sha256, Timestamp, UnitId};
use pith_store::UnitQuery;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::outgoing::{Outgoing, Publisher};
use super::predistributor::Predistributed;
use crate::error::platform;
use crate::run::retire::index_of;
use crate::run::units;

/// The publish of a repository, alone or as a member of a group.
pub(in crate::run) struct Context<'a> {
    repo: &'a RepoInfo,
    distributor_id: &'a str,
    out: Outgoing<'a>,
    /// The index of the publication now served, once somebody asks; `None` where there is none.
    served: OnceCell<Option<Publication>>,
    /// The publication that it passes on.
    predistributed: Option<&'a Predistributed>,
}

impl<'a> Context<'a> {
    pub(in crate::run) fn new(
        repo: &'a RepoInfo,
        distributor_id: &'a str,
        out: Outgoing<'a>,
    ) -> Self {
        Self {
            repo,
            distributor_id,
            out,
            served: OnceCell::new(),
            predistributed: None,
        }
    }

    /// The same, passing on a publication.
    pub(in crate::run) fn passing_on(self, predistributed: Option<&'a Predistributed>) -> Self {
        Self {
            predistributed,
            ..self
        }
    }

    async fn open_served(&self) -> Result<Option<Publication>, ContentError> {
        let run = self.out.run;
        // The publication of a group is made of its members' and is none of theirs.
        let Publisher::Repository(repo_id, distributor_id) = self.out.publisher else {
            return Ok(None);
        };
        let list = run.store.publication_list(repo_id, distributor_id).await;
        match list.map_err(platform)?.first() {
            Some(newest) => Ok(index_of(run, newest).await?),
            None => Ok(None),
        }
    }
}

impl<'a> Within for Context<'a> {
    type Inner = Outgoing<'a>;

    fn inner(&self) -> &Outgoing<'a> {
        &self.out
    }
}

#[async_trait]
impl PublishContext for Context<'_> {
    fn repo(&self) -> &RepoInfo {
        self.repo
    }

    fn distributor_id(&self) -> &str {
        self.distributor_id
    }

    async fn count(&self, type_id: &str) -> Result<u64, ContentError> {
        let query = UnitQuery {
            type_ids: vec![type_id],
            repo: Some(&self.repo.id),
            ..UnitQuery::default()
        };
        let count = self
            .out
            .run
            .store
            .units_count(&query)
            .await
            .map_err(platform)?;
        u64::try_from(count).map_err(ContentError::other)
    }

    async fn units(&self, select: Select) -> Result<Units<'_>, ContentError> {
        Ok(units::present(&self.out.run.store, &self.repo.id, &select)?)
    }

    async fn outlines(
        &self,
        type_id: &'static str,
        fields: &'static [&'static str],
    ) -> Result<Outlines<'_>, ContentError> {
        let store = &self.out.run.store;
        let outlines = units::sorted_outlines(store, &self.repo.id, type_id, fields);
        Ok(outlines?)
    }

    async fn pick(&self, select: Select, ids: &[UnitId]) -> Result<Vec<RepoUnit>, ContentError> {
        let store = &self.out.run.store;
        let units = store
            .units_pick(select.type_id, ids, select.fields, select.parts)
            .await
            .map_err(platform)?;
        Ok(units::to_repo_units(units, select.parts))
    }

    async fn previous(&self, prefix: &str) -> Result<Vec<PublishedEntry>, ContentError> {
        let run = self.out.run;
        let served = self.served.get_or_try_init(|| self.open_served()).await?;
        let Some(index) = served else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for entry in index.below(prefix) {
            let entry = match entry {
                Err(error) if error.is_lost() => {
                    tracing::warn!(%error, "the last publication is damaged: publishing as if there were none");
                    return Ok(Vec::new());
                }
                entry => entry.map_err(platform)?,
            };
            let kind = match entry.kind {
                EntryKindRef::Blob(sha256) => {
                    let there = run.engine.blobs.size(sha256).await;
                    if there.map_err(platform)?.is_none() {
                        tracing::warn!(%sha256, path = entry.path, "a file of the last publication is lost");
                        continue;
                    }
                    let size = entry.size;
                    Entry::Blob { sha256, size }
                }
                EntryKindRef::Inline(bytes) => Entry::Inline(bytes::Bytes::copy_from_slice(bytes)),
                EntryKindRef::Redirect(location) => Entry::Redirect(location.to_owned()),
                // Types make none of their own: a unit's list has them.
                EntryKindRef::Slice(_) | EntryKindRef::Source { .. } => continue,
            };
            let path = RelativePath::new(entry.path).map_err(ContentError::other)?;
            let modified = Timestamp::from_second(entry.mtime).map_err(ContentError::other)?;
            found.push((path, kind, modified));
        }
        Ok(found)
    }

    fn predistributor(&self) -> Option<&Config> {
        self.predistributed.map(|before| &before.config)
    }

    async fn pass_on(&self, types: &[&str], place: Placing<'_>) -> Result<u64, ContentError> {
        match self.predistributed {
            Some(before) => before.pass_on(&self.out, &self.repo.id, types, place).await,
            None => Ok(0),
        }
    }

    async fn open(&self, blob: Sha256) -> Result<Box<dyn ReadSeek>, ContentError> {
        let file = self.out.run.engine.blobs.open_document(blob).await;
        Ok(Box::new(file.map_err(platform)?))
    }

    async fn digest(&self, blob: Sha256, algorithm: Algorithm) -> Result<String, ContentError> {
        let mut bytes = self.out.run.engine.blobs.read(blob, None);
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
        Ok(units::learn(&self.out.run.store, type_id, field, &values).await?)
    }
}
