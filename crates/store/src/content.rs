//! The contents of repositories: commits of what a task staged, versions.

use std::collections::BTreeMap;

use pith_core::{Document, Timestamp, UnitId};

use crate::backend::Backend;
use crate::dialect::{Sql, Stmt, for_update, sql, top_level};
use crate::fence::{Fence, TaskStore, of_attempt};
use crate::staging::settle;
use crate::transaction::DbTx;
use crate::unit::{StreamedUnit, UnitQuery};
use crate::unit_query::Plan;
use crate::unit_stream;
use crate::units::{USER_METADATA, moved_on};
use crate::value::Row;
use crate::{BatchStream, Result, Store, StoreError};

/// The outcome of a commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    /// The new version; `None` when nothing was added or removed.
    pub version: Option<i64>,
    /// Associations made.
    pub added: i64,
    /// The associations that were there and were staged again, and those in whose place another unit of the same key came.
    pub updated: i64,
    /// Associations ended.
    pub removed: i64,
}

/// The state of a repository's content: two numbers. While both stay the same, so do its units and all that is in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentState {
    /// Number of the newest version.
    pub version: i64,
    /// The number of times that units which it has were changed in place.
    pub changes: i64,
}

/// The outcome of a commit for one type.
#[derive(Debug, Default)]
struct Change {
    added: i64,
    updated: i64,
    removed: i64,
    /// Units in whose place others of the same keys come: they are among those that are added and removed.
    replaced: i64,
}

/// Compares what is staged with what is there. Costs what is staged, not what the repository has.
async fn changes(tx: &mut DbTx, fence: Fence, repo: &str) -> Result<BTreeMap<String, Change>> {
    let statement = sql("SELECT s.type_id, s.remove, COUNT(r.unit_id), COUNT(*), COUNT(s.instead) FROM staged_units s \
         LEFT JOIN repo_units r ON r.repo_id = $1 AND r.type_id = s.type_id AND r.unit_id = s.unit_id \
         AND r.removed_in IS NULL WHERE s.task_id = $2 AND s.attempt = $3 GROUP BY s.type_id, s.remove")
    .bind(repo)
    .bind(fence.task)
    .bind(fence.attempt);
    let mut changes: BTreeMap<String, Change> = BTreeMap::new();
    for row in tx.all(statement).await? {
        let (present, staged): (i64, i64) = (row.get(2)?, row.get(3)?);
        let change = changes.entry(row.get(0)?).or_default();
        if row.get(1)? {
            change.removed = present;
            change.replaced = row.get(4)?;
        } else {
            change.updated = present;
            change.added = staged - present;
        }
    }
    Ok(changes)
}

/// Changes the associations.
async fn apply(
    tx: &mut DbTx,
    fence: Fence,
    repo: &str,
    version: i64,
    now: Timestamp,
) -> Result<()> {
    let refresh = sql(
        "UPDATE repo_units SET updated = $1 WHERE repo_id = $2 AND removed_in IS NULL \
         AND (type_id, unit_id) IN (SELECT type_id, unit_id FROM staged_units WHERE task_id = $3 AND attempt = $4 AND NOT remove)",
    );
    let attempt = |statement: Stmt| statement.bind(fence.task).bind(fence.attempt);
    tx.execute(attempt(refresh.bind(now).bind(repo))).await?;
    let end = sql(
        "UPDATE repo_units SET removed_in = $1 WHERE repo_id = $2 AND removed_in IS NULL \
         AND (type_id, unit_id) IN (SELECT type_id, unit_id FROM staged_units WHERE task_id = $3 AND attempt = $4 AND remove)",
    );
    tx.execute(attempt(end.bind(version).bind(repo))).await?;
    // What comes in the place of another came when that came.
    let replace = sql(
        "INSERT INTO repo_units (repo_id, type_id, unit_id, added_in, created, updated) \
         SELECT r.repo_id, s.type_id, s.instead, $2, r.created, $3 FROM staged_units s \
         JOIN repo_units r ON r.repo_id = $1 AND r.type_id = s.type_id AND r.unit_id = s.unit_id AND r.removed_in = $2 \
         WHERE s.task_id = $4 AND s.attempt = $5 AND s.instead IS NOT NULL",
    );
    tx.execute(attempt(replace.bind(repo).bind(version).bind(now)))
        .await?;
    let add = sql(
        "INSERT INTO repo_units (repo_id, type_id, unit_id, added_in, created, updated) \
         SELECT $1, s.type_id, s.unit_id, $2, $3, $3 FROM staged_units s WHERE s.task_id = $4 AND s.attempt = $5 AND NOT s.remove \
         AND NOT EXISTS (SELECT 1 FROM repo_units r WHERE r.repo_id = $1 AND r.type_id = s.type_id \
         AND r.unit_id = s.unit_id AND r.removed_in IS NULL)",
    );
    tx.execute(attempt(add.bind(repo).bind(version).bind(now)))
        .await
        .map(drop)
}

/// Takes over what clients noted of units after those that come in their place were saved.
async fn keep_notes(tx: &mut DbTx, fence: Fence, now: Timestamp) -> Result<()> {
    let text = "SELECT n.id, json(o.doc) FROM staged_units s JOIN units o ON o.id = s.unit_id \
         JOIN units n ON n.id = s.instead WHERE ";
    let mut query = Sql::new(tx.backend(), text);
    of_attempt(&mut query, "s.", fence);
    query.push(" AND s.instead IS NOT NULL AND o.last_updated > n.last_updated ORDER BY o.id");
    let path = top_level(tx.backend(), USER_METADATA)?;
    for row in tx.all(query.build()).await? {
        let (id, former): (UnitId, Document) = (row.get(0)?, row.get(1)?);
        let Some(noted) = former.get(USER_METADATA) else {
            continue;
        };
        let mut note = Sql::new(tx.backend(), "UPDATE units SET doc = jsonb_set(doc, ");
        note.push(&path).push(", jsonb(").bind(noted);
        note.push(")), last_updated = ");
        moved_on(&mut note, now);
        note.push(" WHERE id = ").bind(id);
        tx.execute(note.build()).await?;
    }
    Ok(())
}

/// Keeps `repo_counts` right.
async fn count(tx: &mut DbTx, repo: &str, changes: &BTreeMap<String, Change>) -> Result<()> {
    for (type_id, change) in changes {
        let statement = sql(
            "INSERT INTO repo_counts (repo_id, type_id, units) VALUES ($1, $2, $3) \
             ON CONFLICT (repo_id, type_id) DO UPDATE SET units = repo_counts.units + excluded.units",
        );
        tx.execute(
            statement
                .bind(repo)
                .bind(type_id)
                .bind(change.added - change.removed),
        )
        .await?;
    }
    tx.execute(sql("DELETE FROM repo_counts WHERE repo_id = $1 AND units <= 0").bind(repo))
        .await
        .map(drop)
}

impl TaskStore {
    /// Stages for removal what the repository has of these types and the task has not staged; answers the number of units.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stage_remove_missing(&self, repo: &str, type_ids: &[&str]) -> Result<i64> {
        let mut query = Sql::new(
            self.backend(),
            "INSERT INTO staged_units (task_id, attempt, type_id, unit_id, remove) SELECT ",
        );
        let fence = self.fence();
        // PostgreSQL does not guess the type of a bind in a list of columns.
        query
            .push("CAST(")
            .bind(fence.task)
            .push(match self.backend() {
                Backend::Sqlite => " AS BLOB), CAST(",
                Backend::Postgres => " AS BYTEA), CAST(",
            });
        query.bind(fence.attempt).push(" AS BIGINT)");
        query
            .push(", r.type_id, r.unit_id, ")
            .bind(true)
            .push(" FROM repo_units r WHERE r.repo_id = ")
            .bind(repo);
        query
            .push(" AND r.removed_in IS NULL AND ")
            .bind_in("r.type_id", type_ids.iter().copied());
        query.push(" AND NOT EXISTS (SELECT 1 FROM staged_units s WHERE ");
        of_attempt(&mut query, "s.", fence);
        query.push(" AND s.type_id = r.type_id AND s.unit_id = r.unit_id)");
        let staged = self.execute(query.build()).await?;
        Ok(i64::try_from(staged).unwrap_or(i64::MAX))
    }

    /// Returns what `query.repo` will have when the task commits: present, less removals, plus additions (whose `updated` is
    /// the store's now).
    ///
    /// # Errors
    /// As [`Store::units_stream`]; `query.repo` must be given.
    pub fn units_stream_after(&self, query: &UnitQuery<'_>) -> Result<BatchStream<StreamedUnit>> {
        if query.repo.is_none() {
            return Err(StoreError::missing("repository", ""));
        }
        Ok(unit_stream::stream(
            Store::clone(self),
            Plan::new(query, Some((self.fence(), self.now())))?,
        ))
    }

    /// Makes what the attempt staged the content of the repository, in one transaction.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when the repository is gone.
    pub async fn content_commit(&self, repo: &str, now: Timestamp) -> Result<Committed> {
        let fence = self.fence();
        let mut tx = self.begin().await?;
        crate::unit_changes::hold_off(&mut tx.inner).await?;
        let mut lock = Sql::new(self.backend(), "SELECT version FROM repos WHERE id = ");
        lock.bind(repo).push(for_update(self.backend()));
        let Some(row) = tx.inner.optional(lock.build()).await? else {
            return Err(StoreError::missing("repository", repo));
        };
        let next = row.get::<i64>(0)? + 1;
        settle(&mut tx.inner, fence, repo).await?;
        let changes = changes(&mut tx.inner, fence, repo).await?;
        let sum = |of: fn(&Change) -> i64| changes.values().map(of).sum::<i64>();
        let (added, removed) = (sum(|c| c.added), sum(|c| c.removed));
        let replaced = sum(|c| c.replaced);
        let updated = sum(|c| c.updated) + replaced;
        if replaced > 0 {
            keep_notes(&mut tx.inner, fence, now).await?;
        }
        apply(&mut tx.inner, fence, repo, next, now).await?;
        crate::sources::forget_removed(&mut tx.inner, fence, repo).await?;
        if added + removed > 0 {
            count(&mut tx.inner, repo, &changes).await?;
            let statement = sql("UPDATE repos SET version = $1, \
                 last_unit_added = CASE WHEN $2 > 0 THEN $3 ELSE last_unit_added END, \
                 last_unit_removed = CASE WHEN $4 > 0 THEN $3 ELSE last_unit_removed END WHERE id = $5");
            tx.inner
                .execute(
                    statement
                        .bind(next)
                        .bind(added)
                        .bind(now)
                        .bind(removed - replaced)
                        .bind(repo),
                )
                .await?;
            let statement = sql(
                "INSERT INTO repo_versions (repo_id, number, created, added, removed) \
                 VALUES ($1, $2, $3, $4, $5)",
            );
            tx.inner
                .execute(
                    statement
                        .bind(repo)
                        .bind(next)
                        .bind(now)
                        .bind(added)
                        .bind(removed),
                )
                .await?;
        }
        let mut clear = Sql::new(self.backend(), "DELETE FROM staged_units WHERE ");
        of_attempt(&mut clear, "", fence);
        tx.inner.execute(clear.build()).await?;
        tx.commit().await?;
        Ok(Committed {
            version: (added + removed > 0).then_some(next),
            added: added - replaced,
            updated,
            removed: removed - replaced,
        })
    }
}

impl Store {
    /// The state of a repository's content; `None` when there is no such repository. Ask for it before reading the content to
    /// make something of it: what changes meanwhile shows as another state afterwards.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn content_state(&self, repo: &str) -> Result<Option<ContentState>> {
        let statement = sql("SELECT version, changes FROM repos WHERE id = $1").bind(repo);
        let state = |row: &Row| {
            Ok(ContentState {
                version: row.get(0)?,
                changes: row.get(1)?,
            })
        };
        let row = self.optional(statement).await?;
        row.as_ref().map(state).transpose()
    }

    /// The repositories that have versions beyond the newest `keep`: for each its oldest version, and the first that must be
    /// kept, which is never later than the oldest that a publication shows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn versions_beyond(&self, keep: i64) -> Result<Vec<(String, i64, i64)>> {
        let statement = sql("SELECT v.repo_id, MIN(v.number), MAX(v.number), \
             (SELECT MIN(p.repo_version) FROM publications p WHERE p.repo_id = v.repo_id) \
             FROM repo_versions v GROUP BY v.repo_id HAVING COUNT(*) > $1 ORDER BY v.repo_id");
        let mut beyond = Vec::new();
        for row in self.all(statement.bind(keep)).await? {
            let (oldest, newest): (i64, i64) = (row.get(1)?, row.get(2)?);
            let shown: Option<i64> = row.get(3)?;
            let first = (newest - keep + 1).min(shown.unwrap_or(i64::MAX));
            if first > oldest {
                beyond.push((row.get(0)?, oldest, first));
            }
        }
        Ok(beyond)
    }

    /// Forgets the versions before `number`, with the associations that only they had; answers how many. None of them is
    /// forgotten when a publication shows one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn version_prune(&self, repo: &str, number: i64) -> Result<i64> {
        let mut tx = self.begin().await?;
        // Publishing locks the row of the repository's distributor only; a publication shows the newest version, which is
        // never before `number`.
        let shown = sql("SELECT 1 FROM publications WHERE repo_id = $1 AND repo_version < $2");
        let shown = tx.inner.all(shown.bind(repo).bind(number)).await?;
        if !shown.is_empty() {
            return Ok(0);
        }
        let ended = sql(
            "DELETE FROM repo_units WHERE repo_id = $1 AND removed_in IS NOT NULL AND removed_in <= $2",
        );
        tx.inner.execute(ended.bind(repo).bind(number)).await?;
        let versions = sql("DELETE FROM repo_versions WHERE repo_id = $1 AND number < $2")
            .bind(repo)
            .bind(number);
        let pruned = tx.inner.execute(versions).await?;
        tx.commit().await?;
        Ok(i64::try_from(pruned).unwrap_or(i64::MAX))
    }
}
