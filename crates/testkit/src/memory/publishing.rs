//! A publish.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use pith_content::export::{Images, Trees};
use pith_content::publish::{Entry, GeneratedFile, Outlet, Placing, PublishContext, ReadSeek};
use pith_content::remote::{Passing, Placed};
use pith_content::repository::{Outlines, RepoInfo, RepositoryContext, Units};
use pith_content::signing::Signer;
use pith_content::task::{ProgressContext, TaskContext};
use pith_content::unit::{RepoUnit, Select};
use pith_content::{Config, ContentError, Headers};
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Clock, RelativePath, Sha256, Timestamp, UnitId};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::Repository;
use super::changing::batches;
use super::file::{Generated, hash, open};
use super::files;
use super::signing::Key;

/// A publish of a repository.
pub(super) struct Publishing<'a> {
    pub(super) repository: &'a Repository,
    pub(super) distributor: &'a str,
    /// Is true when its configuration signs.
    pub(super) signs: bool,
}

#[async_trait]
impl Outlet for Publishing<'_> {
    fn config(&self) -> &Config {
        &self.repository.config
    }

    fn clock(&self) -> &dyn Clock {
        self.repository.clock()
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.repository.cancelled
    }

    async fn add_with(
        &self,
        path: RelativePath,
        entry: Entry,
        modified: Timestamp,
        headers: Headers,
    ) -> Result<(), ContentError> {
        headers
            .check()
            .map_err(|why| ContentError::other(format!("'{path}': {why}")))?;
        let building = &mut self.repository.state.lock().building;
        match building.insert(path.to_string(), (entry, modified)) {
            None => Ok(()),
            Some(_) => Err(ContentError::other(format!("{path} was added twice"))),
        }
    }

    async fn add_files(
        &self,
        folder: Option<&RelativePath>,
        files: Sha256,
        modified: Timestamp,
    ) -> Result<u64, ContentError> {
        let files = files::entries(&self.repository.blobs, folder, files)?;
        let building = &mut self.repository.state.lock().building;
        let count = files.len() as u64;
        for (path, entry) in files {
            let at = path.to_string();
            let before = building.insert(at, (entry.clone(), modified));
            if before.is_some_and(|(before, _)| before != entry) {
                return Err(ContentError::other(format!("{path} was added twice")));
            }
        }
        Ok(count)
    }

    fn file(&self, also: &[Algorithm]) -> Result<Box<dyn GeneratedFile>, ContentError> {
        Ok(Box::new(Generated::new(&self.repository.blobs, also)))
    }

    async fn export(&self, _trees: Trees) -> Result<(), ContentError> {
        Err(ContentError::other("there are no folders in memory"))
    }

    async fn pack(&self, _images: &Images<'_>) -> Result<Vec<Hashed>, ContentError> {
        Err(ContentError::other("there are no images in memory"))
    }

    fn signer(&self) -> Result<Arc<dyn Signer>, ContentError> {
        match self.signs {
            true => Ok(Arc::new(Key)),
            false => Err(ContentError::other("the configuration signs nothing")),
        }
    }

    fn progress(&self, report: Value) {
        self.repository.progress(report);
    }
}

#[async_trait]
impl PublishContext for Publishing<'_> {
    fn repo(&self) -> &RepoInfo {
        &self.repository.info
    }

    fn distributor_id(&self) -> &str {
        self.distributor
    }

    async fn count(&self, type_id: &str) -> Result<u64, ContentError> {
        Ok(self.repository.count_of(type_id) as u64)
    }

    async fn outlines(
        &self,
        type_id: &'static str,
        fields: &'static [&'static str],
    ) -> Result<Outlines<'_>, ContentError> {
        let select = Select {
            sort: &fields[..1],
            ..Select::all(type_id)
        };
        Ok(batches(self.repository.outlined(&select, fields)))
    }

    async fn pick(&self, select: Select, ids: &[UnitId]) -> Result<Vec<RepoUnit>, ContentError> {
        let state = self.repository.state.lock();
        let all = state.select(state.keys(ids), &select);
        let all: HashMap<UnitId, RepoUnit> = all.into_iter().map(|unit| (unit.id, unit)).collect();
        let picked = &self.repository.picked;
        picked.fetch_add(ids.len(), Ordering::Relaxed);
        Ok(ids.iter().filter_map(|id| all.get(id).cloned()).collect())
    }

    async fn units(&self, select: Select) -> Result<Units<'_>, ContentError> {
        self.repository.units(select).await
    }

    async fn learn(
        &self,
        type_id: &str,
        field: &'static str,
        values: Vec<(UnitId, Value)>,
    ) -> Result<(), ContentError> {
        self.repository.learn(type_id, field, values).await
    }

    async fn previous(
        &self,
        prefix: &str,
    ) -> Result<Vec<(RelativePath, Entry, Timestamp)>, ContentError> {
        let state = self.repository.state.lock();
        let below = state.served.iter();
        let below = below.filter(|(path, (entry, _))| {
            path.starts_with(prefix) && !matches!(entry, Entry::Deferred { .. })
        });
        below
            .map(|(path, (entry, modified))| {
                let path = RelativePath::new(path.as_str())?;
                Ok((path, entry.clone(), *modified))
            })
            .collect()
    }

    fn predistributor(&self) -> Option<&Config> {
        None
    }

    async fn pass_on(&self, _types: &[&str], place: Placing<'_>) -> Result<u64, ContentError> {
        let state = &mut *self.repository.state.lock();
        let mut count = 0;
        for (path, entry) in &state.served {
            let passing = Passing {
                path,
                stored_at: None,
            };
            if let Some(Placed::File(at)) = place(passing)? {
                state.building.insert(at.to_string(), entry.clone());
                count += 1;
            }
        }
        Ok(count)
    }

    async fn open(&self, blob: Sha256) -> Result<Box<dyn ReadSeek>, ContentError> {
        open(&self.repository.blobs, blob)
    }

    async fn digest(&self, blob: Sha256, algorithm: Algorithm) -> Result<String, ContentError> {
        let blobs = self.repository.blobs.lock();
        let bytes = blobs.get(&blob);
        let digest = bytes.and_then(|bytes| hash(bytes, &[algorithm]).hex(algorithm));
        digest.ok_or_else(|| ContentError::other(format!("{blob} is missing")))
    }
}
