//! Saving units by the thousand.

use std::collections::{BTreeMap, HashMap, HashSet};

use pith_core::{Document, Sha256, Timestamp, UnitId};

use crate::Result;
use crate::blobs as blob_rows;
use crate::dialect::{CHUNK, Kind, Sql, bulk, for_update, sql};
use crate::store::Engine;
use crate::transaction::DbTx;
use crate::units::{NewUnit, OnConflict, SavedUnit};
use crate::value::Value;

/// A unit key: type and digest.
type Key<'a> = (&'a str, Sha256);

/// What saving did.
pub(crate) struct Saved {
    /// What became of each unit, in the order given.
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
        OnConflict::Replace => replace(tx, &replaced, &saved, now).await?,
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
    parts: BTreeMap<String, Vec<u8>>,
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

/// What is stored of these units, locked in one order for everybody.
async fn stored(tx: &mut DbTx, ids: &[UnitId]) -> Result<HashMap<UnitId, Stored>> {
    let mut found = HashMap::with_capacity(ids.len());
    for chunk in ids.chunks(CHUNK) {
        let text = "SELECT id, blob, size, downloaded, json(doc) FROM units WHERE ";
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
    now: Timestamp,
) -> Result<HashSet<UnitId>> {
    let with_id = |unit: &&'_ NewUnit| saved.get(&key(unit)).map(|stored| stored.id);
    let mut ids: Vec<UnitId> = units.iter().filter_map(with_id).collect();
    ids.sort_unstable();
    let stored = stored(tx, &ids).await?;
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

/// Overwrites a unit. Its time moves on whatever the clock says: what was made of the unit is kept by that time.
async fn overwrite(tx: &mut DbTx, id: UnitId, unit: &NewUnit, now: Timestamp) -> Result<()> {
    let statement = sql(
        "UPDATE units SET blob = $1, size = $2, downloaded = $3, doc = jsonb($5), \
         last_updated = CASE WHEN last_updated < $4 THEN $4 ELSE last_updated + 1 END WHERE id = $6",
    )
    .bind(unit.blob)
    .bind(unit.size)
    .bind(unit.downloaded)
    .bind(now)
    .bind(&unit.doc)
    .bind(id);
    tx.execute(statement).await.map(drop)
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
