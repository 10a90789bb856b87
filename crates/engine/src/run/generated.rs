//! Files that content types write.

use std::io;

use pith_blobs::{Blobs, SyncBlobWriter};
use pith_content::publish::GeneratedFile;
use pith_core::Algorithm;
use pith_core::digest::Hashed;

/// A file that becomes a blob when it is finished, which `finished` is told of.
pub(super) struct Generated<F> {
    writer: SyncBlobWriter,
    finished: F,
}

impl<F: Fn(&Hashed) + Send> Generated<F> {
    /// An empty file of which SHA-256 is computed, and `also` besides.
    pub(super) fn new(blobs: &Blobs, also: &[Algorithm], finished: F) -> Self {
        Self {
            writer: blobs.sync_writer(also),
            finished,
        }
    }
}

impl<F> io::Write for Generated<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl<F: Fn(&Hashed) + Send> GeneratedFile for Generated<F> {
    fn finish(self: Box<Self>) -> io::Result<Hashed> {
        let stored = self.writer.finish().map_err(io::Error::other)?;
        (self.finished)(&stored);
        Ok(stored)
    }
}
