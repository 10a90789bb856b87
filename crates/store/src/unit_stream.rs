//! Reading units in the database's order, in batches, without holding a connection between batches.
//!
//! Two steps per batch: which units (their ids, a page at a time), then the units themselves. In the default order a
//! page starts after the last id of the page before; with other orders the ids (16 bytes each) are read at once.

use std::collections::{HashMap, VecDeque};

use pith_core::{Document, ObjectId, Sha256, TaskId, Timestamp, UnitId};
use serde_json::Value as Json;

use crate::dialect::{CHUNK, Field, Sql, plain_name};
use crate::store::Engine;
use crate::units::{Part, StreamedUnit, Unit, UnitQuery};
use crate::value::Row;
use crate::{BatchStream, Result, Store};

/// Ids bound to one statement: SQLite allows 32,766 values.
const MOST_IDS: usize = 30_000;

/// A checked query, owning what it needs.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    type_ids: Vec<String>,
    repo: Option<String>,
    /// What a task has staged on top of the repository, and what "now" is for it.
    staged: Option<(TaskId, Timestamp)>,
    equals: Vec<(String, Field, Vec<Json>)>,
    ids: Option<Vec<UnitId>>,
    sort: Vec<(Field, bool)>,
    limit: Option<u64>,
    skip: u64,
    parts: Vec<String>,
    fields: Option<Vec<String>>,
    /// Digest of the repository's id, part of association ids.
    repo_mark: [u8; 8],
}

/// A unit that matches.
#[derive(Debug, Clone)]
struct Hit {
    id: UnitId,
    created: Option<Timestamp>,
    updated: Option<Timestamp>,
    type_id: String,
}

/// Where units are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Everywhere.
    All,
    /// In a repository.
    Repo,
    /// In a repository, less what a task removes.
    Kept,
    /// Among what a task adds to a repository.
    Added,
}

/// The part of the result that one statement asks for.
#[derive(Debug, Clone, Copy)]
struct Scope<'a> {
    types: &'a [String],
    after: Option<UnitId>,
    ids: Option<&'a [UnitId]>,
    /// Whether sort keys are selected.
    sorted: bool,
}

impl Plan {
    pub(crate) fn new(query: &UnitQuery<'_>, staged: Option<(TaskId, Timestamp)>) -> Result<Self> {
        let names = |names: &[&str]| -> Result<Vec<String>> {
            names
                .iter()
                .map(|name| plain_name(name).map(str::to_owned))
                .collect()
        };
        let mut type_ids = names(&query.type_ids)?;
        type_ids.sort_unstable();
        type_ids.dedup();
        let equals = |(path, values): &(&str, Vec<Json>)| {
            Ok(((*path).to_owned(), Field::new(path)?, values.clone()))
        };
        let digest = Sha256::of(query.repo.unwrap_or_default().as_bytes()).0;
        let mut repo_mark = [0; 8];
        repo_mark.copy_from_slice(&digest[..8]);
        Ok(Self {
            type_ids,
            repo: query.repo.map(str::to_owned),
            staged,
            equals: query.equals.iter().map(equals).collect::<Result<_>>()?,
            ids: query.ids.clone(),
            sort: query
                .sort
                .iter()
                .map(|(path, down)| Ok((Field::new(path)?, *down)))
                .collect::<Result<_>>()?,
            limit: query.limit,
            skip: query.skip,
            parts: query.parts.iter().map(|part| (*part).to_owned()).collect(),
            fields: query.fields.as_deref().map(names).transpose()?,
            repo_mark,
        })
    }

    fn sources(&self) -> &'static [Source] {
        match (&self.repo, &self.staged) {
            (None, _) => &[Source::All],
            (Some(_), None) => &[Source::Repo],
            (Some(_), Some(_)) => &[Source::Kept, Source::Added],
        }
    }

    /// The field whose index finds the units, when there is one: then units come first and the repository second.
    fn driving_index(&self, store: &Store, types: &[String]) -> Option<String> {
        let [type_id] = types else { return None };
        let usable = |values: &[Json]| !values.is_empty() && values.iter().all(Json::is_string);
        self.equals
            .iter()
            .find(|(path, _, values)| usable(values) && store.is_indexed(type_id, path))
            .map(|(_, field, _)| index_name(type_id, field))
    }

    /// Writes `SELECT id, created, updated, type_id [, sort keys] …` for all sources.
    fn select(&self, store: &Store, scope: Scope<'_>) -> Sql {
        let mut out = Sql::new(store.engine(), "");
        for (at, source) in self.sources().iter().enumerate() {
            out.push(if at > 0 { " UNION ALL " } else { "" });
            self.arm(&mut out, store, *source, scope);
        }
        out
    }

    fn arm(&self, out: &mut Sql, store: &Store, source: Source, scope: Scope<'_>) {
        let index = self.driving_index(store, scope.types);
        let join = !self.equals.is_empty() || (scope.sorted && !self.sort.is_empty());
        let (alias, id) = match source {
            Source::All => ("u", "u.id"),
            Source::Repo | Source::Kept => ("r", "r.unit_id"),
            Source::Added => ("s", "s.unit_id"),
        };
        self.select_list(out, store.engine(), source, scope);
        self.from(out, store.engine(), source, join, index.as_deref());
        for table in if join && alias != "u" {
            vec![alias, "u"]
        } else {
            vec![alias]
        } {
            type_condition(out, table, scope.types);
        }
        if let Some(after) = scope.after {
            // With an index on a field, ids are compared for the few units that it finds.
            out.push(" AND ").push(id).push(" > ").bind(after);
        }
        if let Some(ids) = scope.ids {
            out.push(" AND ").bind_in(id, ids.iter().copied());
        }
        for (_, field, values) in &self.equals {
            out.push(" AND ");
            field.equals(out, "u.doc", values);
        }
    }

    fn select_list(&self, out: &mut Sql, engine: Engine, source: Source, scope: Scope<'_>) {
        match (source, self.staged) {
            (Source::All, _) => {
                out.push("SELECT u.id, CAST(NULL AS BIGINT), CAST(NULL AS BIGINT), u.type_id");
            }
            (Source::Kept, Some((_, now))) => {
                out.push(
                    "SELECT r.unit_id, r.created, CASE WHEN s.unit_id IS NULL THEN r.updated ELSE ",
                );
                out.bind(now).push(" END, r.type_id");
            }
            (Source::Added, Some((_, now))) => {
                out.push("SELECT s.unit_id, ")
                    .bind(now)
                    .push(", ")
                    .bind(now)
                    .push(", s.type_id");
            }
            _ => {
                out.push("SELECT r.unit_id, r.created, r.updated, r.type_id");
            }
        }
        if scope.sorted {
            for (field, _) in &self.sort {
                for key in field.sort_keys(engine, "u.doc") {
                    out.push(", ").push(&key);
                }
            }
        }
    }

    fn from(&self, out: &mut Sql, engine: Engine, source: Source, join: bool, index: Option<&str>) {
        let repo = self.repo.as_deref().unwrap_or_default();
        let task = self.staged.map(|(task, _)| task);
        // SQLite has no statistics to find this out; PostgreSQL has.
        let (units, first) = match (engine, index) {
            (Engine::Sqlite, Some(index)) => (format!("units u INDEXED BY \"{index}\""), true),
            _ => ("units u".to_owned(), false),
        };
        let table = match source {
            Source::All => {
                out.push(" FROM ").push(&units).push(" WHERE 1 = 1");
                return;
            }
            Source::Repo | Source::Kept => ("repo_units r", "r.unit_id = u.id"),
            Source::Added => ("staged_units s", "s.unit_id = u.id"),
        };
        match (join, first) {
            (false, _) => out.push(" FROM ").push(table.0),
            (true, true) => out.push(&format!(" FROM {units} CROSS JOIN {}", table.0)),
            (true, false) => out.push(&format!(" FROM {} JOIN {units} ON {}", table.0, table.1)),
        };
        if let (Source::Kept, Some(task)) = (source, task) {
            out.push(" LEFT JOIN staged_units s ON s.task_id = ")
                .bind(task);
            out.push(" AND s.type_id = r.type_id AND s.unit_id = r.unit_id");
        }
        out.push(" WHERE ")
            .push(if join && first { table.1 } else { "1 = 1" });
        match (source, task) {
            (Source::Added, Some(task)) => {
                out.push(" AND s.task_id = ")
                    .bind(task)
                    .push(" AND NOT s.remove AND NOT EXISTS (SELECT 1 ");
                out.push("FROM repo_units r WHERE r.repo_id = ").bind(repo);
                out.push(" AND r.type_id = s.type_id AND r.unit_id = s.unit_id AND r.removed_in IS NULL)");
            }
            _ => {
                out.push(" AND r.repo_id = ")
                    .bind(repo)
                    .push(" AND r.removed_in IS NULL");
                out.push(if source == Source::Kept {
                    " AND (s.unit_id IS NULL OR NOT s.remove)"
                } else {
                    ""
                });
            }
        }
    }

    /// The identity of an association on the wire: it is derived, not stored, so that copies of 10,000 units stay one
    /// statement.
    fn association(&self, hit: &Hit) -> Option<ObjectId> {
        let seconds = u32::try_from(hit.created?.as_second()).unwrap_or(0);
        let unit = hit.id.0.as_bytes();
        let mut text = format!("{seconds:08x}");
        for (mark, byte) in self.repo_mark.iter().zip(&unit[8..]) {
            text.push_str(&format!("{:02x}", mark ^ byte));
        }
        text.parse().ok()
    }
}

/// Type ids are written out: a partial index is used only for the type that the text names.
fn type_condition(out: &mut Sql, table: &str, types: &[String]) {
    match types {
        [] => {}
        [one] => {
            out.push(&format!(" AND {table}.type_id = '{one}'"));
        }
        many => {
            out.push(&format!(" AND {table}.type_id IN ('{}')", many.join("','")));
        }
    }
}

/// The name of the index on a field of a type.
pub(crate) fn index_name(type_id: &str, field: &Field) -> String {
    format!("unit_{}_{}", type_id.replace('-', "_m_"), field.flat())
}

/// Where a stream is.
#[derive(Debug)]
struct Cursor {
    store: Store,
    plan: Plan,
    /// Types still to visit; `None` before the start.
    types: Option<VecDeque<String>>,
    after: Option<UnitId>,
    /// Ids read ahead, in orders other than the default.
    ahead: Option<VecDeque<Hit>>,
    left: u64,
    skip: u64,
}

/// The units of `plan`, in batches.
pub(crate) fn stream(store: Store, plan: Plan) -> BatchStream<StreamedUnit> {
    let (left, skip) = (plan.limit.unwrap_or(u64::MAX), plan.skip);
    let cursor = Cursor {
        store,
        plan,
        types: None,
        after: None,
        ahead: None,
        left,
        skip,
    };
    Box::pin(futures::stream::try_unfold(
        cursor,
        |mut cursor| async move {
            while let Some(hits) = cursor.next_hits().await? {
                let units = load(&cursor.store, &cursor.plan, hits).await?;
                if !units.is_empty() {
                    return Ok(Some((units, cursor)));
                }
            }
            Ok(None)
        },
    ))
}

/// How many units `plan` finds.
pub(crate) async fn count(store: &Store, plan: &Plan) -> Result<i64> {
    let chunks: Vec<Option<&[UnitId]>> = match &plan.ids {
        None => vec![None],
        Some(ids) => ids.chunks(MOST_IDS).map(Some).collect(),
    };
    let mut total = 0;
    for ids in chunks {
        let scope = Scope {
            types: &plan.type_ids,
            after: None,
            ids,
            sorted: false,
        };
        let mut query = plan.select(store, scope).build();
        query.text = format!("SELECT COUNT(*) FROM ({}) AS found", query.text).into();
        total += store
            .optional(query)
            .await?
            .map_or(Ok(0), |row| row.get::<i64>(0))?;
    }
    Ok(total)
}

impl Cursor {
    async fn next_hits(&mut self) -> Result<Option<Vec<Hit>>> {
        if self.left == 0 {
            return Ok(None);
        }
        if !self.plan.sort.is_empty() || self.plan.ids.is_some() {
            return self.next_sorted().await;
        }
        self.next_page().await
    }

    /// The next page in the default order: type by type, by id.
    async fn next_page(&mut self) -> Result<Option<Vec<Hit>>> {
        if self.types.is_none() {
            self.types = Some(self.visited_types().await?.into());
        }
        while let Some(type_id) = self.types.as_ref().and_then(|types| types.front().cloned()) {
            let types = [type_id];
            let scope = Scope {
                types: &types,
                after: self.after,
                ids: None,
                sorted: false,
            };
            let mut query = self.plan.select(&self.store, scope);
            let wanted = self.left.saturating_add(self.skip).min(CHUNK as u64);
            query
                .push(" ORDER BY 1 LIMIT ")
                .bind(i64::try_from(wanted).unwrap_or(i64::MAX));
            let mut hits = self.read(query).await?;
            self.after = hits.last().map(|hit| hit.id);
            if (hits.len() as u64) < wanted {
                self.after = None;
                self.types.as_mut().map(VecDeque::pop_front);
            }
            let skipped = self.skip.min(hits.len() as u64);
            self.skip -= skipped;
            hits.drain(..usize::try_from(skipped).unwrap_or(0));
            hits.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left -= hits.len() as u64;
            if !hits.is_empty() {
                return Ok(Some(hits));
            }
        }
        Ok(None)
    }

    /// The types to visit: those asked for, or those there are.
    async fn visited_types(&self) -> Result<Vec<String>> {
        if !self.plan.type_ids.is_empty() {
            return Ok(self.plan.type_ids.clone());
        }
        let mut types: Vec<String> = Vec::new();
        if let Some(repo) = &self.plan.repo {
            let mut query = Sql::new(
                self.store.engine(),
                "SELECT type_id FROM repo_counts WHERE repo_id = ",
            );
            query.bind(repo);
            if let Some((task, _)) = self.plan.staged {
                query
                    .push(" UNION SELECT type_id FROM staged_units WHERE task_id = ")
                    .bind(task);
            }
            for row in self.store.all(query.build()).await? {
                types.push(row.get(0)?);
            }
        } else {
            types = unit_types(&self.store).await?;
        }
        types.sort_unstable();
        Ok(types)
    }

    /// The next ids in an order that takes all ids at once.
    async fn next_sorted(&mut self) -> Result<Option<Vec<Hit>>> {
        if self.ahead.is_none() {
            let mut hits = if self.plan.sort.is_empty() {
                self.by_ids().await?
            } else {
                self.by_sort_keys().await?
            };
            let skipped = usize::try_from(self.skip)
                .unwrap_or(usize::MAX)
                .min(hits.len());
            hits.drain(..skipped);
            hits.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.ahead = Some(hits.into());
        }
        let ahead = self.ahead.get_or_insert_default();
        let hits: Vec<Hit> = ahead.drain(..ahead.len().min(CHUNK)).collect();
        Ok(Some(hits).filter(|hits| !hits.is_empty()))
    }

    async fn by_ids(&self) -> Result<Vec<Hit>> {
        let mut hits = Vec::new();
        for ids in self
            .plan
            .ids
            .as_deref()
            .unwrap_or_default()
            .chunks(MOST_IDS)
        {
            let scope = Scope {
                types: &self.plan.type_ids,
                after: None,
                ids: Some(ids),
                sorted: false,
            };
            hits.extend(self.read(self.plan.select(&self.store, scope)).await?);
        }
        hits.sort_unstable_by(|a, b| (&a.type_id, a.id).cmp(&(&b.type_id, b.id)));
        hits.dedup_by_key(|hit| hit.id);
        Ok(hits)
    }

    async fn by_sort_keys(&self) -> Result<Vec<Hit>> {
        let engine = self.store.engine();
        let scope = Scope {
            types: &self.plan.type_ids,
            after: None,
            ids: self.plan.ids.as_deref(),
            sorted: true,
        };
        let mut query = self.plan.select(&self.store, scope);
        query.push(" ORDER BY ");
        let mut column = 5;
        for (field, descending) in &self.plan.sort {
            for _ in field.sort_keys(engine, "u.doc") {
                query.push(&format!(
                    "{column}{}, ",
                    if *descending { " DESC" } else { "" }
                ));
                column += 1;
            }
        }
        query.push("4, 1");
        if let Some(limit) = self.plan.limit {
            let limit = limit.saturating_add(self.plan.skip);
            query
                .push(" LIMIT ")
                .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        }
        self.read(query).await
    }

    async fn read(&self, query: Sql) -> Result<Vec<Hit>> {
        let hit = |row: &Row| {
            Ok(Hit {
                id: row.get(0)?,
                created: row.get(1)?,
                updated: row.get(2)?,
                type_id: row.get(3)?,
            })
        };
        self.store
            .all(query.build())
            .await?
            .iter()
            .map(hit)
            .collect()
    }
}

/// The types that have units, found by skipping through the index.
async fn unit_types(store: &Store) -> Result<Vec<String>> {
    let mut types: Vec<String> = Vec::new();
    loop {
        let mut query = Sql::new(
            store.engine(),
            "SELECT MIN(type_id) FROM units WHERE type_id > ",
        );
        query.bind(types.last().map_or("", String::as_str));
        match store
            .optional(query.build())
            .await?
            .map(|row| row.get::<Option<String>>(0))
            .transpose()?
            .flatten()
        {
            Some(next) => types.push(next),
            None => return Ok(types),
        }
    }
}

/// Reads the units behind `hits`, in their order. One that was deleted meanwhile is left out.
async fn load(store: &Store, plan: &Plan, hits: Vec<Hit>) -> Result<Vec<StreamedUnit>> {
    let ids: Vec<UnitId> = hits.iter().map(|hit| hit.id).collect();
    let doc = match &plan.fields {
        None => "json(doc)".to_owned(),
        Some(fields) if fields.is_empty() => "1".to_owned(),
        Some(fields) => fields
            .iter()
            .map(|f| format!("json(doc->'{f}')"))
            .collect::<Vec<_>>()
            .join(", "),
    };
    let mut query = Sql::new(
        store.engine(),
        "SELECT id, blob, size, downloaded, last_updated, ",
    );
    query
        .push(&doc)
        .push(" FROM units WHERE ")
        .bind_in("id", ids.iter().copied());
    let mut rows: HashMap<UnitId, Row> = HashMap::with_capacity(hits.len());
    for row in store.all(query.build()).await? {
        rows.insert(row.get(0)?, row);
    }
    let names: Vec<&str> = plan.parts.iter().map(String::as_str).collect();
    let mut parts = store.unit_parts(&ids, &names).await?;
    let mut units = Vec::with_capacity(hits.len());
    for hit in hits {
        let Some(row) = rows.remove(&hit.id) else {
            continue;
        };
        let parts: Vec<Part> = parts.remove(&hit.id).unwrap_or_default();
        let association = plan.association(&hit);
        let unit = Unit {
            id: hit.id,
            type_id: hit.type_id,
            doc: document(&row, 5, plan.fields.as_deref())?,
            blob: row.get(1)?,
            size: row.get(2)?,
            downloaded: row.get(3)?,
            last_updated: row.get(4)?,
        };
        units.push(StreamedUnit {
            unit,
            created: hit.created,
            updated: hit.updated,
            association,
            parts,
        });
    }
    Ok(units)
}

fn document(row: &Row, first: usize, fields: Option<&[String]>) -> Result<Document> {
    let Some(fields) = fields else {
        return row.get(first);
    };
    let mut document = Document::new();
    for (at, name) in fields.iter().enumerate() {
        if let Some(value) = row.get::<Option<Json>>(first + at)? {
            document.insert(name.clone(), value);
        }
    }
    Ok(document)
}
