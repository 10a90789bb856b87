//! Lists that are there, from which another one takes over what is the same.

use std::collections::HashMap;

use bytes::Bytes;
use pith_core::Sha256;

use super::{MANY, THIN};
use crate::error::blocking;
use crate::publication::{EntryKind, EntryKindRef, IndexEntry, Publication};
use crate::{Blobs, Result};

/// A list that is there.
pub struct KnownFiles {
    index: Publication,
    /// The blobs that the list names.
    named: HashMap<Sha256, Named>,
    /// Is true when the list names so many packs that thin ones are put together.
    has_many_packs: bool,
}

/// A blob that a list names.
#[derive(Debug, Clone, Copy, Default)]
struct Named {
    size: u64,
    /// The bytes of it that files of the list take, where it is a pack.
    used: Option<u64>,
}

/// A file of a list that is there.
#[derive(Debug, Clone)]
pub struct KnownFile {
    /// Its digest.
    pub sha256: Sha256,
    /// Its size.
    pub size: u64,
    pub(super) entry: IndexEntry,
    /// The blob that it is, or is a part of, and its size.
    pub(super) blob: (Sha256, u64),
    is_to_move: bool,
}

impl KnownFiles {
    /// Opens the list kept as blob `list`; `named` are the blobs that are noted to be named by it, with their sizes. An entry that
    /// leads elsewhere is no file.
    ///
    /// # Errors
    /// When the list is missing or damaged.
    pub async fn open(
        blobs: &Blobs,
        list: Sha256,
        named: impl IntoIterator<Item = (Sha256, u64)>,
    ) -> Result<Self> {
        let index = Publication::open(blobs, list).await?;
        let of = |(blob, size)| (blob, Named { size, used: None });
        let mut named: HashMap<Sha256, Named> = named.into_iter().map(of).collect();
        blocking(move || {
            for entry in index.iter() {
                let entry = entry?;
                if let EntryKindRef::Slice(slice) = entry.kind
                    && let Some(pack) = named.get_mut(&slice.blob)
                {
                    let used = pack.used.unwrap_or(0);
                    pack.used = Some(used.saturating_add(entry.size));
                }
            }
            let packs = named.values().filter(|named| named.used.is_some());
            let has_many_packs = packs.count() > MANY;
            Ok(Self {
                index,
                named,
                has_many_packs,
            })
        })
        .await
    }

    /// The number of files.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.index.len()
    }

    /// Tells whether there are no files.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The file at a path.
    ///
    /// # Errors
    /// When the list is damaged.
    pub fn find(&self, path: &str) -> Result<Option<KnownFile>> {
        let entry = self.index.get(path)?;
        Ok(entry.and_then(|entry| self.file(entry.kind, entry.size)))
    }

    /// All files, with their paths.
    pub fn files(&self) -> impl Iterator<Item = Result<(&str, KnownFile)>> {
        self.index.iter().filter_map(|entry| match entry {
            Ok(entry) => Some(Ok((entry.path, self.file(entry.kind, entry.size)?))),
            Err(error) => Some(Err(error)),
        })
    }

    fn file(&self, kind: EntryKindRef<'_>, size: u64) -> Option<KnownFile> {
        let (entry, blob, sha256) = match kind {
            EntryKindRef::Blob(sha256) => (IndexEntry::blob(sha256, size, 0), sha256, sha256),
            EntryKindRef::Slice(slice) => {
                let entry = IndexEntry::slice(slice, size, 0);
                (entry, slice.blob, slice.sha256)
            }
            EntryKindRef::Inline(_) | EntryKindRef::Source { .. } | EntryKindRef::Redirect(_) => {
                return None;
            }
        };
        let named = self.named.get(&blob)?;
        let is_sparse = |used: u64| used < named.size / 2;
        let is_thin = self.has_many_packs && named.size < THIN;
        Some(KnownFile {
            sha256,
            size,
            entry,
            blob: (blob, named.size),
            is_to_move: named.used.is_some_and(|used| is_thin || is_sparse(used)),
        })
    }
}

impl KnownFile {
    /// The file as an entry of an index.
    #[must_use]
    pub fn entry(&self, mtime: i64) -> IndexEntry {
        IndexEntry {
            mtime,
            ..self.entry.clone()
        }
    }

    /// The bytes of a file whose pack is mostly unused, or one of many thin ones; `None` for one that stays where it is.
    pub(super) async fn to_move(&self, blobs: &Blobs) -> Result<Option<Bytes>> {
        let slice = match self.entry.kind {
            EntryKind::Slice(slice) if self.is_to_move => slice,
            _ => return Ok(None),
        };
        let bytes = blobs.read_part(slice.blob, slice.range(self.size)).await;
        bytes.map(Some)
    }
}
