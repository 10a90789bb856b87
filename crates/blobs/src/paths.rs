//! Every path of this crate, and no path anywhere else.
//!
//! ```text
//! <storage>/                        a local folder, or bucket and prefix
//!   ab/c/abc0…                      a blob: two levels of folders, then the whole sha256
//!   spool/                          local only: files being written, to be renamed or dropped
//!   pith-files                      local only: the mark, without which this is not the folder that it was
//!   durable                         local only: its time says until when everything is known to be on disk
//!   uploads/<uuid>                  uploads in progress: a sparse file in a folder, below that name objects for the segments
//!
//! <data>/
//!   blobs/                          the default <storage>
//!   spool/                          files being written when <storage> is an object store
//!   cache/publications/<sha256>     indexes fetched from an object store, the oldest are dropped
//! ```
//!
//! The second level has one digit: 4096 folders hold ten million blobs without a long directory, and a store of ten
//! thousand blobs does not consist of ten thousand folders.

use std::path::{Path, PathBuf};

use pith_core::Sha256;
use uuid::Uuid;

/// The blobs of a local store, relative to its root, with `/`; the key in an object store below its prefix.
#[must_use]
pub fn blob(sha256: &Sha256) -> String {
    let name = sha256.to_string();
    format!("{}/{}/{name}", &name[..2], &name[2..3])
}

/// Reads a path made by [`blob`]; `None` for anything else.
#[must_use]
pub fn parse_blob(path: &str) -> Option<Sha256> {
    let sha256 = path.rsplit('/').next()?.parse().ok()?;
    (blob(&sha256) == path).then_some(sha256)
}

pub(crate) fn spool(root: &Path) -> PathBuf {
    root.join("spool")
}

/// Name of the file by which the folder of a local store is known.
pub(crate) const MARK: &str = "pith-files";

pub(crate) fn mark(root: &Path) -> PathBuf {
    root.join(MARK)
}

pub(crate) fn durable_stamp(root: &Path) -> PathBuf {
    root.join("durable")
}

/// Name of the folder of uploads, and the beginning of their keys in an object store.
pub(crate) const UPLOADS: &str = "uploads";

pub(crate) fn uploads(root: &Path) -> PathBuf {
    root.join(UPLOADS)
}

pub(crate) fn upload(root: &Path, id: Uuid) -> PathBuf {
    uploads(root).join(id.hyphenated().to_string())
}

pub(crate) fn publication_cache(data: &Path) -> PathBuf {
    data.join("cache").join("publications")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blob_paths_read_back_and_nothing_else_does() {
        let sha256 = Sha256::of(b"abc");
        let path = blob(&sha256);
        assert_eq!(
            path,
            "ba/7/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(parse_blob(&path), Some(sha256));
        assert_eq!(parse_blob(&path.replace("ba/7", "ba/8")), None);
        assert_eq!(parse_blob("spool/x"), None);
    }
}
