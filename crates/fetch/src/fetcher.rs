//! The process-wide side: policy, limits per host, connection pools.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::clients::{Clients, Recipe};
use crate::egress::{Reach, Refusal};
use crate::error::FetchError;
use crate::figures::{Figures, Transfers};
use crate::limits::{Bucket, HostLimits};
use crate::policy::FetchPolicy;
use crate::session::Session;
use crate::state::{SessionState, Shared};
use crate::tokens::Tokens;
use crate::upstream::DownloadSettings;
use crate::urls::path_of;

/// Owns what all outgoing connections of a process share. Clones share it too.
#[derive(Debug, Clone)]
pub struct Fetcher {
    shared: Arc<Shared>,
}

impl Fetcher {
    /// A fetcher with these rules.
    #[must_use]
    pub fn new(policy: FetchPolicy) -> Self {
        let hosts = HostLimits::new(policy.max_per_host);
        Self {
            shared: Arc::new(Shared {
                policy,
                hosts,
                clients: Clients::default(),
                figures: Figures::default(),
            }),
        }
    }

    /// Returns what all sessions have fetched so far.
    #[must_use]
    pub fn transfers(&self) -> Transfers {
        self.shared.figures.now()
    }

    /// Downloads with one importer's settings. Pools are shared by all sessions whose proxy, certificates and TLS
    /// settings are the same.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Settings`] when the certificates or the proxy cannot be used.
    pub fn session(&self, upstream: DownloadSettings) -> Result<Session, FetchError> {
        let state = SessionState {
            shared: Arc::clone(&self.shared),
            recipe: Recipe::new(&upstream)?,
            downloads: Semaphore::new(upstream.max_downloads.clamp(1, Semaphore::MAX_PERMITS)),
            speed: upstream
                .max_speed
                .filter(|speed| *speed > 0)
                .map(|speed| Mutex::new(Bucket::new(speed))),
            home_is_public: OnceCell::new(),
            tokens: Tokens::default(),
            upstream,
        };
        Ok(Session {
            state: Arc::new(state),
            cancel: CancellationToken::new(),
            is_discreet: false,
        })
    }

    /// Tells whether a feed may be there, as far as its address tells: names are judged when they are resolved.
    ///
    /// # Errors
    /// Why it may not.
    pub fn check_feed(&self, feed: &Url) -> Result<(), String> {
        let policy = &self.shared.policy;
        if feed.scheme() == "file" {
            let path = path_of(feed)?;
            return policy.files.check(&path).map_err(str::to_owned);
        }
        let judged = policy.egress.check_literal(feed, Reach::Settings);
        judged.map_err(|Refusal(why)| why)
    }
}
