//! Downloads as a type sees them: what to get, what came, why it did not.

use std::path::{Path, PathBuf};

use pith_core::{Algorithm, Digest, Timestamp};
use url::Url;

/// A document to download into a spool file.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// Where it is, mirrors in order of preference, as [`crate::base::Base::join`] gives them.
    pub urls: Vec<Url>,
    /// Largest size accepted, in bytes. A larger answer fails at once.
    pub max_size: u64,
    /// The size it must have.
    pub size: Option<u64>,
    /// Digests it must have; all of them are checked.
    pub digests: Vec<Digest>,
}

impl Fetch {
    /// One URL, whatever its digest, up to `max_size` bytes.
    pub fn one(url: Url, max_size: u64) -> Self {
        Self {
            urls: vec![url],
            max_size,
            size: None,
            digests: Vec::new(),
        }
    }
}

/// A downloaded document in a file of its own, removed when this is dropped.
pub struct Fetched {
    path: PathBuf,
    /// SHA-256 and size as downloaded.
    pub hashed: pith_core::digest::Hashed,
    /// Where it came from, without credentials.
    pub url: String,
    /// `Last-Modified` of the answer.
    pub last_modified: Option<Timestamp>,
    _keep: Box<dyn Send + Sync>,
}

impl Fetched {
    /// A document at `path`; `keep` owns the file and removes it when dropped.
    pub fn new(
        path: PathBuf,
        hashed: pith_core::digest::Hashed,
        url: String,
        last_modified: Option<Timestamp>,
        keep: Box<dyn Send + Sync>,
    ) -> Self {
        Self {
            path,
            hashed,
            url,
            last_modified,
            _keep: keep,
        }
    }

    /// The file; lives as long as this value.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A download that failed for good.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct FetchFailure {
    /// The URL without credentials.
    pub url: String,
    /// HTTP status, when the server answered with one.
    pub status: Option<u16>,
    /// The failure and its URL, for people.
    pub message: String,
    /// The kind of failure.
    pub kind: FetchFailureKind,
}

impl FetchFailure {
    /// The words that belong to the status, such as `Not Found`; the whole message when there is no status or it has
    /// no words.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self.status {
            Some(400) => "Bad Request",
            Some(401) => "Unauthorized",
            Some(403) => "Forbidden",
            Some(404) => "Not Found",
            Some(407) => "Proxy Authentication Required",
            Some(408) => "Request Timeout",
            Some(410) => "Gone",
            Some(429) => "Too Many Requests",
            Some(500) => "Internal Server Error",
            Some(502) => "Bad Gateway",
            Some(503) => "Service Unavailable",
            Some(504) => "Gateway Timeout",
            _ => &self.message,
        }
    }
}

/// The kind of failure that a download ended with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchFailureKind {
    /// The server has no such thing (404, 410; no such file).
    NotFound,
    /// Another status than success.
    Status,
    /// More bytes than allowed.
    TooLarge,
    /// Another size than promised.
    Size {
        /// The size promised.
        expected: u64,
        /// The size that came.
        actual: u64,
    },
    /// Another digest than promised.
    Digest {
        /// The algorithm.
        algorithm: Algorithm,
        /// The digest promised.
        expected: String,
        /// The digest of what came.
        actual: String,
    },
    /// Unreachable, stalled, broken off, refused, or not a URL that may be fetched.
    Unreachable,
    /// A failure to keep what came: no fault of the file, and no other file would fare better.
    Ours,
}
