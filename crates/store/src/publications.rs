//! Publications, the prefixes they are served under, and the blobs that rows refer to.

use pith_core::{Sha256, Timestamp};
use uuid::Uuid;

use crate::{Result, Store};

/// An immutable index of served paths (design: publications).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Its id.
    pub id: Uuid,
    /// Whose content.
    pub repo_id: String,
    /// Which distributor made it.
    pub distributor_id: String,
    /// The blob that holds the index.
    pub index_blob: Sha256,
    /// The version of the repository it shows.
    pub repo_version: i64,
    /// When it was committed.
    pub created: Timestamp,
    /// Number of paths.
    pub paths: i64,
    /// Bytes served under them.
    pub bytes: i64,
}

/// A publication to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPublication {
    /// Whose content.
    pub repo_id: String,
    /// Which distributor made it.
    pub distributor_id: String,
    /// The blob that holds the index.
    pub index_blob: Sha256,
    /// Bytes of the index.
    pub index_size: i64,
    /// The version of the repository it shows.
    pub repo_version: i64,
    /// Number of paths.
    pub paths: i64,
    /// Bytes served under them.
    pub bytes: i64,
    /// Blobs of generated metadata that the index refers to, with their sizes; units' files need not be listed.
    pub blobs: Vec<(Sha256, i64)>,
}

/// Where a publication is to be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMount {
    /// Path without slashes at its ends, for example `pulp/repos/f40`.
    pub prefix: String,
    /// Over plain HTTP.
    pub http: bool,
    /// Over HTTPS.
    pub https: bool,
}

/// A served prefix and what is behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Path without slashes at its ends.
    pub prefix: String,
    /// Whose content.
    pub repo_id: String,
    /// Which distributor serves it.
    pub distributor_id: String,
    /// What is served.
    pub publication_id: Uuid,
    /// The blob that holds the index of that publication.
    pub index_blob: Sha256,
    /// Over plain HTTP.
    pub http: bool,
    /// Over HTTPS.
    pub https: bool,
    /// When it last changed.
    pub updated: Timestamp,
}

impl Store {
    /// Saves the publication and points all mounts of its distributor at it, in one transaction. Mounts of the
    /// distributor that are not listed go away.
    ///
    /// # Errors
    /// [`crate::StoreError::Conflict`] when a prefix belongs to another distributor, [`crate::StoreError::Missing`]
    /// when the distributor is gone; nothing changed then.
    pub async fn publication_commit(
        &self,
        _publication: &NewPublication,
        _mounts: &[NewMount],
        _now: Timestamp,
    ) -> Result<Publication> {
        unimplemented!()
    }

    /// One publication.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn publication_get(&self, _id: Uuid) -> Result<Option<Publication>> {
        unimplemented!()
    }

    /// The publications of a distributor, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn publication_list(
        &self,
        _repo: &str,
        _distributor: &str,
    ) -> Result<Vec<Publication>> {
        unimplemented!()
    }

    /// Deletes publications that no mount points at; answers how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn publication_delete(&self, _ids: &[Uuid]) -> Result<u64> {
        unimplemented!()
    }

    /// Every mount, by prefix.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mounts_all(&self) -> Result<Vec<Mount>> {
        unimplemented!()
    }

    /// A number that grows with every change of a mount: cheap to ask, so that caches know when to read again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mounts_generation(&self) -> Result<i64> {
        unimplemented!()
    }

    /// Stops serving what a distributor published; answers how many prefixes went.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mounts_remove(&self, _repo: &str, _distributor: &str) -> Result<u64> {
        unimplemented!()
    }

    /// Notes that a blob is in the store, outside a unit or publication.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blob_record(&self, _blob: Sha256, _size: i64) -> Result<()> {
        unimplemented!()
    }

    /// Which of these blobs are recorded.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blobs_known(&self, _blobs: &[Sha256]) -> Result<Vec<Sha256>> {
        unimplemented!()
    }
}
