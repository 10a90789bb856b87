//! Saving rows that name files while other files are being deleted.

use std::time::Duration;

use futures::future::BoxFuture;
use pith_core::Sha256;
use pith_core::error::PulpError;
use pith_store::StoreError;

use crate::Engine;
use crate::error::{from_blobs, from_store};

/// How often a save that met deleted files is tried again.
const ATTEMPTS: usize = 3;
/// A deletion under way is looked at this often, at most this many times: it takes milliseconds.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS: usize = 500;

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
    let mut looks = 0;
    while engine.store.blob_is_leaving(blob).await? {
        looks += 1;
        if looks > LOOKS {
            return Err(gone());
        }
        tokio::time::sleep(LOOK).await;
    }
    // Nobody deletes what is marked as deleted, so what is seen now stays.
    if !engine.blobs.contains(blob).await.is_ok_and(|there| there) {
        return Err(gone());
    }
    engine.store.blob_revive(blob).await.map(drop)
}

impl Engine {
    /// Deletes a file of which it was noted that it is not here. It is noted once more afterwards: a process that stood
    /// still in between deletes what another one has fetched meanwhile, and then it has to be fetched again.
    ///
    /// # Errors
    /// When the file store or the database fails.
    pub(crate) async fn discard_file(&self, blob: Sha256) -> Result<(), PulpError> {
        let deleted = self.blobs.delete(blob).await;
        deleted.map_err(|error| from_blobs(&error))?;
        let noted = self.store.units_set_blob_here(blob, false).await;
        noted.map_err(from_store)
    }
}
