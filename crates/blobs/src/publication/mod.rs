//! The publication index: an immutable sorted map from path to content, kept as one blob.
//!
//! Paths sort segment by segment (`a/b` before `a-b`), so the children of a directory are neighbours and come sorted by
//! name, and a file and a directory of one name stand next to each other.

mod builder;
mod format;
mod headers;
mod reader;
#[cfg(test)]
mod tests;

use std::ops::Range;

use bytes::Bytes;
use pith_core::Sha256;

pub use builder::{PublicationBuilder, Totals};
pub use headers::{MAX_HEADERS, content_type, further_headers, headers_text};
pub use reader::{Children, Entries, Publication};

/// Most bytes that an entry may keep inside of the index.
pub const MAX_INLINE: usize = 64 * 1024;

/// The thing that a published path shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The place of the bytes.
    pub kind: EntryKind,
    /// Bytes.
    pub size: u64,
    /// Time of last change, in seconds since 1970.
    pub mtime: i64,
    /// Headers of its own ([`headers_text`]), of at most [`MAX_HEADERS`] bytes.
    pub headers: Option<String>,
}

impl IndexEntry {
    /// A blob.
    #[must_use]
    pub fn blob(sha256: Sha256, size: u64, mtime: i64) -> Self {
        Self {
            kind: EntryKind::Blob(sha256),
            size,
            mtime,
            headers: None,
        }
    }

    /// One of many small files in a blob.
    #[must_use]
    pub fn slice(slice: Slice, size: u64, mtime: i64) -> Self {
        Self {
            kind: EntryKind::Slice(slice),
            size,
            mtime,
            headers: None,
        }
    }

    /// A few bytes kept in the index itself, at most [`MAX_INLINE`].
    #[must_use]
    pub fn inline(bytes: impl Into<Bytes>, mtime: i64) -> Self {
        let bytes = bytes.into();
        Self {
            size: bytes.len() as u64,
            kind: EntryKind::Inline(bytes),
            mtime,
            headers: None,
        }
    }

    /// A file to be fetched when somebody asks for it: `id` is the unit, `sha256` its digest where it is known.
    #[must_use]
    pub fn source(id: [u8; 16], sha256: Option<Sha256>, size: u64, mtime: i64) -> Self {
        Self {
            kind: EntryKind::Source { id, sha256 },
            size,
            mtime,
            headers: None,
        }
    }

    /// The entry as it stands in an index at `path`.
    #[must_use]
    pub fn at<'a>(&'a self, path: &'a str) -> IndexEntryRef<'a> {
        let kind = match &self.kind {
            EntryKind::Blob(sha256) => EntryKindRef::Blob(*sha256),
            EntryKind::Slice(slice) => EntryKindRef::Slice(*slice),
            EntryKind::Inline(bytes) => EntryKindRef::Inline(bytes),
            EntryKind::Source { id, sha256 } => EntryKindRef::Source {
                id: *id,
                sha256: *sha256,
            },
            EntryKind::Redirect(location) => EntryKindRef::Redirect(location),
        };
        IndexEntryRef {
            path,
            kind,
            size: self.size,
            mtime: self.mtime,
            headers: self.headers.as_deref(),
        }
    }

    /// A redirect to a URL or a path.
    #[must_use]
    pub fn redirect(location: impl Into<String>, mtime: i64) -> Self {
        Self {
            kind: EntryKind::Redirect(location.into()),
            size: 0,
            mtime,
            headers: None,
        }
    }

    /// Gives the entry headers of its own ([`headers_text`]).
    #[must_use]
    pub fn with_headers(mut self, headers: Option<String>) -> Self {
        self.headers = headers;
        self
    }
}

/// A file that is a part of a blob, where many small ones are kept together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// The digest of the file.
    pub sha256: Sha256,
    /// The blob.
    pub blob: Sha256,
    /// The place of its first byte in the blob.
    pub offset: u64,
}

impl Slice {
    /// The part of the blob that is a file of this size.
    #[must_use]
    pub fn range(&self, size: u64) -> Range<u64> {
        self.offset..self.offset.saturating_add(size)
    }
}

/// The place of the bytes of an [`IndexEntry`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A blob of the store.
    Blob(Sha256),
    /// A part of a blob.
    Slice(Slice),
    /// Bytes in the index itself.
    Inline(Bytes),
    /// A source at an upstream, read on demand.
    Source {
        /// The unit whose file it is.
        id: [u8; 16],
        /// The digest that the bytes must have.
        sha256: Option<Sha256>,
    },
    /// Elsewhere: whoever asks is sent there.
    Redirect(String),
}

/// An [`IndexEntry`] inside of an open index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexEntryRef<'a> {
    /// Path within the publication.
    pub path: &'a str,
    /// The place of the bytes.
    pub kind: EntryKindRef<'a>,
    /// Bytes.
    pub size: u64,
    /// Time of last change, in seconds since 1970.
    pub mtime: i64,
    /// Headers of its own ([`headers_text`]).
    pub headers: Option<&'a str>,
}

impl IndexEntryRef<'_> {
    /// The same entry, to stand in another index.
    #[must_use]
    pub fn to_entry(&self) -> IndexEntry {
        let kind = match self.kind {
            EntryKindRef::Blob(sha256) => EntryKind::Blob(sha256),
            EntryKindRef::Slice(slice) => EntryKind::Slice(slice),
            EntryKindRef::Inline(bytes) => EntryKind::Inline(Bytes::copy_from_slice(bytes)),
            EntryKindRef::Source { id, sha256 } => EntryKind::Source { id, sha256 },
            EntryKindRef::Redirect(location) => EntryKind::Redirect(location.to_owned()),
        };
        IndexEntry {
            kind,
            size: self.size,
            mtime: self.mtime,
            headers: self.headers.map(str::to_owned),
        }
    }
}

/// A [`EntryKind`], borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKindRef<'a> {
    /// A blob of the store.
    Blob(Sha256),
    /// A part of a blob.
    Slice(Slice),
    /// Bytes in the index itself.
    Inline(&'a [u8]),
    /// A source at an upstream, read on demand.
    Source {
        /// The unit whose file it is.
        id: [u8; 16],
        /// The digest that the bytes must have.
        sha256: Option<Sha256>,
    },
    /// Elsewhere: whoever asks is sent there.
    Redirect(&'a str),
}

impl EntryKindRef<'_> {
    /// The blob that the bytes are in, or a part of; `None` where they are in none yet, or in the index.
    #[must_use]
    pub fn blob(&self) -> Option<Sha256> {
        match self {
            Self::Blob(blob) | Self::Slice(Slice { blob, .. }) => Some(*blob),
            Self::Inline(_) | Self::Source { .. } | Self::Redirect(_) => None,
        }
    }

    /// The digest of a file that is in the store.
    #[must_use]
    pub fn sha256(&self) -> Option<Sha256> {
        match self {
            Self::Blob(sha256) | Self::Slice(Slice { sha256, .. }) => Some(*sha256),
            Self::Inline(_) | Self::Source { .. } | Self::Redirect(_) => None,
        }
    }
}

/// A name in a directory of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child<'a> {
    /// The name, one segment.
    pub name: &'a str,
    /// Is true when it is a directory; then size and time are 0.
    pub is_dir: bool,
    /// Bytes.
    pub size: u64,
    /// Time of last change, in seconds since 1970.
    pub mtime: i64,
}
