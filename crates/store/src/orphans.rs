//! Units that no repository has and no task is about to use (pulp2/orphans).

use std::collections::BTreeMap;

use pith_core::{Sha256, UnitId};

use crate::backend::Backend;
use crate::dialect::PAGE;
use crate::dialect::{CHUNK, Sql};
use crate::transaction::DbTx;
use crate::unit::{COLUMNS, Unit, unit};
use crate::{BatchStream, Result, Store};

/// True for rows of `units` that nobody has or is about to have.
macro_rules! is_nobodys {
    () => {
        "NOT EXISTS (SELECT 1 FROM repo_units r WHERE r.unit_id = units.id AND r.removed_in IS NULL) \
         AND id NOT IN (SELECT unit_id FROM staged_units)"
    };
}

/// True for rows of `units` beside one of the same key that somebody has. Clients know one unit of a key, so to them there is none
/// without a repository.
macro_rules! has_twin {
    () => {
        "EXISTS (SELECT 1 FROM units o JOIN repo_units t ON t.unit_id = o.id AND t.removed_in IS NULL \
         WHERE o.type_id = units.type_id AND o.key_digest = units.key_digest AND o.id <> units.id)"
    };
}

const IS_ORPHAN: &str = concat!(is_nobodys!(), " AND NOT ", has_twin!());

/// True for rows of `units` in whose place others came and that nothing that is served refers to: no publication is older than
/// that, and no retired path needs them.
const IS_REPLACED: &str = concat!(
    is_nobodys!(),
    " AND ",
    has_twin!(),
    " AND NOT EXISTS (SELECT 1 FROM retired_paths p WHERE p.unit_id = units.id) \
     AND NOT EXISTS (SELECT 1 FROM repo_units r JOIN publications p ON p.repo_id = r.repo_id AND p.repo_version < r.removed_in \
     WHERE r.unit_id = units.id)"
);

impl Store {
    /// Units that no repository has now and no task has staged, of one type or of all, by id.
    ///
    /// # Errors
    /// Items are errors when the database fails on the way.
    #[must_use]
    pub fn units_orphans_stream(&self, type_id: Option<&str>) -> BatchStream<Unit> {
        let start = (
            self.clone(),
            type_id.map(str::to_owned),
            Some(UnitId(uuid::Uuid::nil())),
        );
        Box::pin(futures::stream::try_unfold(
            start,
            |(store, type_id, after)| async move {
                let Some(after) = after else { return Ok(None) };
                let mut query = Sql::new(store.backend(), "SELECT ");
                query.push(COLUMNS);
                orphans(&mut query, type_id.as_deref(), after);
                let rows = store.all(query.build()).await?;
                let units: Vec<Unit> = rows.iter().map(unit).collect::<Result<_>>()?;
                let next = units.last().map(|unit| unit.id);
                Ok(Some(units)
                    .filter(|units| !units.is_empty())
                    .map(|units| (units, (store, type_id, next))))
            },
        ))
    }

    /// The next orphans after `after`, with their types: what a deletion needs of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn units_orphans_page(
        &self,
        type_id: Option<&str>,
        after: UnitId,
    ) -> Result<Vec<(UnitId, String)>> {
        let mut query = Sql::new(self.backend(), "SELECT id, type_id");
        orphans(&mut query, type_id, after);
        let rows = self.all(query.build()).await?;
        rows.iter()
            .map(|row| Ok((row.get(0)?, row.get(1)?)))
            .collect()
    }

    /// Returns how many orphans there are of each type that has some.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn units_orphans_count(&self) -> Result<BTreeMap<String, i64>> {
        let mut query = Sql::new(self.backend(), "SELECT type_id, COUNT(*) FROM units WHERE ");
        query.push(IS_ORPHAN).push(" GROUP BY type_id");
        let rows = self.all(query.build()).await?;
        rows.iter()
            .map(|row| Ok((row.get(0)?, row.get(1)?)))
            .collect()
    }

    /// Tells whether there is such a unit and it is an orphan.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unit_is_orphan(&self, type_id: &str, id: UnitId) -> Result<bool> {
        let mut query = Sql::new(self.backend(), "SELECT 1 FROM units WHERE id = ");
        query.bind(id).push(" AND type_id = ").bind(type_id);
        query.push(" AND ").push(IS_ORPHAN);
        Ok(self.optional(query.build()).await?.is_some())
    }

    /// Deletes those of these units that are orphans, also from old versions of repositories; answers which. The files
    /// that nothing needs any more are condemned, and go with their grace period.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn units_delete_orphans(&self, ids: &[UnitId]) -> Result<Vec<UnitId>> {
        let mut deleted = Vec::new();
        let mut blobs: Vec<Sha256> = Vec::new();
        for chunk in ids.chunks(CHUNK) {
            let mut tx = self.begin().await?;
            let (gone, files) = delete(&mut tx.inner, chunk, IS_ORPHAN).await?;
            blobs.extend(files);
            tx.commit().await?;
            deleted.extend(gone);
        }
        // After the commits: were this lost, the next sweep would find the blobs.
        self.blobs_condemn(&blobs).await?;
        Ok(deleted)
    }

    /// Deletes units in whose place others of the same key came, once nothing that is served refers to them; answers how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn units_delete_replaced(&self) -> Result<usize> {
        let (mut count, mut after) = (0, UnitId(uuid::Uuid::nil()));
        loop {
            let mut query = Sql::new(self.backend(), "SELECT id FROM units WHERE id > ");
            query
                .bind(after)
                .push(" AND ")
                .push(IS_REPLACED)
                .push(" ORDER BY id")
                .limit(PAGE);
            let rows = self.all(query.build()).await?;
            let ids: Vec<UnitId> = rows.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
            let Some(last) = ids.last() else {
                return Ok(count);
            };
            after = *last;
            let mut tx = self.begin().await?;
            let (gone, files) = delete(&mut tx.inner, &ids, IS_REPLACED).await?;
            tx.commit().await?;
            count += gone.len();
            self.blobs_condemn(&files).await?;
        }
    }
}

/// Deletes those of these units for which `condition` holds; answers which, and what their files were.
async fn delete(
    tx: &mut DbTx,
    ids: &[UnitId],
    condition: &str,
) -> Result<(Vec<UnitId>, Vec<Sha256>)> {
    let (mut gone, mut files) = (Vec::with_capacity(ids.len()), Vec::new());
    for chunk in ids.chunks(CHUNK) {
        if tx.backend() == Backend::Postgres {
            // Waits for those who are staging these units; the next statement then sees what they staged.
            let mut lock = Sql::new(tx.backend(), "SELECT id FROM units WHERE ");
            lock.bind_in("id", chunk.iter().copied())
                .push(" ORDER BY id FOR UPDATE");
            tx.all(lock.build()).await?;
        }
        let mut query = Sql::new(tx.backend(), "DELETE FROM units WHERE ");
        query
            .bind_in("id", chunk.iter().copied())
            .push(" AND ")
            .push(condition)
            .push(" RETURNING id, blob");
        let mut ids: Vec<UnitId> = Vec::with_capacity(chunk.len());
        for row in tx.all(query.build()).await? {
            ids.push(row.get(0)?);
            files.extend(row.get::<Option<Sha256>>(1)?);
        }
        for table in ["unit_parts", "repo_units", "sources"] {
            let mut query = Sql::new(tx.backend(), "DELETE FROM ");
            query
                .push(table)
                .push(" WHERE ")
                .bind_in("unit_id", ids.iter().copied());
            tx.execute(query.build()).await?;
        }
        gone.extend(ids);
    }
    Ok((gone, files))
}

/// Writes what follows the list of columns.
fn orphans(query: &mut Sql, type_id: Option<&str>, after: UnitId) {
    query.push(" FROM units WHERE id > ").bind(after);
    query.push(" AND ").push(IS_ORPHAN);
    if let Some(type_id) = type_id {
        query.push(" AND type_id = ").bind(type_id);
    }
    query.push(" ORDER BY id").limit(PAGE);
}
