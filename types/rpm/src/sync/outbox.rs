//! The way from a parser on a blocking thread to the engine: units in batches through a short channel, so that memory stays flat
//! and parsing runs ahead of saving by a little.

use std::io::{self, BufRead};
use std::path::Path;
use std::sync::Arc;

use pith_content::sync::{StageObserver, SyncContext};
use pith_content::unit::WantedUnit;
use pith_content::{Bent, ContentError, blocking};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::documents::Documents;
use super::gate::{Gate, Inside};
use super::progress::SyncProgress;
use crate::metadata::MetadataError;

/// Most units in one batch.
const BATCH: usize = 100;
/// A batch with so many bytes is full.
const BATCH_BYTES: usize = 4 << 20;
/// The bytes that batches on their way have at most; a larger batch goes alone.
const ON_THEIR_WAY: usize = 8 << 20;

/// A batch on its way, and the room that it takes until it is staged.
pub struct Batch {
    /// The units.
    pub units: Vec<WantedUnit>,
    /// Goes when they are staged.
    pub room: Inside,
}

/// The place where a parser puts its units.
pub struct Outbox {
    tx: mpsc::Sender<Batch>,
    gate: Arc<Gate>,
    batch: Vec<WantedUnit>,
    /// Roughly the bytes of the batch.
    weight: usize,
    bent: Bent,
    documents: Documents,
}

impl Outbox {
    /// The notes of what is odd.
    pub fn bent(&self) -> &Bent {
        &self.bent
    }

    /// Documents of the sync, which end with it.
    pub fn documents(&self) -> Documents {
        self.documents.clone()
    }

    /// Opens a document of the sync.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(&self, path: &Path) -> Result<Box<dyn BufRead + Send>, MetadataError> {
        self.documents.open(path)
    }

    /// Hands over a unit; waits for room.
    ///
    /// # Errors
    /// When the sync has ended meanwhile.
    pub fn push(&mut self, unit: WantedUnit) -> Result<(), MetadataError> {
        self.weight += unit.weight();
        self.batch.push(unit);
        if self.batch.len() >= BATCH || self.weight >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), MetadataError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let weight = std::mem::take(&mut self.weight);
        let batch = Batch {
            room: self.gate.enter(weight),
            units: std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH)),
        };
        self.tx
            .blocking_send(batch)
            .map_err(|_| io::Error::new(io::ErrorKind::Interrupted, "the sync has ended").into())
    }
}

/// Starts `work` on a thread that may block; answers the batches that it puts into its outbox, and its end.
pub fn start<T: Send + 'static>(
    bent: &Bent,
    work: impl FnOnce(&mut Outbox) -> Result<T, MetadataError> + Send + 'static,
) -> (mpsc::Receiver<Batch>, JoinHandle<Result<T, MetadataError>>) {
    let (tx, rx) = mpsc::channel(1);
    let bent = bent.clone();
    let worker = tokio::task::spawn_blocking(move || {
        let watched = tx.downgrade();
        let is_wanted = move || watched.upgrade().is_some_and(|tx| !tx.is_closed());
        let mut outbox = Outbox {
            tx,
            gate: Gate::new(ON_THEIR_WAY),
            batch: Vec::with_capacity(BATCH),
            weight: 0,
            bent,
            documents: Documents::while_wanted(is_wanted),
        };
        let result = work(&mut outbox)?;
        outbox.flush()?;
        Ok(result)
    });
    (rx, worker)
}

/// Runs `work` on a thread that may block and stages what it puts into its outbox.
///
/// # Errors
/// What staging fails with, or what `work` fails with, turned into an error by `explain`.
pub async fn produce<T: Send + 'static>(
    ctx: &dyn SyncContext,
    progress: &Arc<SyncProgress>,
    explain: impl FnOnce(MetadataError) -> ContentError,
    work: impl FnOnce(&mut Outbox) -> Result<T, MetadataError> + Send + 'static,
) -> Result<T, ContentError> {
    let (mut rx, worker) = start(ctx.bent(), work);
    let observer: Arc<dyn StageObserver> = Arc::clone(progress) as Arc<dyn StageObserver>;
    while let Some(batch) = rx.recv().await {
        ctx.stage(batch.units, &observer).await?;
        drop(batch.room);
        ctx.progress(progress.report());
    }
    blocking::ended(worker.await)?.map_err(explain)
}
