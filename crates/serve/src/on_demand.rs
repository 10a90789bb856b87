//! Files that are not in the store yet.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use pith_blobs::BlobReader;

/// The platform's way to files that are not in the store yet.
#[async_trait]
pub trait OnDemand: Send + Sync {
    /// Begins to get the file of a unit, for somebody who reads it in the repository `repo_id`, once for everybody who asks meanwhile. Returns when the first bytes are here.
    ///
    /// # Errors
    /// When it cannot be had.
    async fn open(&self, unit: [u8; 16], repo_id: &str) -> Result<Opened, Unavailable>;

    /// Tells whether the file of a unit has come, from where it was promised. That somebody else's file with the same digest is in
    /// the store says nothing.
    ///
    /// # Errors
    /// When that cannot be found out.
    async fn has(&self, unit: [u8; 16]) -> Result<bool, Unavailable>;
}

/// A file that is coming, or came meanwhile.
pub struct Opened {
    /// Bytes that it will have.
    pub size: u64,
    /// Reads a part of it, waiting for what is not here yet. What turns out to be wrong or incomplete ends in an error,
    /// before the last byte.
    pub read: Box<dyn Fn(Range<u64>) -> Box<dyn Pieces> + Send + Sync>,
}

/// A part of a file that is read piece by piece, each as large as there is room for.
#[async_trait]
pub trait Pieces: Send {
    /// Up to `most` bytes; none at the end.
    ///
    /// # Errors
    /// When no more will come.
    async fn next(&mut self, most: usize) -> pith_blobs::Result<Bytes>;

    /// Begins to read up to `most` bytes ahead, where that can be.
    fn start(&mut self, _most: usize) {}
}

#[async_trait]
impl Pieces for BlobReader {
    async fn next(&mut self, most: usize) -> pith_blobs::Result<Bytes> {
        Self::next(self, most).await
    }

    fn start(&mut self, most: usize) {
        Self::start(self, most);
    }
}

/// The reason why a file cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unavailable {
    /// The status of the answer.
    pub status: u16,
    /// The fault, for the log.
    pub message: String,
}
