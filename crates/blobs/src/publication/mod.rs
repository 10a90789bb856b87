//! The publication index: an immutable sorted map from path to content, kept as one blob.
//!
//! Paths sort segment by segment (`a/b` before `a-b`), so the children of a directory are neighbours and come sorted by
//! name, and a file and a directory of one name stand next to each other.

mod builder;
mod format;
mod reader;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use pith_core::Sha256;

pub use builder::PublicationBuilder;
pub use reader::{Children, Entries, Publication};

/// Most bytes that an entry may keep inside of the index.
pub const MAX_INLINE: usize = 64 * 1024;

/// The thing that a published path shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where the bytes are.
    pub kind: Kind,
    /// Bytes.
    pub size: u64,
    /// Time of last change, in seconds since 1970.
    pub mtime: i64,
    /// Content type, when the name does not tell; one of more than 255 bytes is not kept.
    pub content_type: Option<String>,
}

impl Entry {
    /// A blob.
    #[must_use]
    pub fn blob(sha256: Sha256, size: u64, mtime: i64) -> Self {
        Self {
            kind: Kind::Blob(sha256),
            size,
            mtime,
            content_type: None,
        }
    }

    /// A few bytes kept in the index itself, at most [`MAX_INLINE`].
    #[must_use]
    pub fn inline(bytes: impl Into<Bytes>, mtime: i64) -> Self {
        let bytes = bytes.into();
        Self {
            size: bytes.len() as u64,
            kind: Kind::Inline(bytes),
            mtime,
            content_type: None,
        }
    }

    /// A file to be fetched when somebody asks for it: `id` is the unit, `sha256` its digest where it is known.
    #[must_use]
    pub fn source(id: [u8; 16], sha256: Option<Sha256>, size: u64, mtime: i64) -> Self {
        Self {
            kind: Kind::Source { id, sha256 },
            size,
            mtime,
            content_type: None,
        }
    }

    /// As an entry of an index at `path`.
    #[must_use]
    pub fn at<'a>(&'a self, path: &'a str) -> EntryRef<'a> {
        let kind = match &self.kind {
            Kind::Blob(sha256) => KindRef::Blob(*sha256),
            Kind::Inline(bytes) => KindRef::Inline(bytes),
            Kind::Source { id, sha256 } => KindRef::Source {
                id: *id,
                sha256: *sha256,
            },
        };
        EntryRef {
            path,
            kind,
            size: self.size,
            mtime: self.mtime,
            content_type: self.content_type.as_deref(),
        }
    }

    /// With a content type.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }
}

/// Where the bytes of an [`Entry`] are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// In the store.
    Blob(Sha256),
    /// In the index itself.
    Inline(Bytes),
    /// At an upstream, on demand.
    Source {
        /// The unit whose file it is.
        id: [u8; 16],
        /// The digest that the bytes must have.
        sha256: Option<Sha256>,
    },
}

/// An [`Entry`] inside of an open index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryRef<'a> {
    /// Path within the publication.
    pub path: &'a str,
    /// Where the bytes are.
    pub kind: KindRef<'a>,
    /// Bytes.
    pub size: u64,
    /// Time of last change, in seconds since 1970.
    pub mtime: i64,
    /// Content type, when the name does not tell.
    pub content_type: Option<&'a str>,
}

/// As [`Kind`], borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KindRef<'a> {
    /// In the store.
    Blob(Sha256),
    /// In the index itself.
    Inline(&'a [u8]),
    /// At an upstream, on demand.
    Source {
        /// The unit whose file it is.
        id: [u8; 16],
        /// The digest that the bytes must have.
        sha256: Option<Sha256>,
    },
}

/// A name in a directory of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child<'a> {
    /// The name, one segment.
    pub name: &'a str,
    /// Is true when it is a directory; then size and time are those of nothing: 0.
    pub is_dir: bool,
    /// Bytes.
    pub size: u64,
    /// Time of last change, in seconds since 1970.
    pub mtime: i64,
}
