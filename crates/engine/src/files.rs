//! Saving rows that name files while other files are being deleted.

use std::time::Duration;

use futures::future::BoxFuture;
use pith_core::{Sha256, Timestamp};
use pith_store::StoreError;
use tokio::time::Instant;

use crate::Engine;
use crate::error::Error;

/// The number of times that a save is tried again when it met deleted files.
const ATTEMPTS: usize = 3;
/// A deletion under way is looked at this often: it takes milliseconds.
const LOOK: Duration = Duration::from_millis(20);

/// Runs `save`, which commits rows that name blobs. When some of the blobs were deleted since somebody last needed them
/// (see `pith_store::blobs`), it is made sure that their files are there again before it is tried once more.
///
/// # Errors
/// As `save`; [`StoreError::BlobsGone`] when a file is not there: it was found before it was deleted.
pub(crate) async fn saving<'a, T>(
    engine: &Engine,
    save: impl Fn() -> BoxFuture<'a, Result<T, StoreError>> + Send,
) -> Result<T, StoreError> {
    for _ in 0..ATTEMPTS {
        match save().await {
            Err(StoreError::BlobsGone(gone)) => {
                for blob in gone {
                    bring_back(engine, blob).await?;
                }
            }
            other => return other,
        }
    }
    save().await
}

async fn bring_back(engine: &Engine, blob: Sha256) -> Result<(), StoreError> {
    let gone = || StoreError::BlobsGone(vec![blob]);
    wait_for_deletion(engine, blob).await?;
    // Nobody deletes what is marked as deleted, so what is seen now stays.
    if !engine.blobs.contains(blob).await.is_ok_and(|there| there) {
        return Err(gone());
    }
    engine.store.blob_revive(blob).await.map(drop)
}

/// Waits until nobody is deleting the file any more. A claim that stands for as long as a worker may be silent is that of a
/// process which was killed: one that lives deletes within a part of that time, or not at all (see `upkeep`).
async fn wait_for_deletion(engine: &Engine, blob: Sha256) -> Result<(), StoreError> {
    let mut seen: Option<(Timestamp, Instant)> = None;
    while let Some(claimed) = engine.store.blob_claimed(blob).await? {
        // The time since this process saw it first: clocks differ.
        let now = Instant::now();
        let since = match seen {
            Some((known, since)) if known == claimed => since,
            _ => now,
        };
        seen = Some((claimed, since));
        if now.duration_since(since) > engine.lost_after.unsigned_abs() {
            tracing::warn!(%blob, "a process was killed while it deleted a file that is needed again");
            engine.store.blob_end_claim(blob, claimed).await?;
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

impl Engine {
    /// Deletes a file of which it was noted that it is not here. It is noted once more afterwards: a process that stood
    /// still in between deletes what another one has fetched meanwhile, and then it has to be fetched again.
    ///
    /// # Errors
    /// When the file store or the database fails.
    pub(crate) async fn discard_file(&self, blob: Sha256) -> Result<(), Error> {
        self.blobs.delete(blob).await?;
        let noted = self.store.units_set_blob_gone(blob).await;
        noted.map_err(Error::from)
    }
}
