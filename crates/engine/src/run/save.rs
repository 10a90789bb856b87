//! The last stage of a sync: files durable, then units, parts and sources in batches.

use std::collections::HashMap;
use std::sync::Arc;

use pith_content::ContentError;
use pith_content::sync::StageObserver;
use pith_content::unit::{Existing, Source};
use pith_core::{Digest, UnitId};
use pith_store::{FileSource, NewUnit, OnConflict, SavedUnit};
use tokio::sync::mpsc;

use super::stage::{Moving, Shared};
use crate::Engine;

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

async fn save(shared: &Shared, batch: Vec<Moving>) -> Result<(), ContentError> {
    let engine = &shared.engine;
    engine.blobs.durable().await.map_err(ContentError::other)?;
    let mut done = Vec::with_capacity(batch.len());
    let mut groups: HashMap<bool, Group> = HashMap::new();
    let mut associate: Vec<(UnitId, &str)> = Vec::new();
    let mut sources: Vec<FileSource> = Vec::new();
    for moving in batch {
        done.push(Saved::of(&moving));
        if let (Some(id), Some((blob, size))) = (moving.known, moving.file) {
            let size = i64::try_from(size).map_err(ContentError::other)?;
            engine
                .store
                .unit_set_blob(id, blob, size)
                .await
                .map_err(ContentError::other)?;
            associate.push((id, moving.unit.type_id));
            sources.extend(shared.catalog.entry(id, &moving.unit));
            continue;
        }
        let replace = moving.unit.existing == Existing::Replace;
        let group = groups.entry(replace).or_default();
        group.types.push(moving.unit.type_id);
        // The unit gets its id when it is saved.
        group
            .sources
            .push(shared.catalog.entry(UnitId::new(), &moving.unit));
        group.units.push(new_unit(moving)?);
    }
    for (replace, group) in groups {
        for (id, type_id, source) in group.save(engine, replace).await? {
            associate.push((id, type_id));
            sources.extend(source);
        }
    }
    engine
        .store
        .sources_put(&sources)
        .await
        .map_err(ContentError::other)?;
    engine
        .store
        .stage_add(shared.task, &associate)
        .await
        .map_err(ContentError::other)?;
    for saved in done {
        saved.tell();
    }
    Ok(())
}

/// Units of one batch that are saved in one way.
#[derive(Default)]
struct Group {
    units: Vec<NewUnit>,
    types: Vec<&'static str>,
    sources: Vec<Option<FileSource>>,
}

impl Group {
    /// Saves the units; their ids, types and sources.
    async fn save(
        self,
        engine: &Engine,
        replace: bool,
    ) -> Result<Vec<(UnitId, &'static str, Option<FileSource>)>, ContentError> {
        let on_conflict = match replace {
            true => OnConflict::Replace,
            false => OnConflict::Keep,
        };
        let saved = engine.store.units_save(&self.units, on_conflict).await;
        let saved = saved.map_err(ContentError::other)?;
        let rest = self.types.into_iter().zip(self.sources);
        let of = |(unit, (type_id, source)): (&SavedUnit, (&'static str, Option<FileSource>))| {
            let source = source.map(|source| FileSource {
                unit: unit.id,
                ..source
            });
            (unit.id, type_id, source)
        };
        Ok(saved.iter().zip(rest).map(of).collect())
    }
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

fn new_unit(moving: Moving) -> Result<NewUnit, ContentError> {
    let (promised, blob) = match &moving.unit.source {
        Some(Source::Download { size, digests, .. }) => {
            (*size, digests.iter().find_map(Digest::as_sha256))
        }
        _ => (None, None),
    };
    let size = moving.file.map(|(_, size)| size).or(promised);
    Ok(NewUnit {
        type_id: moving.unit.type_id.to_owned(),
        key_digest: moving.key_digest,
        doc: moving.unit.doc,
        blob: moving.file.map(|(blob, _)| blob).or(blob),
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
