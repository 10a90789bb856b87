//! Paths that a publication served and the one after it does not: retired, and to be had for a grace period, so that a
//! client that has read the old metadata can go on.
//!
//! A publish writes what it leaves out, so the cost follows the change. How long the grace is is not known here: callers
//! say since when. The distributor owns the rows: they go with it, and when its content moves to another path. What
//! somebody deleted by name is *withdrawn*: it is not to be had by grace, unless a unit has it again.

use pith_core::{Sha256, Timestamp, UnitId};

use crate::dialect::{CHUNK, ColumnType, Sql, bulk, sql};
use crate::transaction::DbTx;
use crate::value::Row;
use crate::{Result, Store};

/// Rows deleted in one transaction.
const PAGE: u64 = 5000;

/// A retired path and what it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    /// Within the publication.
    pub path: String,
    /// The file; of one that was not here, what its digest will be, where that is known.
    pub blob: Option<Sha256>,
    /// The unit whose file was not here.
    pub unit: Option<UnitId>,
    /// The digest of a file that is a part of the blob, and the place of its first byte there.
    pub slice: Option<(Sha256, i64)>,
    /// Bytes.
    pub size: i64,
    /// Time of last change, in seconds since 1970.
    pub mtime: i64,
    /// Headers of its own, as the index of the publication had them.
    pub headers: Option<String>,
}

/// Files that are kept for nothing but the grace of retired paths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Retired paths.
    pub paths: i64,
    /// Files that no unit has and no publication has written.
    pub files: i64,
    /// Bytes of these files.
    pub bytes: i64,
}

/// The ids of a distributor: that of its repository and its own.
type Owner<'a> = (&'a str, &'a str);

/// Retires paths of a distributor. One that was retired before is now retired with what it showed last.
pub(crate) async fn add(
    tx: &mut DbTx,
    owner: Owner<'_>,
    left_out: impl IntoIterator<Item = Vec<Retired>>,
    now: Timestamp,
) -> Result<()> {
    let head = "INSERT INTO retired_paths (repo_id, distributor_id, path, blob, unit_id, size, mtime, content_type, retired, sha256, start)";
    let tail = "ON CONFLICT (repo_id, distributor_id, path) DO UPDATE SET blob = excluded.blob, \
         unit_id = excluded.unit_id, size = excluded.size, mtime = excluded.mtime, \
         content_type = excluded.content_type, retired = excluded.retired, \
         sha256 = excluded.sha256, start = excluded.start";
    let kinds = [
        ColumnType::Text,
        ColumnType::Text,
        ColumnType::Text,
        ColumnType::Bytes,
        ColumnType::Bytes,
        ColumnType::Int,
        ColumnType::Int,
        ColumnType::Text,
        ColumnType::Int,
        ColumnType::Bytes,
        ColumnType::Int,
    ];
    let mut any = false;
    for paths in left_out {
        any |= !paths.is_empty();
        let row = |path: Retired| {
            vec![
                owner.0.into(),
                owner.1.into(),
                path.path.into(),
                path.blob.into(),
                path.unit.map(|unit| unit.0).into(),
                path.size.into(),
                path.mtime.into(),
                (&path.headers).into(),
                now.into(),
                path.slice.map(|(sha256, _)| sha256).into(),
                path.slice.map(|(_, start)| start).into(),
            ]
        };
        let rows = paths.into_iter().map(row).collect();
        tx.execute_each(bulk(tx.backend(), head, &kinds, rows, tail))
            .await?;
    }
    if !any {
        return Ok(());
    }
    let withdrawn = sql(
        "DELETE FROM retired_paths WHERE repo_id = $1 AND distributor_id = $2 \
         AND blob IN (SELECT blob FROM withdrawn_blobs) \
         AND NOT EXISTS (SELECT 1 FROM units u WHERE u.blob = retired_paths.blob) \
         AND NOT EXISTS (SELECT 1 FROM file_lists l JOIN units u ON u.blob = l.list WHERE l.blob = retired_paths.blob)",
    );
    tx.execute(withdrawn.bind(owner.0).bind(owner.1)).await?;
    let mounts = sql("UPDATE mounts SET retired = $1 WHERE repo_id = $2 AND distributor_id = $3");
    tx.execute(mounts.bind(now).bind(owner.0).bind(owner.1))
        .await
        .map(drop)
}

/// Forgets all retired paths of a distributor.
pub(crate) async fn forget_all(tx: &mut DbTx, owner: Owner<'_>) -> Result<()> {
    let paths = sql("DELETE FROM retired_paths WHERE repo_id = $1 AND distributor_id = $2");
    tx.execute(paths.bind(owner.0).bind(owner.1)).await?;
    let mounts = sql("UPDATE mounts SET retired = NULL WHERE repo_id = $1 AND distributor_id = $2");
    tx.execute(mounts.bind(owner.0).bind(owner.1))
        .await
        .map(drop)
}

fn retired(row: &Row) -> Result<Retired> {
    Ok(Retired {
        path: row.get(0)?,
        blob: row.get(1)?,
        unit: row.get::<Option<uuid::Uuid>>(2)?.map(UnitId),
        size: row.get(3)?,
        mtime: row.get(4)?,
        headers: row.get(5)?,
        slice: row
            .get::<Option<Sha256>>(6)?
            .zip(row.get::<Option<i64>>(7)?),
    })
}

/// True for rows of `units` whose file no unit of a repository has.
const IS_NOBODYS: &str = "NOT EXISTS (SELECT 1 FROM units o JOIN repo_units r ON r.unit_id = o.id \
     WHERE o.blob = units.blob AND r.removed_in IS NULL)";

/// Sees to it that no grace serves what the files of these units name and no unit of a repository has.
async fn withdraw_named(tx: &mut DbTx, units: &[UnitId]) -> Result<()> {
    let named = "SELECT DISTINCT l.blob FROM file_lists l JOIN units u ON u.blob = l.list WHERE ";
    let nobodys = " AND NOT EXISTS (SELECT 1 FROM file_lists m JOIN units o ON o.blob = m.list \
         JOIN repo_units r ON r.unit_id = o.id WHERE m.blob = l.blob AND r.removed_in IS NULL)";
    let mut note = Sql::new(tx.backend(), "INSERT INTO withdrawn_blobs (blob) ");
    note.push(named)
        .bind_in("u.id", units.iter().copied())
        .push(nobodys)
        .push(" ON CONFLICT (blob) DO NOTHING");
    tx.execute(note.build()).await?;
    let text = "DELETE FROM retired_paths WHERE blob IN (";
    let mut forget = Sql::new(tx.backend(), text);
    forget
        .push(named)
        .bind_in("u.id", units.iter().copied())
        .push(nobodys)
        .push(")");
    tx.execute(forget.build()).await.map(drop)
}

impl Store {
    /// The content that the path `path` below the mount at `prefix` showed last, if it was retired after `since`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retired_find(
        &self,
        prefix: &str,
        path: &str,
        since: Timestamp,
    ) -> Result<Option<Retired>> {
        let statement = sql(
            "SELECT r.path, r.blob, r.unit_id, r.size, r.mtime, r.content_type, r.sha256, r.start FROM mounts m \
             JOIN retired_paths r ON r.repo_id = m.repo_id AND r.distributor_id = m.distributor_id \
             WHERE m.prefix = $1 AND r.path = $2 AND r.retired > $3",
        );
        let row = self
            .optional(statement.bind(prefix).bind(path).bind(since))
            .await?;
        row.as_ref().map(retired).transpose()
    }

    /// Forgets paths retired at `until` or before; answers how many. Their files can go with the next sweep.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retired_expire(&self, until: Timestamp) -> Result<u64> {
        let mut gone = 0;
        loop {
            let mut query = Sql::new(
                self.backend(),
                "DELETE FROM retired_paths WHERE (repo_id, distributor_id, path) IN \
                 (SELECT repo_id, distributor_id, path FROM retired_paths WHERE retired <= ",
            );
            query.bind(until).limit(PAGE).push(")");
            match self.execute(query.build()).await? {
                0 => return Ok(gone),
                some => gone += some,
            }
        }
    }

    /// Sees to it that no grace serves the files of these units, now or after a later publish.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retired_withdraw(&self, units: &[UnitId]) -> Result<()> {
        for chunk in units.chunks(CHUNK) {
            let mut tx = self.begin().await?;
            let mut note = Sql::new(
                self.backend(),
                "INSERT INTO withdrawn_blobs (blob) SELECT DISTINCT blob FROM units WHERE blob IS NOT NULL AND ",
            );
            note.bind_in("id", chunk.iter().copied())
                .push(" AND ")
                .push(IS_NOBODYS)
                .push(" ON CONFLICT (blob) DO NOTHING");
            tx.inner.execute(note.build()).await?;
            withdraw_named(&mut tx.inner, chunk).await?;
            let mut forget = Sql::new(self.backend(), "DELETE FROM retired_paths WHERE ");
            forget.bind_in("unit_id", chunk.iter().copied());
            tx.inner.execute(forget.build()).await?;
            let mut forget = Sql::new(
                self.backend(),
                "DELETE FROM retired_paths WHERE blob IN (SELECT blob FROM units WHERE blob IS NOT NULL AND ",
            );
            forget
                .bind_in("id", chunk.iter().copied())
                .push(" AND ")
                .push(IS_NOBODYS)
                .push(")");
            tx.inner.execute(forget.build()).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Files that are kept for the grace alone. Those of units that are gone may be listed by publications besides: these
    /// only an index tells.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retired_held(&self) -> Result<Held> {
        let paths = self
            .optional(sql("SELECT COUNT(*) FROM retired_paths"))
            .await?;
        let files = sql(
            "SELECT COUNT(*), CAST(COALESCE(SUM(b.size), 0) AS BIGINT) FROM blobs b \
             WHERE b.sha256 IN (SELECT blob FROM retired_paths WHERE blob IS NOT NULL) \
             AND NOT EXISTS (SELECT 1 FROM units u WHERE u.blob = b.sha256) \
             AND NOT EXISTS (SELECT 1 FROM publication_blobs p WHERE p.blob = b.sha256)",
        );
        let files = self.optional(files).await?;
        Ok(Held {
            paths: paths.map_or(Ok(0), |row| row.get(0))?,
            files: files.as_ref().map_or(Ok(0), |row| row.get(0))?,
            bytes: files.as_ref().map_or(Ok(0), |row| row.get(1))?,
        })
    }
}
