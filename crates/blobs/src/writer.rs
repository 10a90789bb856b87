//! Writing blobs: hashed on the way in, visible only when whole.

use std::io;

use bytes::Bytes;
pub use pith_core::digest::Hashed as Stored;

use crate::Result;

/// A blob being written from async code. Dropping it unfinished leaves nothing behind.
pub struct BlobWriter {}

impl BlobWriter {
    /// Takes in the next bytes.
    ///
    /// # Errors
    /// When they cannot be written; the writer is of no more use then.
    pub async fn write(&mut self, _bytes: &[u8]) -> Result<()> {
        unimplemented!()
    }

    /// Takes in the next bytes.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn write_bytes(&mut self, _bytes: Bytes) -> Result<()> {
        unimplemented!()
    }

    /// Gives the blob its name. A blob that exists already is not rewritten.
    ///
    /// # Errors
    /// When the bytes cannot be stored.
    pub async fn finish(self) -> Result<Stored> {
        unimplemented!()
    }
}

/// A blob being written on a blocking thread. Dropping it unfinished leaves nothing behind.
pub struct SyncBlobWriter {}

impl SyncBlobWriter {
    /// Gives the blob its name; blocks, so not for async code. A blob that exists already is not rewritten.
    ///
    /// # Errors
    /// When the bytes cannot be stored.
    pub fn finish(self) -> Result<Stored> {
        unimplemented!()
    }
}

impl io::Write for SyncBlobWriter {
    fn write(&mut self, _buf: &[u8]) -> io::Result<usize> {
        unimplemented!()
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
