//! Saving units by the thousand.

use std::collections::{BTreeMap, HashMap, HashSet};

use pith_core::{Document, Sha256, Timestamp, UnitId};

use crate::Result;
use crate::StoreError;
use crate::blobs as blob_rows;
use crate::dialect::{CHUNK, Kind, Sql, bulk, for_update, sql};
use crate::store::Engine;
use crate::transaction::DbTx;
use crate::units::{Basis, NewUnit, OnConflict, SavedUnit, moved_on};
use crate::value::Value;

/// A unit key: type and digest.
type Key<'a> = (&'a str, Sha256);

/// The outcome of saving.
pub(crate) struct Saved {
    /// The outcome for each unit, in the order given.
    pub(crate) units: Vec<SavedUnit>,
    /// Those that were there and are not what they were. Before it commits, the transaction must [`mark`] them.
    ///
    /// [`mark`]: crate::unit_changes::mark
    pub(crate) changed: Vec<UnitId>,
}

/// Saves `units`.
pub(crate) async fn save(
    tx: &mut DbTx,
    units: &[NewUnit],
    on_conflict: OnConflict,
    now: Timestamp,
) -> Result<Saved> {
    let mut distinct: Vec<&NewUnit> = Vec::with_capacity(units.len());
    let mut seen = HashSet::with_capacity(units.len());
    distinct.extend(units.iter().filter(|unit| seen.insert(key(unit))));

    let mut saved = stored_ids(tx, &distinct).await?;
    let (old, fresh): (Vec<&NewUnit>, Vec<&NewUnit>) = distinct
        .iter()
        .partition(|unit| saved.contains_key(&key(unit)));
    let inserted = insert(tx, &fresh, now).await?;
    let raced = fresh
        .iter()
        .filter(|unit| inserted.get(&key(unit)).is_none_or(|one| !one.new))
        .copied();
    let replaced: Vec<&NewUnit> = old.into_iter().chain(raced).collect();
    saved.extend(inserted);
    let changed = match on_conflict {
        OnConflict::Replace => {
            let stored = stored(tx, &replaced, &saved).await?;
            require_basis(&distinct, &saved, &stored)?;
            replace(tx, &replaced, &saved, &stored, now).await?
        }
        OnConflict::Keep => HashSet::new(),
    };
    let written = |unit: &&&NewUnit| {
        let stored = saved.get(&key(unit));
        stored.is_some_and(|one| one.new || changed.contains(&one.id))
    };
    insert_parts(tx, distinct.iter().filter(written).copied(), &saved).await?;
    let blobs = distinct
        .iter()
        .filter(|unit| unit.downloaded && (on_conflict == OnConflict::Replace || written(unit)));
    let blobs = blobs
        .filter_map(|unit| Some((unit.blob?, unit.size.unwrap_or(0))))
        .collect();
    blob_rows::record(tx, blobs, now).await?;
    let units = units
        .iter()
        .filter_map(|unit| saved.get(&key(unit)).copied());
    Ok(Saved {
        units: units.collect(),
        changed: changed.into_iter().collect(),
    })
}

fn key(unit: &NewUnit) -> Key<'_> {
    (&unit.type_id, unit.key_digest)
}

/// The ids of those units that are stored.
async fn stored_ids<'a>(
    tx: &mut DbTx,
    units: &[&'a NewUnit],
) -> Result<HashMap<Key<'a>, SavedUnit>> {
    let mut by_type: BTreeMap<&str, Vec<Sha256>> = BTreeMap::new();
    for unit in units {
        by_type
            .entry(&unit.type_id)
            .or_default()
            .push(unit.key_digest);
    }
    let mut stored = HashMap::new();
    for (type_id, keys) in by_type {
        for chunk in keys.chunks(CHUNK) {
            let mut query = Sql::new(
                tx.engine(),
                "SELECT key_digest, id FROM units WHERE type_id = ",
            );
            query
                .bind(type_id)
                .push(" AND ")
                .bind_in("key_digest", chunk.iter().copied());
            for row in tx.all(query.build()).await? {
                stored.insert(
                    (type_id, row.get(0)?),
                    SavedUnit {
                        id: row.get(1)?,
                        new: false,
                    },
                );
            }
        }
    }
    Ok(stored)
}

/// Inserts units that were not there a moment ago; another process may have been faster for some.
async fn insert<'a>(
    tx: &mut DbTx,
    units: &[&'a NewUnit],
    now: Timestamp,
) -> Result<HashMap<Key<'a>, SavedUnit>> {
    // Ids sort by time: units are listed in the order in which they were given.
    let mut units: Vec<(&'a NewUnit, UnitId)> =
        units.iter().map(|unit| (*unit, UnitId::new())).collect();
    if tx.engine() == Engine::Postgres {
        // Several transactions insert the same keys in the same order: they may wait, never in a circle.
        units.sort_unstable_by_key(|(unit, _)| key(unit));
    }
    let row = |(unit, id): &(&'a NewUnit, UnitId)| -> Vec<Value> {
        vec![
            (*id).into(),
            unit.type_id.as_str().into(),
            unit.key_digest.into(),
            unit.blob.into(),
            unit.size.into(),
            unit.downloaded.into(),
            now.into(),
            (&unit.doc).into(),
        ]
    };
    let rows = units.iter().map(row).collect();
    let head =
        "INSERT INTO units (id, type_id, key_digest, blob, size, downloaded, last_updated, doc)";
    let kinds = [
        Kind::Bytes,
        Kind::Text,
        Kind::Bytes,
        Kind::Bytes,
        Kind::Int,
        Kind::Bool,
        Kind::Int,
        Kind::Json,
    ];
    let tail = "ON CONFLICT (type_id, key_digest) DO NOTHING";
    let affected = tx
        .execute_each(bulk(tx.engine(), head, &kinds, rows, tail))
        .await?;
    let mut saved: HashMap<Key<'a>, SavedUnit> = units
        .iter()
        .map(|(unit, id)| (key(unit), SavedUnit { id: *id, new: true }))
        .collect();
    if affected < units.len() as u64 {
        let units: Vec<&'a NewUnit> = units.into_iter().map(|(unit, _)| unit).collect();
        for (key, stored) in stored_ids(tx, &units).await? {
            if saved.get(&key).is_some_and(|ours| ours.id != stored.id) {
                saved.insert(key, stored);
            }
        }
    }
    Ok(saved)
}

/// A stored unit as far as a new one can differ from it.
struct Stored {
    blob: Option<Sha256>,
    size: Option<i64>,
    downloaded: bool,
    doc: Document,
    last_updated: Timestamp,
    parts: BTreeMap<String, Vec<u8>>,
}

/// Refuses to replace units that are not what the new ones were made from, unless they are as they should be.
fn require_basis(
    units: &[&NewUnit],
    saved: &HashMap<Key<'_>, SavedUnit>,
    stored: &HashMap<UnitId, Stored>,
) -> Result<()> {
    let holds = |unit: &NewUnit| {
        let there = saved.get(&key(unit)).filter(|one| !one.new);
        let there = there.and_then(|one| Some((one.id, stored.get(&one.id)?)));
        let same = there.is_some_and(|(_, old)| old.is_as(unit));
        match unit.basis {
            Basis::Any => true,
            Basis::Absent => there.is_none() || same,
            Basis::Unit { id, last_updated } => {
                same || there.is_some_and(|(at, old)| at == id && old.last_updated == last_updated)
            }
        }
    };
    let changed = units.iter().filter(|unit| !holds(unit));
    let changed = changed.map(|unit| (unit.type_id.clone(), unit.key_digest));
    let changed: Vec<(String, Sha256)> = changed.collect();
    if changed.is_empty() {
        Ok(())
    } else {
        Err(StoreError::UnitsChanged(changed))
    }
}

impl Stored {
    fn is_as(&self, unit: &NewUnit) -> bool {
        let same_parts = self.parts.len() == unit.parts.len()
            && unit
                .parts
                .iter()
                .all(|(name, data)| self.parts.get(name) == Some(data));
        same_parts && self.blob == unit.blob && self.size == unit.size && self.doc == unit.doc
    }
}

/// The stored state of these units, locked in one order for everybody.
async fn stored(
    tx: &mut DbTx,
    units: &[&NewUnit],
    saved: &HashMap<Key<'_>, SavedUnit>,
) -> Result<HashMap<UnitId, Stored>> {
    let ids = units.iter().filter_map(|unit| saved.get(&key(unit)));
    let mut ids: Vec<UnitId> = ids.map(|stored| stored.id).collect();
    ids.sort_unstable();
    let mut found = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let text = "SELECT id, blob, size, downloaded, json(doc), last_updated FROM units WHERE ";
        let mut query = Sql::new(tx.engine(), text);
        query
            .bind_in("id", chunk.iter().copied())
            .push(" ORDER BY id")
            .push(for_update(tx.engine()));
        for row in tx.all(query.build()).await? {
            let unit = Stored {
                blob: row.get(1)?,
                size: row.get(2)?,
                downloaded: row.get(3)?,
                doc: row.get(4)?,
                last_updated: row.get(5)?,
                parts: BTreeMap::new(),
            };
            found.insert(row.get(0)?, unit);
        }
        let text = "SELECT unit_id, part, data FROM unit_parts WHERE ";
        let mut query = Sql::new(tx.engine(), text);
        query.bind_in("unit_id", chunk.iter().copied());
        for row in tx.all(query.build()).await? {
            if let Some(unit) = found.get_mut(&row.get(0)?) {
                unit.parts.insert(row.get(1)?, row.get(2)?);
            }
        }
    }
    Ok(found)
}

/// Overwrites stored units and drops their parts; answers which units that were. Those that are as they should be stay
/// untouched.
async fn replace(
    tx: &mut DbTx,
    units: &[&NewUnit],
    saved: &HashMap<Key<'_>, SavedUnit>,
    stored: &HashMap<UnitId, Stored>,
    now: Timestamp,
) -> Result<HashSet<UnitId>> {
    let with_id = |unit: &&'_ NewUnit| saved.get(&key(unit)).map(|stored| stored.id);
    let mut changed = HashSet::new();
    for unit in units {
        let Some((id, old)) = with_id(unit).and_then(|id| Some((id, stored.get(&id)?))) else {
            continue;
        };
        if !old.is_as(unit) {
            overwrite(tx, id, unit, now).await?;
            changed.insert(id);
        } else if old.downloaded != unit.downloaded {
            let statement = sql("UPDATE units SET downloaded = $1 WHERE id = $2");
            tx.execute(statement.bind(unit.downloaded).bind(id)).await?;
        }
    }
    let ids: Vec<UnitId> = changed.iter().copied().collect();
    for chunk in ids.chunks(CHUNK) {
        let mut query = Sql::new(tx.engine(), "DELETE FROM unit_parts WHERE ");
        query.bind_in("unit_id", chunk.iter().copied());
        tx.execute(query.build()).await?;
    }
    Ok(changed)
}

/// Overwrites a unit. Its time moves on.
async fn overwrite(tx: &mut DbTx, id: UnitId, unit: &NewUnit, now: Timestamp) -> Result<()> {
    let mut query = Sql::new(tx.engine(), "UPDATE units SET blob = ");
    query
        .bind(unit.blob)
        .push(", size = ")
        .bind(unit.size)
        .push(", downloaded = ")
        .bind(unit.downloaded)
        .push(", doc = jsonb(")
        .bind(&unit.doc)
        .push("), last_updated = ");
    moved_on(&mut query, now);
    query.push(" WHERE id = ").bind(id);
    tx.execute(query.build()).await.map(drop)
}

async fn insert_parts<'a>(
    tx: &mut DbTx,
    units: impl Iterator<Item = &'a NewUnit>,
    saved: &HashMap<Key<'_>, SavedUnit>,
) -> Result<()> {
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for unit in units {
        let Some(stored) = saved.get(&key(unit)) else {
            continue;
        };
        for (name, data) in &unit.parts {
            rows.push(vec![stored.id.into(), name.into(), data.clone().into()]);
        }
    }
    let kinds = [Kind::Bytes, Kind::Text, Kind::Bytes];
    let head = "INSERT INTO unit_parts (unit_id, part, data)";
    let tail = "ON CONFLICT (unit_id, part) DO UPDATE SET data = excluded.data";
    tx.execute_each(bulk(tx.engine(), head, &kinds, rows, tail))
        .await
        .map(drop)
}
