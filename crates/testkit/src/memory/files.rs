//! Units of several files: lists in memory, as JSON documents.

use std::collections::BTreeMap;

use async_trait::async_trait;
use pith_content::ContentError;
use pith_content::fetch::Fetch;
use pith_content::files::{FileSet, Here, WantedFile};
use pith_content::publish::Entry;
use pith_content::unit::Source;
use pith_core::{Digest, RelativePath, Sha256};

use super::Repository;
use super::feed::Feed;
use super::file::{Blobs, keep};

/// The files of a list by their paths: digests and sizes.
type List = BTreeMap<String, (Sha256, u64)>;

/// The files of one unit as they come.
pub(super) struct Files {
    feed: Feed,
    blobs: Blobs,
    known: Vec<List>,
    list: List,
    here: Here,
}

impl Files {
    /// Begins a set of files, with lists that the repository has.
    pub(super) fn begin(repository: &Repository, known: &[Sha256]) -> Result<Self, ContentError> {
        let known = known.iter().map(|list| read(&repository.blobs, *list));
        Ok(Self {
            feed: repository.feed.clone(),
            blobs: Blobs::clone(&repository.blobs),
            known: known.collect::<Result<_, _>>()?,
            list: List::new(),
            here: Here::default(),
        })
    }

    /// The file, when a known list has it.
    fn find(&self, wanted: &WantedFile) -> Option<(Sha256, u64)> {
        let promised = wanted.digests.iter().find_map(Digest::as_sha256);
        if promised.is_none() && !wanted.is_named_by_content {
            return None;
        }
        let found = self
            .known
            .iter()
            .filter_map(|list| list.get(wanted.path.as_str()));
        let mut found = found.filter(|(sha256, size)| {
            promised.is_none_or(|promised| promised == *sha256)
                && wanted.size.is_none_or(|wanted| wanted == *size)
        });
        found.next().copied()
    }
}

#[async_trait]
impl FileSet for Files {
    async fn add(&mut self, wanted: WantedFile) -> Result<(), ContentError> {
        let path = wanted.path.to_string();
        let file = match self.find(&wanted) {
            Some(known) => {
                self.here.known += 1;
                known
            }
            None => {
                let what = Fetch {
                    size: wanted.size,
                    digests: wanted.digests,
                    ..Fetch::any(wanted.urls, wanted.size.unwrap_or(wanted.max_size))
                };
                let hashed = keep(&self.blobs, self.feed.get(&what)?.bytes, &[]);
                (hashed.sha256, hashed.size)
            }
        };
        self.here.files += 1;
        self.here.bytes += file.1;
        match self.list.insert(path, file) {
            None => Ok(()),
            Some(_) => Err(ContentError::other(format!("{} comes twice", wanted.path))),
        }
    }

    fn here(&self) -> Here {
        self.here
    }

    async fn finish(self: Box<Self>) -> Result<Source, ContentError> {
        if self.list.is_empty() {
            return Err(ContentError::other("a unit of several files has none"));
        }
        let list = serde_json::to_vec(&self.list).map_err(ContentError::other)?;
        let hashed = keep(&self.blobs, list, &[]);
        Ok(Source::from(&hashed))
    }
}

/// The entries of the files of a list, below `folder` where there is one.
pub(super) fn entries(
    blobs: &Blobs,
    folder: Option<&RelativePath>,
    list: Sha256,
) -> Result<Vec<(RelativePath, Entry)>, ContentError> {
    let entry = |(path, (sha256, size)): (String, (Sha256, u64))| {
        let path = RelativePath::new(path)?;
        let path = match folder {
            Some(folder) => folder.join(&path)?,
            None => path,
        };
        Ok((path, Entry::Blob { sha256, size }))
    };
    read(blobs, list)?.into_iter().map(entry).collect()
}

fn read(blobs: &Blobs, list: Sha256) -> Result<List, ContentError> {
    let bytes = blobs.lock().get(&list).cloned();
    let bytes = bytes.ok_or_else(|| ContentError::other(format!("{list} is missing")))?;
    serde_json::from_slice(&bytes).map_err(ContentError::other)
}
