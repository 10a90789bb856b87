//! The blobs that are needed, and the end of those that are not.
//!
//! A blob is needed by the unit whose file it is or whose file names it (see [`crate::file_lists`]), by the publication that lists
//! it, and by a retired path that can still be had (see [`crate::retired`]). Deleting one takes two phases. First it is *condemned*: its row notes since when nothing needs it.
//! Then, a grace period later, it is claimed (`leaving`), its file is deleted, and its row stays as a mark (`gone`) for another
//! grace period. Every transaction that saves a row with a blob locks the blob's row and pardons it ([`record`]); claiming looks
//! once more, so it cannot pass between the look of such a transaction and its commit. A transaction that comes too late meets
//! the mark and is refused with [`StoreError::BlobsGone`]; its caller makes sure of the file and revives the row. Nobody relies
//! on file times or on one clock. The claim of a process that was killed in between is ended by whoever needs the file, or at the
//! start of the next process where there is only one.

use pith_core::{Sha256, Timestamp, UnitId};

use crate::dialect::PAGE;
use crate::dialect::{CHUNK, ColumnType, Sql, bulk, for_update, sql};
use crate::file_lists;
use crate::transaction::DbTx;
use crate::{Result, Store, StoreError};

/// True for rows of `blobs` that something needs.
const IS_NEEDED: &str = "(EXISTS (SELECT 1 FROM units u WHERE u.blob = blobs.sha256) \
     OR EXISTS (SELECT 1 FROM file_lists l JOIN units u ON u.blob = l.list WHERE l.blob = blobs.sha256) \
     OR EXISTS (SELECT 1 FROM publication_blobs p WHERE p.blob = blobs.sha256) \
     OR EXISTS (SELECT 1 FROM retired_paths r WHERE r.blob = blobs.sha256))";

/// Notes that the transaction's rows need these blobs, given with their sizes, and what those of them that are lists name.
///
/// # Errors
/// [`StoreError::BlobsGone`] when files of them were deleted or are being deleted.
pub(crate) async fn record(tx: &mut DbTx, blobs: Vec<(Sha256, i64)>, now: Timestamp) -> Result<()> {
    if blobs.is_empty() {
        return Ok(());
    }
    let mut blobs = file_lists::with_named(tx, blobs).await?;
    blobs.sort_unstable();
    blobs.dedup_by_key(|(digest, _)| *digest);
    let digests: Vec<Sha256> = blobs.iter().map(|(digest, _)| *digest).collect();
    let rows = blobs
        .into_iter()
        .map(|(digest, size)| vec![digest.into(), size.into(), now.into()])
        .collect();
    let head = "INSERT INTO blobs (sha256, size, created)";
    // Rows that are not changed are locked all the same.
    let tail = "ON CONFLICT (sha256) DO UPDATE SET condemned = NULL \
         WHERE blobs.condemned IS NOT NULL AND blobs.state = 'here'";
    let kinds = [ColumnType::Bytes, ColumnType::Int, ColumnType::Int];
    let statements = bulk(tx.backend(), head, &kinds, rows, tail);
    tx.execute_each(statements).await?;
    let mut gone = Vec::new();
    for chunk in digests.chunks(CHUNK) {
        let mut query = Sql::new(
            tx.backend(),
            "SELECT sha256 FROM blobs WHERE state <> 'here' AND ",
        );
        query.bind_in("sha256", chunk.iter().copied());
        for row in tx.all(query.build()).await? {
            gone.push(row.get(0)?);
        }
    }
    if gone.is_empty() {
        Ok(())
    } else {
        Err(StoreError::BlobsGone(gone))
    }
}

impl Store {
    /// Tells whether any file should be in the store.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn knows_blobs(&self) -> Result<bool> {
        let any = sql("SELECT 1 FROM blobs WHERE state = 'here' LIMIT 1");
        Ok(self.optional(any).await?.is_some())
    }

    /// Returns which of these blobs are recorded.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blobs_known(&self, blobs: &[Sha256]) -> Result<Vec<Sha256>> {
        let mut known = Vec::new();
        for chunk in blobs.chunks(CHUNK) {
            let mut query = Sql::new(self.backend(), "SELECT sha256 FROM blobs WHERE ");
            query.bind_in("sha256", chunk.iter().copied());
            for row in self.all(query.build()).await? {
                known.push(row.get(0)?);
            }
        }
        Ok(known)
    }

    /// Returns which of these blobs are files of units that a repository has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blobs_of_repository(&self, repo: &str, blobs: &[Sha256]) -> Result<Vec<Sha256>> {
        let mut own = Vec::new();
        for chunk in blobs.chunks(CHUNK) {
            let mut query = Sql::new(
                self.backend(),
                "SELECT DISTINCT u.blob FROM units u JOIN repo_units r ON r.unit_id = u.id WHERE r.repo_id = ",
            );
            query
                .bind(repo)
                .push(" AND r.removed_in IS NULL AND ")
                .bind_in("u.blob", chunk.iter().copied());
            for row in self.all(query.build()).await? {
                own.push(row.get(0)?);
            }
        }
        Ok(own)
    }

    /// Returns the units of one type that a repository has and whose files are among these blobs, each with its file, by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn units_of_blobs(
        &self,
        repo: &str,
        type_id: &str,
        blobs: &[Sha256],
    ) -> Result<Vec<(Sha256, UnitId)>> {
        let mut found = Vec::new();
        for chunk in blobs.chunks(CHUNK) {
            let mut query = Sql::new(
                self.backend(),
                "SELECT u.blob, u.id FROM units u JOIN repo_units r ON r.unit_id = u.id WHERE r.repo_id = ",
            );
            query
                .bind(repo)
                .push(" AND r.removed_in IS NULL AND u.type_id = ")
                .bind(type_id)
                .push(" AND ")
                .bind_in("u.blob", chunk.iter().copied())
                .push(" ORDER BY u.id");
            for row in self.all(query.build()).await? {
                found.push((row.get(0)?, row.get(1)?));
            }
        }
        Ok(found)
    }

    /// Condemns those of these blobs, and of what they name, that nothing needs, from now on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blobs_condemn(&self, blobs: &[Sha256]) -> Result<()> {
        let mut blobs = blobs.to_vec();
        blobs.extend(self.named_by(&blobs).await?);
        for chunk in blobs.chunks(CHUNK) {
            let mut tx = self.begin().await?;
            let mut lock = Sql::new(self.backend(), "SELECT sha256 FROM blobs WHERE ");
            lock.bind_in("sha256", chunk.iter().copied())
                .push(" ORDER BY sha256")
                .push(for_update(self.backend()));
            tx.inner.all(lock.build()).await?;
            let mut query = Sql::new(self.backend(), "UPDATE blobs SET condemned = ");
            query.bind(self.now()).push(" WHERE ");
            query
                .bind_in("sha256", chunk.iter().copied())
                .push(" AND state = 'here' AND NOT ")
                .push(IS_NEEDED);
            tx.inner.execute(query.build()).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Looks at the next blobs after `after`: condemns those that nothing needs, and pardons those that something needs again.
    /// Answers where to go on; `None` at the end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blobs_judge_page(&self, after: Option<Sha256>) -> Result<Option<Sha256>> {
        let mut query = Sql::new(self.backend(), "SELECT sha256, condemned IS NULL, ");
        query
            .push(IS_NEEDED)
            .push(" FROM blobs WHERE state = 'here'");
        if let Some(after) = after {
            query.push(" AND sha256 > ").bind(after);
        }
        query.push(" ORDER BY sha256").limit(PAGE);
        let (mut last, mut unneeded, mut pardoned) = (None, Vec::new(), Vec::new());
        for row in self.all(query.build()).await? {
            let (digest, free, needed): (Sha256, bool, bool) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            last = Some(digest);
            match (free, needed) {
                (true, false) => unneeded.push(digest),
                (false, true) => pardoned.push(digest),
                _ => {}
            }
        }
        self.blobs_condemn(&unneeded).await?;
        self.blobs_pardon(&pardoned).await?;
        Ok(last)
    }

    /// Pardons these blobs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blobs_pardon(&self, blobs: &[Sha256]) -> Result<()> {
        for digest in blobs {
            let statement =
                sql("UPDATE blobs SET condemned = NULL WHERE sha256 = $1 AND state = 'here'")
                    .bind(*digest);
            self.execute(statement).await?;
        }
        Ok(())
    }

    /// Notes files that are there without a row, as condemned from now on; those that have a row are left alone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blobs_condemn_unknown(&self, blobs: Vec<(Sha256, i64)>) -> Result<()> {
        let now = self.now();
        let rows = blobs
            .into_iter()
            .map(|(digest, size)| vec![digest.into(), size.into(), now.into(), now.into()])
            .collect();
        let kinds = [
            ColumnType::Bytes,
            ColumnType::Int,
            ColumnType::Int,
            ColumnType::Int,
        ];
        let head = "INSERT INTO blobs (sha256, size, created, condemned)";
        let tail = "ON CONFLICT (sha256) DO NOTHING";
        let mut tx = self.begin().await?;
        let statements = bulk(self.backend(), head, &kinds, rows, tail);
        tx.inner.execute_each(statements).await?;
        tx.commit().await
    }

    /// The next blobs after `after` whose grace ended at `before`, or whose deletion began before it and has not ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blobs_condemned(
        &self,
        before: Timestamp,
        after: Option<Sha256>,
    ) -> Result<Vec<Sha256>> {
        let mut query = Sql::new(
            self.backend(),
            "SELECT sha256 FROM blobs WHERE condemned IS NOT NULL AND state <> 'gone' AND condemned <= ",
        );
        query.bind(before);
        if let Some(after) = after {
            query.push(" AND sha256 > ").bind(after);
        }
        query.push(" ORDER BY sha256").limit(PAGE);
        let rows = self.all(query.build()).await?;
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Claims a blob whose grace ended at `before` for deletion; false when it was pardoned or is needed after all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blob_claim(&self, blob: Sha256, before: Timestamp) -> Result<bool> {
        let mut query = Sql::new(
            self.backend(),
            "UPDATE blobs SET state = 'leaving', condemned = ",
        );
        query.bind(self.now()).push(" WHERE sha256 = ").bind(blob);
        query
            .push(" AND state <> 'gone' AND condemned IS NOT NULL AND condemned <= ")
            .bind(before);
        query.push(" AND NOT ").push(IS_NEEDED);
        Ok(self.execute(query.build()).await? > 0)
    }

    /// Notes that the file of a claimed blob is deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blob_gone(&self, blob: Sha256) -> Result<()> {
        let statement = sql(
            "UPDATE blobs SET state = 'gone', condemned = $1 WHERE sha256 = $2 AND state = 'leaving'",
        );
        self.execute(statement.bind(self.now()).bind(blob))
            .await
            .map(drop)
    }

    /// Notes that a deleted blob is there again: its file was seen after the deletion. False while the deletion lasts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blob_revive(&self, blob: Sha256) -> Result<bool> {
        let revive = sql(
            "UPDATE blobs SET state = 'here', condemned = NULL WHERE sha256 = $1 AND state = 'gone'",
        );
        if self.execute(revive.bind(blob)).await? > 0 {
            return Ok(true);
        }
        Ok(self.blob_claimed(blob).await?.is_none())
    }

    /// Since when a claim to delete the file of the blob stands; `None` when there is none. The instant tells this claim from
    /// others.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blob_claimed(&self, blob: Sha256) -> Result<Option<Timestamp>> {
        let statement = sql("SELECT condemned FROM blobs WHERE sha256 = $1 AND state = 'leaving'");
        let row = self.optional(statement.bind(blob)).await?;
        row.map_or(Ok(None), |row| row.get(0))
    }

    /// Ends the claim that was made at `claimed`, of a process that is gone: the file may be there or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blob_end_claim(&self, blob: Sha256, claimed: Timestamp) -> Result<()> {
        let statement = sql("UPDATE blobs SET state = 'gone', condemned = $1 \
             WHERE sha256 = $2 AND state = 'leaving' AND condemned = $3");
        let statement = statement.bind(self.now()).bind(blob).bind(claimed);
        self.execute(statement).await.map(drop)
    }

    /// Does what [`Store::blob_end_claim`] does, for all claims: called by a process that has just begun and is alone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blobs_end_claims(&self) -> Result<u64> {
        let statement =
            sql("UPDATE blobs SET state = 'gone', condemned = $1 WHERE state = 'leaving'");
        self.execute(statement.bind(self.now())).await
    }

    /// Forgets blobs deleted before `before`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blobs_forget_gone(&self, before: Timestamp) -> Result<u64> {
        let statement = sql("DELETE FROM blobs WHERE state = 'gone' AND condemned <= $1");
        let forgotten = self.execute(statement.bind(before)).await?;
        let withdrawn = sql("DELETE FROM withdrawn_blobs WHERE NOT EXISTS \
             (SELECT 1 FROM blobs b WHERE b.sha256 = withdrawn_blobs.blob)");
        self.execute(withdrawn).await?;
        self.file_lists_forget_gone(before).await?;
        Ok(forgotten)
    }

    /// The index of every publication: what they list beside generated files is needed too.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn publication_indexes(&self) -> Result<Vec<Sha256>> {
        let rows = self
            .all(sql("SELECT DISTINCT index_blob FROM publications"))
            .await?;
        rows.iter().map(|row| row.get(0)).collect()
    }
}
