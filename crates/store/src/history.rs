//! The history of syncs and publishes (pulp2/sync-and-publish#history-entries).

use pith_core::{ObjectId, Timestamp};
use serde_json::Value;

use crate::dialect::{Sql, sql};
use crate::locks::repository_exists;
use crate::value::Row;
use crate::{Result, Store};

/// The kind of history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryKind {
    /// Entries of syncs; the actor is the importer.
    Sync,
    /// Entries of publishes; the actor is a distributor.
    Publish,
}

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// `_id` on the wire.
    pub oid: ObjectId,
    /// The repository.
    pub repo_id: String,
    /// Importer type id, or distributor id.
    pub actor_id: String,
    /// Importer or distributor type.
    pub actor_type: String,
    /// The time at which it started.
    pub started: Timestamp,
    /// The time at which it ended.
    pub completed: Timestamp,
    /// `success`, `failed`, `error`, `canceled`, `skipped`.
    pub result: String,
    /// Message of the error.
    pub error_message: Option<String>,
    /// Printed form of the error.
    pub exception: Option<String>,
    /// Lines of the traceback, or null.
    pub traceback: Value,
    /// Units added (syncs only).
    pub added: Option<i64>,
    /// Units updated (syncs only).
    pub updated: Option<i64>,
    /// Units removed (syncs only).
    pub removed: Option<i64>,
    /// The plugin's summary.
    pub summary: Value,
    /// The plugin's details.
    pub details: Value,
}

/// A question for entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryQuery<'a> {
    /// The repository.
    pub repo_id: &'a str,
    /// Only entries of this importer or distributor only.
    pub actor_id: Option<&'a str>,
    /// The most entries.
    pub limit: Option<u64>,
    /// Oldest first; newest first otherwise. In the order in which they were written.
    pub ascending: bool,
    /// Started then or later.
    pub start: Option<Timestamp>,
    /// Started then or earlier.
    pub end: Option<Timestamp>,
}

impl HistoryKind {
    fn name(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Publish => "publish",
        }
    }
}

/// The columns of a [`History`], in the order of `history`.
const COLUMNS: &str = "oid, repo_id, actor_id, actor_type, started, completed, result, error_message, exception, \
     json(traceback), added, updated, removed, json(summary), json(details)";

fn history(row: &Row) -> Result<History> {
    Ok(History {
        oid: row.get(0)?,
        repo_id: row.get(1)?,
        actor_id: row.get(2)?,
        actor_type: row.get(3)?,
        started: row.get(4)?,
        completed: row.get(5)?,
        result: row.get(6)?,
        error_message: row.get(7)?,
        exception: row.get(8)?,
        traceback: row.get(9)?,
        added: row.get(10)?,
        updated: row.get(11)?,
        removed: row.get(12)?,
        summary: row.get(13)?,
        details: row.get(14)?,
    })
}

impl Store {
    /// Adds an entry.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when the repository is gone.
    pub async fn history_add(&self, kind: HistoryKind, entry: &History) -> Result<()> {
        let mut tx = self.begin().await?;
        repository_exists(&mut tx.inner, &entry.repo_id).await?;
        let statement = sql("INSERT INTO history (kind, oid, repo_id, actor_id, actor_type, started, completed, result, \
             error_message, exception, traceback, added, updated, removed, summary, details) VALUES \
             ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, jsonb($11), $12, $13, $14, jsonb($15), jsonb($16))")
        .bind(kind.name())
        .bind(&entry.oid)
        .bind(&entry.repo_id)
        .bind(&entry.actor_id)
        .bind(&entry.actor_type)
        .bind(entry.started)
        .bind(entry.completed)
        .bind(&entry.result)
        .bind(&entry.error_message)
        .bind(&entry.exception)
        .bind(&entry.traceback)
        .bind(entry.added)
        .bind(entry.updated)
        .bind(entry.removed)
        .bind(&entry.summary)
        .bind(&entry.details);
        tx.inner.execute(statement).await?;
        tx.commit().await
    }

    /// The entries that `query` describes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn history_list(
        &self,
        kind: HistoryKind,
        query: &HistoryQuery<'_>,
    ) -> Result<Vec<History>> {
        let mut sql = Sql::new(self.backend(), "SELECT ");
        sql.push(COLUMNS)
            .push(" FROM history WHERE kind = ")
            .bind(kind.name());
        sql.push(" AND repo_id = ").bind(query.repo_id);
        if let Some(actor) = query.actor_id {
            sql.push(" AND actor_id = ").bind(actor);
        }
        if let Some(start) = query.start {
            sql.push(" AND started >= ").bind(start);
        }
        if let Some(end) = query.end {
            sql.push(" AND started <= ").bind(end);
        }
        sql.push(if query.ascending {
            " ORDER BY seq"
        } else {
            " ORDER BY seq DESC"
        });
        if let Some(limit) = query.limit {
            sql.limit(limit);
        }
        self.all(sql.build()).await?.iter().map(history).collect()
    }

    /// Deletes entries that completed before `before`; answers how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn history_delete_before(&self, kind: HistoryKind, before: Timestamp) -> Result<u64> {
        let statement = sql("DELETE FROM history WHERE kind = $1 AND completed < $2")
            .bind(kind.name())
            .bind(before);
        self.execute(statement).await
    }
}
