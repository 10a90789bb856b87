//! Importers: how a repository is filled. At most one per repository.

use pith_core::{Document, ObjectId, Timestamp};

use crate::{Result, Store};

/// The importer of a repository (reference: platform-api §4.1).
#[derive(Debug, Clone, PartialEq)]
pub struct Importer {
    /// Whose importer.
    pub repo_id: String,
    /// `_id` on the wire.
    pub oid: ObjectId,
    /// The importer type, which is also its id.
    pub type_id: String,
    /// Settings.
    pub config: Document,
    /// Plugin data; null until the plugin stores something.
    pub scratchpad: Option<Document>,
    /// End of the last sync, successful or not.
    pub last_sync: Option<Timestamp>,
    /// Last change of the importer.
    pub last_updated: Timestamp,
    /// Override settings of the last sync.
    pub last_override: Option<Document>,
}

impl Store {
    /// The importer of a repository.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn importer_get(&self, _repo: &str) -> Result<Option<Importer>> {
        unimplemented!()
    }

    /// The importers of these repositories, or of all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn importer_list(&self, _repos: Option<&[String]>) -> Result<Vec<Importer>> {
        unimplemented!()
    }

    /// Gives the repository this importer in place of the one it has.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such repository.
    pub async fn importer_set(&self, _importer: &Importer) -> Result<()> {
        unimplemented!()
    }

    /// Replaces the settings, sets `last_updated` to now, answers the importer as it is then.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when the repository has no importer.
    pub async fn importer_update_config(
        &self,
        _repo: &str,
        _config: &Document,
    ) -> Result<Importer> {
        unimplemented!()
    }

    /// Replaces the plugin data.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when the repository has no importer.
    pub async fn importer_set_scratchpad(
        &self,
        _repo: &str,
        _scratchpad: Option<&Document>,
    ) -> Result<()> {
        unimplemented!()
    }

    /// Notes the end of a sync and the override settings it ran with.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when the repository has no importer.
    pub async fn importer_set_last_sync(
        &self,
        _repo: &str,
        _at: Timestamp,
        _override_config: Option<&Document>,
    ) -> Result<()> {
        unimplemented!()
    }

    /// Removes the importer; whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn importer_remove(&self, _repo: &str) -> Result<bool> {
        unimplemented!()
    }
}
