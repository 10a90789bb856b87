//! The last two of the stages: files get their names and become durable; then units, parts and sources are saved, many in one
//! transaction.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::FutureExt;
use pith_content::sync::StageObserver;
use pith_content::unit::Source;
use pith_core::{Digest, Document, UnitId};
use pith_store::{FileSource, NewUnit};
use tokio::sync::mpsc;

use super::download::Held;
use super::learn;
use super::moving::{Moving, Shared};
use crate::error::Error;
use crate::files::saving;

/// Most units saved in one transaction.
pub(super) const SAVE_BATCH: usize = 250;

/// Names the files of what comes, many at once, and passes on what may be saved. The next batch is made durable while that
/// before is saved.
pub(super) async fn name_loop(
    shared: Arc<Shared>,
    mut queue: mpsc::Receiver<Moving>,
    to_save: mpsc::Sender<Vec<Moving>>,
) {
    let stop = shared.stop.clone();
    stop.run_until_cancelled(async {
        let mut batch = Vec::with_capacity(SAVE_BATCH);
        while queue.recv_many(&mut batch, SAVE_BATCH).await > 0 {
            let mut named = std::mem::replace(&mut batch, Vec::with_capacity(SAVE_BATCH));
            if let Err(error) = name(&shared, &mut named).await {
                shared.fail(error);
                return;
            }
            if to_save.send(named).await.is_err() {
                return;
            }
        }
    })
    .await;
}

async fn name(shared: &Shared, batch: &mut [Moving]) -> Result<(), Error> {
    let blobs = &shared.engine.blobs;
    blobs.require_room()?;
    let held = batch.iter_mut().filter_map(|moving| moving.held.take());
    let (nameless, places): (Vec<_>, Vec<_>) = held.map(Held::apart).unzip();
    blobs.keep_all(nameless).await?;
    drop(places);
    blobs.durable().await?;
    Ok(())
}

/// Saves what comes, each batch in one transaction.
pub(super) async fn save_loop(shared: Arc<Shared>, mut queue: mpsc::Receiver<Vec<Moving>>) {
    let stop = shared.stop.clone();
    stop.run_until_cancelled(async {
        while let Some(batch) = queue.recv().await {
            let count = batch.len();
            if let Err(error) = save(&shared, batch).await {
                shared.fail(error);
                return;
            }
            shared.close(count);
        }
    })
    .await;
}

async fn save(shared: &Shared, mut batch: Vec<Moving>) -> Result<(), Error> {
    let engine = &shared.engine;
    complete_known(shared, &mut batch).await?;
    let mut done = Vec::with_capacity(batch.len());
    let mut units = Vec::with_capacity(batch.len());
    let mut sources = Vec::with_capacity(batch.len());
    let mut completed: Vec<FileSource> = Vec::new();
    for moving in batch {
        done.push(Saved::of(&moving));
        if let (Some(id), Some(_)) = (moving.known, moving.file) {
            completed.extend(moving.entry_of(id));
            continue;
        }
        // The unit gets its id when it is saved.
        sources.push(moving.entry.clone());
        units.push(new_unit(moving)?);
    }
    if !units.is_empty() {
        let (units, sources) = (&units, &sources);
        let save = move || shared.store.units_save_staged(units, sources).boxed();
        saving(engine, save).await?;
    }
    // Those of units that got their files only now.
    shared.store.sources_put(&completed).await?;
    for saved in done {
        saved.tell();
    }
    Ok(())
}

/// Gives known units their files. They are staged first, which keeps them from being deleted; one that was deleted
/// before is not known any more.
async fn complete_known(shared: &Shared, batch: &mut [Moving]) -> Result<(), Error> {
    let store = &shared.store;
    let with_file = |moving: &&mut Moving| moving.known.is_some() && moving.file.is_some();
    let units: Vec<(UnitId, &str)> = batch
        .iter_mut()
        .filter(with_file)
        .filter_map(|moving| Some((moving.known?, moving.unit.type_id)))
        .collect();
    if units.is_empty() {
        return Ok(());
    }
    let gone = store.stage_add(&units).await;
    let gone: HashSet<UnitId> = gone?.into_iter().collect();
    for moving in batch.iter_mut().filter(with_file) {
        let (Some(id), Some((blob, size))) = (moving.known, moving.file) else {
            continue;
        };
        if gone.contains(&id) {
            moving.known = None;
            continue;
        }
        let size = i64::try_from(size).map_err(Error::fault)?;
        let save = move || store.unit_set_blob(id, blob, size).boxed();
        saving(&shared.engine, save).await?;
    }
    let mut told: HashMap<&str, Vec<(UnitId, &Document)>> = HashMap::new();
    for moving in batch.iter().filter(|moving| moving.file.is_some()) {
        let unit = &moving.unit;
        let known = moving.known.map(|id| (id, &unit.doc));
        told.entry(unit.type_id).or_default().extend(known);
    }
    for (type_id, told) in told {
        learn::from_files((&shared.engine, &shared.store), type_id, told).await?;
    }
    Ok(())
}

/// Whom to tell of a saved unit, and what.
struct Saved {
    observer: Arc<dyn StageObserver>,
    type_id: &'static str,
    size: u64,
    deferred: bool,
}

impl Saved {
    fn of(moving: &Moving) -> Self {
        let (size, deferred) = match (&moving.file, &moving.unit.source) {
            (Some((_, size)), _) => (*size, false),
            (None, Some(Source::Download { size, .. })) => (size.unwrap_or(0), true),
            _ => (0, false),
        };
        Self {
            observer: Arc::clone(&moving.observer),
            type_id: moving.unit.type_id,
            size,
            deferred,
        }
    }

    fn tell(self) {
        if self.deferred {
            self.observer.deferred(self.type_id, self.size);
        } else {
            self.observer.done(self.type_id, self.size);
        }
    }
}

/// The stored state of a unit.
fn new_unit(moving: Moving) -> Result<NewUnit, Error> {
    let unit = moving.unit;
    let (promised, blob) = match &unit.source {
        Some(Source::Download { size, digests, .. }) => {
            (*size, digests.iter().find_map(Digest::as_sha256))
        }
        _ => (None, None),
    };
    let size = moving.file.map(|(_, size)| size).or(promised);
    let parts = unit.parts.into_iter();
    Ok(NewUnit {
        type_id: unit.type_id.to_owned(),
        key_digest: moving.key_digest,
        said: moving.said,
        site: moving.site,
        doc: unit.doc,
        blob: moving.file.map(|(blob, _)| blob).or(blob),
        size: size.map(i64::try_from).transpose().map_err(Error::fault)?,
        // A unit without a source keeps its text among its parts: nothing of it is missing.
        downloaded: moving.file.is_some() || !moving.file_backed || unit.source.is_none(),
        parts: parts
            .map(|part| (part.name.to_owned(), part.data.into()))
            .collect(),
    })
}
