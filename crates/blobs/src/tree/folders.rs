//! The folders of this machine that may be written for others: none, unless the server's settings say so.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use super::dir::Dir;
use crate::{Error, Result};

/// The reason why a folder is not written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no absolute path, or one that climbs.
    #[error("it must be an absolute path without '..'")]
    NoPath,
    /// The server's settings do not allow it.
    #[error(
        "it is not below a folder that the server's settings open for exports (--allow-exports-to DIR)"
    )]
    NotAllowed,
    /// The server keeps its own files there.
    #[error("the server keeps its own files there")]
    Own,
}

/// The folders below which trees may be written; none by default.
#[derive(Debug, Clone, Default)]
pub struct OpenFolders {
    /// As they were given, and without symbolic links.
    allowed: Vec<(PathBuf, PathBuf)>,
    own: Vec<PathBuf>,
}

impl OpenFolders {
    /// Opens these folders, which must be there and must neither lie in one of `own`, nor hold one.
    ///
    /// # Errors
    /// When one cannot be opened or meets the server's own files.
    pub fn new(allowed: &[PathBuf], own: &[PathBuf]) -> Result<Self> {
        let own: Vec<PathBuf> = own.iter().map(|path| real(path)).collect();
        let mut opened = Vec::new();
        for folder in allowed {
            let found = fs::canonicalize(folder).map_err(Error::io("open", folder))?;
            let meets = |own: &PathBuf| found.starts_with(own) || own.starts_with(&found);
            if own.iter().any(meets) {
                return Err(Error::refused(folder, Refused::Own));
            }
            opened.push((folder.clone(), found));
        }
        let allowed = opened;
        Ok(Self { allowed, own })
    }

    /// Judges a folder by its name.
    ///
    /// # Errors
    /// [`Refused`]; the same whether or not there is such a folder.
    pub fn check(&self, folder: &Path) -> std::result::Result<(), Refused> {
        self.locate(folder).map(drop)
    }

    /// The allowed folder that `folder` is or lies below, and the rest of its path.
    fn locate<'a>(
        &'a self,
        folder: &'a Path,
    ) -> std::result::Result<(&'a Path, &'a Path), Refused> {
        let climbs = |part: Component<'_>| part == Component::ParentDir;
        if !folder.is_absolute() || folder.components().any(climbs) {
            return Err(Refused::NoPath);
        }
        let below = |(given, found): &'a (PathBuf, PathBuf)| {
            let rest = folder.strip_prefix(given);
            let rest = rest.or_else(|_| folder.strip_prefix(found)).ok()?;
            Some((found.as_path(), rest))
        };
        let mut all = self.allowed.iter().filter_map(below);
        all.next().ok_or(Refused::NotAllowed)
    }

    /// Opens a folder, made where it is missing. Answers the folders from the allowed one to it.
    pub(super) fn open(&self, folder: &Path) -> Result<Vec<Dir>> {
        let refused = |why| Error::refused(folder, why);
        let (top, rest) = self.locate(folder).map_err(refused)?;
        // By number, for folders that can be reached under several names.
        let own: HashSet<(u64, u64)> = self.own.iter().filter_map(|own| number(own)).collect();
        let mut opened = vec![Dir::open(top)?];
        for part in rest.components() {
            let Component::Normal(name) = part else {
                continue;
            };
            let name = name.to_str().ok_or_else(|| refused(Refused::NoPath))?;
            let next = opened.last().map(|dir| dir.make(name)).transpose()?;
            opened.extend(next);
        }
        match opened
            .iter()
            .any(|dir| dir.number().is_ok_and(|number| own.contains(&number)))
        {
            true => Err(refused(Refused::Own)),
            false => Ok(opened),
        }
    }
}

/// A path without symbolic links in it; as it stands when there is nothing there.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn number(path: &Path) -> Option<(u64, u64)> {
    let found = fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}
