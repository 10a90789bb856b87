//! Units, tasks and workers as documents
//! (pulp2/server#status, pulp2/units#in-a-repository, pulp2/units#documents, pulp2/tasks#documents).

use pith_content::UnitType;
use pith_core::clock::iso;
use pith_core::task::task_link;
use pith_core::{Document, Timestamp};
use pith_engine::Registry;
use pith_engine::parts::named;
use pith_store::{Part, Task, Unit, Worker};
use serde_json::{Value, json};

/// The folder below which Pulp kept its unit files. Nothing lies there: it is a name that clients know.
const STORAGE: &str = "/var/lib/pulp/content/units";
/// Data that clients keep with a unit; an empty object where there is none.
const USER_METADATA: &str = "pulp_user_metadata";

/// A unit with every field by which it can be filtered, in the form of repository unit search: `_last_updated` in
/// seconds, `_ns` present. `storage_path` tells whether somebody wants to see that one; it costs a digest.
#[must_use]
pub fn unit_document(
    registry: &Registry,
    unit: Unit,
    parts: Vec<Part>,
    storage_path: bool,
) -> Document {
    let (unit, mut doc) = unit.replace_doc(());
    if let Some(kind) = registry.unit_type(&unit.type_id)
        && !parts.is_empty()
    {
        kind.rules.present(&mut doc, &named(parts));
    }
    for (name, value) in unit_beside(registry, &unit, &doc, storage_path) {
        if name != USER_METADATA || !doc.contains_key(USER_METADATA) {
            doc.insert(name, value);
        }
    }
    doc
}

/// Returns what stands beside the stored document of a unit when it is shown, given the document's plain fields. Of these names
/// the document has at most `pulp_user_metadata` itself.
#[must_use]
pub fn unit_beside(
    registry: &Registry,
    unit: &Unit<()>,
    plain: &Document,
    storage_path: bool,
) -> Document {
    let type_id = unit.type_id.as_str();
    let mut beside = Document::new();
    let mut put = |name: &str, value: Value| beside.insert(name.to_owned(), value);
    if let Some(kind) = registry.unit_type(type_id)
        && kind.file_backed
    {
        put("downloaded", json!(unit.downloaded));
        if storage_path {
            put("_storage_path", json!(shown_storage_path(kind, plain)));
        }
    }
    put(USER_METADATA, json!({}));
    put("_id", json!(unit.id));
    put("_ns", json!(format!("units_{type_id}")));
    put("_last_updated", json!(unit.last_updated.as_second()));
    put("_content_type_id", json!(type_id));
    beside
}

/// `_storage_path`; null when the unit key is not complete.
fn shown_storage_path(kind: &UnitType, plain: &Document) -> Option<String> {
    let stored_at = kind.stored_at(plain)?;
    Some(format!("{STORAGE}/{stored_at}"))
}

/// Turns a unit from the form of repository unit search into that of the content API: no `_ns`, `_last_updated` as
/// text, `children`.
pub fn for_content_api(doc: &mut Document) {
    doc.remove("_ns");
    if let Some(seconds) = doc.get("_last_updated").and_then(Value::as_i64) {
        let shown = Timestamp::from_second(seconds).map_or(Value::Null, |at| json!(iso(at)));
        doc.insert("_last_updated".to_owned(), shown);
    }
    doc.insert("children".to_owned(), json!({}));
}

/// The path of a unit in the content API.
#[must_use]
pub fn unit_href(type_id: &str, id: &str) -> String {
    format!("/pulp/api/v2/content/units/{type_id}/{id}/")
}

/// The task as lists and searches show it; a single task has `queue` besides.
#[must_use]
pub fn task_document(task: &Task) -> Document {
    let spawned: Vec<Value> = task.spawned.iter().map(|id| task_link(*id)).collect();
    let progress = match &task.progress {
        Value::Null => json!({}),
        progress => progress.clone(),
    };
    let document = json!({
        "_id": task.oid.to_json(),
        "_ns": "task_status",
        "_href": format!("/pulp/api/v2/tasks/{}/", task.id),
        "id": task.oid.as_str(),
        "task_id": task.id,
        "task_type": task.kind,
        "state": task.state.name(),
        "tags": task.tags,
        "worker_name": task.worker,
        "start_time": task.started.map(iso),
        "finish_time": task.finished.map(iso),
        "progress_report": progress,
        "result": task.result,
        "error": task.error,
        "spawned_tasks": spawned,
        "exception": null,
        "traceback": task.traceback,
    });
    match document {
        Value::Object(map) => map,
        _ => Document::new(),
    }
}

/// `queue` of a single task.
#[must_use]
pub fn task_queue(task: &Task) -> String {
    task.worker
        .as_ref()
        .map_or_else(String::new, |worker| format!("{worker}.dq2"))
}

/// A worker as `/v2/status/` shows it.
#[must_use]
pub fn worker_document(worker: &Worker) -> Value {
    json!({ "_id": worker.name, "_ns": "workers", "last_heartbeat": iso(worker.heartbeat) })
}
