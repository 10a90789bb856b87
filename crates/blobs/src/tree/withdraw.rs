//! Taking trees away that were exported.

use std::path::Path;

use super::folders::OpenFolders;
use super::writer::{Place, is_own, last_of, list_above, require_unmarked, split};
use crate::Result;

/// Removes the trees that the owner of a place has written there. What others have put in their places stays.
///
/// # Errors
/// When the folder is not open for trees, or the disk fails.
pub fn withdraw(open: &OpenFolders, folder: &Path, place: &Place) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let folders = open.open(folder)?;
    let root = last_of(&folders)?;
    require_unmarked(&folders)?;
    for tree in &place.trees {
        let (above, name) = split(tree);
        let mut folder = Some(root.again()?);
        for segment in above.split('/').filter(|segment| !segment.is_empty()) {
            folder = match folder {
                Some(folder) => folder.find(segment)?,
                None => None,
            };
        }
        let Some(folder) = folder else { continue };
        let Some(found) = folder.find(name)? else {
            continue;
        };
        if is_own(&found, &place.owner)? {
            folder.remove(name)?;
            if let Some(listing) = place.listing {
                list_above(root, tree, listing)?;
            }
        }
    }
    root.sync()
}
