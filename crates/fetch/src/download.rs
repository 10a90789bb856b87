//! Downloads as they are asked for, and as they end.

use bytes::Bytes;
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Digest};
use url::Url;

use crate::error::FetchError;
use crate::headers::{RequestHeaders, Told, Validators};

/// A file to fetch and what is known of it.
#[derive(Debug, Clone)]
pub struct Request {
    /// The same file on each mirror, best first. Another spelling of a name at the same server comes right behind the
    /// first, and is tried when the server does not have the file under that.
    pub urls: Vec<Url>,
    /// No more bytes than this are taken.
    pub max_size: u64,
    /// The size promised.
    pub expect_size: Option<u64>,
    /// The digests promised. All are worked out; those of the strongest algorithm must match.
    pub expect: Vec<Digest>,
    /// Digests that are worked out besides.
    pub also: Vec<Algorithm>,
    /// The number of first bytes to hand back in [`Fetched::head`].
    pub head_bytes: usize,
    /// Headers to send.
    pub headers: RequestHeaders,
    /// The names of the headers to hand back in [`Fetched::told`]: up to 16 KiB of them; a larger answer fails.
    pub tell: Vec<&'static str>,
}

impl Request {
    /// A file of at most `max_size` bytes of which nothing else is known.
    #[must_use]
    pub fn new(urls: impl IntoIterator<Item = Url>, max_size: u64) -> Self {
        Self {
            urls: urls.into_iter().collect(),
            max_size,
            expect_size: None,
            expect: Vec::new(),
            also: Vec::new(),
            head_bytes: 0,
            headers: RequestHeaders::default(),
            tell: Vec::new(),
        }
    }
}

/// A download that arrived and is what was expected.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// SHA-256, size, and a digest for every algorithm in [`Request::expect`] and [`Request::also`].
    pub hashed: Hashed,
    /// The URL that it came from in the end, after redirects; without secrets.
    pub url: Url,
    /// Index in [`Request::urls`] of the mirror that had it.
    pub mirror: usize,
    /// The `Content-Type` header.
    pub content_type: Option<String>,
    /// The texts by which the server knows this version again; none for files of this machine.
    pub validators: Validators,
    /// The headers that [`Request::tell`] asked for.
    pub told: Told,
    /// The first [`Request::head_bytes`] bytes, or all when there are fewer.
    pub head: Bytes,
    /// Requests made, over all mirrors.
    pub attempts: u32,
    /// The failures of the mirrors tried before this one, in order.
    pub failed_mirrors: Vec<FetchError>,
    /// Is true when the server had it under another spelling of its name only.
    pub respelt: bool,
    /// Is true when the server packed it (`Content-Encoding`) though that was not asked for, and it was unpacked here.
    pub unpacked: bool,
}

/// The end of a download that was asked for only if there is another version than a known one.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// There is another version, or nobody can tell.
    Fetched(Box<Fetched>),
    /// The server has the known version.
    NotModified {
        /// The texts to ask with next time.
        validators: Validators,
        /// The failures of the mirrors tried before, in order.
        failed_mirrors: Vec<FetchError>,
    },
}
