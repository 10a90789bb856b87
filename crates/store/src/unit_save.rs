//! Saving units by the thousand.
//!
//! A unit is what somebody says of a key, so one that is there already is never replaced: whoever says something else gets a
//! unit of their own. Only its file may come later.

use std::collections::{BTreeMap, HashMap, HashSet};

use pith_core::{Sha256, Timestamp, UnitId};

use crate::backend::Backend;
use crate::blobs as blob_rows;
use crate::dialect::{CHUNK, ColumnType, Sql, bulk, for_update_of_values, sql};
use crate::transaction::DbTx;
use crate::unit::{NewUnit, SavedUnit};
use crate::unit_changes;
use crate::value::Value;
use crate::{Result, StoreError};

/// The identity of a unit: type, key digest, the digest of what is said of it, and where its file comes from.
type Identity<'a> = (&'a str, Sha256, Sha256, Sha256);

/// Saves `units`; the outcome for each of them, in the order given.
pub(crate) async fn save(
    tx: &mut DbTx,
    units: &[NewUnit],
    now: Timestamp,
) -> Result<Vec<SavedUnit>> {
    let mut distinct: Vec<&NewUnit> = Vec::with_capacity(units.len());
    let mut seen = HashSet::with_capacity(units.len());
    distinct.extend(units.iter().filter(|unit| seen.insert(identity(unit))));

    let mut saved = stored_ids(tx, &distinct).await?;
    let fresh = distinct
        .iter()
        .filter(|unit| !saved.contains_key(&identity(unit)));
    let fresh: Vec<&NewUnit> = fresh.copied().collect();
    saved.extend(insert(tx, &fresh, now).await?);
    let is_new = |unit: &NewUnit| saved.get(&identity(unit)).is_some_and(|one| one.new);
    insert_parts(
        tx,
        fresh.iter().copied().filter(|unit| is_new(unit)),
        &saved,
    )
    .await?;
    // In one order for everybody, so that nobody waits in a circle.
    let known = distinct.iter().filter(|unit| !is_new(unit));
    let came: BTreeMap<UnitId, (Sha256, i64)> = known
        .filter_map(|unit| Some((saved.get(&identity(unit))?.id, file(unit)?)))
        .collect();
    for (id, file) in came {
        set_file(tx, id, file, now).await?;
    }
    let files = distinct.iter().filter_map(|unit| file(unit));
    blob_rows::record(tx, files.collect(), now).await?;
    let mut sharing: HashMap<(&str, Sha256), usize> = HashMap::with_capacity(saved.len());
    for (type_id, key, ..) in saved.keys() {
        *sharing.entry((type_id, *key)).or_default() += 1;
    }
    let units = units.iter().filter_map(|unit| {
        let saved = saved.get(&identity(unit))?;
        let lone = sharing.get(&(&unit.type_id, unit.key_digest)) == Some(&1);
        Some(SavedUnit { lone, ..*saved })
    });
    Ok(units.collect())
}

fn identity(unit: &NewUnit) -> Identity<'_> {
    (&unit.type_id, unit.key_digest, unit.said, unit.site)
}

/// The file of a unit with its size, when it is here.
fn file(unit: &NewUnit) -> Option<(Sha256, i64)> {
    let blob = unit.blob.filter(|_| unit.downloaded)?;
    Some((blob, unit.size.unwrap_or(0)))
}

/// The ids of what is stored of the keys of these units, whoever says it.
async fn stored_ids<'a>(
    tx: &mut DbTx,
    units: &[&'a NewUnit],
) -> Result<HashMap<Identity<'a>, SavedUnit>> {
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
            let text = "SELECT key_digest, said, site, id FROM units WHERE type_id = ";
            let mut query = Sql::new(tx.backend(), text);
            query
                .bind(type_id)
                .push(" AND ")
                .bind_in("key_digest", chunk.iter().copied());
            for row in tx.all(query.build()).await? {
                let saved = SavedUnit {
                    id: row.get(3)?,
                    new: false,
                    lone: false,
                };
                let key = (type_id, row.get(0)?, row.get(1)?, row.get(2)?);
                stored.insert(key, saved);
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
) -> Result<HashMap<Identity<'a>, SavedUnit>> {
    // Ids sort by time: units are listed in the order in which they were given.
    let mut units: Vec<(&'a NewUnit, UnitId)> =
        units.iter().map(|unit| (*unit, UnitId::new())).collect();
    if tx.backend() == Backend::Postgres {
        // Several transactions insert the same keys in the same order: they may wait, never in a circle.
        units.sort_unstable_by_key(|(unit, _)| identity(unit));
    }
    let row = |(unit, id): &(&'a NewUnit, UnitId)| -> Vec<Value> {
        vec![
            (*id).into(),
            unit.type_id.as_str().into(),
            unit.key_digest.into(),
            unit.said.into(),
            unit.site.into(),
            unit.blob.into(),
            unit.size.into(),
            unit.downloaded.into(),
            now.into(),
            (&unit.doc).into(),
        ]
    };
    let rows = units.iter().map(row).collect();
    let head = "INSERT INTO units (id, type_id, key_digest, said, site, blob, size, downloaded, last_updated, doc)";
    let kinds = [
        ColumnType::Bytes,
        ColumnType::Text,
        ColumnType::Bytes,
        ColumnType::Bytes,
        ColumnType::Bytes,
        ColumnType::Bytes,
        ColumnType::Int,
        ColumnType::Bool,
        ColumnType::Int,
        ColumnType::Json,
    ];
    let tail = "ON CONFLICT (type_id, key_digest, said, site) DO NOTHING";
    let affected = tx
        .execute_each(bulk(tx.backend(), head, &kinds, rows, tail))
        .await?;
    let mut saved: HashMap<Identity<'a>, SavedUnit> = units
        .iter()
        .map(|(unit, id)| {
            let saved = SavedUnit {
                id: *id,
                new: true,
                lone: false,
            };
            (identity(unit), saved)
        })
        .collect();
    if affected < units.len() as u64 {
        let units: Vec<&'a NewUnit> = units.into_iter().map(|(unit, _)| unit).collect();
        for (identity, stored) in stored_ids(tx, &units).await? {
            if saved
                .get(&identity)
                .is_some_and(|ours| ours.id != stored.id)
            {
                saved.insert(identity, stored);
            }
        }
    }
    Ok(saved)
}

/// Notes that the file of a unit is here, which is that of other units from the same site too. When it is another than the one expected, the repositories that have the unit know
/// that their content changed.
///
/// # Errors
/// [`StoreError::Missing`] when there is no such unit.
pub(crate) async fn set_file(
    tx: &mut DbTx,
    id: UnitId,
    (blob, size): (Sha256, i64),
    now: Timestamp,
) -> Result<()> {
    let mut query = Sql::new(
        tx.backend(),
        "SELECT blob, size, downloaded FROM units WHERE id = ",
    );
    query.bind(id).push(for_update_of_values(tx.backend()));
    let row = tx.optional(query.build()).await?;
    let row = row.ok_or_else(|| StoreError::missing("unit", id))?;
    let expected: (Option<Sha256>, Option<i64>) = (row.get(0)?, row.get(1)?);
    if expected == (Some(blob), Some(size)) && row.get(2)? {
        return Ok(());
    }
    let statement =
        sql("UPDATE units SET blob = $1, size = $2, downloaded = $3, lost = NOT $3 WHERE id = $4")
            .bind(blob)
            .bind(size)
            .bind(true)
            .bind(id);
    tx.execute(statement).await?;
    // Those of the same site, and those that had it before it was lost. One of which another size is promised waits for a file
    // that there cannot be.
    let others = sql(
        "UPDATE units SET downloaded = $1, lost = NOT $1 WHERE blob = $2 AND downloaded <> $1 AND size = $3 \
         AND (lost OR site = (SELECT one.site FROM units one WHERE one.id = $4))",
    );
    let others = others.bind(true).bind(blob).bind(size).bind(id);
    tx.execute(others).await?;
    if expected.0.is_some_and(|expected| expected != blob) || expected.1 != Some(size) {
        unit_changes::mark(tx, &[id], now).await?;
    }
    Ok(())
}

async fn insert_parts<'a>(
    tx: &mut DbTx,
    units: impl Iterator<Item = &'a NewUnit>,
    saved: &HashMap<Identity<'_>, SavedUnit>,
) -> Result<()> {
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for unit in units {
        let Some(stored) = saved.get(&identity(unit)) else {
            continue;
        };
        for (name, data) in &unit.parts {
            rows.push(vec![stored.id.into(), name.into(), data.clone().into()]);
        }
    }
    let kinds = [ColumnType::Bytes, ColumnType::Text, ColumnType::Bytes];
    let head = "INSERT INTO unit_parts (unit_id, part, data)";
    let tail = "ON CONFLICT (unit_id, part) DO UPDATE SET data = excluded.data";
    tx.execute_each(bulk(tx.backend(), head, &kinds, rows, tail))
        .await
        .map(drop)
}
