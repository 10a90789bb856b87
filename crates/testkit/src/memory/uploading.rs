//! An upload.

use std::fs::File;
use std::io::{Read, Seek, Write};

use async_trait::async_trait;
use pith_content::task::Within;
use pith_content::unit::WantedUnit;
use pith_content::upload::{Check, UploadContext};
use pith_content::{ContentError, Inspected, UnitType};
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Document};
use serde_json::{Value, json};

use super::Repository;
use super::file::{hash, keep, open};

/// An upload into a repository.
pub(super) struct Uploading<'a> {
    repository: &'a Repository,
    file: Option<File>,
    size: u64,
}

impl<'a> Uploading<'a> {
    /// The upload of these bytes.
    pub(super) fn of(repository: &'a Repository, bytes: Option<&[u8]>) -> std::io::Result<Self> {
        let write = |bytes: &[u8]| {
            let mut file = tempfile::tempfile()?;
            file.write_all(bytes)?;
            Ok::<_, std::io::Error>(file)
        };
        Ok(Self {
            repository,
            size: bytes.map_or(0, |bytes| bytes.len() as u64),
            file: bytes.map(write).transpose()?,
        })
    }
}

impl Within for Uploading<'_> {
    type Inner = Repository;

    fn inner(&self) -> &Repository {
        self.repository
    }
}

#[async_trait]
impl UploadContext for Uploading<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn open(&self) -> std::io::Result<File> {
        let nothing = || std::io::Error::other("nothing was uploaded");
        let mut file = self.file.as_ref().ok_or_else(nothing)?.try_clone()?;
        file.rewind()?;
        Ok(file)
    }

    async fn store(&self, also: &[Algorithm], check: Check<'_>) -> Result<Hashed, ContentError> {
        let mut bytes = Vec::new();
        self.open()?.read_to_end(&mut bytes)?;
        check(&hash(&bytes, also))?;
        Ok(keep(&self.repository.blobs, bytes, also))
    }

    async fn inspect(
        &self,
        kind: &'static UnitType,
        hashed: &Hashed,
    ) -> Result<Document, ContentError> {
        self.repository.inspect(kind, hashed)
    }

    async fn known(&self, unit: &WantedUnit) -> Result<Option<Document>, ContentError> {
        let (_, key) = self.repository.key_of(unit.type_id, &unit.doc)?;
        let state = self.repository.state.lock();
        let known = state.repo.get(&key).and_then(|key| state.units.get(key));
        Ok(known.map(|known| known.unit.doc.clone()))
    }
}

impl Repository {
    /// The facts that the whole file of a unit tells; nothing of types that look at heads.
    pub(super) fn told(&self, kind: &UnitType, hashed: &Hashed) -> Result<Document, String> {
        if kind.inspected != Inspected::Whole {
            return Ok(Document::new());
        }
        let file = open(&self.blobs, hashed.sha256).map_err(|error| error.to_string());
        kind.told_by(&mut *file?, hashed)
    }

    /// The same, of a file that is refused when it is none of such a unit.
    pub(super) fn inspect(
        &self,
        kind: &UnitType,
        hashed: &Hashed,
    ) -> Result<Document, ContentError> {
        let refused = |refused: String| ContentError::Failed {
            summary: json!(refused),
            message: refused,
            details: Value::Null,
        };
        self.told(kind, hashed).map_err(refused)
    }
}
