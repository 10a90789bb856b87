//! Copies over units that the destination has under the same key: the words are those of the source; the file, where it can be
//! had, and what clients noted stay the destination's.

use std::collections::{BTreeMap, HashMap};

use pith_content::UnitType;
use pith_content::descriptor::KeyField;
use pith_core::{Algorithm, Digest, Document, UnitId};
use pith_store::{NewUnit, Replacement, SavedUnit, TaskStore, Unit};
use serde_json::Value;

use super::learn::joined;
use super::said::{USER_METADATA, keep_user_metadata};
use crate::Engine;
use crate::error::Error;
use crate::upstream::own_site;

/// Sees to it that a copy takes nothing away from `repo` that is not said anew.
pub(super) async fn own(engine: &Engine, store: &TaskStore, repo: &str) -> Result<(), Error> {
    store.stage_settle(repo).await?;
    let mut after = None;
    loop {
        let page = store.staged_replacements(after).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.old);
        let (same, others): (Vec<_>, Vec<_>) = page.into_iter().partition(|one| one.is_same);
        let same: Vec<_> = same
            .iter()
            .map(|one| (one.old, one.type_id.as_str()))
            .collect();
        store.stage_add(&same).await?;
        let mut by_type: BTreeMap<&str, Vec<&Replacement>> = BTreeMap::new();
        for one in &others {
            by_type.entry(&one.type_id).or_default().push(one);
        }
        for (type_id, those) in by_type {
            join(engine, store, repo, (type_id, &those)).await?;
        }
    }
}

/// Stages units of the words of one and the file of the other, where the other has something to keep.
async fn join(
    engine: &Engine,
    store: &TaskStore,
    repo: &str,
    (type_id, those): (&str, &[&Replacement]),
) -> Result<(), Error> {
    let ids: Vec<UnitId> = those.iter().flat_map(|one| [one.new, one.old]).collect();
    let units = store.units_pick(type_id, &ids, None, &[]).await;
    let units = units?.into_iter();
    let units: HashMap<UnitId, Unit> = units.map(|one| (one.unit.id, one.unit)).collect();
    let mut joined = Vec::new();
    for one in those {
        if let (Some(new), Some(old)) = (units.get(&one.new), units.get(&one.old))
            && let Some(unit) = of_both(engine, repo, one, (new, old))
        {
            joined.push((*one, unit));
        }
    }
    let new: Vec<UnitId> = joined.iter().map(|(one, _)| one.new).collect();
    let mut parts = store.units_every_part(&new).await?;
    for (one, unit) in &mut joined {
        let parts = parts.remove(&one.new).unwrap_or_default().into_iter();
        unit.parts = parts.map(|part| (part.name, part.data)).collect();
    }
    let (those, units): (Vec<&Replacement>, Vec<NewUnit>) = joined.into_iter().unzip();
    let saved = store.units_save_staged(&units, &[]).await?;
    note_again(store, type_id, &units, &saved).await?;
    // The destination's own entry is to count where both have one.
    let mut entries = Vec::new();
    for of in [|one: &Replacement| one.new, |one: &Replacement| one.old] {
        let ids: HashMap<UnitId, UnitId> = those
            .iter()
            .zip(&saved)
            .map(|(one, saved)| (of(one), saved.id))
            .collect();
        let from: Vec<UnitId> = ids.keys().copied().collect();
        for mut source in store.sources_of_units(&from).await? {
            if let Some(id) = ids.get(&source.unit) {
                source.unit = *id;
                entries.push(source);
            }
        }
    }
    Ok(store.sources_put(&entries).await?)
}

/// The words of `new` with what `old` has to keep, but for its parts; `None` when that is nothing.
fn of_both(
    engine: &Engine,
    repo: &str,
    one: &Replacement,
    (new, old): (&Unit, &Unit),
) -> Option<NewUnit> {
    let type_id = one.type_id.as_str();
    let mut doc = new.doc.clone();
    keep_user_metadata(&old.doc, &mut doc);
    let kind = engine.registry.unit_type(type_id);
    let has_file = kind.is_some_and(|kind| kind.file_backed);
    let is_named = kind.is_some_and(|kind| names_file(kind, &new.doc));
    let is_one_file = match (new.blob, old.blob) {
        (Some(new), Some(old)) => new == old,
        // The old one has none, or the key that both have tells that it is the one that is meant.
        (_, None) => true,
        (None, Some(_)) => is_named,
    };
    if doc == new.doc && !(has_file && is_one_file) {
        return None;
    }
    for field in engine.registry.learned(type_id) {
        if let Some(value) = joined(doc.get(*field), old.doc.get(*field)) {
            doc.insert((*field).to_owned(), value);
        }
    }
    let is_old = has_file && is_one_file && old.downloaded;
    let file = if is_old { old } else { new };
    Some(NewUnit {
        type_id: one.type_id.clone(),
        key_digest: one.key_digest,
        said: one.said,
        // Its own: what came for others is theirs.
        site: own_site(repo),
        blob: file.blob,
        size: file.size,
        downloaded: file.downloaded,
        doc,
        parts: Vec::new(),
    })
}

/// Tells whether the key of a unit has a digest of its file, so that units of one key have one file.
fn names_file(kind: &UnitType, doc: &Document) -> bool {
    let value = |field: &KeyField| doc.get(field.name).and_then(Value::as_str);
    let mut values = kind.key.iter().filter_map(value);
    values.any(|value| {
        let mut algorithms = Algorithm::ALL.into_iter();
        algorithms.any(|algorithm| Digest::new(algorithm, value).is_ok())
    })
}

/// Notes on units of an earlier copy, which have what was noted then, what is noted now.
async fn note_again(
    store: &TaskStore,
    type_id: &str,
    units: &[NewUnit],
    saved: &[SavedUnit],
) -> Result<(), Error> {
    let known = units.iter().zip(saved).filter(|(_, saved)| !saved.new);
    let known: HashMap<UnitId, &NewUnit> = known.map(|(unit, saved)| (saved.id, unit)).collect();
    let ids: Vec<UnitId> = known.keys().copied().collect();
    let stored = store.units_pick(type_id, &ids, Some(&[USER_METADATA]), &[]);
    let nothing = Value::Object(Document::new());
    for stored in stored.await? {
        let id = stored.unit.id;
        let wanted = known.get(&id).and_then(|unit| unit.doc.get(USER_METADATA));
        let wanted = wanted.unwrap_or(&nothing);
        if stored.unit.doc.get(USER_METADATA).unwrap_or(&nothing) != wanted {
            store.unit_set_user_metadata(type_id, id, wanted).await?;
        }
    }
    Ok(())
}
