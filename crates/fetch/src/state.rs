//! The state that sessions share.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OnceCell, Semaphore};

use crate::clients::{Clients, Recipe};
use crate::figures::Figures;
use crate::limits::{Bucket, HostLimits};
use crate::policy::FetchPolicy;
use crate::tokens::Tokens;
use crate::upstream::DownloadSettings;

/// The state that all sessions of a process share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) policy: FetchPolicy,
    pub(crate) hosts: HostLimits,
    pub(crate) clients: Clients,
    pub(crate) figures: Figures,
}

/// The state that the clones of a session share.
pub(crate) struct SessionState {
    pub(crate) shared: Arc<Shared>,
    pub(crate) upstream: DownloadSettings,
    pub(crate) recipe: Recipe,
    pub(crate) downloads: Semaphore,
    pub(crate) speed: Option<Mutex<Bucket>>,
    /// The answer to whether [`DownloadSettings::home`] is in the internet, once somebody wanted to know.
    pub(crate) home_is_public: OnceCell<bool>,
    /// Tokens that servers asked for.
    pub(crate) tokens: Tokens,
}

impl fmt::Debug for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionState")
            .field("upstream", &self.upstream)
            .finish_non_exhaustive()
    }
}
