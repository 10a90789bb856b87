//! Folders that work needs: made again when somebody took them away.

use std::fs;
use std::io;
use std::path::Path;

/// Makes something in `folder`. A folder that is gone is made again, with those that it lies in.
pub(crate) fn within<T>(folder: &Path, make: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match make() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if !folder.is_dir() {
                fs::create_dir_all(folder)?;
                tracing::warn!(folder = %folder.display(), "a folder was gone and is made again");
            }
            make()
        }
        done => done,
    }
}
