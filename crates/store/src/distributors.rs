//! Distributors: how a repository is published.

use pith_core::{Document, ObjectId, Timestamp};

use crate::{Result, Store};

/// A distributor of a repository (reference: platform-api §4.1).
#[derive(Debug, Clone, PartialEq)]
pub struct Distributor {
    /// Whose distributor.
    pub repo_id: String,
    /// Its id, unique in the repository.
    pub id: String,
    /// `_id` on the wire.
    pub oid: ObjectId,
    /// The distributor type.
    pub type_id: String,
    /// Settings.
    pub config: Document,
    /// Whether a sync publishes it.
    pub auto_publish: bool,
    /// Start of the last publish that succeeded or was skipped.
    pub last_publish: Option<Timestamp>,
    /// Last change of the distributor.
    pub last_updated: Timestamp,
    /// Override settings of the last publish.
    pub last_override: Option<Document>,
    /// Plugin data.
    pub scratchpad: Document,
}

impl Store {
    /// One distributor.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn distributor_get(&self, _repo: &str, _id: &str) -> Result<Option<Distributor>> {
        unimplemented!()
    }

    /// The distributors of these repositories, or of all, by repository and id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn distributor_list(&self, _repos: Option<&[String]>) -> Result<Vec<Distributor>> {
        unimplemented!()
    }

    /// Adds the distributor, in place of one of the same id.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such repository.
    pub async fn distributor_create(&self, _distributor: &Distributor) -> Result<()> {
        unimplemented!()
    }

    /// Replaces settings and auto-publish (when given), sets `last_updated` to now, answers the distributor.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such distributor.
    pub async fn distributor_update(
        &self,
        _repo: &str,
        _id: &str,
        _config: Option<&Document>,
        _auto_publish: Option<bool>,
    ) -> Result<Distributor> {
        unimplemented!()
    }

    /// Replaces the plugin data.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such distributor.
    pub async fn distributor_set_scratchpad(
        &self,
        _repo: &str,
        _id: &str,
        _scratchpad: &Document,
    ) -> Result<()> {
        unimplemented!()
    }

    /// Notes the start of a publish and the override settings it ran with.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such distributor.
    pub async fn distributor_set_last_publish(
        &self,
        _repo: &str,
        _id: &str,
        _at: Timestamp,
        _override_config: Option<&Document>,
    ) -> Result<()> {
        unimplemented!()
    }

    /// Removes the distributor with its mounts and publications; whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn distributor_remove(&self, _repo: &str, _id: &str) -> Result<bool> {
        unimplemented!()
    }
}
