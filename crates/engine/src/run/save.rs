//! The last of the stages: finished units go into the database, many in one transaction.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::FutureExt;
use pith_content::ContentError;
use pith_content::unit::{Existing, Source};
use pith_core::UnitId;
use pith_store::{NewUnit, OnConflict};
use tokio::sync::mpsc;

use super::stage::{Moving, Shared};
use crate::files::saving;

/// Units saved in one transaction.
const SAVE_BATCH: usize = 250;

/// Saves what comes, many units in one transaction; while one is under way the next batch gathers.
pub(super) async fn save_loop(shared: Arc<Shared>, mut queue: mpsc::Receiver<Moving>) {
    let stop = shared.stop.clone();
    stop.run_until_cancelled(async {
        let mut batch = Vec::with_capacity(SAVE_BATCH);
        while queue.recv_many(&mut batch, SAVE_BATCH).await > 0 {
            let count = batch.len();
            if let Err(error) = save(&shared, std::mem::take(&mut batch)).await {
                shared.fail(error);
                return;
            }
            shared.close(count);
        }
    })
    .await;
}

async fn save(shared: &Shared, mut batch: Vec<Moving>) -> Result<(), ContentError> {
    let engine = &shared.engine;
    engine.blobs.durable().await.map_err(ContentError::other)?;
    complete_known(shared, &mut batch).await?;
    let mut done = Vec::with_capacity(batch.len());
    let mut groups: HashMap<bool, Vec<NewUnit>> = HashMap::new();
    for moving in batch {
        let size = moving.file.map_or(0, |(_, size)| size);
        done.push((Arc::clone(&moving.observer), moving.unit.type_id, size));
        if moving.known.is_some() && moving.file.is_some() {
            continue;
        }
        let replace = moving.unit.existing == Existing::Replace;
        groups.entry(replace).or_default().push(new_unit(moving)?);
    }
    for (replace, units) in groups {
        let on_conflict = if replace {
            OnConflict::Replace
        } else {
            OnConflict::Keep
        };
        let (units, task) = (&units, shared.task);
        let save = move || {
            engine
                .store
                .units_save_staged(task, units, on_conflict)
                .boxed()
        };
        saving(engine, save).await.map_err(ContentError::other)?;
    }
    for (observer, type_id, size) in done {
        observer.done(type_id, size);
    }
    Ok(())
}

/// Gives known units their files. They are staged first, which keeps them from being deleted; one that was deleted
/// before is not known any more.
async fn complete_known(shared: &Shared, batch: &mut [Moving]) -> Result<(), ContentError> {
    let store = &shared.engine.store;
    let with_file = |moving: &&mut Moving| moving.known.is_some() && moving.file.is_some();
    let units: Vec<(UnitId, &str)> = batch
        .iter_mut()
        .filter(with_file)
        .filter_map(|moving| Some((moving.known?, moving.unit.type_id)))
        .collect();
    if units.is_empty() {
        return Ok(());
    }
    let gone = store.stage_add(shared.task, &units).await;
    let gone: HashSet<UnitId> = gone.map_err(ContentError::other)?.into_iter().collect();
    for moving in batch.iter_mut().filter(with_file) {
        let (Some(id), Some((blob, size))) = (moving.known, moving.file) else {
            continue;
        };
        if gone.contains(&id) {
            moving.known = None;
            continue;
        }
        let size = i64::try_from(size).map_err(ContentError::other)?;
        let save = move || store.unit_set_blob(id, blob, size).boxed();
        saving(&shared.engine, save)
            .await
            .map_err(ContentError::other)?;
    }
    Ok(())
}

fn new_unit(moving: Moving) -> Result<NewUnit, ContentError> {
    let promised = match &moving.unit.source {
        Some(Source::Download { size, .. }) => *size,
        _ => None,
    };
    let size = moving.file.map(|(_, size)| size).or(promised);
    Ok(NewUnit {
        type_id: moving.unit.type_id.to_owned(),
        key_digest: moving.key_digest,
        doc: moving.unit.doc,
        blob: moving.file.map(|(blob, _)| blob),
        size: size
            .map(i64::try_from)
            .transpose()
            .map_err(ContentError::other)?,
        // A unit without a source keeps its text among its parts: nothing of it is missing.
        downloaded: moving.file.is_some() || !moving.file_backed || moving.unit.source.is_none(),
        parts: moving
            .unit
            .parts
            .into_iter()
            .map(|part| (part.name.to_owned(), part.data.to_vec()))
            .collect(),
    })
}
