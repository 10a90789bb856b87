//! What syncs and publishes did (reference: platform-api §10.4).

use pith_core::{ObjectId, Timestamp};
use serde_json::Value;

use crate::{Result, Store};

/// Which history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryKind {
    /// Of syncs; the actor is the importer.
    Sync,
    /// Of publishes; the actor is a distributor.
    Publish,
}

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// `_id` on the wire.
    pub oid: ObjectId,
    /// Whose history.
    pub repo_id: String,
    /// Importer type id, or distributor id.
    pub actor_id: String,
    /// Importer or distributor type.
    pub actor_type: String,
    /// When it started.
    pub started: Timestamp,
    /// When it ended.
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
    /// From the plugin.
    pub summary: Value,
    /// From the plugin.
    pub details: Value,
}

/// Which entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryQuery<'a> {
    /// Whose history.
    pub repo_id: &'a str,
    /// Of this importer or distributor only.
    pub actor_id: Option<&'a str>,
    /// At most this many.
    pub limit: Option<u64>,
    /// Oldest first; newest first otherwise. By start.
    pub ascending: bool,
    /// Started then or later.
    pub start: Option<Timestamp>,
    /// Started then or earlier.
    pub end: Option<Timestamp>,
}

impl Store {
    /// Adds an entry.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when the repository is gone.
    pub async fn history_add(&self, _kind: HistoryKind, _entry: &History) -> Result<()> {
        unimplemented!()
    }

    /// The entries that `query` describes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn history_list(
        &self,
        _kind: HistoryKind,
        _query: &HistoryQuery<'_>,
    ) -> Result<Vec<History>> {
        unimplemented!()
    }

    /// Deletes entries that completed before `before`; answers how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn history_delete_before(
        &self,
        _kind: HistoryKind,
        _before: Timestamp,
    ) -> Result<u64> {
        unimplemented!()
    }
}
