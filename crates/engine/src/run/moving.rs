//! Units on their way through the stages of a sync, and what the stages share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use pith_content::sync::StageObserver;
use pith_content::unit::WantedUnit;
use pith_core::{Sha256, UnitId};
use pith_store::{FileSource, TaskStore};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::download::Held;
use crate::Engine;
use crate::catalog::CatalogWriter;
use crate::content_sources::{Nearby, Supply};
use crate::error::Error;

/// The time at which files come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// During the sync.
    Immediate,
    /// Later.
    Deferred,
}

/// A unit on its way through the stages.
pub(super) struct Moving {
    pub(super) unit: WantedUnit,
    pub(super) key_digest: Sha256,
    /// The digest of what is said of it.
    pub(super) said: Sha256,
    /// The site that its file comes from.
    pub(super) site: Sha256,
    /// The source of its file later on.
    pub(super) entry: Option<FileSource>,
    pub(super) file_backed: bool,
    /// Is true when the key names a digest of the file: units of one key have one file.
    pub(super) is_keyed_by_file: bool,
    pub(super) file: Option<(Sha256, u64)>,
    /// Its file, as long as that has no name in the store.
    pub(super) held: Option<Held>,
    /// The known unit of which the same is said.
    pub(super) known: Option<UnitId>,
    /// Is true when the document says what was worked out of the file.
    pub(super) learned: bool,
    /// Alternate content sources that have the file, best first.
    pub(super) nearby: Vec<Nearby>,
    pub(super) observer: Arc<dyn StageObserver>,
    /// The room that it takes, once it is on its way.
    pub(super) room: Option<OwnedSemaphorePermit>,
}

impl Moving {
    /// Returns where the file of the unit, which has this id now, can be had later.
    pub(super) fn entry_of(&self, id: UnitId) -> Option<FileSource> {
        let entry = self.entry.clone()?;
        Some(FileSource { unit: id, ..entry })
    }
}

/// The state that the stages of one run share.
pub(super) struct Shared {
    pub(super) engine: Arc<Engine>,
    /// The part of the content that the task may change.
    pub(super) store: TaskStore,
    /// The repository whose content it is.
    pub(super) repo: String,
    /// The site that files are downloaded from.
    pub(super) site: Sha256,
    /// Notes where files can be had.
    pub(super) catalog: CatalogWriter,
    /// Alternate content sources.
    pub(super) supply: Supply,
    /// Room for units on their way, in KiB.
    pub(super) room: Arc<Semaphore>,
    /// Room for files that have no names yet, in KiB.
    pub(super) held: Arc<Semaphore>,
    /// Units handed over and not yet saved or dropped.
    pub(super) open: AtomicUsize,
    pub(super) idle: Notify,
    pub(super) failure: Mutex<Option<Error>>,
    pub(super) stop: CancellationToken,
}

impl Shared {
    pub(super) fn fail(&self, error: Error) {
        self.failure.lock().get_or_insert(error);
        self.stop.cancel();
        self.idle.notify_waiters();
    }

    pub(super) fn close(&self, count: usize) {
        if self.open.fetch_sub(count, Ordering::AcqRel) == count {
            self.idle.notify_waiters();
        }
    }

    /// Returns what alternate content sources have of these units.
    pub(super) async fn nearby(
        &self,
        type_id: &str,
        keys: &[Sha256],
        policy: Policy,
    ) -> Result<HashMap<Sha256, Vec<Nearby>>, Error> {
        if policy == Policy::Deferred {
            return Ok(HashMap::new());
        }
        self.supply
            .find(&self.engine, type_id, keys)
            .await
            .map_err(Error::from)
    }

    /// The failure that stopped the stages; for everybody after the first it is only told that they stopped.
    pub(super) fn stopped(&self) -> Error {
        self.failure.lock().take().unwrap_or(Error::Cancelled)
    }
}
