//! ISO 9660 images with Rock Ridge and Joliet names, written as a stream.
//!
//! An [`Image`] is planned first: sizes are known, so each folder and each file has its sector before anything is written. Then
//! everything is written once, from the front to the end. Memory follows the number of files of one image and not their sizes.
//! [`split`] spreads files over images of a given size. No file is opened here and nothing is random.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod descriptor;
mod layout;
mod names;
mod record;
mod split;
mod susp;
mod tree;
mod writer;

use jiff::Timestamp;

pub use layout::Image;
pub use split::split;

/// The size of a sector, of which everything is a whole number.
pub(crate) const SECTOR: u64 = 2048;

/// A file of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path: names joined by `/`, none of them empty, `.` or `..`.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// The time at which it last changed.
    pub modified: Timestamp,
}

/// The reason why files make no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A file is larger than an image may be.
    #[error("'{path}' has {size} bytes and does not fit into an image of {limit} bytes")]
    TooLarge {
        /// Its path.
        path: String,
        /// Its size in bytes.
        size: u64,
        /// The size of an image in bytes.
        limit: u64,
    },
    /// There are more folders than an image can have.
    #[error("an image cannot have more than 65,535 folders")]
    TooManyFolders,
    /// An image would have more sectors than can be counted.
    #[error("an image cannot have more than 8 TiB")]
    TooManySectors,
    /// A path is a file and a folder, or is given twice.
    #[error("'{0}' is there twice")]
    Twice(String),
}

/// The number of sectors that hold so many bytes.
pub(crate) fn sectors(bytes: u64) -> u64 {
    bytes.div_ceil(SECTOR)
}

#[cfg(test)]
mod tests;
