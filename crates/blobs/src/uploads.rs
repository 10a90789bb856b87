//! Uploads in progress: sparse local files, addressed by id.

use bytes::Bytes;
use futures::Stream;
use pith_core::Algorithm;
use uuid::Uuid;

use crate::{BoxError, Result, Stored};

/// The uploads of this server.
#[derive(Clone)]
pub struct Uploads {}

impl Uploads {
    /// Makes an empty upload.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub async fn create(&self, _id: Uuid) -> Result<()> {
        unimplemented!()
    }

    /// Writes `data` from `offset` on, over what is there; a gap before it reads as zeros. Returns the number of bytes
    /// written, when they are on disk.
    ///
    /// # Errors
    /// When there is no such upload, the file would have more than `limit` bytes, the stream fails or the disk does.
    /// What came before the error may have been written.
    pub async fn write_at<S, E>(
        &self,
        _id: Uuid,
        _offset: u64,
        _data: S,
        _limit: u64,
    ) -> Result<u64>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
        E: Into<BoxError>,
    {
        unimplemented!()
    }

    /// The upload opened for reading.
    ///
    /// # Errors
    /// When there is no such upload or it cannot be opened.
    pub async fn open(&self, _id: Uuid) -> Result<std::fs::File> {
        unimplemented!()
    }

    /// Bytes of the upload; `None` when there is none of this id.
    ///
    /// # Errors
    /// When the file system cannot be asked.
    pub async fn len(&self, _id: Uuid) -> Result<Option<u64>> {
        unimplemented!()
    }

    /// Removes an upload; false when there is none.
    ///
    /// # Errors
    /// When the file system refuses.
    pub async fn delete(&self, _id: Uuid) -> Result<bool> {
        unimplemented!()
    }

    /// The ids of all uploads, sorted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn list(&self) -> Result<Vec<Uuid>> {
        unimplemented!()
    }

    /// Turns an upload into a blob, without copying it where that is possible; the upload is gone afterwards.
    ///
    /// # Errors
    /// When there is no such upload or it cannot be stored; then the upload stays.
    pub async fn into_blob(&self, _id: Uuid, _also: &[Algorithm]) -> Result<Stored> {
        unimplemented!()
    }
}
