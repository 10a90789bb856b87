//! A feed that is a folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use pith_content::ContentError;
use pith_content::fetch::{Fetch, FetchFailure, FetchFailureKind, Scratch};
use pith_core::Digest;
use pith_core::digest::Hashed;

use super::file::{Blobs, hash, keep};

/// The URL of the folder.
pub const FEED: &str = "http://feed/";

/// A folder that is read as if it were at [`FEED`].
#[derive(Clone)]
pub(super) struct Feed {
    folder: PathBuf,
    /// The URLs that were asked for.
    pub(super) asked: Arc<Mutex<Vec<String>>>,
}

/// A file of the feed.
pub(super) struct Got {
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
    pub(super) hashed: Hashed,
}

impl Feed {
    /// The feed in a folder.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            asked: Arc::default(),
        }
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads a file, from the first of its URLs that has it.
    pub(super) fn get(&self, what: &Fetch) -> Result<Got, FetchFailure> {
        let first = self.get_from(what, &what.urls[0]);
        let mut others = what.urls[1..].iter();
        first.or_else(|failure| {
            let found = others.find_map(|url| self.get_from(what, url).ok());
            found.ok_or(failure)
        })
    }

    fn get_from(&self, what: &Fetch, url: &url::Url) -> Result<Got, FetchFailure> {
        let url = url.to_string();
        self.asked.lock().push(url.clone());
        let fail = |kind: FetchFailureKind| FetchFailure {
            message: format!("{url}: {kind:?}"),
            url: url.clone(),
            status: None,
            kind,
        };
        let below = url.strip_prefix(FEED);
        let below = below.ok_or_else(|| fail(FetchFailureKind::Unreachable))?;
        let path = self.folder.join(below);
        let bytes = std::fs::read(&path).map_err(|_| fail(FetchFailureKind::NotFound))?;
        let hashed = checked(what, &bytes).map_err(fail)?;
        Ok(Got {
            path,
            bytes,
            hashed,
        })
    }
}

/// The digests of a file that is as it was promised.
fn checked(what: &Fetch, bytes: &[u8]) -> Result<Hashed, FetchFailureKind> {
    let actual = bytes.len() as u64;
    if actual > what.max_size {
        return Err(FetchFailureKind::TooLarge);
    }
    if let Some(expected) = what.size.filter(|size| *size != actual) {
        return Err(FetchFailureKind::Size { expected, actual });
    }
    let algorithms: Vec<_> = what.digests.iter().map(Digest::algorithm).collect();
    let hashed = hash(bytes, &algorithms);
    match what.digests.iter().find(|digest| !hashed.matches(digest)) {
        None => Ok(hashed),
        Some(digest) => Err(FetchFailureKind::Digest {
            algorithm: digest.algorithm(),
            expected: digest.hex().to_owned(),
            actual: hashed.hex(digest.algorithm()).unwrap_or_default(),
        }),
    }
}

/// A document of the feed, where it lies.
pub(super) struct Document {
    pub(super) path: PathBuf,
    pub(super) blobs: Blobs,
}

#[async_trait]
impl Scratch for Document {
    fn path(&self) -> &Path {
        &self.path
    }

    async fn into_blob(self: Box<Self>, _hashed: &Hashed) -> Result<(), ContentError> {
        keep(&self.blobs, std::fs::read(&self.path)?, &[]);
        Ok(())
    }
}
