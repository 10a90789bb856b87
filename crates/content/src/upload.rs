//! Uploads: a file (or none) and metadata become units.

use async_trait::async_trait;
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Document};
use serde_json::Value;

use crate::repository::StageContext;
use crate::task::TaskContext;
use crate::unit::WantedUnit;
use crate::{ContentError, UnitType};

/// An import that a client asks for (pulp2/uploads#import).
#[derive(Debug, Clone)]
pub struct Upload {
    /// The type the client names.
    pub type_id: String,
    /// The key the client gives, possibly empty.
    pub key: Document,
    /// Metadata the client gives, possibly empty.
    pub metadata: Document,
}

/// The report of an import: the result of its task.
#[derive(Debug, Clone, Default)]
pub struct UploadReport {
    /// `summary` of the result.
    pub summary: Value,
    /// `details` of the result.
    pub details: Value,
}

/// Refuses a file by its size and digests.
pub type Check<'a> = &'a (dyn Fn(&Hashed) -> Result<(), ContentError> + Sync);

/// The platform as an importer sees it during an upload.
#[async_trait]
pub trait UploadContext: TaskContext + StageContext {
    /// The size of the uploaded file; zero when nothing was uploaded.
    fn size(&self) -> u64;

    /// The uploaded bytes, from their start, for parsers.
    ///
    /// # Errors
    /// When nothing was uploaded.
    fn open(&self) -> std::io::Result<std::fs::File>;

    /// Puts the uploaded bytes into the blob store and returns SHA-256, size and the other digests. `check` sees them first: what
    /// it refuses never gets into the store.
    async fn store(&self, also: &[Algorithm], check: Check<'_>) -> Result<Hashed, ContentError>;

    /// Facts that the whole file tells of a unit of this type, by its [`crate::UnitRules::inspect`]. `hashed` is what
    /// [`Self::store`] answered.
    ///
    /// # Errors
    /// [`ContentError::Failed`] when it is no file of such a unit.
    async fn inspect(
        &self,
        kind: &'static UnitType,
        hashed: &Hashed,
    ) -> Result<Document, ContentError>;

    /// The document of the repository's unit with the key of `unit`; `None` when it has none.
    async fn known(&self, unit: &WantedUnit) -> Result<Option<Document>, ContentError>;
}
