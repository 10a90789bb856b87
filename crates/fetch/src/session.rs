//! Downloads with one importer's settings.

use std::sync::Arc;

use bytes::Bytes;
use pith_core::Digest;
use pith_core::digest::Hashed;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::egress::AddressClass;
use crate::error::FetchError;
use crate::fetcher::SessionState;
use crate::sink::Sink;

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
    /// The number of first bytes to hand back in [`Fetched::head`].
    pub head_bytes: usize,
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
            head_bytes: 0,
        }
    }
}

/// A download that arrived and is what was expected.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// SHA-256, size, and a digest for every algorithm in [`Request::expect`].
    pub hashed: Hashed,
    /// Where it came from in the end, after redirects; without secrets.
    pub url: Url,
    /// Index in [`Request::urls`] of the mirror that had it.
    pub mirror: usize,
    /// The `Content-Type` header.
    pub content_type: Option<String>,
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

/// Downloads with one importer's settings. Clones share connections and limits.
#[derive(Debug, Clone)]
pub struct Session {
    pub(crate) state: Arc<SessionState>,
    pub(crate) cancel: CancellationToken,
    pub(crate) is_discreet: bool,
}

impl Session {
    /// The same session, whose downloads end with [`crate::ErrorKind::Cancelled`] once `cancel` is cancelled.
    /// (Dropping a download's future stops it as well.)
    #[must_use]
    pub fn with_cancel(&self, cancel: CancellationToken) -> Self {
        Self {
            cancel,
            ..self.clone()
        }
    }

    /// The same session, whose errors tell whoever reads them nothing of servers that are not in the internet: neither which of
    /// their ports are open nor what is there. The log has it.
    #[must_use]
    pub fn discreet(&self, is_discreet: bool) -> Self {
        Self {
            is_discreet,
            ..self.clone()
        }
    }

    /// Tells whether the feed is known to be in the internet: not where its name cannot be resolved, or a proxy resolves it.
    pub async fn is_in_internet(&self) -> bool {
        let home = self.state.upstream.home.as_ref();
        let Some(home) = home.filter(|home| home.has_host()) else {
            return false;
        };
        let classes = self.classes(home).await;
        classes.is_ok_and(|classes| classes.contains(&AddressClass::Public))
    }

    /// Streams a file into `sink`, from the first mirror that has it as promised.
    ///
    /// Failures that may pass are tried again with growing waits, resuming where the server can do that safely; a mirror
    /// that asks for a wait (`Retry-After`) is obeyed when it is the last one, and left for the next one otherwise. A wrong
    /// size or digest is never tried again on the same mirror.
    ///
    /// # Errors
    /// [`FetchError`] of the last mirror tried, with those of the others in [`FetchError::earlier`].
    pub async fn get(&self, request: Request, sink: &mut dyn Sink) -> Result<Fetched, FetchError> {
        self.run(&request, sink).await
    }
}
