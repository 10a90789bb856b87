//! Saving units by the thousand.

use std::collections::{BTreeMap, HashMap, HashSet};

use pith_core::{Sha256, Timestamp, UnitId};

use crate::Result;
use crate::blobs as blob_rows;
use crate::dialect::{CHUNK, Kind, Sql, bulk, sql};
use crate::store::Engine;
use crate::transaction::DbTx;
use crate::units::{NewUnit, OnConflict, SavedUnit};
use crate::value::Value;

/// A unit key: type and digest.
type Key<'a> = (&'a str, Sha256);

/// Saves `units`; answers in their order.
pub(crate) async fn save(
    tx: &mut DbTx,
    units: &[NewUnit],
    on_conflict: OnConflict,
    now: Timestamp,
) -> Result<Vec<SavedUnit>> {
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
    if on_conflict == OnConflict::Replace {
        replace(tx, &replaced, &saved, now).await?;
    }
    let with_parts = |unit: &&&NewUnit| {
        on_conflict == OnConflict::Replace || saved.get(&key(unit)).is_some_and(|one| one.new)
    };
    insert_parts(tx, distinct.iter().filter(with_parts).copied(), &saved).await?;
    let blobs = distinct
        .iter()
        .filter(with_parts)
        .filter(|unit| unit.downloaded);
    let blobs = blobs
        .filter_map(|unit| Some((unit.blob?, unit.size.unwrap_or(0))))
        .collect();
    blob_rows::record(tx, blobs, now).await?;
    Ok(units
        .iter()
        .filter_map(|unit| saved.get(&key(unit)).copied())
        .collect())
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

/// Overwrites stored units and drops their parts.
async fn replace(
    tx: &mut DbTx,
    units: &[&NewUnit],
    saved: &HashMap<Key<'_>, SavedUnit>,
    now: Timestamp,
) -> Result<()> {
    let mut ids = Vec::with_capacity(units.len());
    for unit in units {
        let Some(stored) = saved.get(&key(unit)) else {
            continue;
        };
        let statement = sql(
            "UPDATE units SET blob = $1, size = $2, downloaded = $3, last_updated = $4, \
             doc = jsonb($5) WHERE id = $6",
        )
        .bind(unit.blob)
        .bind(unit.size)
        .bind(unit.downloaded)
        .bind(now)
        .bind(&unit.doc)
        .bind(stored.id);
        tx.execute(statement).await?;
        ids.push(stored.id);
    }
    for chunk in ids.chunks(CHUNK) {
        let mut query = Sql::new(tx.engine(), "DELETE FROM unit_parts WHERE ");
        query.bind_in("unit_id", chunk.iter().copied());
        tx.execute(query.build()).await?;
    }
    Ok(())
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
