//! Tasks that change a repository's plugins, or remove it (pulp2/repositories#changes).

use pith_content::Config;
use pith_core::error::PulpError;
use pith_core::{Document, ObjectId};
use pith_engine::error::missing;
use pith_engine::masks::{merged, without_masks};
use pith_engine::{Done, Error, Run};
use pith_store::{DistributorSettings, Importer, LastTx, RepositoryChange, StoreError};
use serde_json::{Value, json};

use crate::{distributors, importers};

/// Removes a repository with all that hangs on it. Its units stay.
pub(crate) async fn delete_repository(run: Run, repo_id: String) -> Result<Done, Error> {
    keep_promises(&run, &repo_id).await?;
    let last = run.last().await?;
    last.repository_delete(&repo_id)
        .await
        .map_err(|error| match error {
            StoreError::Missing { .. } => missing(&[("repo_id", json!(repo_id))]),
            other => other.into(),
        })?;
    run.finish(last, Done::default()).await
}

/// Files that other repositories got by a copy and that are not here yet can still be had when the importer is gone.
async fn keep_promises(run: &Run, repo_id: &str) -> Result<(), Error> {
    Ok(run.engine.sources_outlive(&run.store, repo_id).await?)
}

/// Gives a repository an importer in place of the one it has.
pub(crate) async fn set_importer(
    run: Run,
    repo_id: String,
    importer_type_id: String,
    config: Document,
) -> Result<Done, Error> {
    let engine = &run.engine;
    let now = engine.clock.now();
    let config = importers::prepared_config(engine, &importer_type_id, config, None)?;
    let importer = Importer {
        repo_id: repo_id.clone(),
        oid: ObjectId::new(now),
        type_id: importer_type_id,
        config,
        scratchpad: None,
        last_sync: None,
        last_updated: now,
        last_override: None,
    };
    keep_promises(&run, &repo_id).await?;
    let last = run.last().await?;
    last.importer_set(&importer)
        .await
        .map_err(|error| match error {
            StoreError::Missing { .. } => missing(&[("repository", json!(repo_id))]),
            other => other.into(),
        })?;
    let document = importers::document(&engine.registry, &importer);
    with_result(&run, last, document).await
}

/// Sets keys of an importer's configuration; null removes one.
pub(crate) async fn update_importer(
    run: Run,
    repo_id: String,
    importer_id: String,
    config: Document,
) -> Result<Done, Error> {
    let engine = &run.engine;
    let last = run.last().await?;
    // With nobody in between: a change of the repository may change its importer too, and is no task.
    let changed = last.repository_change(&repo_id, |_, importer| {
        let importer = importer.filter(|importer| importer.type_id == importer_id);
        let importer = importer.ok_or_else(|| no_importer(&repo_id, &importer_id))?;
        let merged = merged(importer.config.clone(), config);
        let stored = Some(&importer.config);
        let prepared = importers::prepared_config(engine, &importer_id, merged, stored)?;
        Ok::<_, Error>(RepositoryChange {
            importer_config: Some(prepared),
            ..RepositoryChange::default()
        })
    });
    match changed.await {
        Ok(decided) => decided.map(drop)?,
        Err(StoreError::Missing { .. }) => {
            return Err(no_importer(&repo_id, &importer_id));
        }
        Err(error) => return Err(error.into()),
    }
    let importer = present_importer(&last, &repo_id, &importer_id).await?;
    let document = importers::document(&engine.registry, &importer);
    with_result(&run, last, document).await
}

/// Removes a repository's importer.
pub(crate) async fn remove_importer(
    run: Run,
    repo_id: String,
    importer_id: String,
) -> Result<Done, Error> {
    keep_promises(&run, &repo_id).await?;
    let last = run.last().await?;
    present_importer(&last, &repo_id, &importer_id).await?;
    last.importer_remove(&repo_id).await?;
    run.finish(last, Done::default()).await
}

/// The importer of a repository, as the task's last transaction sees it.
async fn present_importer(
    last: &LastTx,
    repo_id: &str,
    importer_id: &str,
) -> Result<Importer, Error> {
    let importer = last.importer_get(repo_id).await?;
    importer
        .filter(|importer| importer.type_id == importer_id)
        .ok_or_else(|| no_importer(repo_id, importer_id))
}

fn no_importer(repo_id: &str, importer_id: &str) -> Error {
    missing(&[
        ("repo_id", json!(repo_id)),
        ("importer_type_id", json!(importer_id)),
    ])
}

/// Changes a distributor: keys of its configuration, and `auto_publish`.
pub(crate) async fn update_distributor(
    run: Run,
    repo_id: String,
    distributor_id: String,
    config: Value,
    delta: Value,
) -> Result<Done, Error> {
    let gone = || {
        missing(&[
            ("repo_id", json!(repo_id)),
            ("distributor_id", json!(distributor_id)),
        ])
    };
    let config = match config {
        Value::Null => Document::new(),
        Value::Object(map) => map,
        other => {
            return Err(PulpError::wrong_type("distributor_config", "dict", &other).into());
        }
    };
    let registry = &run.engine.registry;
    // As the settings are now; if somebody changes them meanwhile, the transaction looks at the guard itself.
    let present = run.store.distributor_get(&repo_id, &distributor_id).await;
    let before = present?.ok_or_else(gone)?;
    let wanted = merged_config(&before.config, config.clone());
    let readable = distributors::check_guard(registry, &before.type_id, &wanted).await?;
    let last = run.last().await?;
    last.distributors_lock().await?;
    let present = last.distributor_get(&repo_id, &distributor_id).await?;
    let distributor = present.ok_or_else(gone)?;
    let auto_publish = match delta.get("auto_publish") {
        None | Some(Value::Null) => None,
        Some(Value::Bool(flag)) => Some(*flag),
        Some(_) => return Err(PulpError::invalid_value(&["auto_publish"]).into()),
    };
    let merged = merged_config(&distributor.config, config);
    let type_id = &distributor.type_id;
    let checked = distributors::check_config(registry, &last, &repo_id, type_id, &merged, readable);
    let guard = checked.await?;
    let settings = DistributorSettings {
        config: &merged,
        guard,
    };
    let updated = last
        .distributor_update(&repo_id, &distributor_id, Some(settings), auto_publish)
        .await?;
    with_result(&run, last, distributors::document(registry, &updated)).await
}

/// The settings of a distributor after a change.
fn merged_config(before: &Document, changes: Document) -> Document {
    let changes = without_masks(before, changes);
    let merged = merged(before.clone(), changes);
    Config::new(merged).document().clone()
}

/// Removes a distributor and stops serving what it published.
pub(crate) async fn remove_distributor(
    run: Run,
    repo_id: String,
    distributor_id: String,
) -> Result<Done, Error> {
    let last = run.last().await?;
    let removed = last.distributor_remove(&repo_id, &distributor_id).await?;
    if !removed {
        let what = [
            ("repo_id", json!(repo_id)),
            ("distributor_id", json!(distributor_id)),
        ];
        return Err(missing(&what));
    }
    run.finish(last, Done::default()).await
}

/// Ends the task with a document as its result.
async fn with_result(run: &Run, last: LastTx, document: Value) -> Result<Done, Error> {
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
