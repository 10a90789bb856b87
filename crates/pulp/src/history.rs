//! History entries as documents (pulp2/sync-and-publish#history-entries).

use pith_core::clock::iso;
use pith_store::{History, HistoryKind};
use serde_json::{Value, json};

/// An entry as the API shows it.
#[must_use]
pub fn to_json(kind: HistoryKind, entry: &History) -> Value {
    let mut doc = result_json(kind, entry);
    doc["_id"] = entry.oid.to_json();
    doc
}

/// An entry as the result of its task: without `_id`.
#[must_use]
pub fn result_json(kind: HistoryKind, entry: &History) -> Value {
    let mut doc = json!({
        "id": entry.oid.as_str(),
        "repo_id": entry.repo_id,
        "started": iso(entry.started),
        "completed": iso(entry.completed),
        "result": entry.result,
        "error_message": entry.error_message,
        "exception": entry.exception,
        "traceback": entry.traceback,
        "summary": entry.summary,
        "details": entry.details,
    });
    match kind {
        HistoryKind::Sync => {
            doc["_ns"] = json!("repo_sync_results");
            doc["importer_id"] = json!(entry.actor_id);
            doc["importer_type_id"] = json!(entry.actor_type);
            doc["added_count"] = json!(entry.added);
            doc["updated_count"] = json!(entry.updated);
            doc["removed_count"] = json!(entry.removed);
        }
        HistoryKind::Publish => {
            doc["_ns"] = json!("repo_publish_results");
            doc["distributor_id"] = json!(entry.actor_id);
            doc["distributor_type_id"] = json!(entry.actor_type);
        }
    }
    doc
}
