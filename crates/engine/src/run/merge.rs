//! Units that replace or complete what is known: the type merges what is known into them, and they are stored only while that is
//! still what is known.
//!
//! Two tasks may change one unit at the same time, for example the advisory that two repositories share. So what is merged
//! carries what it was made from, the store refuses it when that has changed, and it is merged again.

use std::collections::{HashMap, HashSet};

use futures::FutureExt;
use pith_content::ContentError;
use pith_content::unit::{Existing, Part, WantedUnit};
use pith_core::{Document, Sha256, UnitId};
use pith_store::{Basis, FileSource, NewUnit, OnConflict, StoreError, TaskStore};

use super::save::new_unit;
use super::stage::{Moving, Shared};
use crate::Engine;
use crate::files::saving;
use crate::present;

/// Fields in which clients say something of a unit; a sync never takes it away.
pub(super) const USER_METADATA: &str = "pulp_user_metadata";
/// The most times that a batch is merged. Each time but the first, another task has committed changes of units in it.
const ATTEMPTS: usize = 32;

/// A wanted unit as it is to be stored, and the state of the stored one that it was made from.
#[derive(Clone)]
pub(super) struct Candidate {
    pub(super) doc: Document,
    pub(super) parts: Vec<Part>,
    pub(super) basis: Basis,
}

impl Candidate {
    fn new(unit: WantedUnit, basis: Basis) -> Self {
        Self {
            doc: unit.doc,
            parts: unit.parts,
            basis,
        }
    }
}

/// A wanted unit merged with the known one.
pub(super) struct Merged {
    pub(super) candidate: Candidate,
    /// Is true when nothing new comes of it.
    pub(super) same: bool,
}

/// Lets the type merge the known unit `id` into `wanted`; `None` when there is no such unit any more.
pub(super) async fn with_known(
    engine: &Engine,
    store: &TaskStore,
    wanted: &WantedUnit,
    id: UnitId,
) -> Result<Option<Merged>, ContentError> {
    let Some(content_type) = engine.registry.content_type_of(wanted.type_id) else {
        return Ok(None);
    };
    // The unit before its parts: parts that are newer than the basis are refused, older ones would not be.
    let stored = store.unit_get(wanted.type_id, id).await;
    let Some(stored) = stored.map_err(ContentError::other)? else {
        return Ok(None);
    };
    let mut names: Vec<&'static str> = wanted.parts.iter().map(|part| part.name).collect();
    let presented = content_type.presented_fields(wanted.type_id).iter();
    names.extend(presented.flat_map(|(_, parts)| *parts));
    names.sort_unstable();
    names.dedup();
    let parts = store.unit_parts(&[id], &names).await;
    let mut parts = parts.map_err(ContentError::other)?;
    let parts = present::named(parts.remove(&id).unwrap_or_default());
    let mut unit = wanted.clone();
    match wanted.existing {
        Existing::Replace => content_type.merge(wanted.type_id, &stored.doc, &parts, &mut unit),
        Existing::Keep => {
            unit.doc = stored.doc.clone();
            for name in names {
                if let Some((_, known)) = parts.iter().find(|(known, _)| known == name) {
                    unit.parts.retain(|part| part.name != name);
                    let data = known.clone().into();
                    unit.parts.push(Part { name, data });
                }
            }
        }
    }
    if let Some(metadata) = stored.doc.get(USER_METADATA) {
        unit.doc
            .entry(USER_METADATA)
            .or_insert_with(|| metadata.clone());
    }
    let is_stored = |new: &Part| {
        let mut parts = parts.iter();
        parts.any(|(name, data)| name == new.name && *data == new.data)
    };
    let same_parts = unit.parts.len() == parts.len() && unit.parts.iter().all(is_stored);
    let basis = Basis::Unit {
        id,
        last_updated: stored.last_updated,
    };
    Ok(Some(Merged {
        same: unit.doc == stored.doc && same_parts,
        candidate: Candidate::new(unit, basis),
    }))
}

/// Saves and stages units that replace what is known.
pub(super) async fn save(
    shared: &Shared,
    mut batch: Vec<Moving>,
    sources: &[Option<FileSource>],
) -> Result<(), ContentError> {
    let mut refused = None;
    for _ in 0..ATTEMPTS {
        prepare(shared, &mut batch).await?;
        let units = batch.iter().filter_map(|moving| {
            let candidate = moving.candidate.clone()?;
            Some(new_unit(moving, candidate))
        });
        let units: Vec<NewUnit> = units.collect::<Result<_, _>>()?;
        let units = &units;
        let save = move || {
            let saved = shared
                .store
                .units_save_staged(units, sources, OnConflict::Replace);
            saved.boxed()
        };
        let changed = match saving(&shared.engine, save).await {
            Err(StoreError::UnitsChanged(changed)) => changed,
            other => return other.map(drop).map_err(ContentError::other),
        };
        let again: HashSet<(&str, Sha256)> = changed
            .iter()
            .map(|(type_id, key)| (type_id.as_str(), *key))
            .collect();
        for moving in &mut batch {
            if again.contains(&(moving.unit.type_id, moving.key_digest)) {
                moving.candidate = None;
            }
        }
        refused = Some(StoreError::UnitsChanged(changed));
    }
    refused.map_or(Ok(()), |error| Err(ContentError::other(error)))
}

/// Finds out what is to be stored of those units of which that is not known.
async fn prepare(shared: &Shared, batch: &mut [Moving]) -> Result<(), ContentError> {
    let (engine, store) = (&shared.engine, &shared.store);
    let mut by_type: HashMap<&'static str, Vec<&mut Moving>> = HashMap::new();
    for moving in batch.iter_mut().filter(|moving| moving.candidate.is_none()) {
        by_type.entry(moving.unit.type_id).or_default().push(moving);
    }
    for (type_id, group) in by_type {
        let keys: Vec<Sha256> = group.iter().map(|moving| moving.key_digest).collect();
        let known = store.units_by_key(type_id, &keys).await;
        let known = known.map_err(ContentError::other)?;
        for moving in group {
            let merged = match known.get(&moving.key_digest) {
                Some(found) => with_known(engine, store, &moving.unit, found.id).await?,
                None => None,
            };
            let new = || Candidate::new(moving.unit.clone(), Basis::Absent);
            moving.candidate = Some(merged.map_or_else(new, |merged| merged.candidate));
        }
    }
    Ok(())
}
