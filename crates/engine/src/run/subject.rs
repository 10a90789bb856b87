//! The subject of a run: the repository, its importer, the code behind it.

use std::sync::Arc;

use pith_content::Importer as Plugin;
use pith_content::repository::RepoInfo;
use pith_core::error::PulpError;
use pith_core::{Document, ObjectId, Timestamp};
use pith_store::{History, Importer, Repository};
use serde_json::{Value, json};

use crate::attempt::Run;
use crate::error::{Error, missing};

/// A repository with its importer.
pub(super) struct Subject {
    pub(super) repo: Repository,
    pub(super) importer: Importer,
    pub(super) plugin: Arc<dyn Plugin>,
}

impl Subject {
    /// Reads the repository and its importer; PLP0009 when either is not there.
    pub(super) async fn of(run: &Run, repo_id: &str) -> Result<Self, Error> {
        let gone = || missing(&[("repo_id", json!(repo_id))]);
        let repo = run.store.repository_get(repo_id).await?.ok_or_else(gone)?;
        let importer = run.store.importer_get(repo_id).await?.ok_or_else(gone)?;
        let plugin = run.engine.registry.importer(&importer.type_id).cloned();
        let plugin = plugin.ok_or_else(|| not_installed("importer", &importer.type_id))?;
        Ok(Self {
            repo,
            importer,
            plugin,
        })
    }
}

/// A plugin that the database names and this binary does not have.
pub(super) fn not_installed(kind: &str, type_id: &str) -> Error {
    Error::fault(format!("the {kind} type {type_id} is not installed"))
}

/// Returns what a type sees of a repository.
pub(super) fn info(repo: &Repository) -> RepoInfo {
    RepoInfo {
        id: repo.id.clone(),
        notes: repo.notes.clone(),
        scratchpad: repo.scratchpad.clone(),
    }
}

/// A value that clients may leave out, as a document; null is an empty one.
pub(super) fn document(name: &str, value: Value) -> Result<Document, Error> {
    match value {
        Value::Null => Ok(Document::new()),
        Value::Object(map) => Ok(map),
        other => Err(PulpError::wrong_type(name, "dict", &other).into()),
    }
}

/// A history entry in which nothing happened yet, for `started` to `completed`.
pub(super) fn blank_entry(
    repo_id: &str,
    (actor_id, actor_type): (&str, &str),
    (started, completed): (Timestamp, Timestamp),
) -> History {
    History {
        oid: ObjectId::new(completed),
        repo_id: repo_id.to_owned(),
        actor_id: actor_id.to_owned(),
        actor_type: actor_type.to_owned(),
        started,
        completed,
        result: String::new(),
        error_message: None,
        exception: None,
        traceback: Value::Null,
        added: None,
        updated: None,
        removed: None,
        summary: Value::Null,
        details: Value::Null,
    }
}

/// The entry of a run that ended with `error`.
pub(super) fn failed_entry(error: &Error, base: History) -> History {
    History {
        result: "error".to_owned(),
        error_message: Some(error.to_string()),
        exception: Some(error.to_string()),
        traceback: json!([format!("{error}\n")]),
        ..base
    }
}

/// Tells whether this run's override is that of the last one, `force_full` aside.
pub(super) fn same_override(last: Option<&Document>, this: &Document) -> bool {
    let without_force = |doc: &Document| {
        let mut doc = doc.clone();
        doc.remove("force_full");
        doc
    };
    last.map(without_force).unwrap_or_default() == without_force(this)
}
