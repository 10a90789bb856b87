//! Searches over the small collections: repositories, distributors, tasks.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use pith_core::criteria::{Criteria, Effort, SortKey, sort_values};
use pith_core::error::PulpError;
use pith_core::{Document, value_weight};
use pith_engine::Error;
use pith_store::{BatchStream, Repository, Store, StoreError, Window};
use serde_json::{Value, json};

use super::length::{Labour, Searching, at_once};
use super::prepare::{self, Identity, Otherwise};
use super::{Ranking, narrowing};
use crate::repositories::{self, Dates, Expand};
use crate::{Pulp, distributors, present};

/// The names that a typed collection knows.
#[derive(Debug, Clone, Copy)]
pub struct Collection {
    /// Its name, as `_ns` shows it.
    pub name: &'static str,
    /// Names that may stand in `sort` and `fields`; without any, every name may.
    pub fields: &'static [&'static str],
    /// The field that its documents are known by.
    pub identity: Identity,
    /// The treatment of a value for `_id` that is no object id.
    pub otherwise: Otherwise,
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
    identity: Identity::Named,
    otherwise: Otherwise::Refused,
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
    identity: Identity::Named,
    otherwise: Otherwise::Refused,
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
    identity: Identity::Object,
    otherwise: Otherwise::Unmatched,
};

/// Groups of repositories.
pub const GROUPS: Collection = Collection {
    name: "repo_groups",
    fields: &[],
    identity: Identity::Named,
    otherwise: Otherwise::Unmatched,
};

/// 400 with the sentence for a name that a collection does not know.
pub(super) fn unknown_field(name: &str, collection: &str) -> PulpError {
    let sentence =
        format!("Field: <{name}> does not exist on objects in the <{collection}> collection");
    PulpError::invalid_value(&[&sentence])
}

impl Collection {
    /// The criteria as this collection's documents are judged by them (see [`super::prepare`]).
    ///
    /// # Errors
    /// 400 for a name in `sort` or `fields` that the collection does not know, or for an `_id` that cannot be.
    pub fn prepared(&self, criteria: &Criteria) -> Result<Criteria, PulpError> {
        let fields = criteria.fields.iter().flatten().map(String::as_str);
        for name in criteria.sort_names().chain(fields) {
            if !self.fields.is_empty() && !self.fields.contains(&name) {
                return Err(unknown_field(name, self.name));
            }
        }
        prepare::prepared(criteria, self.identity, self.otherwise)
    }
}

/// Filters, sorts, skips and limits. `facts` gives the document that an item is judged by.
///
/// # Errors
/// 400 when that is too much work.
pub(crate) fn select<T>(
    items: impl IntoIterator<Item = T>,
    criteria: &Criteria,
    facts: impl Fn(&T) -> Value,
) -> Result<Vec<T>, Error> {
    let keys: Vec<SortKey> = criteria.sort.clone().unwrap_or_default();
    let mut ranking = Ranking::new(keys.clone(), criteria.skip, criteria.limit);
    at_once(items, |effort, item| {
        if let Some(hit) = judge(effort, criteria, &keys, facts(&item)) {
            ranking.offer_of(hit.values, item, hit.bytes);
        }
    })?;
    Ok(ranking.finish(criteria.skip)?.collect())
}

/// Something that fulfils a filter.
struct Hit {
    /// The values to sort by.
    values: Vec<Value>,
    /// Bytes of its facts in memory, about.
    bytes: usize,
}

impl Hit {
    fn of(facts: &Document, keys: &[SortKey]) -> Self {
        Self {
            values: sort_values(facts, keys),
            bytes: facts.values().map(value_weight).sum(),
        }
    }
}

/// The hit of what has these facts, when it fulfils the filter.
fn judge(effort: &Effort, criteria: &Criteria, keys: &[SortKey], facts: Value) -> Option<Hit> {
    let Value::Object(mut facts) = facts else {
        return None;
    };
    // What is null was never stored, so it does not exist.
    facts.retain(|_, value| !value.is_null());
    fulfils(effort, criteria, &facts).then(|| Hit::of(&facts, keys))
}

fn fulfils(effort: &Effort, criteria: &Criteria, facts: &Document) -> bool {
    let filter = criteria.filter.as_ref();
    filter.is_none_or(|filter| filter.matches_within(effort, facts))
}

/// Does what [`select`] does, for what comes in batches; `window` is what the database did of skip and limit already.
pub(super) async fn select_stream<T>(
    searching: &Searching,
    batches: BatchStream<T>,
    criteria: &Criteria,
    window: Window,
    facts: impl Fn(&T) -> Value,
) -> Result<Vec<T>, Error> {
    select_judged(
        searching,
        batches,
        criteria,
        window,
        |effort, keys, item| judge(effort, criteria, keys, facts(item)),
    )
    .await
}

/// Does what [`select_stream`] does, with what tells the hits.
async fn select_judged<T>(
    searching: &Searching,
    mut batches: BatchStream<T>,
    criteria: &Criteria,
    window: Window,
    judge: impl Fn(&Effort, &[SortKey], &T) -> Option<Hit>,
) -> Result<Vec<T>, Error> {
    let keys: Vec<SortKey> = criteria.sort.clone().unwrap_or_default();
    let skip = criteria.skip - window.skip.min(criteria.skip);
    let mut ranking = Ranking::new(keys.clone(), skip, criteria.limit).within(&searching.sorted);
    let labour = Labour::new(searching);
    let enough = criteria
        .limit
        .filter(|_| keys.is_empty())
        .map(|limit| limit.saturating_add(skip));
    let mut found = 0;
    while enough.is_none_or(|enough| found < enough)
        && let Some(batch) = batches.try_next().await?
    {
        let judged = labour.each(batch, |effort, item| {
            if let Some(hit) = judge(effort, &keys, &item) {
                found += 1;
                ranking.offer_of(hit.values, item, hit.bytes);
            }
        });
        judged.await?;
    }
    Ok(ranking.finish(skip)?.collect())
}

/// Cuts a document of a typed collection to `fields`. `always` stays whatever was asked, and becomes null when it was
/// not (pulp2/search#fields).
pub(super) fn cut(document: &mut Value, fields: &[String], always: &[&str]) {
    if let Some(map) = document.as_object_mut() {
        let asked = |key: &str| fields.iter().any(|field| field == key);
        map.retain(|key, _| key == "_id" || key == "_href" || asked(key));
        for key in always {
            map.entry(*key).or_insert(Value::Null);
        }
    }
}

impl Pulp {
    /// Searches repositories.
    ///
    /// # Errors
    /// 400 for an unknown name in `sort` or `fields`.
    pub async fn repository_search(
        &self,
        criteria: &Criteria,
        expand: Expand,
    ) -> Result<Vec<Value>, Error> {
        let found = self.matching(criteria).await?;
        let with_id = criteria
            .fields
            .as_ref()
            .is_none_or(|fields| fields.iter().any(|field| field == "id"));
        let ids: Vec<String> = if with_id {
            found
                .iter()
                .map(|(repository, _)| repository.id.clone())
                .collect()
        } else {
            Vec::new()
        };
        let mut expanded = self.expanded(Some(&ids), expand).await?;
        Ok(found
            .iter()
            .map(|(repository, counts)| {
                let mut document = repositories::document(repository, Some(counts), Dates::Iso);
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
    pub(crate) async fn repository_ids(&self, criteria: &Criteria) -> Result<Vec<String>, Error> {
        let found = self.matching(criteria).await?;
        Ok(found
            .into_iter()
            .map(|(repository, _)| repository.id)
            .collect())
    }

    /// The repositories that match, with their numbers of units by type.
    async fn matching(&self, criteria: &Criteria) -> Result<Vec<Counted>, Error> {
        let criteria = &REPOSITORIES.prepared(criteria)?;
        let narrowed = narrowing::repositories(criteria.filter.as_ref());
        let window = narrowed.window(criteria);
        let (store, registry) = (self.engine.store.clone(), self.engine.registry.clone());
        let counted = store
            .repositories_stream(narrowed.listing, window)
            .and_then(move |batch| count(store.clone(), batch))
            .map_ok(move |mut batch| {
                for (_, counts) in &mut batch {
                    registry.show(counts);
                }
                batch
            });
        select_stream(
            &self.searching,
            Box::pin(counted),
            criteria,
            window,
            |(repository, counts)| {
                let mut facts = repositories::document(repository, Some(counts), Dates::Extended);
                facts["repo_id"] = json!(repository.id);
                facts
            },
        )
        .await
    }

    /// Searches the distributors of all repositories.
    ///
    /// # Errors
    /// 400 for an unknown name in `sort` or `fields`.
    pub async fn distributor_search(&self, criteria: &Criteria) -> Result<Vec<Value>, Error> {
        let criteria = &DISTRIBUTORS.prepared(criteria)?;
        let narrowed = narrowing::distributors(criteria.filter.as_ref());
        let listed = self.engine.store.distributors_stream(narrowed.listing);
        // Oldest first, which is not the order of the listing.
        let mut ordered = criteria.clone();
        ordered.sort.get_or_insert_default().push(SortKey {
            field: "_id".to_owned(),
            descending: false,
        });
        let found = select_stream(
            &self.searching,
            listed,
            &ordered,
            Window::default(),
            |distributor| {
                let mut facts = distributors::document(&self.engine.registry, distributor);
                facts["distributor_id"] = json!(distributor.id);
                facts["last_publish"] = Dates::Extended.show(distributor.last_publish);
                facts["last_updated"] = Dates::Extended.show(Some(distributor.last_updated));
                facts
            },
        )
        .await?;
        Ok(found
            .iter()
            .map(|distributor| {
                let mut document = distributors::document(&self.engine.registry, distributor);
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
    pub async fn task_search(&self, criteria: &Criteria) -> Result<Vec<Document>, Error> {
        let criteria = &TASKS.prepared(criteria)?;
        let narrowed = narrowing::tasks(criteria.filter.as_ref());
        let window = narrowed.window(criteria);
        let listed = self.engine.store.tasks_stream(narrowed.listing, window);
        let searching = &self.searching;
        let found = select_judged(searching, listed, criteria, window, |effort, keys, task| {
            let mut facts = present::task_document(task);
            facts.remove("_href");
            facts.insert("group_id".to_owned(), json!(task.group));
            fulfils(effort, criteria, &facts).then(|| Hit::of(&facts, keys))
        })
        .await?;
        let shown = found.iter().map(|task| {
            let mut document = present::task_document(task);
            if let Some(fields) = &criteria.fields {
                blank_task(&mut document, fields);
            }
            document
        });
        Ok(shown.collect())
    }
}

/// A repository with its numbers of units by type.
type Counted = (Repository, BTreeMap<String, i64>);

async fn count(store: Store, batch: Vec<Repository>) -> Result<Vec<Counted>, StoreError> {
    let ids: Vec<&str> = batch.iter().map(|one| one.id.as_str()).collect();
    let mut counts = store.repository_unit_counts_of(&ids).await?;
    let counted = batch.into_iter().map(|one| {
        let counts = counts.remove(&one.id).unwrap_or_default();
        (one, counts)
    });
    Ok(counted.collect())
}

/// Empties the fields of a task that were not asked for; the keys stay (pulp2/search#fields).
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
    fn an_unknown_name_is_reported_as_a_sentence() {
        let criteria = Criteria::parse(&json!({"fields": ["id", "bogus"]})).unwrap();
        let error = REPOSITORIES.prepared(&criteria).unwrap_err();
        assert_eq!(
            error.extra["property_names"],
            json!(["Field: <bogus> does not exist on objects in the <repos> collection"])
        );
    }
}
