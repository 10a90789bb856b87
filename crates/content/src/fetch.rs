//! Downloads as a type sees them: what to get, what came, why it did not.

use std::path::Path;

use async_trait::async_trait;
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Digest};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::ContentError;
use crate::unit::Source;

/// A document to download into a spool file.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// Its URLs, mirrors in order of preference, as [`crate::base::Base::join`] gives them.
    pub urls: Vec<Url>,
    /// Largest size accepted, in bytes. A larger answer fails at once.
    pub max_size: u64,
    /// The size it must have.
    pub size: Option<u64>,
    /// Digests it must have; all of them are worked out, those of the strongest algorithm decide.
    pub digests: Vec<Digest>,
    /// Headers to send, 8 KiB of them at most. They go wherever redirects lead.
    pub headers: Vec<(RequestHeader, String)>,
    /// Names of the headers of the answer to tell in [`Fetched::told`]. An answer with more than 16 KiB of them fails with
    /// [`FetchFailureKind::TooLarge`].
    pub tell: Vec<&'static str>,
}

impl Fetch {
    /// One URL, whatever its digest, up to `max_size` bytes.
    #[must_use]
    pub fn one(url: Url, max_size: u64) -> Self {
        Self::any(vec![url], max_size)
    }

    /// One of several URLs, in this order, whatever its digest, up to `max_size` bytes.
    #[must_use]
    pub fn any(urls: Vec<Url>, max_size: u64) -> Self {
        Self {
            urls,
            max_size,
            size: None,
            digests: Vec::new(),
            headers: Vec::new(),
            tell: Vec::new(),
        }
    }

    /// The same download, unless the server still has the version that `known` is of.
    #[must_use]
    pub fn unless(self, known: Validators) -> FetchUnless {
        FetchUnless { what: self, known }
    }
}

/// A header that a type may send. There is none that carries a secret: those are the platform's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestHeader {
    /// The media types that are understood.
    Accept,
    /// The age that copies in caches on the way may have.
    CacheControl,
}

impl RequestHeader {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accept => "Accept",
            Self::CacheControl => "Cache-Control",
        }
    }
}

/// Texts by which a server knows a version of a document again, as it sent them. A type keeps them in its scratchpad.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// The entity tag, with its quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The date of the last change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

/// A document to download only if there is another version of it.
#[derive(Debug, Clone)]
pub struct FetchUnless {
    /// The document. Its size and digests are not looked at when the server has the known version.
    pub what: Fetch,
    /// The known version; where nothing is known, the document comes.
    pub known: Validators,
}

/// The end of a download that was asked for only if there is another version.
pub enum FetchOutcome {
    /// Another version, or one of a server that cannot tell: one without validators, a folder of this machine.
    Fetched(Fetched),
    /// The answer that the server still has the known version, with the validators to ask with next time.
    NotModified(Validators),
}

/// The file of a [`Fetched`], which is removed when this is dropped.
#[async_trait]
pub trait Scratch: Send + Sync {
    /// The file.
    fn path(&self) -> &Path;

    /// Makes a blob of the file, which has these digests, without copying it where that is possible.
    ///
    /// # Errors
    /// When it cannot be stored.
    async fn into_blob(self: Box<Self>, hashed: &Hashed) -> Result<(), ContentError>;
}

/// A downloaded document in a file of its own, removed when this is dropped.
pub struct Fetched {
    scratch: Box<dyn Scratch>,
    /// SHA-256, size and a digest for every algorithm of [`Fetch::digests`], as downloaded.
    pub hashed: Hashed,
    /// The URL that it came from, without credentials.
    pub url: String,
    /// The texts by which the server knows this version again.
    pub validators: Validators,
    /// The headers of the answer that [`Fetch::tell`] named, in its order; a name comes as often as the server sent it.
    pub told: Vec<(&'static str, String)>,
}

impl Fetched {
    /// A document in a scratch file, without anything that headers tell.
    #[must_use]
    pub fn new(scratch: Box<dyn Scratch>, hashed: Hashed, url: String) -> Self {
        Self {
            scratch,
            hashed,
            url,
            validators: Validators::default(),
            told: Vec::new(),
        }
    }

    /// The file; lives as long as this value.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// The first header of this name that the answer told.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut told = self.told.iter();
        told.find(|(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Makes a blob of the document: the source of a unit. Nothing is copied when the blobs are on the same disk.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn into_blob(self) -> Result<Source, ContentError> {
        self.scratch.into_blob(&self.hashed).await?;
        Ok(Source::from(&self.hashed))
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
