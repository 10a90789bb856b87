//! Content-addressed files and publication indexes, on disk and S3.
//!
//! A blob is some bytes under the name of their SHA-256: hashed while they come in, visible only when whole, never
//! changed afterwards. This crate knows where blobs lie ([`paths`]) and nobody else renames files. Who needs a blob is
//! not known here; that is a row in the database. The order that keeps both true after a power cut is always
//! *write blobs, [`Blobs::durable`], commit the rows that name them*.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod cache;
mod copying;
mod error;
mod faults;
pub mod file_list;
mod folders;
mod hash;
mod local;
mod mmap;
pub mod paths;
pub mod publication;
mod read;
mod remote;
mod room;
mod spool;
mod storage_url;
mod store;
mod tree;
mod uploads;
mod writer;

pub use error::{BoxError, Error, Result};
pub use file_list::{FileListBuilder, KnownFile, KnownFiles, NewFileList};
pub use publication::{
    Child, EntryKind, EntryKindRef, IndexEntry, IndexEntryRef, Publication, PublicationBuilder,
    Slice, content_type, further_headers, headers_text,
};
pub use read::{BlobReader, BlobStream};
pub use room::{Ballast, Left, Reserve, Room};
pub use spool::SpoolFile;
pub use storage_url::{S3Settings, StorageUrl};
pub use store::{Blobs, Listed, Space};
pub use tree::{Bundle, OpenFolders, Place, Refused, TreeWriter, withdraw};
pub use uploads::Uploads;
pub use writer::{BlobWriter, Nameless, Stored, SyncBlobWriter};
