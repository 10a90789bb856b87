//! Reading units in the database's order, in batches, without holding a connection between batches.
//!
//! In the default order one statement reads a page, which starts after the last id of the page before. In other orders
//! the hits (56 bytes each) are read at once, then the units behind them batch by batch.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use pith_core::{Document, UnitId};
use serde_json::Value as Json;

use crate::dialect::{CHUNK, Sql, sql};
use crate::fence::of_attempt;
use crate::store::Engine;
use crate::unit_query::{Hit, Plan, Scope};
use crate::units::{Part, RawDocument, StreamedUnit, Unit};
use crate::value::Row;
use crate::{BatchStream, Result, Store, StoreError, reading};

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
    /// The number of units to read at once.
    pace: Pace,
}

/// The number of units that are read at once: units may be large, and nobody knows before they are read.
#[derive(Debug)]
struct Pace(usize);

impl Pace {
    /// The first units tell how large the others are likely to be.
    const FIRST: usize = 4;
    /// Bytes that are read at once, as far as one can tell before.
    const BYTES: usize = 4 << 20;

    /// Learns from units that were read.
    fn learn(&mut self, units: usize, bytes: usize) {
        let grown = self.0.saturating_mul(4).min(CHUNK);
        let each = bytes / units.max(1);
        self.0 = (Self::BYTES / each.max(1)).clamp(1, grown);
    }
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
        pace: Pace(Pace::FIRST),
    };
    Box::pin(futures::stream::try_unfold(
        cursor,
        |mut cursor| async move {
            while let Some(units) = cursor.next_units().await? {
                if !units.is_empty() {
                    return Ok(Some((units, cursor)));
                }
            }
            Ok(None)
        },
    ))
}

/// Returns how many units `plan` finds.
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
        total += count_in(store, plan, scope).await?;
    }
    Ok(total)
}

/// Returns how many units `plan` finds in `scope`.
async fn count_in(store: &Store, plan: &Plan, scope: Scope<'_>) -> Result<i64> {
    let mut query = plan.select(store, scope).build();
    query.text = format!("SELECT COUNT(*) FROM ({}) AS found", query.text).into();
    let row = store.optional(query).await?;
    row.map_or(Ok(0), |row| row.get(0))
}

impl Cursor {
    async fn next_units<D: FromRow>(&mut self) -> Result<Option<Vec<StreamedUnit<D>>>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.settle_on_a_version().await?;
        if self.plan.sort.is_empty() && self.plan.ids.is_none() {
            return self.next_page().await;
        }
        let Some(hits) = self.next_sorted().await? else {
            return Ok(None);
        };
        let units = load(&self.store, &self.plan, hits).await?;
        self.learn(&units);
        Ok(Some(units))
    }

    fn learn<D: FromRow>(&mut self, units: &[StreamedUnit<D>]) {
        let bytes = |unit: &StreamedUnit<D>| {
            let parts = unit.parts.iter().map(|part| part.data.len());
            unit.unit.doc.weight() + parts.sum::<usize>()
        };
        self.pace.learn(units.len(), units.iter().map(bytes).sum());
    }

    /// Reads all pages of one answer at one version of the repository: a commit between two pages would show what it replaces
    /// and what comes in its place.
    async fn settle_on_a_version(&mut self) -> Result<()> {
        let Some(repo) = &self.plan.repo else {
            return Ok(());
        };
        if self.types.is_some() || self.plan.staged.is_some() || self.left <= Pace::FIRST as u64 {
            return Ok(());
        }
        let statement = sql("SELECT version FROM repos WHERE id = $1").bind(repo);
        let row = self.store.optional(statement).await?;
        self.plan.version = row.map(|row| row.get(0)).transpose()?;
        Ok(())
    }

    /// The next page in the default order: type by type, by id.
    async fn next_page<D: FromRow>(&mut self) -> Result<Option<Vec<StreamedUnit<D>>>> {
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
            let wanted = self.left.min(self.pace.0 as u64);
            let page = self.page(scope, wanted).await?;
            self.learn(&page.units);
            self.after = page.last;
            if page.found < wanted {
                self.after = None;
                self.types.as_mut().map(VecDeque::pop_front);
            }
            if page.found > 0 {
                self.skip = 0;
                self.left -= page.found;
                return Ok(Some(page.units));
            }
            if self.skip > 0 {
                let passed = count_in(&self.store, &self.plan, scope).await?;
                self.skip -= u64::try_from(passed).unwrap_or(0).min(self.skip);
            }
        }
        Ok(None)
    }

    /// At most `wanted` units of one type in the order of their ids, less those to skip.
    async fn page<D: FromRow>(&self, scope: Scope<'_>, wanted: u64) -> Result<Page<D>> {
        let mut select = self.plan.select(&self.store, scope);
        select.push(" ORDER BY 1").limit(wanted);
        if self.skip > 0 {
            // What is left out is counted off by the database, not read.
            select.offset(self.skip);
        }
        let mut page = Page {
            units: Vec::new(),
            found: 0,
            last: None,
        };
        let type_id: Arc<str> = scope.types.first().map_or("", String::as_str).into();
        let times_at = UNIT_COLUMNS + self.plan.parts.len();
        let query = page_query(&self.plan, select);
        let mut rows = self.store.all(query.build()).await?;
        for row in &mut rows {
            let hit = Hit {
                id: row.get(times_at + 2)?,
                type_id: Arc::clone(&type_id),
                times: row
                    .get::<Option<i64>>(times_at)?
                    .zip(row.get(times_at + 1)?),
            };
            page.found += 1;
            page.last = page.last.max(Some(hit.id));
            // One that was deleted meanwhile is left out.
            if row.get::<Option<UnitId>>(0)?.is_some() {
                page.units.push(streamed(row, &self.plan, &hit)?);
            }
        }
        page.units.sort_unstable_by_key(|unit| unit.unit.id);
        Ok(page)
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
            if let Some((fence, _)) = self.plan.staged {
                query.push(" UNION SELECT type_id FROM staged_units WHERE ");
                of_attempt(&mut query, "", fence);
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
        let hits: Vec<Hit> = ahead.drain(..ahead.len().min(self.pace.0)).collect();
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
            query.limit(limit);
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

/// Some of the units that a statement found.
struct Page<D> {
    units: Vec<StreamedUnit<D>>,
    /// The number that was found.
    found: u64,
    /// The last of those.
    last: Option<UnitId>,
}

/// Reads the units behind `hits`, in their order. One that was deleted meanwhile is left out.
pub(crate) async fn load<D: FromRow>(
    store: &Store,
    plan: &Plan,
    hits: Vec<Hit>,
) -> Result<Vec<StreamedUnit<D>>> {
    let mut rows: HashMap<UnitId, Row> = HashMap::with_capacity(hits.len());
    let query = load_query(store.engine(), plan, &hits);
    for row in store.all(query.build()).await? {
        rows.insert(row.get(0)?, row);
    }
    let mut units = Vec::with_capacity(hits.len());
    for hit in hits {
        if let Some(row) = rows.remove(&hit.id) {
            units.push(streamed(&row, plan, &hit)?);
        }
    }
    Ok(units)
}

/// A unit out of a row that begins with [`unit_columns`].
fn streamed<D: FromRow>(row: &Row, plan: &Plan, hit: &Hit) -> Result<StreamedUnit<D>> {
    let mut parts: Vec<Part> = Vec::with_capacity(plan.parts.len());
    for (at, name) in plan.parts.iter().enumerate() {
        let data: Option<Vec<u8>> = row.get(UNIT_COLUMNS + at)?;
        parts.extend(data.map(|data| Part {
            name: name.clone(),
            data,
        }));
    }
    let (created, updated) = hit.association()?;
    Ok(StreamedUnit {
        unit: Unit {
            id: hit.id,
            type_id: hit.type_id.to_string(),
            doc: D::read(row, 5, plan.fields.as_deref())?,
            blob: row.get(1)?,
            size: row.get(2)?,
            downloaded: row.get(3)?,
            last_updated: row.get(4)?,
        },
        created,
        updated,
        association: plan.association(hit),
        parts,
    })
}

/// Columns of a unit before those of its parts.
const UNIT_COLUMNS: usize = 6;

/// One row a unit and few columns: what a row and a column cost is most of what reading costs.
fn unit_columns(plan: &Plan) -> String {
    let mut columns = format!(
        "u.id, u.blob, u.size, u.downloaded, u.last_updated, {}",
        document_column(plan.fields.as_deref())
    );
    for at in 0..plan.parts.len() {
        columns.push_str(&format!(", p{at}.data"));
    }
    columns
}

/// Joins the parts of `u`.
fn join_parts(query: &mut Sql, plan: &Plan) {
    for (at, part) in plan.parts.iter().enumerate() {
        query
            .push(&format!(
                " LEFT JOIN unit_parts p{at} ON p{at}.unit_id = u.id AND p{at}.part = "
            ))
            .bind(part);
    }
}

fn load_query(engine: Engine, plan: &Plan, hits: &[Hit]) -> Sql {
    let mut query = Sql::new(
        engine,
        &format!("SELECT {} FROM units u", unit_columns(plan)),
    );
    join_parts(&mut query, plan);
    query
        .push(" WHERE ")
        .bind_in("u.id", hits.iter().map(|hit| hit.id));
    query
}

/// Returns what `select` finds with the units behind it; the association's times and the id last.
fn page_query(plan: &Plan, select: Sql) -> Sql {
    let columns = unit_columns(plan);
    let mut query = select.within(
        &format!("SELECT {columns}, h.created, h.updated, h.unit_id FROM ("),
        ") AS h LEFT JOIN units u ON u.id = h.unit_id",
    );
    join_parts(&mut query, plan);
    query
}

/// The value that the columns of a document become.
pub(crate) trait FromRow: Send + 'static + Sized {
    /// Reads the document at column `first`: whole, or only `fields` of it.
    fn read(row: &Row, first: usize, fields: Option<&[String]>) -> Result<Self>;

    /// Roughly the bytes that it takes in memory.
    fn weight(&self) -> usize;
}

fn weight_of(value: &Json) -> usize {
    32 + match value {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(weight_of).sum(),
        Json::Object(fields) => weight_of_fields(fields),
        Json::Null | Json::Bool(_) | Json::Number(_) => 0,
    }
}

fn weight_of_fields(fields: &Document) -> usize {
    let weights = fields.iter();
    weights
        .map(|(key, value)| 96 + key.len() + weight_of(value))
        .sum()
}

impl FromRow for Document {
    fn read(row: &Row, first: usize, fields: Option<&[String]>) -> Result<Self> {
        // The pace bounds them.
        reading::uncounted(|| document(row, first, fields))
    }

    fn weight(&self) -> usize {
        weight_of_fields(self)
    }
}

impl FromRow for RawDocument {
    fn read(row: &Row, first: usize, _: Option<&[String]>) -> Result<Self> {
        row.get(first).map(Self)
    }

    fn weight(&self) -> usize {
        self.0.len()
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

/// Returns what the database says about the statement behind the first page.
#[cfg(test)]
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

#[cfg(test)]
mod tests;
