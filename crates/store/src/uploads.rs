//! Upload requests; their bytes live elsewhere (reference: platform-api §5.5).

use pith_core::Timestamp;
use uuid::Uuid;

use crate::{Result, Store};

/// An upload request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upload {
    /// `upload_id` on the wire.
    pub id: Uuid,
    /// When it was made.
    pub created: Timestamp,
    /// Bytes so far.
    pub size: i64,
}

impl Store {
    /// Notes a new upload request.
    ///
    /// # Errors
    /// [`crate::StoreError::Duplicate`] when the id is taken.
    pub async fn upload_create(&self, _upload: &Upload) -> Result<()> {
        unimplemented!()
    }

    /// One upload request.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn upload_get(&self, _id: Uuid) -> Result<Option<Upload>> {
        unimplemented!()
    }

    /// Notes how many bytes are there; a smaller number than before is ignored.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such upload.
    pub async fn upload_set_size(&self, _id: Uuid, _size: i64) -> Result<()> {
        unimplemented!()
    }

    /// Every upload request, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn uploads_list(&self) -> Result<Vec<Upload>> {
        unimplemented!()
    }

    /// Forgets an upload request; whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn upload_delete(&self, _id: Uuid) -> Result<bool> {
        unimplemented!()
    }
}
