//! Reading an index: nothing is touched before it is asked for, and nothing in it is believed.

use bytes::Bytes;
use pith_core::Sha256;

use super::{Child, EntryRef};
use crate::{Blobs, Result};

/// An open index. Holds no lock and no memory beyond the pages that were looked at.
#[derive(Debug)]
pub struct Publication {}

impl Publication {
    /// Opens the index kept as blob `sha256`.
    ///
    /// # Errors
    /// When the blob is missing or is not an index.
    pub async fn open(_blobs: &Blobs, _sha256: Sha256) -> Result<Self> {
        unimplemented!()
    }

    /// An index that is at hand as bytes.
    ///
    /// # Errors
    /// When the bytes are not an index.
    pub fn from_bytes(_bytes: Bytes) -> Result<Self> {
        unimplemented!()
    }

    /// Number of paths.
    #[must_use]
    pub fn len(&self) -> u64 {
        unimplemented!()
    }

    /// Whether nothing is published.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entry at exactly `path`.
    ///
    /// # Errors
    /// When the index is damaged.
    pub fn get(&self, _path: &str) -> Result<Option<EntryRef<'_>>> {
        unimplemented!()
    }

    /// Whether there are paths below `dir`. The empty text is the root, which always is a directory.
    ///
    /// # Errors
    /// When the index is damaged.
    pub fn is_dir(&self, _dir: &str) -> Result<bool> {
        unimplemented!()
    }

    /// The names in `dir` (empty: the root), sorted; whole sub-trees are skipped, not read. Nothing when there is no
    /// such directory.
    #[must_use]
    pub fn list(&self, _dir: &str) -> Children<'_> {
        unimplemented!()
    }

    /// Every entry, in order of paths.
    #[must_use]
    pub fn iter(&self) -> Entries<'_> {
        unimplemented!()
    }
}

/// See [`Publication::list`].
pub struct Children<'a> {
    index: &'a Publication,
}

impl<'a> Iterator for Children<'a> {
    type Item = Result<Child<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        unimplemented!()
    }
}

/// See [`Publication::iter`].
pub struct Entries<'a> {
    index: &'a Publication,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<EntryRef<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        unimplemented!()
    }
}
