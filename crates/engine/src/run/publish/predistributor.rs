//! Publishing what another distributor of the same repository has published (pulp2/sync-and-publish#skipped-publishes).

use std::collections::HashMap;

use futures::TryStreamExt;
use pith_blobs::{EntryKindRef, IndexEntryRef, Publication as Index};
use pith_content::publish::{Distributor as Plugin, Placing};
use pith_content::remote::Passing;
use pith_content::{Config, ContentError};
use pith_core::{Document, Sha256, UnitId};
use pith_store::{Publication, UnitQuery};
use serde_json::json;
use uuid::Uuid;

use super::claim::Claim;
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
    /// The places at another machine that passing it on changes, when it is sent.
    pub(super) claim: Option<Claim>,
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
        let remote = plugin.remote(config);
        if id == own_id {
            let text = format!("[{setting}] names the distributor itself; name another one");
            return Err(ContentError::other(text).into());
        }
        let before = distributor(run, repo_id, &id).await?;
        let config = Config::new(before.config);
        let before = run.engine.registry.distributor(&before.type_id);
        if before.is_some_and(|before| before.remote(&config).is_some()) {
            let text = format!(
                "[{setting}] names a distributor that serves nothing here; name another one"
            );
            return Err(ContentError::other(text).into());
        }
        let published = run.store.publication_list(repo_id, &id).await?;
        let newest = published.into_iter().next();
        let claim = remote.map(|remote| Claim::of(&remote, repo_id, &config));
        Ok(Some(Self {
            id,
            newest,
            claim: claim.transpose()?,
            config,
        }))
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
        if let Some(claim) = &self.claim {
            claim.note_in(basis);
        }
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
                let stored = stored.of(entry);
                let passing = Passing {
                    path: entry.path,
                    stored_at: stored.map(|stored| stored.place.as_str()),
                };
                if let Some(placed) = place(passing)? {
                    let here = stored.and_then(|stored| stored.file);
                    out.output.pass_on(entry, here, placed)?;
                    count += 1;
                }
            }
        }
    }
}

/// The file of a unit.
struct Stored {
    /// Its place below the folder of all units.
    place: String,
    /// Its name and its size, when it is here: it may not have been when the other distributor published.
    file: Option<(Sha256, u64)>,
}

/// The units whose files a piece of a publication has.
#[derive(Default)]
struct StoredAt {
    by_blob: HashMap<Sha256, Vec<UnitId>>,
    units: HashMap<UnitId, Stored>,
}

impl StoredAt {
    fn of(&self, entry: &IndexEntryRef<'_>) -> Option<&Stored> {
        match entry.kind {
            EntryKindRef::Blob(blob) => {
                // Several units may have the same bytes under names of their own.
                let units = self.by_blob.get(&blob)?.iter();
                let mut units = units.filter_map(|id| self.units.get(id));
                let own = name_of(entry.path);
                let named = units.clone().find(|stored| name_of(&stored.place) == own);
                named.or_else(|| units.next())
            }
            EntryKindRef::Source { id, .. } => self.units.get(&UnitId(Uuid::from_bytes(id))),
            _ => None,
        }
    }
}

/// The last name of a path.
fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
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
            found.by_blob.entry(blob).or_default().push(id);
            ids.push(id);
        }
        // Those of the type alone: what is not here yet may be of another one, with the same fields in its key.
        let query = UnitQuery {
            type_ids: vec![kind.id],
            ids: Some(ids),
            fields: Some(kind.stored_by()),
            ..UnitQuery::default()
        };
        let mut units = run.store.units_stream(&query).map_err(platform)?;
        while let Some(batch) = units.try_next().await.map_err(platform)? {
            for unit in units::to_repo_units(batch, &[]) {
                let file = unit.blob.zip(unit.size);
                let stored = kind.stored_at(&unit.doc);
                let stored = stored.map(|place| (unit.id, Stored { place, file }));
                found.units.extend(stored);
            }
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
