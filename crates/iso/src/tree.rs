//! Files as a tree of folders.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use crate::{Error, File};

/// The number of a folder in the tree. The root is the first.
pub(crate) type FolderId = usize;

/// Something in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Node {
    /// A folder.
    Folder(FolderId),
    /// A file, by its place in the list.
    File(usize),
}

/// A folder.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) parent: FolderId,
    /// Sorted by name.
    pub(crate) nodes: BTreeMap<String, Node>,
    /// The time at which something in it last changed.
    pub(crate) modified: Timestamp,
}

impl Folder {
    fn new(parent: FolderId) -> Self {
        Self {
            parent,
            nodes: BTreeMap::new(),
            modified: Timestamp::UNIX_EPOCH,
        }
    }

    /// The number of folders in it.
    pub(crate) fn folders(&self) -> usize {
        let is_folder = |node: &&Node| matches!(node, Node::Folder(_));
        self.nodes.values().filter(is_folder).count()
    }
}

/// The folders that files lie in.
pub(crate) fn grow(files: &[File]) -> Result<Vec<Folder>, Error> {
    let mut folders = vec![Folder::new(0)];
    let mut known: HashMap<&str, FolderId> = HashMap::from([("", 0)]);
    for (place, file) in files.iter().enumerate() {
        let twice = || Error::Twice(file.path.clone());
        let (above, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        let mut at = 0;
        let ends = above.match_indices('/').map(|(end, _)| end);
        let ends = ends.chain((!above.is_empty()).then_some(above.len()));
        for end in ends {
            let path = &above[..end];
            let next = folders.len();
            let id = *known.entry(path).or_insert(next);
            if id == next {
                let name = path.rsplit('/').next().unwrap_or(path);
                let taken = folders[at].nodes.insert(name.to_owned(), Node::Folder(id));
                if taken.is_some() {
                    return Err(twice());
                }
                folders.push(Folder::new(at));
            }
            folders[at].modified = folders[at].modified.max(file.modified);
            at = id;
        }
        folders[at].modified = folders[at].modified.max(file.modified);
        let taken = folders[at].nodes.insert(name.to_owned(), Node::File(place));
        if taken.is_some() {
            return Err(twice());
        }
    }
    Ok(folders)
}
