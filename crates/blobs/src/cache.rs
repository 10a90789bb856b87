//! Indexes of publications fetched from an object store, kept as local files so that they can be mapped.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::SystemTime;

use futures::TryStreamExt as _;
use pith_core::{MultiHasher, Sha256};

use crate::error::blocking;
use crate::{Blobs, Error, Result};

/// The folder may grow to this many bytes.
const LIMIT: u64 = 1024 * 1024 * 1024;

pub(crate) struct PublicationCache {
    folder: PathBuf,
}

impl PublicationCache {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The blob `sha256` as a local file, fetched when it is not there. Its bytes were checked when they came in.
    pub(crate) async fn open(&self, blobs: &Blobs, sha256: Sha256) -> Result<File> {
        let path = self.folder.join(sha256.to_string());
        let cached = path.clone();
        let found = blocking(move || match File::open(&cached) {
            Ok(file) => {
                // Young files are kept longest; a file that cannot be touched is merely dropped earlier.
                let _ = rustix::fs::futimens(&file, &now());
                Ok(Some(file))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("open", &cached)(error)),
        });
        if let Some(file) = found.await? {
            return Ok(file);
        }
        let mut copy = blobs.temporary()?;
        let mut hasher = MultiHasher::new(&[]);
        let mut pieces = blobs.read(sha256, None);
        while let Some(piece) = pieces.try_next().await? {
            (copy, hasher) = blocking(move || {
                hasher.update(&piece);
                copy.write_all(&piece)
                    .map_err(Error::io("write", copy.path()))?;
                Ok((copy, hasher))
            })
            .await?;
        }
        let actual = hasher.finish().sha256;
        if actual != sha256 {
            return Err(Error::Damaged {
                expected: sha256,
                actual,
            });
        }
        let folder = self.folder.clone();
        blocking(move || {
            fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
            let file = copy
                .persist(&path)
                .map_err(|error| Error::io("rename a file to", &path)(error.error))?;
            trim(&folder, LIMIT)?;
            Ok(file)
        })
        .await
    }
}

fn now() -> rustix::fs::Timestamps {
    let now = rustix::fs::Timespec {
        tv_sec: 0,
        tv_nsec: rustix::fs::UTIME_NOW,
    };
    rustix::fs::Timestamps {
        last_access: now,
        last_modification: now,
    }
}

/// Removes the files used longest ago until the folder has at most `limit` bytes. Maps of removed files live on.
fn trim(folder: &std::path::Path, limit: u64) -> Result<()> {
    let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let entry = entry.map_err(Error::io("list", folder))?;
        if let Ok(metadata) = entry.metadata() {
            files.push((
                metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                metadata.len(),
                entry.path(),
            ));
        }
    }
    files.sort();
    let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
    for (_, size, path) in files {
        if total <= limit {
            break;
        }
        // Another process may have been faster.
        let _ = fs::remove_file(path);
        total -= size;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_used_longest_ago_go_first() {
        let folder = tempfile::tempdir().unwrap();
        for (age, name) in [(3, "old"), (1, "new"), (2, "middle")] {
            let path = folder.path().join(name);
            fs::write(&path, [0; 10]).unwrap();
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(100 - age);
            File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_modified(time)
                .unwrap();
        }
        trim(folder.path(), 15).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["new"]);
    }
}
