//! The process-wide side: policy, limits per host, connection pools.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::error::{ErrorKind, FetchError};
use crate::policy::FetchPolicy;
use crate::session::{Conditional, Request, Session, Validators};
use crate::sink::Sink;
use crate::upstream::Upstream;

/// Owns what all outgoing connections of a process share. Clones share it too.
#[derive(Debug, Clone)]
pub struct Fetcher {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    policy: FetchPolicy,
}

/// What the clones of a session share.
#[derive(Debug)]
pub(crate) struct SessionState {
    shared: Arc<Shared>,
    upstream: Upstream,
}

impl Fetcher {
    /// A fetcher with these rules.
    #[must_use]
    pub fn new(policy: FetchPolicy) -> Self {
        Self {
            shared: Arc::new(Shared { policy }),
        }
    }

    /// Downloads with one importer's settings.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Settings`] when the certificates or the proxy cannot be used.
    pub fn session(&self, upstream: Upstream) -> Result<Session, FetchError> {
        let state = SessionState {
            shared: Arc::clone(&self.shared),
            upstream,
        };
        Ok(Session {
            state: Arc::new(state),
            anonymous: false,
            cancel: CancellationToken::new(),
        })
    }
}

impl Session {
    pub(crate) async fn run(
        &self,
        request: &Request,
        _known: &Validators,
        _sink: &mut dyn Sink,
    ) -> Result<Conditional, FetchError> {
        let _ = (&self.state.shared.policy, &self.state.upstream);
        Err(unasked(request))
    }
}

pub(crate) fn unasked(request: &Request) -> FetchError {
    match request.urls.first() {
        Some(url) => FetchError::new(
            ErrorKind::Protocol,
            url,
            "an answer to a question that was not asked",
        ),
        None => FetchError::settings("there is no URL to fetch"),
    }
}
