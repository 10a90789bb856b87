//! Searches over the small collections: repositories, distributors, tasks.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use pith_core::criteria::{Criteria, SortKey, sort_values};
use pith_core::error::PulpError;
use pith_core::{Document, TaskId};
use pith_store::{BatchStream, Repository, Task};
use serde_json::{Value, json};

use super::Ranking;
use crate::error::from_store;
use crate::repositories::{self, Dates, Expand};
use crate::{Engine, distributors, present};

/// The names that a typed collection knows.
#[derive(Debug, Clone, Copy)]
pub struct Collection {
    /// Its name, as `_ns` shows it.
    pub name: &'static str,
    /// Names that may stand in `sort` and `fields`.
    pub fields: &'static [&'static str],
}

/// Repositories.
pub const REPOSITORIES: Collection = Collection {
    name: "repos",
    fields: &[
        "id",
        "_id",
        "_ns",
        "display_name",
        "description",
        "notes",
        "scratchpad",
        "content_unit_counts",
        "last_unit_added",
        "last_unit_removed",
    ],
};

/// Distributors of repositories.
pub const DISTRIBUTORS: Collection = Collection {
    name: "repo_distributors",
    fields: &[
        "id",
        "_id",
        "_ns",
        "repo_id",
        "distributor_id",
        "distributor_type_id",
        "config",
        "auto_publish",
        "last_publish",
        "last_updated",
        "last_override_config",
        "scratchpad",
    ],
};

/// Tasks.
pub const TASKS: Collection = Collection {
    name: "task_status",
    fields: &[
        "id",
        "_id",
        "_ns",
        "task_id",
        "task_type",
        "state",
        "tags",
        "worker_name",
        "start_time",
        "finish_time",
        "progress_report",
        "result",
        "error",
        "spawned_tasks",
        "exception",
        "traceback",
        "group_id",
    ],
};

/// 400 with the sentence for a name that a collection does not know.
pub(super) fn unknown_field(name: &str, collection: &str) -> PulpError {
    let sentence =
        format!("Field: <{name}> does not exist on objects in the <{collection}> collection");
    PulpError::invalid_value(&[&sentence])
}

impl Collection {
    pub(super) fn check(&self, criteria: &Criteria) -> Result<(), PulpError> {
        let fields = criteria.fields.iter().flatten().map(String::as_str);
        for name in criteria.sort_names().chain(fields) {
            if !self.fields.contains(&name) {
                return Err(unknown_field(name, self.name));
            }
        }
        Ok(())
    }
}

/// Turns text that stands for `_id` in a filter into the form that object ids have in documents.
///
/// # Errors
/// 400 when it is no object id, or another shape than a text or `$in`, `$nin`, `$ne` of texts.
pub fn with_object_ids(criteria: &mut Value) -> Result<(), PulpError> {
    let Some(id) = criteria
        .get_mut("filters")
        .and_then(|filters| filters.get_mut("_id"))
    else {
        return Ok(());
    };
    let wrong = || PulpError::invalid_value(&["filters"]);
    let convert = |value: &mut Value| match value {
        Value::String(text) => {
            let oid: pith_core::ObjectId = text.parse().map_err(|_| wrong())?;
            *value = oid.to_json();
            Ok(())
        }
        Value::Null => Ok(()),
        Value::Object(map) if map.contains_key("$oid") => Ok(()),
        _ => Err(wrong()),
    };
    match id {
        Value::Object(operators) if !operators.contains_key("$oid") => {
            for (operator, operand) in operators {
                match (operator.as_str(), operand) {
                    ("$in" | "$nin", Value::Array(items)) => {
                        items.iter_mut().try_for_each(convert)?;
                    }
                    ("$ne" | "$eq", value) => convert(value)?,
                    ("$exists", _) => {}
                    _ => return Err(wrong()),
                }
            }
            Ok(())
        }
        value => convert(value),
    }
}

/// The texts that `field` must be one of, when the filter says so.
fn must_be(criteria: &Criteria, field: &str) -> Option<Vec<String>> {
    let filter = criteria.filter.as_ref()?;
    let (_, values) = filter
        .narrow()
        .into_iter()
        .find(|(name, _)| name == field)?;
    Some(
        values
            .into_iter()
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect(),
    )
}

/// Tags that a task must have to match; `None` when there are none.
fn tags_of(criteria: &Criteria) -> Option<Vec<String>> {
    let narrowed = criteria.filter.as_ref()?.narrow();
    let tags: Vec<String> = narrowed
        .into_iter()
        .filter(|(name, values)| name == "tags" && values.len() == 1)
        .filter_map(|(_, values)| values[0].as_str().map(str::to_owned))
        .collect();
    (!tags.is_empty()).then_some(tags)
}

/// Filters, sorts, skips and limits. `facts` gives the document that an item is judged by.
pub(crate) fn select<T>(
    items: impl IntoIterator<Item = T>,
    criteria: &Criteria,
    facts: impl Fn(&T) -> Value,
) -> Vec<T> {
    let keys: Vec<SortKey> = criteria.sort.clone().unwrap_or_default();
    let mut ranking = Ranking::new(keys.clone(), criteria.skip, criteria.limit);
    for item in items {
        let Value::Object(mut judged) = facts(&item) else {
            continue;
        };
        // What is null was never stored, so it does not exist.
        judged.retain(|_, value| !value.is_null());
        if criteria.filter.as_ref().is_none_or(|f| f.matches(&judged)) {
            ranking.offer(sort_values(&judged, &keys), item);
        }
    }
    ranking.finish(criteria.skip).collect()
}

/// Cuts a document of a typed collection to `fields`. `always` stays whatever was asked, and becomes null when it was
/// not (reference: platform-api §1.10.4).
pub(super) fn cut(document: &mut Value, fields: &[String], always: &[&str]) {
    if let Some(map) = document.as_object_mut() {
        let asked = |key: &str| fields.iter().any(|field| field == key);
        map.retain(|key, _| key == "_id" || key == "_href" || asked(key));
        for key in always {
            map.entry(*key).or_insert(Value::Null);
        }
    }
}

/// Repository id -> type id -> number of units.
type UnitCounts = BTreeMap<String, BTreeMap<String, i64>>;

impl Engine {
    /// Searches repositories.
    ///
    /// # Errors
    /// 400 for an unknown name in `sort` or `fields`.
    pub async fn repository_search(
        &self,
        criteria: &Criteria,
        expand: Expand,
    ) -> Result<Vec<Value>, PulpError> {
        let (found, counts) = self.matching(criteria).await?;
        let with_id = criteria
            .fields
            .as_ref()
            .is_none_or(|fields| fields.iter().any(|field| field == "id"));
        let ids: Vec<String> = if with_id {
            found
                .iter()
                .map(|repository| repository.id.clone())
                .collect()
        } else {
            Vec::new()
        };
        let mut expanded = self.expanded(Some(&ids), expand).await?;
        Ok(found
            .iter()
            .map(|repository| {
                let mut document =
                    repositories::document(repository, counts.get(&repository.id), Dates::Iso);
                if let Some(fields) = &criteria.fields {
                    cut(&mut document, fields, &["id"]);
                    if !with_id {
                        document["_href"] = json!("/pulp/api/v2/repositories/None/");
                    }
                }
                expanded.attach(&repository.id, &mut document, expand);
                document
            })
            .collect())
    }

    /// The ids of the repositories that match.
    ///
    /// # Errors
    /// 400 for an unknown name in `sort` or `fields`.
    pub(crate) async fn repository_ids(
        &self,
        criteria: &Criteria,
    ) -> Result<Vec<String>, PulpError> {
        let (found, _) = self.matching(criteria).await?;
        Ok(found.into_iter().map(|repository| repository.id).collect())
    }

    /// The repositories that match, and numbers of units of these and maybe more.
    async fn matching(
        &self,
        criteria: &Criteria,
    ) -> Result<(Vec<Repository>, UnitCounts), PulpError> {
        REPOSITORIES.check(criteria)?;
        let ids = must_be(criteria, "id");
        let found = self.store.repository_list(ids.as_deref()).await;
        let found = found.map_err(from_store)?;
        let counts = self.unit_counts(&found).await?;
        let found = select(found, criteria, |repository| {
            let mut facts =
                repositories::document(repository, counts.get(&repository.id), Dates::Extended);
            facts["repo_id"] = json!(repository.id);
            facts
        });
        Ok((found, counts))
    }

    /// Numbers of units by repository and type: of a few one by one, of many in one go.
    async fn unit_counts(&self, repositories: &[Repository]) -> Result<UnitCounts, PulpError> {
        const FEW: usize = 8;
        if repositories.len() > FEW {
            let all = self.store.repository_unit_counts_all().await;
            return all.map_err(from_store);
        }
        let mut counts = BTreeMap::new();
        for repository in repositories {
            let of_one = self.store.repository_unit_counts(&repository.id).await;
            counts.insert(repository.id.clone(), of_one.map_err(from_store)?);
        }
        Ok(counts)
    }

    /// Searches the distributors of all repositories.
    ///
    /// # Errors
    /// 400 for an unknown name in `sort` or `fields`.
    pub async fn distributor_search(&self, criteria: &Criteria) -> Result<Vec<Value>, PulpError> {
        DISTRIBUTORS.check(criteria)?;
        let repos = must_be(criteria, "repo_id");
        let found = self
            .store
            .distributor_list(repos.as_deref())
            .await
            .map_err(from_store)
            .map(distributors::oldest_first)?;
        let found = select(found, criteria, |distributor| {
            let mut facts = distributors::document(distributor);
            facts["distributor_id"] = json!(distributor.id);
            facts["last_publish"] = Dates::Extended.show(distributor.last_publish);
            facts["last_updated"] = Dates::Extended.show(Some(distributor.last_updated));
            facts
        });
        Ok(found
            .iter()
            .map(|distributor| {
                let mut document = distributors::document(distributor);
                if let Some(fields) = &criteria.fields {
                    cut(
                        &mut document,
                        fields,
                        &["id", "repo_id", "distributor_type_id"],
                    );
                    let shown = |key: &str| document[key].as_str().unwrap_or("None");
                    document["_href"] = json!(format!(
                        "/pulp/api/v2/repositories/{}/distributors/{}/",
                        shown("repo_id"),
                        shown("id")
                    ));
                }
                document
            })
            .collect())
    }

    /// Searches tasks, grouped ones too.
    ///
    /// # Errors
    /// 400 for an unknown name in `sort` or `fields`.
    pub async fn task_search(&self, criteria: &Criteria) -> Result<Vec<Document>, PulpError> {
        TASKS.check(criteria)?;
        let keys: Vec<SortKey> = criteria.sort.clone().unwrap_or_default();
        let mut ranking = Ranking::new(keys.clone(), criteria.skip, criteria.limit);
        let enough = criteria
            .limit
            .filter(|_| keys.is_empty())
            .map(|limit| limit.saturating_add(criteria.skip));
        let mut found = 0;
        let mut tasks = self.candidates(criteria).await?;
        'search: while let Some(batch) = tasks.try_next().await.map_err(from_store)? {
            for task in batch {
                if enough.is_some_and(|enough| found >= enough) {
                    break 'search;
                }
                let document = present::task_document(&task);
                let mut facts = document.clone();
                facts.remove("id");
                facts.remove("_href");
                if criteria.filter.as_ref().is_none_or(|f| f.matches(&facts)) {
                    found += 1;
                    ranking.offer(sort_values(&document, &keys), document);
                }
            }
        }
        let cut = |mut document| {
            if let Some(fields) = &criteria.fields {
                blank_task(&mut document, fields);
            }
            document
        };
        Ok(ranking.finish(criteria.skip).map(cut).collect())
    }

    /// The tasks that can match: all, unless the filter names tasks or one of their tags.
    async fn candidates(&self, criteria: &Criteria) -> Result<BatchStream<Task>, PulpError> {
        let some = if let Some(ids) = must_be(criteria, "task_id") {
            let ids: Vec<TaskId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
            self.store.tasks_by_ids(&ids).await.map_err(from_store)?
        } else if let Some(tags) = tags_of(criteria) {
            self.store.task_list(&tags).await.map_err(from_store)?
        } else {
            return Ok(self.store.tasks_all());
        };
        Ok(Box::pin(futures::stream::once(async move { Ok(some) })))
    }
}

/// Empties the fields of a task that were not asked for; the keys stay (reference: platform-api §1.10.4).
fn blank_task(document: &mut Document, fields: &[String]) {
    let asked = |key: &str| fields.iter().any(|field| field == key);
    if !asked("task_id") {
        document.remove("_href");
    }
    for (key, value) in document.iter_mut() {
        if matches!(key.as_str(), "_id" | "id" | "_ns" | "_href") || asked(key) {
            continue;
        }
        *value = match key.as_str() {
            "tags" | "spawned_tasks" => json!([]),
            "progress_report" => json!({}),
            "state" => json!("waiting"),
            _ => Value::Null,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_ids_in_filters_are_converted_and_nonsense_refused() {
        let hex = "5638e2f7a21e1a0d9c8a7b11";
        let mut criteria = json!({"filters": {"_id": {"$in": [hex]}}});
        with_object_ids(&mut criteria).unwrap();
        assert_eq!(criteria["filters"]["_id"]["$in"][0], json!({"$oid": hex}));
        let mut plain = json!({"filters": {"_id": hex}});
        with_object_ids(&mut plain).unwrap();
        assert_eq!(plain["filters"]["_id"], json!({"$oid": hex}));
        for bad in [json!("xyz"), json!({"$gt": hex}), json!(5)] {
            assert!(with_object_ids(&mut json!({"filters": {"_id": bad}})).is_err());
        }
    }

    #[test]
    fn an_unknown_name_is_reported_as_a_sentence() {
        let criteria = Criteria::parse(&json!({"fields": ["id", "bogus"]})).unwrap();
        let error = REPOSITORIES.check(&criteria).unwrap_err();
        assert_eq!(
            error.extra["property_names"],
            json!(["Field: <bogus> does not exist on objects in the <repos> collection"])
        );
    }
}
