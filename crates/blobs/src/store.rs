//! The store itself: open, look, delete, list.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::ObjectStore;
use pith_core::{Algorithm, Sha256};

use crate::{
    BlobStream, BlobWriter, Result, SpoolFile, StorageUrl, Stored, SyncBlobWriter, Uploads,
};

/// The blob store. Cheap to clone; all clones are one store.
#[derive(Clone)]
pub struct Blobs {}

/// A blob as [`Blobs::list`] tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub sha256: Sha256,
    /// Bytes.
    pub size: u64,
    /// When it was written or last found again by a writer: younger blobs may be in use by work not yet committed.
    pub used: SystemTime,
}

/// Room on the file system that holds the blobs, or that holds the spool when blobs are objects. In bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What an ordinary user may still write.
    pub free: u64,
    /// Size of the file system.
    pub total: u64,
}

impl Blobs {
    /// Opens the store at `storage`, making folders as needed. `data_dir` holds uploads, caches and, for object stores,
    /// the spool. Must be called inside of a tokio runtime.
    ///
    /// # Errors
    /// When the folders cannot be made or the settings of the object store make no sense.
    pub async fn open(_storage: &StorageUrl, _data_dir: &Path) -> Result<Self> {
        unimplemented!()
    }

    /// As [`Self::open`], with an object store made by the caller; keys are put below `prefix`.
    ///
    /// # Errors
    /// When the local folders cannot be made.
    pub async fn with_object_store(
        _store: Arc<dyn ObjectStore>,
        _prefix: &str,
        _data_dir: &Path,
    ) -> Result<Self> {
        unimplemented!()
    }

    /// Starts a blob, to be written from async code; SHA-256 is always computed, `also` adds more digests.
    #[must_use]
    pub fn writer(&self, _also: &[Algorithm]) -> BlobWriter {
        unimplemented!()
    }

    /// Starts a blob, to be written by [`std::io::Write`] on a blocking thread.
    #[must_use]
    pub fn sync_writer(&self, _also: &[Algorithm]) -> SyncBlobWriter {
        unimplemented!()
    }

    /// Stores `bytes`, which are at hand whole.
    ///
    /// # Errors
    /// When they cannot be written.
    pub async fn put(&self, _bytes: Bytes) -> Result<Stored> {
        unimplemented!()
    }

    /// Returns when every blob finished so far is on disk: call it once per batch, before the database transaction that
    /// refers to the blobs. Free on object stores.
    ///
    /// # Errors
    /// When the disk says no; then nothing of the batch may be relied on.
    pub async fn durable(&self) -> Result<()> {
        unimplemented!()
    }

    /// The bytes of a blob, or of a part of it (cut at the blob's end), in large pieces. A missing blob is
    /// [`crate::Error::Missing`] as the first item.
    #[must_use]
    pub fn read(&self, _sha256: Sha256, _range: Option<Range<u64>>) -> BlobStream {
        unimplemented!()
    }

    /// The whole of a blob that is known to be small.
    ///
    /// # Errors
    /// When it is missing, cannot be read, or has more than `limit` bytes.
    pub async fn read_all(&self, _sha256: Sha256, _limit: u64) -> Result<Bytes> {
        unimplemented!()
    }

    /// Size of a blob in bytes; `None` when it is missing.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub async fn size(&self, _sha256: Sha256) -> Result<Option<u64>> {
        unimplemented!()
    }

    /// Whether the blob is there and may be relied on (see `local.rs` on power cuts).
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub async fn contains(&self, _sha256: Sha256) -> Result<bool> {
        unimplemented!()
    }

    /// Where the blob lies on the local disk, for tools that want a path to *read*. `None` when blobs are objects. The
    /// blob may be missing.
    #[must_use]
    pub fn local_path(&self, _sha256: Sha256) -> Option<PathBuf> {
        unimplemented!()
    }

    /// Opens a blob for reading without an async hop. `None` when blobs are objects.
    ///
    /// # Errors
    /// When it is missing or cannot be opened.
    pub fn open_local(&self, _sha256: Sha256) -> Result<Option<std::fs::File>> {
        unimplemented!()
    }

    /// Deletes a blob; false when there was none. The caller knows that no row refers to it.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn delete(&self, _sha256: Sha256) -> Result<bool> {
        unimplemented!()
    }

    /// Every blob of the store in no particular order, streaming.
    #[must_use]
    pub fn list(&self) -> BoxStream<'static, Result<Listed>> {
        unimplemented!()
    }

    /// A scratch file on the file system of the blobs, removed when dropped: for metadata being synced.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn spool(&self) -> Result<SpoolFile> {
        unimplemented!()
    }

    /// Turns a scratch file into a blob without copying it where that is possible.
    ///
    /// # Errors
    /// When it cannot be read or stored.
    pub async fn keep(&self, _spool: SpoolFile, _also: &[Algorithm]) -> Result<Stored> {
        unimplemented!()
    }

    /// Removes scratch files that a killed process left behind; returns how many. Call it once at start, when no other
    /// process uses the spool, or with an age that no living scratch file has.
    ///
    /// # Errors
    /// When the spool cannot be listed.
    pub async fn sweep_spool(&self, _older_than: std::time::Duration) -> Result<u64> {
        unimplemented!()
    }

    /// Room left, to stop accepting writes before the disk is full.
    ///
    /// # Errors
    /// When the file system cannot be asked.
    pub fn free_space(&self) -> Result<Space> {
        unimplemented!()
    }

    /// Uploads in progress.
    #[must_use]
    pub fn uploads(&self) -> Uploads {
        unimplemented!()
    }
}
