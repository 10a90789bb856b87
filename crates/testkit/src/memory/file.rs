//! Files in memory.

use std::collections::HashMap;
use std::io::{Cursor, Write};
use std::sync::Arc;

use parking_lot::Mutex;
use pith_content::ContentError;
use pith_content::publish::{GeneratedFile, ReadSeek};
use pith_core::digest::Hashed;
use pith_core::{Algorithm, MultiHasher, Sha256};

/// Files by their SHA-256, shared by repositories that were made beside each other.
pub type Blobs = Arc<Mutex<HashMap<Sha256, Vec<u8>>>>;

/// Keeps a file.
pub(super) fn keep(blobs: &Blobs, bytes: Vec<u8>, also: &[Algorithm]) -> Hashed {
    let hashed = hash(&bytes, also);
    blobs.lock().insert(hashed.sha256, bytes);
    hashed
}

/// The digests of bytes.
pub(super) fn hash(bytes: &[u8], also: &[Algorithm]) -> Hashed {
    let mut hasher = MultiHasher::new(also);
    hasher.update(bytes);
    hasher.finish()
}

/// Opens a file.
pub(super) fn open(blobs: &Blobs, blob: Sha256) -> Result<Box<dyn ReadSeek>, ContentError> {
    let bytes = blobs.lock().get(&blob).cloned();
    let bytes = bytes.ok_or_else(|| ContentError::other(format!("{blob} is missing")))?;
    Ok(Box::new(Cursor::new(bytes)))
}

/// A file that is kept when it is finished.
pub(super) struct Generated {
    bytes: Vec<u8>,
    also: Vec<Algorithm>,
    blobs: Blobs,
}

impl Generated {
    /// An empty file.
    pub(super) fn new(blobs: &Blobs, also: &[Algorithm]) -> Self {
        Self {
            bytes: Vec::new(),
            also: also.to_vec(),
            blobs: Arc::clone(blobs),
        }
    }
}

impl Write for Generated {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl GeneratedFile for Generated {
    fn finish(self: Box<Self>) -> std::io::Result<Hashed> {
        Ok(keep(&self.blobs, self.bytes, &self.also))
    }
}
