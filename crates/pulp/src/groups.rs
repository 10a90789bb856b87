//! Groups of repositories: documents, checks, and the calls that change them (pulp2/groups).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pith_core::criteria::{Criteria, project};
use pith_core::error::PulpError;
use pith_core::rights::of_repository;
use pith_core::{Document, ObjectId, Operation, TaskId};
use pith_engine::Error;
use pith_engine::error::missing;
use pith_store::{GroupDistributor, RepoGroup, StoreError};
use serde_json::{Value, json};

use crate::auth::Principal;
use crate::ids::LONGEST_ID;
use crate::jobs::PublishGroup;
use crate::repositories::objects_of;
use crate::search::{GROUPS, select};
use crate::{Pulp, stored};

/// The characters that are escaped in a segment of `_href`.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

pub(crate) fn href(group_id: &str) -> String {
    let id = utf8_percent_encode(group_id, SEGMENT);
    format!("/pulp/api/v2/repo_groups/{id}/")
}

/// The group as the API shows it.
#[must_use]
pub fn document(group: &RepoGroup) -> Value {
    json!({
        "_id": group.oid.to_json(),
        "_ns": "repo_groups",
        "_href": href(&group.id),
        "id": group.id,
        "display_name": group.display_name,
        "description": group.description,
        "notes": group.notes,
        "repo_ids": group.members,
        "scratchpad": null,
    })
}

/// 404 for a group.
fn no_group(id: &str) -> Error {
    PulpError::missing_resource(&[("repo_group", id)]).into()
}

/// Turns the store's error about a missing group into the API's.
pub(crate) fn of_group(error: StoreError, id: &str) -> Error {
    match error {
        StoreError::Missing { .. } => no_group(id),
        other => other.into(),
    }
}

/// Names among the keys of `body` that are not in `known`.
fn only(body: &Document, known: &[&str]) -> Result<(), PulpError> {
    let unknown: Vec<&str> = (body.keys().map(String::as_str))
        .filter(|key| !known.contains(key))
        .collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(PulpError::invalid_value(&unknown))
    }
}

/// The ids in `repo_ids`. A text counts as the list of its characters, which it was in Pulp's language.
fn members_of(body: &Document) -> Result<Vec<String>, PulpError> {
    let wrong = || PulpError::invalid_value(&["repo_ids"]);
    let ids: Vec<String> = match body.get("repo_ids") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) => text.chars().map(String::from).collect(),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong))
            .collect::<Result<_, _>>()?,
        Some(_) => return Err(wrong()),
    };
    Ok(ids)
}

/// Tells whether somebody may read a repository.
fn may_read(by: &Principal, repo_id: &str) -> bool {
    by.may(Operation::Read, &of_repository(repo_id))
}

fn object_of(value: Value) -> Document {
    match value {
        Value::Object(object) => object,
        _ => Document::new(),
    }
}

/// Puts `changes` into the notes: what is null, false, zero or empty takes its key away.
fn merge_notes(notes: &mut Value, changes: Document) {
    if !notes.is_object() {
        *notes = json!({});
    }
    for (key, value) in changes {
        if crate::distributors::truthy(Some(&value)) {
            notes[key] = value;
        } else if let Some(notes) = notes.as_object_mut() {
            notes.remove(&key);
        }
    }
}

impl Pulp {
    /// The group `id`.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn group_require(&self, id: &str) -> Result<RepoGroup, Error> {
        let found = self.engine.store.group_get(id).await?;
        found.ok_or_else(|| no_group(id))
    }

    /// Every group, as documents.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn group_list(&self) -> Result<Vec<Value>, Error> {
        let groups = self.engine.store.group_list().await?;
        Ok(groups.iter().map(document).collect())
    }

    /// Makes a group with its members and distributors, all or nothing, in the name of `by`. `body` is the request.
    ///
    /// # Errors
    /// In Pulp's order: 400 when `id` is missing, 400 naming unknown keys, `distributor_list` or what
    /// else cannot be, 404 naming unknown repositories, 409, each distributor's refusal.
    pub async fn group_create(&self, body: &Document, by: &Principal) -> Result<Value, Error> {
        let id = match body.get("id") {
            None | Some(Value::Null) => return Err(PulpError::missing_value(&["id"]).into()),
            Some(Value::String(id)) if !id.is_empty() && id.len() <= LONGEST_ID => id.as_str(),
            Some(_) => return Err(PulpError::invalid_value(&["id"]).into()),
        };
        only(
            body,
            &[
                "id",
                "display_name",
                "description",
                "repo_ids",
                "notes",
                "distributors",
            ],
        )?;
        let listed = objects_of(body, "distributors", "distributor_list")?;
        let members = members_of(body)?;
        self.require_members(&members, by).await?;
        if self.engine.store.group_get(id).await?.is_some() {
            return Err(PulpError::duplicate(id).into());
        }
        let field = |name: &str| body.get(name).cloned().unwrap_or_default();
        let group = RepoGroup {
            id: id.to_owned(),
            oid: ObjectId::new(self.engine.clock.now()),
            display_name: field("display_name"),
            description: field("description"),
            notes: Some(field("notes"))
                .filter(|notes| !notes.is_null())
                .unwrap_or_else(|| json!({})),
            members,
        };
        let tx = self.distributors_change().await?;
        let mut distributors: Vec<GroupDistributor> = Vec::with_capacity(listed.len());
        for wanted in &listed {
            distributors.push(self.group_distributor_wanted(&tx, id, wanted).await?);
        }
        tx.group_create(&group, &distributors).await?;
        tx.commit().await?;
        let mut shown = document(&self.group_require(id).await?);
        shown["distributors"] = json!(listed);
        Ok(shown)
    }

    /// Refuses members that are not there. Those that `by` may not read are not there either.
    async fn require_members(&self, ids: &[String], by: &Principal) -> Result<(), Error> {
        let mut unknown = Vec::new();
        for id in ids {
            let found = self.engine.store.repository_get(id).await?;
            if found.is_none() || !may_read(by, id) {
                unknown.push(id);
            }
        }
        if unknown.is_empty() {
            Ok(())
        } else {
            Err(missing(&[("repositories", json!(unknown))]))
        }
    }

    /// Changes names and notes of a group. `body` is the request, which is the change itself.
    ///
    /// # Errors
    /// 404, then 400 naming keys that cannot be changed.
    pub async fn group_update(&self, id: &str, mut body: Document) -> Result<Value, Error> {
        let group = self.group_require(id).await?;
        only(&body, &["display_name", "description", "notes"])?;
        let notes = match body.remove("notes") {
            None | Some(Value::Null) => Document::new(),
            Some(Value::Object(notes)) => notes,
            Some(_) => return Err(PulpError::invalid_value(&["notes"]).into()),
        };
        let mut merged = group.notes;
        merge_notes(&mut merged, notes.clone());
        stored::require_fits("The notes", &object_of(merged))?;
        let changed = self.engine.store.group_update(id, move |group| {
            if let Some(name) = body.remove("display_name") {
                group.display_name = name;
            }
            if let Some(description) = body.remove("description") {
                group.description = description;
            }
            if !notes.is_empty() {
                merge_notes(&mut group.notes, notes);
            }
        });
        Ok(document(
            &changed.await.map_err(|error| of_group(error, id))?,
        ))
    }

    /// Deletes a group with its distributors.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn group_delete(&self, id: &str) -> Result<(), Error> {
        let deleted = self.engine.store.group_delete(id).await;
        deleted.map_err(|error| of_group(error, id))
    }

    /// Searches groups. Names are not checked, and `id` is always shown (pulp2/search#results).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn group_search(&self, criteria: &Criteria) -> Result<Vec<Value>, Error> {
        let criteria = &GROUPS.prepared(criteria)?;
        let documents = self.group_list().await?;
        let found = select(documents, criteria, Value::clone)?;
        let Some(fields) = &criteria.fields else {
            return Ok(found);
        };
        let always = ["_id", "id", "_href"].map(str::to_owned);
        let fields: Vec<String> = always.into_iter().chain(fields.iter().cloned()).collect();
        let cut = |shown: Value| match shown {
            Value::Object(shown) => Value::Object(project(&shown, &fields)),
            other => other,
        };
        Ok(found.into_iter().map(cut).collect())
    }

    /// Adds the repositories that match and that `by` may read, to a group. The ids of its repositories afterwards.
    ///
    /// # Errors
    /// 400 for what the criteria name, 404 for the group.
    pub async fn group_associate(
        &self,
        id: &str,
        criteria: &Criteria,
        by: &Principal,
    ) -> Result<Vec<String>, Error> {
        let mut repos = self.repository_ids(criteria).await?;
        repos.retain(|repo| may_read(by, repo));
        let joined = self.engine.store.group_join(id, &repos).await;
        joined.map_err(|error| of_group(error, id))
    }

    /// Takes the repositories that match and that `by` may read out of a group: what a filter matches tells what is in them. The
    /// ids of its repositories afterwards.
    ///
    /// # Errors
    /// 400 for what the criteria name, 404 for the group.
    pub async fn group_unassociate(
        &self,
        id: &str,
        criteria: &Criteria,
        by: &Principal,
    ) -> Result<Vec<String>, Error> {
        let mut repos = self.repository_ids(criteria).await?;
        repos.retain(|repo| may_read(by, repo));
        let left = self.engine.store.group_leave(id, &repos).await;
        left.map_err(|error| of_group(error, id))
    }

    /// Queues the publish of a group; whether it has such a distributor is found by the task. `body` is the request. What members
    /// have is shown to others, so whoever publishes must be one who may see it, now.
    ///
    /// # Errors
    /// 400 when `id` is missing, 404 for the group, and for members that `by` may not read.
    pub async fn group_publish(
        &self,
        group: &str,
        mut body: Document,
        by: &Principal,
    ) -> Result<TaskId, Error> {
        let distributor_id = match body.remove("id") {
            None | Some(Value::Null) => return Err(PulpError::missing_value(&["id"]).into()),
            Some(id) => id,
        };
        let mut unseen = self.group_require(group).await?.members;
        unseen.retain(|repo| !may_read(by, repo));
        if !unseen.is_empty() {
            return Err(missing(&[("repositories", json!(unseen))]));
        }
        self.engine
            .enqueue(PublishGroup {
                group_id: group.to_owned(),
                distributor_id,
                override_config: body.remove("override_config").unwrap_or_default(),
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_merged_and_what_is_empty_takes_its_key_away() {
        let mut notes = json!({"a": 1, "b": 2, "c": 3});
        let changes = json!({"a": null, "b": 0, "d": "x", "gone": false});
        merge_notes(&mut notes, changes.as_object().cloned().unwrap());
        assert_eq!(notes, json!({"c": 3, "d": "x"}));
        let mut list = json!([1]);
        merge_notes(&mut list, Document::from_iter([("k".to_owned(), json!(1))]));
        assert_eq!(list, json!({"k": 1}));
    }

    #[test]
    fn the_path_of_a_group_is_encoded_whatever_its_id() {
        assert_eq!(href("a b"), "/pulp/api/v2/repo_groups/a%20b/");
        assert_eq!(href("ü/?"), "/pulp/api/v2/repo_groups/%C3%BC%2F%3F/");
        assert_eq!(href("a-b_c.d~e"), "/pulp/api/v2/repo_groups/a-b_c.d~e/");
    }
}
