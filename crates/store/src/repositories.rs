//! Repositories and how many units of each type they have.

use std::collections::BTreeMap;

use pith_core::{Document, ObjectId, Timestamp};

use crate::{Distributor, Importer, Result, Store};

/// A repository (reference: platform-api §4.1).
#[derive(Debug, Clone, PartialEq)]
pub struct Repository {
    /// The natural id.
    pub id: String,
    /// `_id` on the wire.
    pub oid: ObjectId,
    /// Name for people.
    pub display_name: Option<String>,
    /// Text for people.
    pub description: Option<String>,
    /// Client data.
    pub notes: Document,
    /// Plugin data.
    pub scratchpad: Document,
    /// When a commit last added a unit.
    pub last_unit_added: Option<Timestamp>,
    /// When a commit last removed a unit.
    pub last_unit_removed: Option<Timestamp>,
    /// Number of the newest version of the content; 0 before the first.
    pub version: i64,
}

/// New values for a repository; `None` leaves a field alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RepositoryUpdate {
    /// Name for people; `Some(None)` makes it null.
    pub display_name: Option<Option<String>>,
    /// Text for people; `Some(None)` makes it null.
    pub description: Option<Option<String>>,
    /// All of the notes.
    pub notes: Option<Document>,
    /// All of the scratchpad.
    pub scratchpad: Option<Document>,
}

impl Store {
    /// Saves a new repository; `version` and the two dates are stored as given.
    ///
    /// # Errors
    /// [`crate::StoreError::Duplicate`] when the id is taken.
    pub async fn repository_create(&self, _repository: &Repository) -> Result<()> {
        unimplemented!()
    }

    /// Saves a new repository with its importer and distributors, all or nothing.
    ///
    /// # Errors
    /// [`crate::StoreError::Duplicate`] when the id, or a distributor id among those given, is taken.
    pub async fn repository_create_full(
        &self,
        _repository: &Repository,
        _importer: Option<&Importer>,
        _distributors: &[Distributor],
    ) -> Result<()> {
        unimplemented!()
    }

    /// The repository `id`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn repository_get(&self, _id: &str) -> Result<Option<Repository>> {
        unimplemented!()
    }

    /// The repositories of these ids (unknown ones are left out), or all, in the order they were made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn repository_list(&self, _ids: Option<&[String]>) -> Result<Vec<Repository>> {
        unimplemented!()
    }

    /// Changes what `update` names and answers the repository as it is now.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such repository.
    pub async fn repository_update(
        &self,
        _id: &str,
        _update: &RepositoryUpdate,
    ) -> Result<Repository> {
        unimplemented!()
    }

    /// Replaces the scratchpad.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such repository.
    pub async fn repository_set_scratchpad(&self, _id: &str, _scratchpad: &Document) -> Result<()> {
        unimplemented!()
    }

    /// Deletes the repository with its importer, distributors, history, associations, versions, publications and
    /// mounts. Units stay (as orphans, if nobody else has them).
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such repository.
    pub async fn repository_delete(&self, _id: &str) -> Result<()> {
        unimplemented!()
    }

    /// Type id -> number of units, types without units left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn repository_unit_counts(&self, _id: &str) -> Result<BTreeMap<String, i64>> {
        unimplemented!()
    }

    /// Repository id -> type id -> number of units; repositories without units left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn repository_unit_counts_all(
        &self,
    ) -> Result<BTreeMap<String, BTreeMap<String, i64>>> {
        unimplemented!()
    }

    /// How many units of the repository have files that are not here.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn repository_units_not_downloaded(&self, _id: &str) -> Result<i64> {
        unimplemented!()
    }
}
