//! Units of several files: how a type hands the files over during a sync. The file of such a unit is the list of its files, which
//! the platform writes; large ones are blobs of their own, and many small ones are kept in one.

use async_trait::async_trait;
use pith_core::{Digest, RelativePath};
use url::Url;

use crate::ContentError;
use crate::unit::Source;

/// The most files that a unit can have.
pub const MOST_FILES: u64 = 1 << 20;

/// A file of a unit, to be downloaded.
#[derive(Debug, Clone)]
pub struct WantedFile {
    /// Its path among the files of the unit.
    pub path: RelativePath,
    /// Its URLs, mirrors in order, as [`crate::base::Base::join`] gives them.
    pub urls: Vec<Url>,
    /// The largest size that is taken, in bytes, where nobody tells the size.
    pub max_size: u64,
    /// The size that it must have.
    pub size: Option<u64>,
    /// The digests that it must have; the strongest decides.
    pub digests: Vec<Digest>,
    /// Is true when the path names the content, as paths of objects do: what a known list has at this path is the file.
    pub is_named_by_content: bool,
}

/// The number of files of a unit that are here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Here {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those of the files that a known list had.
    pub known: u64,
}

/// The files of one unit as they come. Dropped before its end, it leaves nothing that is seen.
#[async_trait]
pub trait FileSet: Send {
    /// Hands over a file. A known list gives it, or it is downloaded behind this with the feed's limits; waits for room.
    ///
    /// # Errors
    /// When one that was handed over before cannot be had ([`ContentError::Fetch`]) or kept.
    async fn add(&mut self, file: WantedFile) -> Result<(), ContentError>;

    /// The files that are here, for reports of progress.
    fn here(&self) -> Here;

    /// Waits for all files and lists them: the source of the unit.
    ///
    /// # Errors
    /// As [`FileSet::add`]; when two files have one path, or there is none.
    async fn finish(self: Box<Self>) -> Result<Source, ContentError>;
}
