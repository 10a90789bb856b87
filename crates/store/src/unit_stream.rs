//! Reading units in the database's order, in batches, without holding a connection between batches.
//!
//! Two steps per batch: which units (their ids, a page at a time), then the units themselves. In the default order a
//! page starts after the last id of the page before; with other orders the hits (56 bytes each) are read at once.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use pith_core::{Document, UnitId};
use serde_json::Value as Json;

use crate::dialect::{CHUNK, Sql};
use crate::store::Engine;
use crate::unit_query::{Hit, Plan, Scope};
use crate::units::{Part, RawDocument, StreamedUnit, Unit};
use crate::value::Row;
use crate::{BatchStream, Result, Store, StoreError};

/// Ids bound to one statement: SQLite allows 32,766 values.
const MOST_IDS: usize = 30_000;

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
pub(crate) fn stream<D: FromRow>(store: Store, plan: Plan) -> BatchStream<StreamedUnit<D>> {
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
        let mut hits: Vec<Hit> = Vec::new();
        let see = |row: Row| {
            let type_id: String = row.get(3)?;
            let type_id = match hits.last() {
                Some(last) if *last.type_id == *type_id => Arc::clone(&last.type_id),
                _ => type_id.into(),
            };
            let times = row.get::<Option<i64>>(1)?.zip(row.get(2)?);
            hits.push(Hit {
                id: row.get(0)?,
                type_id,
                times,
            });
            Ok(())
        };
        self.store.each(query.build(), see).await?;
        Ok(hits)
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

/// Between the fields of a projection: JSON text has no raw line feed.
pub(crate) const BETWEEN: char = '\n';

/// Reads the units behind `hits`, in their order, each with its parts in one row. One that was deleted meanwhile is left
/// out.
async fn load<D: FromRow>(
    store: &Store,
    plan: &Plan,
    hits: Vec<Hit>,
) -> Result<Vec<StreamedUnit<D>>> {
    let mut rows: HashMap<UnitId, Row> = HashMap::with_capacity(hits.len());
    let ids = hits.iter().map(|hit| hit.id);
    let query = load_query(store.engine(), plan.fields.as_deref(), &plan.parts, ids);
    for row in store.all(query.build()).await? {
        rows.insert(row.get(0)?, row);
    }
    let mut units = Vec::with_capacity(hits.len());
    for hit in hits {
        let Some(row) = rows.remove(&hit.id) else {
            continue;
        };
        let association = plan.association(&hit);
        let (created, updated) = hit.association()?;
        units.push(StreamedUnit {
            unit: loaded(&row, hit.id, &hit.type_id, plan.fields.as_deref())?,
            created,
            updated,
            association,
            parts: loaded_parts(&row, &plan.parts)?,
        });
    }
    Ok(units)
}

/// One row a unit and few columns: what a row and a column cost is most of what reading costs.
pub(crate) fn load_query(
    engine: Engine,
    fields: Option<&[String]>,
    parts: &[String],
    ids: impl Iterator<Item = UnitId>,
) -> Sql {
    let mut query = Sql::new(
        engine,
        "SELECT u.id, u.blob, u.size, u.downloaded, u.last_updated, ",
    );
    query.push(&document_column(fields));
    for at in 0..parts.len() {
        query.push(&format!(", p{at}.data"));
    }
    query.push(" FROM units u");
    for (at, part) in parts.iter().enumerate() {
        query
            .push(&format!(
                " LEFT JOIN unit_parts p{at} ON p{at}.unit_id = u.id AND p{at}.part = "
            ))
            .bind(part);
    }
    query.push(" WHERE ").bind_in("u.id", ids);
    query
}

/// The unit in a row of [`load_query`].
pub(crate) fn loaded<D: FromRow>(
    row: &Row,
    id: UnitId,
    type_id: &str,
    fields: Option<&[String]>,
) -> Result<Unit<D>> {
    Ok(Unit {
        id,
        type_id: type_id.to_owned(),
        doc: D::read(row, 5, fields)?,
        blob: row.get(1)?,
        size: row.get(2)?,
        downloaded: row.get(3)?,
        last_updated: row.get(4)?,
    })
}

/// The parts in a row of [`load_query`], of those asked for.
pub(crate) fn loaded_parts(row: &Row, names: &[String]) -> Result<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::with_capacity(names.len());
    for (at, name) in names.iter().enumerate() {
        let data: Option<Vec<u8>> = row.get(6 + at)?;
        parts.extend(data.map(|data| Part {
            name: name.clone(),
            data,
        }));
    }
    Ok(parts)
}

/// What the columns of a document become.
pub(crate) trait FromRow: Send + 'static + Sized {
    /// Reads the document at column `first`: whole, or only `fields` of it.
    fn read(row: &Row, first: usize, fields: Option<&[String]>) -> Result<Self>;
}

impl FromRow for Document {
    fn read(row: &Row, first: usize, fields: Option<&[String]>) -> Result<Self> {
        document(row, first, fields)
    }
}

impl FromRow for RawDocument {
    fn read(row: &Row, first: usize, _: Option<&[String]>) -> Result<Self> {
        row.get(first).map(Self)
    }
}

/// The column that [`document`] reads.
pub(crate) fn document_column(fields: Option<&[String]>) -> String {
    match fields {
        None => "json(u.doc)".to_owned(),
        Some([]) => "NULL".to_owned(),
        Some(fields) => {
            let fields: Vec<String> = fields.iter().map(|f| format!("u.doc->'{f}'")).collect();
            format!("concat({})", fields.join(&format!(", '{BETWEEN}', ")))
        }
    }
}

/// The document in a column: all of it, or its `fields`.
pub(crate) fn document(row: &Row, column: usize, fields: Option<&[String]>) -> Result<Document> {
    let Some(fields) = fields else {
        return row.get(column);
    };
    if fields.is_empty() {
        return Ok(Document::new());
    }
    document_of(&row.get::<String>(column)?, fields)
}

/// The `fields` that a column of [`document_column`] holds.
pub(crate) fn document_of(text: &str, fields: &[String]) -> Result<Document> {
    let mut document = Document::new();
    for (name, value) in fields.iter().zip(text.split(BETWEEN)) {
        if !value.is_empty() {
            let value: Json = serde_json::from_str(value)
                .map_err(|_| StoreError::Corrupt("JSON value".to_owned()))?;
            document.insert(name.clone(), value);
        }
    }
    Ok(document)
}

/// What the database says about the statement behind the first page.
pub(crate) async fn explain(store: &Store, plan: &Plan) -> Result<String> {
    let scope = Scope {
        types: &plan.type_ids,
        after: Some(UnitId(uuid::Uuid::nil())),
        ids: plan.ids.as_deref(),
        sorted: !plan.sort.is_empty(),
    };
    let mut query = plan.select(store, scope);
    query.push(" ORDER BY 1 LIMIT 500");
    let mut statement = query.build();
    let (head, column) = match store.engine() {
        Engine::Sqlite => ("EXPLAIN QUERY PLAN", 3),
        Engine::Postgres => ("EXPLAIN", 0),
    };
    statement.text = format!("{head} {}", statement.text).into();
    let rows = store.all(statement).await?;
    let lines: Vec<String> = rows
        .iter()
        .map(|row| row.get(column))
        .collect::<Result<_>>()?;
    Ok(lines.join("\n"))
}
