//! Spreading files over images.

use std::collections::HashSet;

use crate::{Error, File, SECTOR, sectors};

/// The most bytes that an image has beside its files and folders.
const FRAME: u64 = 64 * 1024;
/// The most bytes that a file takes beside its content: records, and names that do not fit into them.
const BESIDE_FILE: u64 = 2048;
/// The most bytes that a folder takes: its records, what they do not hold, its lines in the tables of paths.
const FOLDER: u64 = 16 * 1024;

/// Spreads files over images of at most `limit` bytes, in order. No image is empty; none at all come of no files.
///
/// # Errors
/// [`Error::TooLarge`] when a file fits into no image.
pub fn split(files: impl IntoIterator<Item = File>, limit: u64) -> Result<Vec<Vec<File>>, Error> {
    let mut images: Vec<Vec<File>> = Vec::new();
    let (mut folders, mut used) = (HashSet::new(), 0);
    for file in files {
        let own = sectors(file.size)
            .saturating_mul(SECTOR)
            .saturating_add(BESIDE_FILE);
        let new = |folders: &HashSet<String>| -> Vec<String> {
            let above = file
                .path
                .match_indices('/')
                .map(|(end, _)| &file.path[..end]);
            let above = above.filter(|path| !folders.contains(*path));
            above.map(str::to_owned).collect()
        };
        let costs = |new: &[String]| own.saturating_add(new.len() as u64 * FOLDER);
        let mut missing = new(&folders);
        if images.is_empty() || used + costs(&missing) > limit {
            folders.clear();
            missing = new(&folders);
            used = FRAME;
            if used + costs(&missing) > limit {
                let File { path, size, .. } = file;
                return Err(Error::TooLarge { path, size, limit });
            }
            images.push(Vec::new());
        }
        used += costs(&missing);
        folders.extend(missing);
        if let Some(image) = images.last_mut() {
            image.push(file);
        }
    }
    Ok(images)
}
