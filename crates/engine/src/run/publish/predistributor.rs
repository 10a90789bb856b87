//! Publishing what another distributor of the same repository has published (pulp2/sync-and-publish#skipped-publishes).

use std::collections::HashMap;

use pith_blobs::{EntryKindRef, IndexEntryRef, Publication as Index};
use pith_content::publish::{Distributor as Plugin, Placing};
use pith_content::remote::Passing;
use pith_content::{Config, ContentError};
use pith_core::{Document, Sha256, UnitId};
use pith_store::Publication;
use serde_json::json;
use uuid::Uuid;

use super::outgoing::Outgoing;
use super::share::{distributor, foreign};
use crate::attempt::Run;
use crate::error::{Error, platform};
use crate::run::basis::settings;
use crate::run::units;

/// Entries that are looked at together.
const PIECE: usize = 500;

/// The parts of a basis that a predistributor stands for: what the repository holds by now does not matter.
const STANDS_FOR: [&str; 3] = ["version", "changes", "scratchpad"];

/// The distributor whose publication is passed on.
pub(super) struct Predistributor {
    /// Its id.
    pub(super) id: String,
    config: Config,
    /// The newest publication of it.
    newest: Option<Publication>,
}

impl Predistributor {
    /// The one that a configuration names.
    ///
    /// # Errors
    /// When the repository has no such distributor.
    pub(super) async fn of(
        run: &Run,
        (repo_id, own_id): (&str, &str),
        plugin: &dyn Plugin,
        config: &Config,
    ) -> Result<Option<Self>, Error> {
        let Some((setting, id)) = plugin.predistributor(config) else {
            return Ok(None);
        };
        if id == own_id {
            let text = format!("[{setting}] names the distributor itself; name another one");
            return Err(ContentError::other(text).into());
        }
        let config = Config::new(distributor(run, repo_id, &id).await?.config);
        let published = run.store.publication_list(repo_id, &id).await?;
        let newest = published.into_iter().next();
        Ok(Some(Self { id, config, newest }))
    }

    /// Says in the basis of a publication that it is made of what this distributor has published; false when that is nothing.
    pub(super) fn note_in(&self, basis: &mut Document) -> bool {
        let Some(newest) = &self.newest else {
            return false;
        };
        for part in STANDS_FOR {
            basis.remove(part);
        }
        let index = newest.index_blob.to_string();
        let settings = settings(&self.config);
        let passed_on = json!({ "distributor_id": self.id, "index": index, "config": settings });
        basis.insert("passes_on".to_owned(), passed_on);
        true
    }

    /// The publication that it has made last.
    pub(super) async fn published(&self, run: &Run) -> Result<Option<Predistributed>, Error> {
        match &self.newest {
            Some(newest) => {
                let index = Index::open(&run.engine.blobs, newest.index_blob).await?;
                let config = self.config.clone();
                Ok(Some(Predistributed { config, index }))
            }
            None => Ok(None),
        }
    }

    /// The reason of a publish that is skipped.
    pub(super) fn skipped(&self) -> String {
        format!(
            "Skipped: Predistributor {} has not published since last publish.",
            self.id
        )
    }
}

/// A publication that is passed on.
pub(in crate::run) struct Predistributed {
    /// The settings of the distributor that made it.
    pub(in crate::run) config: Config,
    index: Index,
}

impl Predistributed {
    /// Adds entries of it to an output, at the paths that `place` gives; returns how many.
    pub(super) async fn pass_on(
        &self,
        out: &Outgoing<'_>,
        repo_id: &str,
        types: &[&str],
        place: Placing<'_>,
    ) -> Result<u64, ContentError> {
        let (mut count, mut entries) = (0, self.index.iter());
        loop {
            if out.run.cancel.is_cancelled() {
                return Err(ContentError::Cancelled);
            }
            let piece: Result<Vec<IndexEntryRef<'_>>, _> = entries.by_ref().take(PIECE).collect();
            let piece = piece.map_err(platform)?;
            if piece.is_empty() {
                return Ok(count);
            }
            let stored = stored_at(out.run, repo_id, types, &piece).await?;
            for entry in &piece {
                let passing = Passing {
                    path: entry.path,
                    stored_at: stored.of(entry),
                };
                if let Some(placed) = place(passing)? {
                    out.output.pass_on(entry, placed)?;
                    count += 1;
                }
            }
        }
    }
}

/// The places of files of units below the folder of all units.
#[derive(Default)]
struct StoredAt {
    by_blob: HashMap<Sha256, UnitId>,
    places: HashMap<UnitId, String>,
}

impl StoredAt {
    fn of(&self, entry: &IndexEntryRef<'_>) -> Option<&str> {
        let id = match entry.kind {
            EntryKindRef::Blob(blob) => *self.by_blob.get(&blob)?,
            EntryKindRef::Source { id, .. } => UnitId(Uuid::from_bytes(id)),
            EntryKindRef::Slice(_) | EntryKindRef::Inline(_) | EntryKindRef::Redirect(_) => {
                return None;
            }
        };
        self.places.get(&id).map(String::as_str)
    }
}

/// Looks for the units of these types whose files these are.
async fn stored_at(
    run: &Run,
    repo_id: &str,
    types: &[&str],
    entries: &[IndexEntryRef<'_>],
) -> Result<StoredAt, ContentError> {
    let mut found = StoredAt::default();
    let registry = &run.engine.registry;
    for kind in types.iter().filter_map(|id| registry.unit_type(id)) {
        let (mut blobs, mut ids) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry.kind {
                EntryKindRef::Blob(blob) => blobs.push(blob),
                EntryKindRef::Source { id, .. } => ids.push(UnitId(Uuid::from_bytes(id))),
                _ => {}
            }
        }
        let units = run.store.units_of_blobs(repo_id, kind.id, &blobs).await;
        for (blob, id) in units.map_err(platform)? {
            // Of several units with one file the first, each time.
            found.by_blob.entry(blob).or_insert(id);
            ids.push(id);
        }
        let fields = kind.stored_by();
        let units = run
            .store
            .units_pick(kind.id, &ids, Some(&fields), &[])
            .await;
        for unit in units::to_repo_units(units.map_err(platform)?, &[]) {
            found
                .places
                .extend(kind.stored_at(&unit.doc).map(|place| (unit.id, place)));
        }
    }
    Ok(found)
}

/// The files that a publication of `repo_id` must keep by itself.
pub(super) async fn kept(
    run: &Run,
    repo_id: &str,
    index: Sha256,
) -> Result<Vec<(Sha256, i64)>, Error> {
    let index = Index::open(&run.engine.blobs, index).await?;
    foreign(run, repo_id, &index).await
}
