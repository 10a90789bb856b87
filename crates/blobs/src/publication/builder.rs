//! Building an index with flat memory.

use pith_core::RelativePath;

use super::Entry;
use crate::{Blobs, Result, Stored};

/// Builds an index. Entries come in any order; beyond 16 MiB they are sorted and set aside on disk.
pub struct PublicationBuilder {}

impl PublicationBuilder {
    /// An empty index, to be stored in `blobs`.
    #[must_use]
    pub fn new(_blobs: &Blobs) -> Self {
        unimplemented!()
    }

    /// Adds a path. Now and then this writes a scratch file, as quickly as the page cache takes it.
    ///
    /// # Errors
    /// When an inline entry is too large or the scratch file cannot be written. Duplicates are found by `finish`.
    pub fn add(&mut self, _path: RelativePath, _entry: Entry) -> Result<()> {
        unimplemented!()
    }

    /// Writes the index as a blob.
    ///
    /// # Errors
    /// When two entries have one path, a path is a file and a directory, or the blob cannot be written.
    pub async fn finish(self) -> Result<Stored> {
        unimplemented!()
    }

    /// As [`Self::finish`], for blocking threads.
    ///
    /// # Errors
    /// As [`Self::finish`].
    pub fn finish_blocking(self) -> Result<Stored> {
        unimplemented!()
    }
}
