//! A job of a family.

use async_trait::async_trait;
use pith_content::job::{JobContext, JobRepository};
use pith_content::publish::{GeneratedFile, ReadSeek};
use pith_content::task::{ProgressContext, Within};
use pith_content::{ContentError, UnitType};
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Document, UnitId};
use serde_json::Value;

use super::Repository;
use super::file::{Generated, open};

/// A job that runs on repositories, one at least.
pub(super) struct Running<'a>(pub(super) &'a [&'a Repository]);

impl Within for Running<'_> {
    type Inner = Repository;

    fn inner(&self) -> &Repository {
        self.0[0]
    }
}

impl ProgressContext for Running<'_> {
    fn progress(&self, report: Value) {
        self.inner().progress(report);
    }
}

#[async_trait]
impl JobContext for Running<'_> {
    fn repositories(&self) -> Vec<&dyn JobRepository> {
        let all = self.0.iter();
        all.map(|one| *one as &dyn JobRepository).collect()
    }

    fn file(&self, also: &[Algorithm]) -> Result<Box<dyn GeneratedFile>, ContentError> {
        Ok(Box::new(Generated::new(&self.inner().blobs, also)))
    }

    async fn inspect(
        &self,
        kind: &'static UnitType,
        hashed: &Hashed,
    ) -> Result<Document, ContentError> {
        Repository::inspect(self.inner(), kind, hashed)
    }
}

#[async_trait]
impl JobRepository for Repository {
    async fn open(
        &self,
        _type_id: &'static str,
        unit: UnitId,
    ) -> Result<Option<Box<dyn ReadSeek>>, ContentError> {
        let blob = {
            let state = self.state.lock();
            let mut keys = state.keys(&[unit]).into_iter();
            keys.find(|key| state.present().contains(key))
                .and_then(|key| state.units.get(&key)?.unit.blob)
        };
        blob.map(|blob| open(&self.blobs, blob)).transpose()
    }
}
