//! Downloads with one importer's settings.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::egress::AddressClass;
use crate::state::SessionState;

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

    /// Waits until the session's speed limit lets these bytes pass.
    pub(crate) async fn throttle(&self, bytes: usize) {
        let Some(speed) = &self.state.speed else {
            return;
        };
        let wait = speed.lock().take(bytes, Instant::now());
        tokio::time::sleep(wait).await;
    }
}
