//! Documents that several repositories have, changed for all of them by somebody who may change them all.

use pith_core::{Timestamp, UnitId};

use crate::dialect::{Sql, for_update, sql};
use crate::fence::{Fence, TaskStore, of_attempt};
use crate::staging::settle;
use crate::transaction::DbTx;
use crate::{Result, unit_changes};

/// Writes what the statements have in common: the staged documents that come in place of others, `s`, and who has those, `r`.
fn replaced(query: &mut Sql, fence: Fence) {
    query.push(
        " FROM staged_units s JOIN units u ON u.id = s.unit_id AND u.blob IS NULL AND u.downloaded \
         JOIN repo_units r ON r.type_id = s.type_id AND r.unit_id = s.unit_id AND r.removed_in IS NULL WHERE ",
    );
    of_attempt(query, "s.", fence);
    query.push(" AND s.instead IS NOT NULL AND r.repo_id ");
}

/// Puts the staged documents into a repository in place of those that it has.
async fn spread_to(
    tx: &mut DbTx,
    fence: Fence,
    (repo, version): (&str, i64),
    now: Timestamp,
) -> Result<()> {
    let mut add = Sql::new(
        tx.backend(),
        "INSERT INTO repo_units (repo_id, type_id, unit_id, added_in, created, updated) SELECT r.repo_id, s.type_id, s.instead, ",
    );
    add.push(&format!(
        "{}, r.created, {}",
        version + 1,
        now.as_microsecond()
    ));
    replaced(&mut add, fence);
    add.push("= ").bind(repo);
    let count = tx.execute(add.build()).await?;
    let mut end = Sql::new(tx.backend(), "UPDATE repo_units SET removed_in = ");
    end.bind(version + 1)
        .push(" WHERE repo_id = ")
        .bind(repo)
        .push(" AND removed_in IS NULL AND unit_id IN (SELECT s.unit_id");
    replaced(&mut end, fence);
    end.push("= ").bind(repo).push(")");
    tx.execute(end.build()).await?;
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let statement = sql("UPDATE repos SET version = $1, last_unit_added = $2 WHERE id = $3");
    tx.execute(statement.bind(version + 1).bind(now).bind(repo))
        .await?;
    let statement = sql(
        "INSERT INTO repo_versions (repo_id, number, created, added, removed) VALUES ($1, $2, $3, $4, $4)",
    );
    let statement = statement.bind(repo).bind(version + 1).bind(now).bind(count);
    tx.execute(statement).await.map(drop)
}

/// Changes the documents in what other tasks have staged too: otherwise their copies would bring the former ones back.
async fn pass_on(tx: &mut DbTx, fence: Fence) -> Result<()> {
    let text = "SELECT s.unit_id, s.instead FROM staged_units s JOIN units u ON u.id = s.unit_id \
         AND u.blob IS NULL AND u.downloaded WHERE ";
    let mut pairs = Sql::new(tx.backend(), text);
    of_attempt(&mut pairs, "s.", fence);
    pairs.push(" AND s.instead IS NOT NULL ORDER BY s.unit_id");
    for row in tx.all(pairs.build()).await? {
        let (old, new): (UnitId, UnitId) = (row.get(0)?, row.get(1)?);
        let statement = sql(
            "UPDATE staged_units SET unit_id = $1 WHERE unit_id = $2 AND NOT remove AND task_id <> $3 \
             AND NOT EXISTS (SELECT 1 FROM staged_units n WHERE n.task_id = staged_units.task_id \
             AND n.attempt = staged_units.attempt AND n.unit_id = $1)",
        );
        tx.execute(statement.bind(new).bind(old).bind(fence.task))
            .await?;
    }
    Ok(())
}

impl TaskStore {
    /// Puts documents that the task has staged in place of others of `repo` into every further repository that has the very same
    /// ones. Only for callers who may change all of them; called before [`TaskStore::content_commit`], in its transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn documents_spread(&self, repo: &str, now: Timestamp) -> Result<()> {
        let fence = self.fence();
        let mut tx = self.begin().await?;
        unit_changes::hold_off(&mut tx.inner).await?;
        settle(&mut tx.inner, fence, repo).await?;
        let mut others = Sql::new(self.backend(), "SELECT DISTINCT r.repo_id");
        replaced(&mut others, fence);
        others.push("<> ").bind(repo);
        let rows = tx.inner.all(others.build()).await?;
        pass_on(&mut tx.inner, fence).await?;
        let mut ids: Vec<String> = rows.iter().map(|row| row.get(0)).collect::<Result<_>>()?;
        if ids.is_empty() {
            return tx.commit().await;
        }
        ids.push(repo.to_owned());
        // All of them by id, as whoever locks several repositories does.
        let mut lock = Sql::new(self.backend(), "SELECT id, version FROM repos WHERE ");
        lock.bind_in("id", ids).push(" ORDER BY id");
        lock.push(for_update(self.backend()));
        for row in tx.inner.all(lock.build()).await? {
            let (id, version): (String, i64) = (row.get(0)?, row.get(1)?);
            if id != repo {
                spread_to(&mut tx.inner, fence, (&id, version), now).await?;
            }
        }
        tx.commit().await
    }
}
