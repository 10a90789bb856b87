//! Hashing files that were written elsewhere.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use pith_core::{Algorithm, MultiHasher};

use crate::{Error, Result, Stored};

/// Digests of a whole file; its position does not move.
pub(crate) fn file(file: &File, path: &Path, also: &[Algorithm]) -> Result<Stored> {
    let mut hasher = MultiHasher::new(also);
    let mut buffer = vec![0; 256 * 1024];
    let mut at = 0;
    loop {
        let count = file
            .read_at(&mut buffer, at)
            .map_err(Error::io("read", path))?;
        if count == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..count]);
        at += count as u64;
    }
}
