//! Folders that work needs, and the mark of the folder that they lie in.
//!
//! Whoever removes a folder of scratch files gets it made again. But where the disk of the store is not mounted, an empty
//! folder lies in its place, or none, and nothing must be looked for or written there. So the first start leaves a *mark*
//! in the folder of the store, and a store without its mark is away.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use crate::{Error, Result, paths};

/// The text of the mark, for whoever finds it.
const TEXT: &str =
    "This file tells pith that the disk of its files is mounted here. Leave it where it is.\n";

/// Makes something in `folder`, and the folder itself where somebody took it away. Its parent is not made again: where that is
/// gone, a disk is missing. `store` is the folder of the store when `folder` belongs to one.
pub(crate) fn within<T>(
    store: Option<&Path>,
    folder: &Path,
    verb: &str,
    make: impl Fn() -> io::Result<T>,
) -> Result<T> {
    let made = match make() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            store.map_or(Ok(()), require_mark)?;
            match fs::create_dir(folder) {
                Ok(()) => {
                    tracing::warn!(folder = %folder.display(), "a folder was gone and is made again");
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", folder)(error)),
            }
            make()
        }
        made => made,
    };
    made.map_err(Error::io(verb, folder))
}

/// Makes sure that the folder of a store is the one that it was.
pub(crate) fn require_mark(store: &Path) -> Result<()> {
    let mark = paths::mark(store);
    match fs::metadata(&mark) {
        Ok(_) => Ok(()),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Err(Error::NoMark(mark.display().to_string()))
        }
        Err(error) => Err(Error::io("look at", &mark)(error)),
    }
}

/// Marks the folder of a store that has no mark yet.
pub(crate) fn mark(store: &Path) -> Result<()> {
    let mark = paths::mark(store);
    if fs::exists(&mark).map_err(Error::io("look at", &mark))? {
        return Ok(());
    }
    // Another process that starts now writes the same.
    let written = File::create(&mark).and_then(|mut file| {
        // A full disk may have room for a name only, and the name is what counts.
        match file.write_all(TEXT.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::StorageFull => return Err(error),
            _ => file.sync_all()?,
        }
        File::open(store)?.sync_all()
    });
    written.map_err(Error::io("write", &mark))
}

/// Tells whether a folder has neither the mark of a store nor the folders of its blobs.
pub(crate) fn is_bare(store: &Path) -> Result<bool> {
    let entries = match fs::read_dir(store) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(Error::io("list", store)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(Error::io("list", store))?;
        let name = entry.file_name();
        // Versions before the mark have left blobs and no mark.
        let of_blobs = |name: &str| name.len() == 2 && u8::from_str_radix(name, 16).is_ok();
        if name == paths::MARK || name.to_str().is_some_and(of_blobs) {
            return Ok(false);
        }
    }
    Ok(true)
}
