//! Entries of a publication that files of units and generated documents make.

use pith_core::digest::Hashed;

use crate::publish::Entry;
use crate::unit::RepoUnit;

/// A file that was stored.
impl From<&Hashed> for Entry {
    fn from(stored: &Hashed) -> Self {
        Self::Blob {
            sha256: stored.sha256,
            size: stored.size,
        }
    }
}

impl<D> RepoUnit<D> {
    /// The entry of its file, which has or will have `size` bytes, in a publication.
    #[must_use]
    pub fn entry(&self, size: u64) -> Entry {
        match self.blob {
            Some(sha256) => Entry::Blob { sha256, size },
            None => Entry::Deferred {
                unit: self.id,
                sha256: self.promised,
                size,
            },
        }
    }
}
