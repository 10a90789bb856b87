//! Bundles: folders of scratch files as another program is to see them, such as one that sends them to another machine.

use std::path::Path;

use super::dir::Dir;
use super::writer::copy;
use crate::{Blobs, EntryKindRef, Error, IndexEntryRef, Result};

/// The beginning of the names of bundles in the spool.
const PREFIX: &str = "bundle-";
/// Smaller files are copied, so that they have the time that the publication says; larger ones are further names of the blobs, where
/// the store has files.
const COPIED: u64 = 64 << 10;

/// A folder in the spool, which goes with this. Whoever reads it must not write to it: its files may be the blobs themselves.
#[derive(Debug)]
pub struct Bundle {
    spool: Dir,
    name: String,
    folder: Dir,
    /// The folder that was written to last.
    last: Option<(String, Dir)>,
    copied: u64,
}

impl Bundle {
    /// Begins an empty one. On a blocking thread, as everything here.
    ///
    /// # Errors
    /// When the spool cannot be written to.
    pub fn begin(blobs: &Blobs) -> Result<Self> {
        let spool = Dir::open(blobs.spool_path())?;
        let name = format!("{PREFIX}{}", uuid::Uuid::new_v4());
        let folder = spool.make(&name)?;
        Ok(Self {
            spool,
            name,
            folder,
            last: None,
            copied: 0,
        })
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.shown()
    }

    /// The bytes of files that were copied into it.
    #[must_use]
    pub fn copied(&self) -> u64 {
        self.copied
    }

    /// Adds the file of an entry, or a symbolic link where the entry is a redirect to a path within the bundle.
    ///
    /// # Errors
    /// When it is no file that is here and no such redirect, or the disk fails.
    pub fn add(&mut self, blobs: &Blobs, entry: &IndexEntryRef<'_>) -> Result<()> {
        blobs.require_room()?;
        let (folder, name) = self.place(entry.path)?;
        match entry.kind {
            EntryKindRef::Redirect(to) if is_within(entry.path, to) => {
                return folder.symlink(name, to);
            }
            EntryKindRef::Blob(sha256) if entry.size >= COPIED => {
                let local = blobs.open_local(sha256)?;
                if local.is_some_and(|file| folder.link(&file, name)) {
                    return Ok(());
                }
            }
            _ => {}
        }
        copy(blobs, entry, folder, name)?;
        self.copied += entry.size;
        Ok(())
    }

    /// Adds an empty file: for programs that look at names alone.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn add_name(&mut self, path: &str) -> Result<()> {
        let (folder, name) = self.place(path)?;
        folder.create(name).map(drop)
    }

    /// Adds a folder.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn add_folder(&self, path: &str) -> Result<()> {
        self.folder.descend(path).map(drop)
    }

    /// The folder of a path, and the name in it.
    fn place<'a>(&mut self, path: &'a str) -> Result<(&Dir, &'a str)> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let is_last = self.last.as_ref().is_some_and(|(last, _)| last == folder);
        if !is_last {
            self.last = Some((folder.to_owned(), self.folder.descend(folder)?));
        }
        let last = self.last.as_ref().map(|(_, folder)| (folder, name));
        last.ok_or(Error::Stopping)
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        if let Err(error) = self.spool.remove(&self.name) {
            tracing::warn!(%error, "a folder of scratch files could not be removed");
        }
    }
}

/// Tells whether a name in the spool is that of a bundle, which a killed process has left.
pub(crate) fn is_bundle(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(PREFIX))
}

/// Tells whether a link at `path` to the relative path `to` stays in the folder that `path` begins in.
fn is_within(path: &str, to: &str) -> bool {
    let mut depth = path.matches('/').count();
    !to.starts_with('/')
        && to.split('/').all(|part| match part {
            "" | "." => false,
            ".." => depth.checked_sub(1).map(|less| depth = less).is_some(),
            _ => {
                depth += 1;
                true
            }
        })
}

#[cfg(test)]
mod tests {
    use super::is_within;

    #[test]
    fn links_stay_in_their_bundle() {
        for (path, to) in [
            ("zoo/Packages/b/x.rpm", "../../../units/x.rpm"),
            ("a", "b/c"),
            ("a/b", "../c/../d"),
        ] {
            assert!(is_within(path, to), "{path} -> {to}");
        }
        for (path, to) in [
            ("a", "../b"),
            ("a/b", "../../b"),
            ("a/b", "/etc/passwd"),
            ("a/b", "http://elsewhere/"),
            ("a/b", ""),
            ("a/b", "../c/../../d"),
        ] {
            assert!(!is_within(path, to), "{path} -> {to}");
        }
    }
}
