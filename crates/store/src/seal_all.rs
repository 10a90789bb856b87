//! Sealing of what was written before the database had a key.

use pith_core::{Document, ObjectId, TaskId};
use serde_json::Value;

use crate::backend::Backend;
use crate::dialect::sql;
use crate::locks::lock_repository;
use crate::{Result, Store};

/// Tasks that are looked at at once.
const BATCH: u64 = 500;

impl Store {
    /// Has SQLite write over what it gives up, so that nothing of it stays in free pages of the file.
    pub(crate) async fn write_over(&self, on: bool) -> Result<()> {
        if self.backend() == Backend::Sqlite {
            let text = match on {
                true => "PRAGMA secure_delete = ON",
                false => "PRAGMA secure_delete = OFF",
            };
            self.write_all(sql(text)).await?;
        }
        Ok(())
    }

    /// Seals what was written before there was a key.
    pub(crate) async fn seal_all(&self) -> Result<()> {
        for importer in self.importer_list(None).await? {
            let mut tx = self.begin().await?;
            lock_repository(&mut tx.inner, &importer.repo_id).await?;
            let secrets = &self.inner.secrets;
            if let Some(importer) =
                crate::importers::get(&mut tx.inner, &importer.repo_id, secrets).await?
            {
                let statement = sql(
                    "UPDATE importers SET config = jsonb($1), last_override = jsonb($2) WHERE repo_id = $3",
                );
                let sealed = importer
                    .last_override
                    .as_ref()
                    .map(|last| secrets.sealed(last));
                let statement = statement
                    .bind(&secrets.sealed(&importer.config)?)
                    .bind(&sealed.transpose()?)
                    .bind(&importer.repo_id);
                tx.inner.execute(statement).await?;
            }
            tx.commit().await?;
        }
        self.seal_distributors().await?;
        for row in self.all(sql("SELECT oid FROM schedules")).await? {
            let oid: ObjectId = row.get(0)?;
            self.schedule_change(&oid, |_| ()).await?;
        }
        self.seal_tasks().await
    }

    async fn seal_distributors(&self) -> Result<()> {
        for distributor in self.distributor_list(None).await? {
            let (repo, id) = (&distributor.repo_id, &distributor.id);
            let mut tx = self.begin().await?;
            lock_repository(&mut tx.inner, repo).await?;
            let read = sql(
                "SELECT json(config), json(last_override) FROM distributors \
                 WHERE repo_id = $1 AND id = $2",
            );
            if let Some(row) = tx.inner.optional(read.bind(repo).bind(id)).await? {
                let secrets = &self.inner.secrets;
                let again = |document| secrets.sealed(&secrets.opened(document)?);
                let last: Option<Document> = row.get(1)?;
                let statement = sql(
                    "UPDATE distributors SET config = jsonb($1), last_override = jsonb($2) \
                     WHERE repo_id = $3 AND id = $4",
                )
                .bind(&again(row.get(0)?)?)
                .bind(&last.map(again).transpose()?)
                .bind(repo)
                .bind(id);
                tx.inner.execute(statement).await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    async fn seal_tasks(&self) -> Result<()> {
        let mut after = -1i64;
        loop {
            let statement =
                sql("SELECT seq, id, json(args) FROM tasks WHERE seq > $1 ORDER BY seq LIMIT $2");
            let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
            let rows = self.all(statement.bind(after).bind(limit)).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = last.get(0)?;
            let mut tx = self.begin().await?;
            for row in &rows {
                let (id, args): (TaskId, Value) = (row.get(1)?, row.get(2)?);
                let sealed = self.inner.secrets.opened_json(args.clone())?;
                let sealed = self.inner.secrets.sealed_json(&sealed)?;
                if sealed != args {
                    let statement = sql("UPDATE tasks SET args = jsonb($1) WHERE id = $2");
                    tx.inner.execute(statement.bind(&sealed).bind(id)).await?;
                }
            }
            tx.commit().await?;
        }
    }
}
