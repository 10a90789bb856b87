//! From a parser on a blocking thread to the engine: units in batches through a short channel, so that memory stays flat
//! and parsing runs ahead of saving by a little.

use std::io;
use std::sync::Arc;

use pith_content::sync::{StageObserver, SyncContext};
use pith_content::unit::WantedUnit;
use pith_content::{Bent, ContentError};
use tokio::sync::mpsc;

use super::progress::Progress;
use crate::metadata::MetadataError;

/// Units in one batch.
const BATCH: usize = 100;

/// Where a parser puts its units.
pub struct Outbox {
    tx: mpsc::Sender<Vec<WantedUnit>>,
    batch: Vec<WantedUnit>,
    bent: Bent,
}

impl Outbox {
    /// Where to note what is odd.
    pub fn bent(&self) -> &Bent {
        &self.bent
    }

    /// Hands over a unit; waits for room.
    ///
    /// # Errors
    /// When the sync has ended meanwhile.
    pub fn push(&mut self, unit: WantedUnit) -> Result<(), MetadataError> {
        self.batch.push(unit);
        if self.batch.len() >= BATCH {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), MetadataError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        self.tx
            .blocking_send(batch)
            .map_err(|_| io::Error::new(io::ErrorKind::Interrupted, "the sync has ended").into())
    }
}

/// Runs `work` on a blocking thread and stages what it puts into its outbox.
///
/// # Errors
/// What staging fails with, or what `work` fails with, turned into an error by `explain`.
pub async fn produce<T: Send + 'static>(
    ctx: &dyn SyncContext,
    progress: &Arc<Progress>,
    explain: impl FnOnce(MetadataError) -> ContentError,
    work: impl FnOnce(&mut Outbox) -> Result<T, MetadataError> + Send + 'static,
) -> Result<T, ContentError> {
    let (tx, mut rx) = mpsc::channel(1);
    let bent = ctx.bent().clone();
    let worker = tokio::task::spawn_blocking(move || {
        let mut outbox = Outbox {
            tx,
            batch: Vec::with_capacity(BATCH),
            bent,
        };
        let result = work(&mut outbox)?;
        outbox.flush()?;
        Ok(result)
    });
    let observer: Arc<dyn StageObserver> = Arc::clone(progress) as Arc<dyn StageObserver>;
    while let Some(batch) = rx.recv().await {
        ctx.stage(batch, &observer).await?;
        ctx.progress(progress.report());
    }
    worker.await.map_err(ContentError::other)?.map_err(explain)
}
