//! Downloads with one importer's settings.

use std::sync::Arc;

use bytes::Bytes;
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Digest};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::egress::AddressClass;
use crate::error::{ErrorKind, FetchError};
use crate::fetcher::SessionState;
use crate::headers::{RequestHeaders, Told, Validators};
use crate::sink::Sink;
use crate::transfer::Transfer;

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
        match self.run(&request, None, sink).await? {
            Outcome::Fetched(fetched) => Ok(*fetched),
            Outcome::NotModified { .. } => Err(FetchError::settings(
                "a server has nothing new, which it was not asked for",
            )),
        }
    }

    /// Does what [`Session::get`] does, unless the first mirror that answers has the version of the file that `known` is of: then
    /// nothing comes into `sink`, and size and digests are not looked at. A file of this machine always comes.
    ///
    /// # Errors
    /// As [`Session::get`].
    pub async fn get_unless(
        &self,
        known: &Validators,
        request: Request,
        sink: &mut dyn Sink,
    ) -> Result<Outcome, FetchError> {
        self.run(&request, Some(known), sink).await
    }

    async fn run(
        &self,
        request: &Request,
        known: Option<&Validators>,
        sink: &mut dyn Sink,
    ) -> Result<Outcome, FetchError> {
        let Some(first) = request.urls.first() else {
            return Err(FetchError::settings("there is no URL to fetch"));
        };
        let transfer = Transfer::new(self, request, known, sink);
        let limit = self.state.shared.policy.longest;
        let done = tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(FetchError::new(ErrorKind::Cancelled, first, "")),
            done = transfer.run() => done,
            () = tokio::time::sleep(limit) => Err(FetchError::new(ErrorKind::TooLong { limit }, first, "")),
        };
        self.state.shared.figures.ended(&done);
        match done {
            Ok(mut outcome) => {
                self.hush(match &mut outcome {
                    Outcome::Fetched(fetched) => &mut fetched.failed_mirrors,
                    Outcome::NotModified { failed_mirrors, .. } => failed_mirrors,
                })
                .await;
                Ok(outcome)
            }
            Err(mut error) => {
                self.hush(&mut error.earlier).await;
                self.hush(std::slice::from_mut(&mut error)).await;
                Err(error)
            }
        }
    }

    /// Takes from the errors of a discreet session what they tell of servers that are not in the internet.
    async fn hush(&self, errors: &mut [FetchError]) {
        if !self.is_discreet {
            return;
        }
        for error in errors {
            if self.is_inner(&error.url).await {
                tracing::info!(%error, "a server that is not in the internet did not give a file");
                error.hush();
            }
        }
    }

    /// Waits until the session's speed limit lets these bytes pass.
    pub(crate) async fn throttle(&self, bytes: usize) {
        let Some(speed) = &self.state.speed else {
            return;
        };
        let wait = speed.lock().take(bytes, Instant::now());
        tokio::time::sleep(wait).await;
    }
}
