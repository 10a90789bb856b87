//! Functions that jobs share which change a repository's plugins, or remove it (pulp2/repositories#changes).

use pith_engine::error::missing;
use pith_engine::{Done, Error, Run};
use pith_store::{Importer, LastTx};
use serde_json::{Value, json};

/// Files that other repositories got by a copy and that are not here yet can still be had when the importer is gone.
pub(super) async fn keep_promises(run: &Run, repo_id: &str) -> Result<(), Error> {
    Ok(run.engine.sources_outlive(&run.store, repo_id).await?)
}

/// The importer of a repository, as the task's last transaction sees it.
pub(super) async fn present_importer(
    last: &LastTx,
    repo_id: &str,
    importer_id: &str,
) -> Result<Importer, Error> {
    let importer = last.importer_get(repo_id).await?;
    importer
        .filter(|importer| importer.type_id == importer_id)
        .ok_or_else(|| no_importer(repo_id, importer_id))
}

pub(super) fn no_importer(repo_id: &str, importer_id: &str) -> Error {
    missing(&[
        ("repo_id", json!(repo_id)),
        ("importer_type_id", json!(importer_id)),
    ])
}

/// Ends the task with a document as its result.
pub(super) async fn with_result(run: &Run, last: LastTx, document: Value) -> Result<Done, Error> {
    let done = Done {
        result: in_task(document),
        ..Done::default()
    };
    run.finish(last, done).await
}

/// A document as a task's result shows it: its `_href` lacks the mount point (pulp2/conventions#ids-and-links).
fn in_task(mut document: Value) -> Value {
    if let Some(href) = document.get("_href").and_then(Value::as_str) {
        let short = href.strip_prefix("/pulp/api").unwrap_or(href).to_owned();
        document["_href"] = json!(short);
    }
    document
}
