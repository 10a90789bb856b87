//! The platform as a job of a family sees it.

use async_trait::async_trait;
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Document, UnitId};

use crate::publish::{GeneratedFile, ReadSeek};
use crate::repository::StageContext;
use crate::task::ProgressContext;
use crate::{ContentError, UnitType};

/// The platform as a job sees it.
#[async_trait]
pub trait JobContext: ProgressContext {
    /// The repositories that the job has named, each once, in that order.
    fn repositories(&self) -> Vec<&dyn JobRepository>;

    /// The repository of this id, when the job has named it.
    ///
    /// # Errors
    /// When it has not.
    fn repository(&self, id: &str) -> Result<&dyn JobRepository, ContentError> {
        let found = self.repositories().into_iter();
        let mut found = found.filter(|each| each.repo().id == id);
        let missing = || ContentError::other(format!("the job has not named repository '{id}'"));
        found.next().ok_or_else(missing)
    }

    /// A file to write on a blocking thread, which becomes a blob. SHA-256 is always computed, `also` besides.
    fn file(&self, also: &[Algorithm]) -> Result<Box<dyn GeneratedFile>, ContentError>;

    /// Facts that the whole file tells of a unit of this type, by its [`crate::UnitRules::inspect`]. `hashed` is what the file answered
    /// when it was finished.
    ///
    /// # Errors
    /// [`ContentError::Failed`] when it is no file of such a unit.
    async fn inspect(
        &self,
        kind: &'static UnitType,
        hashed: &Hashed,
    ) -> Result<Document, ContentError>;
}

/// A repository that a job has to itself.
#[async_trait]
pub trait JobRepository: StageContext {
    /// The file of one of its units, to be read on a blocking thread; `None` when it has no such unit, or the file is not here.
    async fn open(
        &self,
        type_id: &'static str,
        unit: UnitId,
    ) -> Result<Option<Box<dyn ReadSeek>>, ContentError>;
}
