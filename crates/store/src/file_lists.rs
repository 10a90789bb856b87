//! Files of units that have several. The file of such a unit is a list, which names blobs: each a file, or many small ones in one.
//! They are needed as long as the list is, so that a unit of a hundred thousand files takes a few rows.

use pith_core::{Sha256, Timestamp};

use crate::dialect::{CHUNK, ColumnType, Sql, bulk, sql};
use crate::transaction::DbTx;
use crate::{Result, Store};

/// Adds to `blobs`, given with their sizes, the blobs that those of them name that are lists.
pub(crate) async fn with_named(
    tx: &mut DbTx,
    mut blobs: Vec<(Sha256, i64)>,
) -> Result<Vec<(Sha256, i64)>> {
    let mut named = Vec::new();
    for chunk in blobs.chunks(CHUNK) {
        let mut query = Sql::new(tx.backend(), "SELECT blob, size FROM file_lists WHERE ");
        query.bind_in("list", chunk.iter().map(|(list, _)| *list));
        for row in tx.all(query.build()).await? {
            named.push((row.get(0)?, row.get(1)?));
        }
    }
    blobs.extend(named);
    Ok(blobs)
}

/// The lists that name a blob.
pub(crate) async fn naming(tx: &mut DbTx, blob: Sha256) -> Result<Vec<Sha256>> {
    let lists = sql("SELECT list FROM file_lists WHERE blob = $1 ORDER BY list");
    let rows = tx.all(lists.bind(blob)).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

impl Store {
    /// Notes that a list names these blobs, all given with their sizes. What nobody knew is condemned from now on: whoever saves a
    /// unit of which the list is the file pardons it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn file_list_put(&self, list: (Sha256, i64), blobs: &[(Sha256, i64)]) -> Result<()> {
        let all = blobs.iter().copied().chain([list]).collect();
        self.blobs_condemn_unknown(all).await?;
        let now = self.now();
        let mut distinct = blobs.to_vec();
        distinct.sort_unstable();
        distinct.dedup_by_key(|(blob, _)| *blob);
        let rows = distinct.into_iter();
        let rows = rows
            .map(|(blob, size)| vec![list.0.into(), blob.into(), size.into(), now.into()])
            .collect();
        let kinds = [
            ColumnType::Bytes,
            ColumnType::Bytes,
            ColumnType::Int,
            ColumnType::Int,
        ];
        let head = "INSERT INTO file_lists (list, blob, size, made)";
        // A list that is made once more is young again, and not forgotten at this moment.
        let tail = "ON CONFLICT (list, blob) DO UPDATE SET made = excluded.made";
        let mut tx = self.begin().await?;
        let statements = bulk(self.backend(), head, &kinds, rows, tail);
        tx.inner.execute_each(statements).await?;
        tx.commit().await
    }

    /// The blobs that a list names, with their sizes; none of what is no list.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn file_list(&self, list: Sha256) -> Result<Vec<(Sha256, i64)>> {
        let statement = sql("SELECT blob, size FROM file_lists WHERE list = $1 ORDER BY blob");
        let rows = self.all(statement.bind(list)).await?;
        rows.iter()
            .map(|row| Ok((row.get(0)?, row.get(1)?)))
            .collect()
    }

    /// The blobs that these name, as far as they are lists.
    pub(crate) async fn named_by(&self, blobs: &[Sha256]) -> Result<Vec<Sha256>> {
        let mut named = Vec::new();
        for chunk in blobs.chunks(CHUNK) {
            let text = "SELECT DISTINCT blob FROM file_lists WHERE ";
            let mut query = Sql::new(self.backend(), text);
            query.bind_in("list", chunk.iter().copied());
            for row in self.all(query.build()).await? {
                named.push(row.get(0)?);
            }
        }
        Ok(named)
    }

    /// Forgets what lists named that are gone, and were made before `before`.
    pub(crate) async fn file_lists_forget_gone(&self, before: Timestamp) -> Result<()> {
        let gone = sql("DELETE FROM file_lists WHERE made <= $1 AND NOT EXISTS \
             (SELECT 1 FROM blobs b WHERE b.sha256 = file_lists.list)");
        self.execute(gone.bind(before)).await.map(drop)
    }
}
