//! Writing trees beside their places, and swapping them in.

use std::fs::{File, FileTimes};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use pith_core::{RelativePath, Sha256};

use super::dir::Dir;
use super::folders::OpenFolders;
use crate::{Blobs, EntryKindRef, Error, IndexEntryRef, Publication, Result};

/// The name of the file that tells who has written a tree.
const MARK: &str = ".pith-export";

/// The place of trees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The trees in the folder; none lies in another.
    pub trees: Vec<RelativePath>,
    /// The line by which the owner of the trees is known: nobody else replaces them.
    pub owner: String,
    /// The name of the file with the names of the folders beside it, in each folder from the given one to the trees.
    pub listing: Option<&'static str>,
}

/// Trees that are being written beside their places. Dropped before the swap, they leave nothing.
#[derive(Debug)]
pub struct TreeWriter {
    place: Place,
    /// The folders from the allowed one to the one that the trees are in.
    folders: Vec<Dir>,
    /// The folder in which they are written, in the last of those.
    written: Dir,
    name: String,
    /// The folder that was written to last.
    last: Option<(String, Dir)>,
}

impl TreeWriter {
    /// Begins trees in `folder`, which is made where it is missing.
    ///
    /// # Errors
    /// When the folder is not open for them, a place is taken by others, or the disk fails.
    pub fn begin(open: &OpenFolders, folder: &Path, place: Place) -> Result<Self> {
        require_apart(&place.trees)?;
        require_no_mark(&place)?;
        let folders = open.open(folder)?;
        // By its owner, so that what a killed process left is found and removed.
        let digest = Sha256::of(place.owner.as_bytes()).to_string();
        let name = format!(".pith-{}", &digest[..16]);
        let root = last_of(&folders)?;
        require_unmarked(&folders)?;
        for tree in &place.trees {
            require_free(root, tree, &place.owner)?;
        }
        root.remove(&name)?;
        let written = root.make(&name)?;
        let writer = Self {
            place,
            folders,
            written,
            name,
            last: None,
        };
        writer.mark()?;
        Ok(writer)
    }

    /// Makes the trees and leaves in each the mark of its owner.
    fn mark(&self) -> Result<()> {
        let owner = &self.place.owner;
        let text = format!("{owner}\nWritten by pith, which replaces this folder as a whole.\n");
        for tree in &self.place.trees {
            let folder = self.written.descend(tree.as_str())?;
            let written = folder.create(MARK)?.write_all(text.as_bytes());
            written.map_err(Error::io("write", &folder.shown().join(MARK)))?;
        }
        Ok(())
    }

    /// Writes all entries of a publication, whose paths lie in the trees. On a blocking thread. `goes_on` is asked before each.
    ///
    /// # Errors
    /// When a path is no file that is here, or the disk fails; [`Error::Stopping`] when it does not go on.
    pub fn write(
        &mut self,
        blobs: &Blobs,
        publication: &Publication,
        goes_on: impl Fn() -> bool,
    ) -> Result<()> {
        for entry in publication.iter() {
            if !goes_on() {
                return Err(Error::Stopping);
            }
            self.entry(blobs, &entry?)?;
        }
        Ok(())
    }

    fn entry(&mut self, blobs: &Blobs, entry: &IndexEntryRef<'_>) -> Result<()> {
        blobs.require_room()?;
        let path = entry.path;
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let is_last = self.last.as_ref().is_some_and(|(last, _)| last == folder);
        if !is_last {
            self.last = Some((folder.to_owned(), self.written.descend(folder)?));
        }
        let Some((_, folder)) = &self.last else {
            return Ok(());
        };
        copy(blobs, entry, folder, name)
    }

    /// Puts the trees in their places: each is there whole, the old one until then. What was in a place is removed.
    ///
    /// # Errors
    /// When a place was taken by others meanwhile, or the disk fails.
    pub fn swap(self) -> Result<()> {
        // What is seen must last.
        self.written.sync()?;
        let root = last_of(&self.folders)?;
        require_unmarked(&self.folders)?;
        for tree in &self.place.trees {
            let is_there = require_free(root, tree, &self.place.owner)?;
            let (above, name) = split(tree);
            let (from, to) = (self.written.descend(above)?, root.descend(above)?);
            match is_there {
                true => from.exchange(name, &to)?,
                false => from.put(name, &to)?,
            }
        }
        if let Some(listing) = self.place.listing {
            for tree in &self.place.trees {
                list_above(root, tree, listing)?;
            }
        }
        root.sync()
    }
}

impl Drop for TreeWriter {
    fn drop(&mut self) {
        let removed = last_of(&self.folders).and_then(|root| root.remove(&self.name));
        if let Err(error) = removed {
            tracing::warn!(%error, "what is left of an export could not be removed");
        }
    }
}

/// Writes the file of an entry as `name` in a folder.
pub(super) fn copy(
    blobs: &Blobs,
    entry: &IndexEntryRef<'_>,
    folder: &Dir,
    name: &str,
) -> Result<()> {
    let mut file = folder.create(name)?;
    let shown = folder.shown().join(name);
    let written = match entry.kind {
        EntryKindRef::Blob(sha256) => blobs.copy_to_file(sha256, &mut file)?,
        EntryKindRef::Slice(slice) => {
            blobs.copy_part_to(slice.blob, slice.range(entry.size), &mut file)?
        }
        EntryKindRef::Inline(bytes) => {
            file.write_all(bytes).map_err(Error::io("write", &shown))?;
            bytes.len() as u64
        }
        EntryKindRef::Source { .. } | EntryKindRef::Redirect(_) => {
            return Err(Error::NoFile(entry.path.to_owned()));
        }
    };
    if written != entry.size {
        return Err(Error::NoFile(entry.path.to_owned()));
    }
    set_time(&file, entry.mtime).map_err(Error::io("write", &shown))
}

pub(super) fn last_of(folders: &[Dir]) -> Result<&Dir> {
    folders.last().ok_or(Error::Stopping)
}

/// The folder of a tree, as a path, and its name.
pub(super) fn split(tree: &RelativePath) -> (&str, &str) {
    tree.as_str()
        .rsplit_once('/')
        .unwrap_or(("", tree.as_str()))
}

/// Makes sure that no tree lies in another.
fn require_apart(trees: &[RelativePath]) -> Result<()> {
    let mut sorted: Vec<&RelativePath> = trees.iter().collect();
    // Segment by segment, so that what lies in a tree comes behind it.
    sorted.sort_by(|a, b| a.as_str().split('/').cmp(b.as_str().split('/')));
    for pair in sorted.windows(2) {
        let rest = pair[1].as_str().strip_prefix(pair[0].as_str());
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            return Err(Error::TreeTaken(pair[1].to_string()));
        }
    }
    Ok(())
}

/// Makes sure that no folder on the way to a tree has a name of the files that are written beside trees.
fn require_no_mark(place: &Place) -> Result<()> {
    let is_ours = |name: &str| {
        name.starts_with(".pith") || name.ends_with(".pith") || place.listing == Some(name)
    };
    let mut trees = place.trees.iter();
    match trees.find(|tree| tree.as_str().split('/').any(is_ours)) {
        Some(tree) => Err(Error::TreeReserved(tree.to_string())),
        None => Ok(()),
    }
}

/// Makes sure that none of these folders is, or lies in, a tree that is replaced as a whole.
pub(super) fn require_unmarked(folders: &[Dir]) -> Result<()> {
    for folder in folders {
        if folder.head(MARK)?.is_some() {
            return Err(Error::TreeTaken(folder.shown().display().to_string()));
        }
    }
    Ok(())
}

/// Makes sure that the place of a tree is free, or has a tree of the same owner, and lies in no other tree. Tells whether
/// something is there.
fn require_free(root: &Dir, tree: &RelativePath, owner: &str) -> Result<bool> {
    let taken = |at: &Dir| Error::TreeTaken(at.shown().display().to_string());
    let (above, name) = split(tree);
    let mut folder = root.again()?;
    for segment in above.split('/').filter(|segment| !segment.is_empty()) {
        folder = match folder.find(segment)? {
            Some(found) if found.head(MARK)?.is_some() => return Err(taken(&found)),
            Some(found) => found,
            None => return Ok(false),
        };
    }
    let Some(found) = folder.find(name)? else {
        return Ok(false);
    };
    match is_own(&found, owner)? || found.list()?.is_empty() {
        true => Ok(true),
        false => Err(taken(&found)),
    }
}

/// Tells whether a tree has the mark of this owner.
pub(super) fn is_own(tree: &Dir, owner: &str) -> Result<bool> {
    let mark = tree.head(MARK)?;
    let of = mark
        .as_deref()
        .and_then(|mark| mark.split(|byte| *byte == b'\n').next());
    Ok(of == Some(owner.as_bytes()))
}

/// Writes the names of the folders into each folder from the one of a tree up to `root`.
pub(super) fn list_above(root: &Dir, tree: &RelativePath, listing: &str) -> Result<()> {
    let mut above = split(tree).0;
    loop {
        let folder = root.descend(above)?;
        let names = folder.list()?.into_iter();
        let folders = names.filter(|(name, is_folder)| *is_folder && !name.starts_with(".pith-"));
        let mut folders: Vec<String> = folders.map(|(name, _)| name).collect();
        folders.sort_unstable();
        folder.replace(listing, folders.join("\n").as_bytes())?;
        if above.is_empty() {
            return Ok(());
        }
        above = above.rsplit_once('/').map_or("", |(above, _)| above);
    }
}

/// Gives a file the time of last change that the publication says.
fn set_time(file: &File, mtime: i64) -> std::io::Result<()> {
    let span = Duration::from_secs(mtime.unsigned_abs());
    let time = match mtime < 0 {
        true => SystemTime::UNIX_EPOCH.checked_sub(span),
        false => SystemTime::UNIX_EPOCH.checked_add(span),
    };
    time.map_or(Ok(()), |time| {
        file.set_times(FileTimes::new().set_modified(time))
    })
}
