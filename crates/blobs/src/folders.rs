//! Folders that work needs: made again when somebody took them away.

use std::fs;
use std::io;
use std::path::Path;

/// Makes something in `folder`. A folder that is gone is made again, as long as the one it lies in is there: where that is
/// gone too, a disk is missing, and nothing must be written in its place.
pub(crate) fn within<T>(folder: &Path, make: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match make() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            match fs::create_dir(folder) {
                Ok(()) => {
                    tracing::warn!(folder = %folder.display(), "a folder was gone and is made again");
                }
                Err(there) if there.kind() == io::ErrorKind::AlreadyExists => {}
                Err(_) => return Err(error),
            }
            make()
        }
        done => done,
    }
}
