//! Blobs copied to elsewhere, on blocking threads.

use std::ops::Range;

use futures::TryStreamExt as _;
use pith_core::Sha256;

use crate::{Blobs, Error, Result};

impl Blobs {
    /// Copies a blob into a file, on a blocking thread; how many bytes it has. File systems that can share blocks between files
    /// do: the file stays a file of its own, and whoever changes it changes nothing here.
    ///
    /// # Errors
    /// When the blob is missing, or the disk fails.
    pub fn copy_to_file(&self, sha256: Sha256, to: &mut std::fs::File) -> Result<u64> {
        match self.open_local(sha256)? {
            // Of two files, the system copies without a way through this process.
            Some(mut from) => std::io::copy(&mut from, to).map_err(copying(sha256)),
            None => self.copy_to(sha256, to),
        }
    }

    /// Copies a blob to wherever, on a blocking thread; how many bytes it has.
    ///
    /// # Errors
    /// When the blob is missing, the disk fails, or `to` does.
    pub fn copy_to(&self, sha256: Sha256, to: &mut dyn std::io::Write) -> Result<u64> {
        if let Some(mut from) = self.open_local(sha256)? {
            return std::io::copy(&mut from, to).map_err(copying(sha256));
        }
        self.copy_pieces(sha256, None, to)
    }

    /// Copies a part of a blob to wherever, cut at its end, on a blocking thread; how many bytes that were.
    ///
    /// # Errors
    /// As [`Self::copy_to`].
    pub fn copy_part_to(
        &self,
        sha256: Sha256,
        part: Range<u64>,
        to: &mut dyn std::io::Write,
    ) -> Result<u64> {
        self.copy_pieces(sha256, Some(part), to)
    }

    fn copy_pieces(
        &self,
        sha256: Sha256,
        part: Option<Range<u64>>,
        to: &mut dyn std::io::Write,
    ) -> Result<u64> {
        let mut pieces = self.read(sha256, part);
        let mut written = 0;
        while let Some(piece) = self.runtime().block_on(pieces.try_next())? {
            to.write_all(&piece).map_err(copying(sha256))?;
            written += piece.len() as u64;
        }
        Ok(written)
    }
}

fn copying(sha256: Sha256) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::Io {
        action: format!("copy the blob {sha256}"),
        source,
    }
}
