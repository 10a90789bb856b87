//! Reading an index: nothing is touched before it is asked for, and nothing in it is believed.

use std::cmp::Ordering;
use std::fmt;

use bytes::Bytes;
use pith_core::Sha256;

use super::format::{Frame, MAGIC, compare, read_frame, read_path, read_record};
use super::{Child, EntryKindRef, IndexEntryRef};
use crate::error::blocking;
use crate::{Blobs, Error, Result, mmap};

/// An open index. Holds no lock and no memory beyond the pages that were looked at.
pub struct Publication {
    pub(super) bytes: Bytes,
    frame: Frame,
}

impl fmt::Debug for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publication")
            .field("len", &self.frame.count)
            .finish_non_exhaustive()
    }
}

impl Publication {
    /// Opens the index kept as blob `sha256`.
    ///
    /// # Errors
    /// When the blob is missing or is not an index.
    pub async fn open(blobs: &Blobs, sha256: Sha256) -> Result<Self> {
        let file = blobs.open_document(sha256).await?;
        let map = move || {
            // An empty file cannot be mapped, and is no index.
            let empty = file.metadata()?.len() == 0;
            if empty {
                Ok(Bytes::new())
            } else {
                mmap::map(&file)
            }
        };
        let bytes = blocking(move || {
            map().map_err(|source| Error::Io {
                action: format!("map {sha256}"),
                source,
            })
        });
        Self::from_bytes(bytes.await?)
    }

    /// An index that is at hand as bytes.
    ///
    /// # Errors
    /// When the bytes are not an index.
    pub fn from_bytes(bytes: Bytes) -> Result<Self> {
        let frame = read_frame(&bytes)?;
        Ok(Self { bytes, frame })
    }

    /// Number of paths.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.frame.count as u64
    }

    /// Tells whether nothing is published.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frame.count == 0
    }

    /// The entry at exactly `path`.
    ///
    /// # Errors
    /// When the index is damaged.
    pub fn get(&self, path: &str) -> Result<Option<IndexEntryRef<'_>>> {
        let position = self.seek(path.as_bytes())?;
        if position == self.frame.count || self.path(position)? != path.as_bytes() {
            return Ok(None);
        }
        self.entry(position).map(Some)
    }

    /// Tells whether there are paths below `dir`. The empty text is the root, which always is a directory.
    ///
    /// # Errors
    /// When the index is damaged.
    pub fn is_dir(&self, dir: &str) -> Result<bool> {
        if dir.is_empty() {
            return Ok(true);
        }
        let prefix = format!("{dir}/");
        let position = self.seek(prefix.as_bytes())?;
        Ok(position < self.frame.count && self.path(position)?.starts_with(prefix.as_bytes()))
    }

    /// The names in `dir` (empty: the root), sorted; whole sub-trees are skipped, not read. Nothing when there is no
    /// such directory.
    #[must_use]
    pub fn list(&self, dir: &str) -> Children<'_> {
        let prefix = if dir.is_empty() {
            String::new()
        } else {
            format!("{dir}/")
        };
        Children {
            index: self,
            prefix,
            position: None,
        }
    }

    /// Every entry, in order of paths.
    #[must_use]
    pub fn iter(&self) -> Entries<'_> {
        Entries {
            index: self,
            position: 0,
        }
    }

    /// The entries whose paths begin with `prefix`, in order; others are not read.
    pub fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = Result<IndexEntryRef<'a>>> {
        let (position, failed) = match self.seek(prefix.as_bytes()) {
            Ok(position) => (position, None),
            Err(error) => (self.frame.count, Some(Err(error))),
        };
        let entries = Entries {
            index: self,
            position,
        };
        let is_below = move |entry: &Result<IndexEntryRef<'_>>| {
            let other = entry
                .as_ref()
                .is_ok_and(|one| !one.path.starts_with(prefix));
            !other
        };
        failed.into_iter().chain(entries.take_while(is_below))
    }

    /// The entry at a position that [`Self::left_out_by`] told.
    ///
    /// # Errors
    /// When there is no such position, or the index is damaged.
    pub fn at(&self, position: usize) -> Result<IndexEntryRef<'_>> {
        if position >= self.frame.count {
            return Err(Error::DamagedIndex("it has no such position"));
        }
        self.entry(position)
    }

    /// The positions of the paths that `newer` does not have, in order. Both indexes are gone through once.
    ///
    /// # Errors
    /// When an index is damaged.
    pub fn left_out_by(&self, newer: &Self) -> Result<Vec<usize>> {
        let mut left_out = Vec::new();
        let mut there = 0;
        for position in 0..self.frame.count {
            let path = self.path(position)?;
            let mut order = Ordering::Less;
            while there < newer.frame.count {
                order = compare(newer.path(there)?, path);
                if order != Ordering::Less {
                    break;
                }
                there += 1;
            }
            if there == newer.frame.count || order == Ordering::Greater {
                left_out.push(position);
            }
        }
        Ok(left_out)
    }

    /// The bytes of an inline entry of this index without copying them; `None` for other kinds, and for entries of another index.
    #[must_use]
    pub fn inline(&self, entry: &IndexEntryRef<'_>) -> Option<Bytes> {
        let EntryKindRef::Inline(inline) = entry.kind else {
            return None;
        };
        if inline.is_empty() {
            return Some(Bytes::new());
        }
        let start = (inline.as_ptr() as usize).checked_sub(self.bytes.as_ptr() as usize)?;
        let end = start.checked_add(inline.len())?;
        (end <= self.bytes.len()).then(|| self.bytes.slice(start..end))
    }

    fn record(&self, position: usize) -> Result<&[u8]> {
        let slot = self.frame.table + position * 8;
        let start = self
            .bytes
            .get(slot..slot + 8)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u64::from_le_bytes);
        let start = start
            .and_then(|start| usize::try_from(start).ok())
            .filter(|&start| start >= MAGIC.len());
        let record = start.and_then(|start| self.bytes.get(start..self.frame.table));
        record.ok_or(Error::DamagedIndex("its table points nowhere"))
    }

    fn path(&self, position: usize) -> Result<&[u8]> {
        read_path(self.record(position)?)
    }

    fn entry(&self, position: usize) -> Result<IndexEntryRef<'_>> {
        read_record(self.record(position)?)
    }

    /// The first position whose path is not before `path`.
    fn seek(&self, path: &[u8]) -> Result<usize> {
        self.partition(0, self.frame.count, |other| {
            compare(other, path) == Ordering::Less
        })
    }

    /// The first position in `low..high` whose path is not `before`.
    fn partition(
        &self,
        mut low: usize,
        mut high: usize,
        before: impl Fn(&[u8]) -> bool,
    ) -> Result<usize> {
        while low < high {
            let middle = low + (high - low) / 2;
            if before(self.path(middle)?) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// The first position from `start` on whose path does not begin with `prefix`, near ones found quickly.
    fn skip(&self, start: usize, prefix: &[u8]) -> Result<usize> {
        let count = self.frame.count;
        let (mut low, mut step) = (start, 1);
        while low < count
            && self
                .path((low + step - 1).min(count - 1))?
                .starts_with(prefix)
        {
            low = (low + step).min(count);
            step *= 2;
        }
        self.partition(low, (low + step).min(count), |path| {
            path.starts_with(prefix)
        })
    }
}

/// See [`Publication::list`].
pub struct Children<'a> {
    index: &'a Publication,
    prefix: String,
    /// The position at which the next child begins; `None` before the first.
    position: Option<usize>,
}

impl<'a> Children<'a> {
    fn advance(&mut self) -> Result<Option<Child<'a>>> {
        let index = self.index;
        let position = match self.position {
            Some(position) => position,
            None => index.seek(self.prefix.as_bytes())?,
        };
        if position >= index.frame.count {
            return Ok(None);
        }
        let entry = index.entry(position)?;
        let Some(rest) = entry.path.strip_prefix(self.prefix.as_str()) else {
            return Ok(None);
        };
        let (child, next) = match rest.split_once('/') {
            None => (
                Child {
                    name: rest,
                    is_dir: false,
                    size: entry.size,
                    mtime: entry.mtime,
                },
                position + 1,
            ),
            Some((name, _)) => {
                let below = &entry.path.as_bytes()[..self.prefix.len() + name.len() + 1];
                (
                    Child {
                        name,
                        is_dir: true,
                        size: 0,
                        mtime: 0,
                    },
                    index.skip(position + 1, below)?,
                )
            }
        };
        if child.name.is_empty() {
            return Err(Error::DamagedIndex("a name is empty"));
        }
        self.position = Some(next);
        Ok(Some(child))
    }
}

impl<'a> Iterator for Children<'a> {
    type Item = Result<Child<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let child = self.advance();
        if child.is_err() {
            // One error is enough.
            self.position = Some(self.index.frame.count);
        }
        child.transpose()
    }
}

/// See [`Publication::iter`].
pub struct Entries<'a> {
    index: &'a Publication,
    position: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<IndexEntryRef<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.position >= self.index.frame.count {
            return None;
        }
        let entry = self.index.entry(self.position);
        self.position = if entry.is_ok() {
            self.position + 1
        } else {
            self.index.frame.count
        };
        Some(entry)
    }
}
