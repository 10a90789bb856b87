//! Repositories: documents, creation, changes (pulp2/repositories#documents, pulp2/repositories#changes).

use std::collections::{BTreeMap, HashMap};

use futures::TryStreamExt;
use pith_core::clock::iso;
use pith_core::error::PulpError;
use pith_core::{Document, ObjectId, TaskId, Timestamp, value_weight};
use pith_engine::Error;
use pith_engine::masks::{merged, without_masks};
use pith_store::{
    Distributor, Importer, NewTask, Repository, RepositoryChange, RepositoryUpdate, Texts, Window,
    reading,
};
use serde_json::{Value, json};

use crate::distributors::truthy;
use crate::ids::is_repository_id;
use crate::jobs::{DeleteRepository, UpdateDistributor};
use crate::{Pulp, distributors, importers, stored};

/// The things that go along with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expand {
    /// Its importers.
    pub importers: bool,
    /// Its distributors.
    pub distributors: bool,
}

/// The form of dates in a document (pulp2/conventions#values).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dates {
    /// `YYYY-MM-DDTHH:MM:SSZ`.
    Iso,
    /// `{"$date": <milliseconds>}`: in call reports, and for filters.
    Extended,
}

impl Dates {
    /// A date in this form; null for none.
    #[must_use]
    pub fn show(self, at: Option<Timestamp>) -> Value {
        match (at, self) {
            (None, _) => Value::Null,
            (Some(at), Self::Iso) => json!(iso(at)),
            (Some(at), Self::Extended) => json!({ "$date": at.as_millisecond() }),
        }
    }
}

/// The repository as the API shows it. `counts` is type id -> number of units.
#[must_use]
pub fn document(
    repository: &Repository,
    counts: Option<&BTreeMap<String, i64>>,
    dates: Dates,
) -> Value {
    json!({
        "_id": repository.oid.to_json(),
        "_ns": "repos",
        "_href": format!("/pulp/api/v2/repositories/{}/", repository.id),
        "id": repository.id,
        "display_name": repository.display_name,
        "description": repository.description,
        "notes": repository.notes,
        "scratchpad": repository.scratchpad,
        "content_unit_counts": counts.map_or_else(|| json!({}), |counts| json!(counts)),
        "last_unit_added": dates.show(repository.last_unit_added),
        "last_unit_removed": dates.show(repository.last_unit_removed),
    })
}

/// Text or nothing.
fn optional_text(value: Option<&Value>) -> Result<Option<String>, ()> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(()),
    }
}

fn notes(value: Option<&Value>) -> Result<Document, ()> {
    match value {
        None | Some(Value::Null) => Ok(Document::new()),
        Some(Value::Object(notes)) if notes.keys().all(|key| !key.starts_with('$')) => {
            Ok(notes.clone())
        }
        Some(_) => Err(()),
    }
}

/// Reads a new repository from a request; the fields that cannot be are named together.
fn wanted(body: &Document, now: Timestamp) -> Result<Repository, PulpError> {
    let id = body
        .get("id")
        .and_then(Value::as_str)
        .filter(|id| is_repository_id(id));
    let display_name = optional_text(body.get("display_name").or_else(|| body.get("id")));
    let description = optional_text(body.get("description"));
    let notes = notes(body.get("notes"));
    let (Some(id), Ok(display_name), Ok(description), Ok(notes)) =
        (id, &display_name, &description, &notes)
    else {
        let checks = [
            ("repo_id", id.is_none()),
            ("display_name", display_name.is_err()),
            ("description", description.is_err()),
            ("notes", notes.is_err()),
        ];
        let names: Vec<&str> = checks
            .iter()
            .filter(|(_, bad)| *bad)
            .map(|(name, _)| *name)
            .collect();
        return Err(PulpError::invalid_value(&names));
    };
    Ok(Repository {
        id: id.to_owned(),
        oid: ObjectId::new(now),
        display_name: display_name.clone(),
        description: description.clone(),
        notes: notes.clone(),
        scratchpad: Document::new(),
        last_unit_added: None,
        last_unit_removed: None,
        version: 0,
    })
}

/// The objects in the list `key` of a request; an error calls it `name`.
pub(crate) fn objects_of<'a>(
    body: &'a Document,
    key: &str,
    name: &str,
) -> Result<Vec<&'a Document>, PulpError> {
    let wrong = || PulpError::invalid_value(&[name]);
    match body.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_object().ok_or_else(wrong))
            .collect(),
        Some(_) => Err(wrong()),
    }
}

/// The object `key` of a request; null is as good as absent.
fn object<'a>(key: &str, body: &'a Document) -> Result<Option<&'a Document>, PulpError> {
    match body.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(map)) => Ok(Some(map)),
        Some(_) => Err(PulpError::invalid_value(&[key])),
    }
}

/// Returns what `delta` of a request changes (pulp2/repositories#changes). Keys that cannot be changed are passed over.
fn update_of(delta: &Document, old: &Repository) -> Result<RepositoryUpdate, PulpError> {
    let text = |key: &str| match delta.get(key) {
        None => Ok(None),
        value => optional_text(value)
            .map(Some)
            .map_err(|()| PulpError::invalid_value(&[key])),
    };
    if delta
        .get("id")
        .is_some_and(|id| id.as_str() != Some(&old.id))
    {
        return Err(PulpError::invalid_value(&["id"]));
    }
    let merged_notes = match delta.get("notes") {
        None => None,
        Some(Value::Object(changes)) if changes.keys().all(|key| !key.starts_with('$')) => {
            let notes = merged(old.notes.clone(), changes.clone());
            stored::require_fits("The notes", &notes)?;
            Some(notes)
        }
        Some(_) => return Err(PulpError::invalid_value(&["notes"])),
    };
    let scratchpad = match delta.get("scratchpad") {
        None => None,
        Some(Value::Object(scratchpad)) => Some(scratchpad.clone()),
        Some(_) => return Err(PulpError::invalid_value(&["scratchpad"])),
    };
    Ok(RepositoryUpdate {
        display_name: text("display_name")?,
        description: text("description")?,
        notes: merged_notes,
        scratchpad,
    })
}

/// Importers and distributors by repository, as documents.
#[derive(Debug, Default)]
pub(crate) struct Expanded {
    importers: HashMap<String, Vec<Value>>,
    distributors: HashMap<String, Vec<Value>>,
}

impl Expanded {
    /// Adds to a repository's document what `expand` asks for.
    pub(crate) fn attach(&mut self, repo_id: &str, document: &mut Value, expand: Expand) {
        if expand.importers {
            document["importers"] =
                Value::Array(self.importers.remove(repo_id).unwrap_or_default());
        }
        if expand.distributors {
            document["distributors"] =
                Value::Array(self.distributors.remove(repo_id).unwrap_or_default());
        }
    }
}

impl Pulp {
    /// The repository `id`.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn repository_require(&self, id: &str) -> Result<Repository, Error> {
        self.engine
            .store
            .repository_get(id)
            .await?
            .ok_or_else(|| PulpError::missing_resource(&[("repository", id)]).into())
    }

    /// Returns what `expand` asks for, of these repositories or of all.
    pub(crate) async fn expanded(
        &self,
        repos: Option<&[String]>,
        expand: Expand,
    ) -> Result<Expanded, Error> {
        let mut expanded = Expanded::default();
        if expand.importers {
            for importer in self.engine.store.importer_list(repos).await? {
                let document = importers::document(&self.engine.registry, &importer);
                expanded
                    .importers
                    .entry(importer.repo_id)
                    .or_default()
                    .push(document);
            }
        }
        if expand.distributors {
            let found = self.engine.store.distributor_list(repos).await?;
            for distributor in distributors::oldest_first(found) {
                let document = distributors::document(&self.engine.registry, &distributor);
                expanded
                    .distributors
                    .entry(distributor.repo_id)
                    .or_default()
                    .push(document);
            }
        }
        Ok(expanded)
    }

    /// The numbers of a repository's units by type, of the types that clients are shown.
    async fn shown_counts(&self, id: &str) -> Result<BTreeMap<String, i64>, Error> {
        let mut counts = self.engine.store.repository_unit_counts(id).await?;
        self.engine.registry.show(&mut counts);
        Ok(counts)
    }

    /// Every repository.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn repository_documents(&self, expand: Expand) -> Result<Vec<Value>, Error> {
        let mut counts = self.engine.store.repository_unit_counts_all().await?;
        for counts in counts.values_mut() {
            self.engine.registry.show(counts);
        }
        let mut documents = Vec::new();
        let mut pages = self
            .engine
            .store
            .repositories_stream(Texts::Any, Window::default());
        while let Some(page) = pages.try_next().await? {
            let ids: Vec<String> = page.iter().map(|one| one.id.clone()).collect();
            let mut expanded = self.expanded(Some(&ids), expand).await?;
            for repository in &page {
                let mut shown = document(repository, counts.get(&repository.id), Dates::Iso);
                expanded.attach(&repository.id, &mut shown, expand);
                reading::count(2 * value_weight(&shown))?;
                documents.push(shown);
            }
        }
        Ok(documents)
    }

    /// One repository; `totals` adds the two sums that only `details` shows.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn repository_document(
        &self,
        id: &str,
        expand: Expand,
        totals: bool,
    ) -> Result<Value, Error> {
        let repository = self.repository_require(id).await?;
        let counts = self.shown_counts(id).await?;
        let mut shown = document(&repository, Some(&counts), Dates::Iso);
        if expand != Expand::default() {
            let mut expanded = self.expanded(Some(&[id.to_owned()]), expand).await?;
            expanded.attach(id, &mut shown, expand);
        }
        if totals {
            let total: i64 = counts.values().sum();
            let absent = self
                .engine
                .store
                .repository_units_not_downloaded(id)
                .await?;
            shown["total_repository_units"] = json!(total);
            shown["locally_stored_units"] = json!(total - absent);
        }
        Ok(shown)
    }

    /// Makes a repository with its importer and distributors, all or nothing. `body` is the request.
    ///
    /// # Errors
    /// In Pulp's order: 400 naming `distributor_list`, 400 naming fields, 409, the importer's refusal,
    /// each distributor's refusal.
    pub async fn repository_create(&self, body: &Document) -> Result<Value, Error> {
        let listed = objects_of(body, "distributors", "distributor_list")?;
        let now = self.engine.clock.now();
        let repository = wanted(body, now)?;
        let id = repository.id.as_str();
        if self.engine.store.repository_get(id).await?.is_some() {
            return Err(PulpError::duplicate(id).into());
        }
        let importer = match body.get("importer_type_id") {
            None | Some(Value::Null) => None,
            wanted_type => {
                let (type_id, config) =
                    importers::wanted(&self.engine, wanted_type, body.get("importer_config"))?;
                Some(Importer {
                    repo_id: id.to_owned(),
                    oid: ObjectId::new(now),
                    type_id,
                    config,
                    scratchpad: None,
                    last_sync: None,
                    last_updated: now,
                    last_override: None,
                })
            }
        };
        let mut readable = Vec::with_capacity(listed.len());
        for wanted in &listed {
            readable.push(self.guard_wanted(wanted).await?);
        }
        let tx = self.distributors_change().await?;
        let mut distributors: Vec<Distributor> = Vec::with_capacity(listed.len());
        for (wanted, readable) in listed.into_iter().zip(readable) {
            let distributor = self.distributor_wanted(&tx, id, wanted, readable).await?;
            // One of the same id replaces the earlier one, as if they had been added one after another.
            distributors.retain(|earlier| earlier.id != distributor.id);
            distributors.push(distributor);
        }
        tx.repository_create_full(&repository, importer.as_ref(), &distributors)
            .await?;
        tx.commit().await?;
        Ok(document(&repository, None, Dates::Iso))
    }

    /// Changes a repository and its importer and queues a task for each distributor, all or nothing. `body` is the
    /// request; answers the repository and the tasks.
    ///
    /// # Errors
    /// 404 for the repository or a missing importer, PLP1010 for `delta`, 400 naming what cannot be.
    pub async fn repository_update(
        &self,
        id: &str,
        body: &Document,
    ) -> Result<(Value, Vec<TaskId>), Error> {
        self.repository_require(id).await?;
        let delta = match body.get("delta") {
            Some(Value::Object(delta)) => Some(delta),
            Some(given) if truthy(Some(given)) => {
                return Err(PulpError::wrong_type("delta", "dict", given).into());
            }
            _ => None,
        };
        let importer_config = object("importer_config", body)?;
        let jobs = object("distributor_configs", body)?
            .into_iter()
            .flatten()
            .map(|(distributor_id, config)| UpdateDistributor {
                repo_id: id.to_owned(),
                distributor_id: distributor_id.clone(),
                config: config.clone(),
                delta: Value::Null,
            });
        let tasks = jobs.map(|job| self.engine.new_task(&job));
        let tasks: Vec<NewTask> = tasks.collect::<Result<_, _>>()?;
        let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
        let decide = |old: &Repository, importer: Option<&Importer>| {
            Ok::<_, Error>(RepositoryChange {
                update: delta.map_or_else(
                    || Ok(RepositoryUpdate::default()),
                    |delta| update_of(delta, old),
                )?,
                importer_config: importer_config
                    .map(|changes| self.changed_importer(id, importer, changes))
                    .transpose()?,
                tasks,
            })
        };
        let changed = self.engine.store.repository_change(id, decide).await;
        let repository = changed??;
        let counts = self.shown_counts(id).await?;
        let dates = if ids.is_empty() {
            Dates::Iso
        } else {
            Dates::Extended
        };
        Ok((document(&repository, Some(&counts), dates), ids))
    }

    /// The importer's configuration after `changes`, checked.
    fn changed_importer(
        &self,
        repo_id: &str,
        importer: Option<&Importer>,
        changes: &Document,
    ) -> Result<Document, Error> {
        let importer =
            importer.ok_or_else(|| PulpError::missing_resource(&[("repo_id", repo_id)]))?;
        let changes = without_masks(&importer.config, changes.clone());
        let config = merged(importer.config.clone(), changes);
        stored::require_fits("The configuration", &config)?;
        let stored = Some(&importer.config);
        importers::prepared_config(&self.engine, &importer.type_id, config, stored)
    }

    /// Queues the task that deletes a repository.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn repository_delete(&self, id: &str) -> Result<TaskId, Error> {
        self.repository_require(id).await?;
        self.engine
            .enqueue(DeleteRepository {
                repo_id: id.to_owned(),
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(value: Value) -> Document {
        serde_json::from_value(value).unwrap()
    }

    fn names(value: Value) -> Value {
        let error = wanted(&body(value), Timestamp::UNIX_EPOCH).unwrap_err();
        error.extra["property_names"].clone()
    }

    #[test]
    fn fields_that_cannot_be_are_named_together_and_id_is_repo_id() {
        assert_eq!(names(json!({})), json!(["repo_id"]));
        assert_eq!(names(json!({"id": 5})), json!(["repo_id", "display_name"]));
        assert_eq!(
            names(json!({"id": "a b", "notes": [], "description": 1})),
            json!(["repo_id", "description", "notes"])
        );
        assert_eq!(
            names(json!({"id": "a", "notes": {"$x": 1}})),
            json!(["notes"])
        );
    }

    #[test]
    fn the_display_name_is_the_id_only_when_it_is_absent() {
        let made = |value| wanted(&body(value), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(made(json!({"id": "a"})).display_name.as_deref(), Some("a"));
        assert_eq!(
            made(json!({"id": "a", "display_name": null})).display_name,
            None
        );
        assert_eq!(
            made(json!({"id": "a", "notes": null})).notes,
            Document::new()
        );
    }

    #[test]
    fn a_delta_merges_notes_and_null_removes_one() {
        let mut old = wanted(&body(json!({"id": "a"})), Timestamp::UNIX_EPOCH).unwrap();
        old.notes = body(json!({"k": 1, "l": 2}));
        let delta = body(json!({"notes": {"k": null, "gone": null, "z": 3}, "bogus": 1}));
        let update = update_of(&delta, &old).unwrap();
        assert_eq!(update.notes, Some(body(json!({"l": 2, "z": 3}))));
        assert_eq!(update.display_name, None);
        let bad = update_of(&body(json!({"display_name": 7})), &old).unwrap_err();
        assert_eq!(bad.extra["property_names"], json!(["display_name"]));
    }
}
