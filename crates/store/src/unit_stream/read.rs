//! Rows of units: the columns that are asked for, and what becomes of them.

use std::collections::HashMap;

use pith_core::{Document, UnitId, document_weight};
use serde_json::Value as Json;

use crate::backend::Backend;
use crate::dialect::Sql;
use crate::unit::{FieldTexts, Part, RawDocument, StreamedUnit, Unit};
use crate::unit_query::{Hit, Plan};
use crate::value::Row;
use crate::{Result, Store, StoreError, reading};

/// Between the fields of a projection: JSON text has no raw line feed.
pub(crate) const BETWEEN: char = '\n';

/// Bytes of a document and its parts up to which a unit is read together with hundreds of others.
const LARGE: usize = 32 * 1024;

/// A unit as a page has it.
#[derive(Debug)]
pub(super) enum Read<D> {
    /// All of it.
    Unit(Box<StreamedUnit<D>>),
    /// Only where it is and roughly how many bytes it has: it is large.
    Large(Hit, usize),
}

/// The units that a statement reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sizes {
    /// All of them whole.
    All,
    /// The small ones whole, and of large ones their size alone: a page of them would fill the memory.
    Small,
}

/// Reads the units behind `hits`, in their order. One that was deleted meanwhile is left out.
pub(crate) async fn load<D: FromRow>(
    store: &Store,
    plan: &Plan,
    hits: Vec<Hit>,
) -> Result<Vec<StreamedUnit<D>>> {
    let whole = |read| match read {
        Read::Unit(unit) => Some(*unit),
        Read::Large(..) => None,
    };
    let read = read(store, plan, hits, Sizes::All).await?;
    Ok(read.into_iter().filter_map(whole).collect())
}

/// Does what [`load`] does, for the units of some sizes.
pub(super) async fn read<D: FromRow>(
    store: &Store,
    plan: &Plan,
    hits: Vec<Hit>,
    sizes: Sizes,
) -> Result<Vec<Read<D>>> {
    let mut rows: HashMap<UnitId, Row> = HashMap::with_capacity(hits.len());
    let query = load_query(store.backend(), plan, &hits, sizes);
    for row in store.all(query.build()).await? {
        rows.insert(row.get(0)?, row);
    }
    let mut units = Vec::with_capacity(hits.len());
    for hit in hits {
        if let Some(row) = rows.remove(&hit.id) {
            units.push(unit_of(&row, plan, hit)?);
        }
    }
    Ok(units)
}

/// The unit in a row that begins with [`unit_columns`].
pub(super) fn unit_of<D: FromRow>(row: &Row, plan: &Plan, hit: Hit) -> Result<Read<D>> {
    if let Some(bytes) = row.get::<Option<i64>>(5)? {
        return Ok(Read::Large(hit, usize::try_from(bytes).unwrap_or(0)));
    }
    Ok(Read::Unit(Box::new(streamed(row, plan, &hit)?)))
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
            doc: D::read(row, 6, plan.fields.as_deref())?,
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
pub(super) const UNIT_COLUMNS: usize = 7;

/// One row a unit and few columns: rows and columns are most of the cost of reading.
pub(super) fn unit_columns(backend: Backend, plan: &Plan, sizes: Sizes) -> String {
    let parts = || (0..plan.parts.len()).map(|at| format!("p{at}.data"));
    let mut columns = "u.id, u.blob, u.size, u.downloaded, u.last_updated".to_owned();
    let document = match backend {
        Backend::Sqlite => document_column(plan.fields.as_deref()),
        Backend::Postgres => "d.doc".to_owned(),
    };
    if sizes == Sizes::All {
        columns.push_str(&format!(", CAST(NULL AS BIGINT), {document}"));
        parts().for_each(|part| columns.push_str(&format!(", {part}")));
        return columns;
    }
    let mut bytes = match backend {
        // SQLite knows it without reading the document, which is about as long as its text.
        Backend::Sqlite => "coalesce(length(u.doc), 0)".to_owned(),
        Backend::Postgres => "coalesce(octet_length(d.doc), 0)".to_owned(),
    };
    parts().for_each(|part| bytes.push_str(&format!(" + coalesce(length({part}), 0)")));
    let is_large = format!("{bytes} > {LARGE}");
    columns.push_str(&format!(
        ", CASE WHEN {is_large} THEN CAST({bytes} AS BIGINT) END"
    ));
    for column in std::iter::once(document).chain(parts()) {
        columns.push_str(&format!(
            ", CASE WHEN {is_large} THEN NULL ELSE {column} END"
        ));
    }
    columns
}

/// Joins what belongs to `u`: its document as text where that is made once for several columns, and its parts.
pub(super) fn join_parts(query: &mut Sql, plan: &Plan) {
    if query.backend == Backend::Postgres {
        let document = document_column(plan.fields.as_deref());
        query.push(&format!(
            " LEFT JOIN LATERAL (SELECT {document} AS doc OFFSET 0) d ON TRUE"
        ));
    }
    for (at, part) in plan.parts.iter().enumerate() {
        query
            .push(&format!(
                " LEFT JOIN unit_parts p{at} ON p{at}.unit_id = u.id AND p{at}.part = "
            ))
            .bind(part);
    }
}

fn load_query(backend: Backend, plan: &Plan, hits: &[Hit], sizes: Sizes) -> Sql {
    let columns = unit_columns(backend, plan, sizes);
    let mut query = Sql::new(backend, &format!("SELECT {columns} FROM units u"));
    join_parts(&mut query, plan);
    query
        .push(" WHERE ")
        .bind_in("u.id", hits.iter().map(|hit| hit.id));
    query
}

/// The value that the columns of a document become.
pub(crate) trait FromRow: Send + Sync + 'static + Sized {
    /// Reads the document at column `first`: whole, or only `fields` of it.
    fn read(row: &Row, first: usize, fields: Option<&[String]>) -> Result<Self>;

    /// Roughly the bytes that it takes in memory.
    fn weight(&self) -> usize;
}

impl FromRow for Document {
    fn read(row: &Row, first: usize, fields: Option<&[String]>) -> Result<Self> {
        // The pace bounds them.
        reading::uncounted(|| document(row, first, fields))
    }

    fn weight(&self) -> usize {
        document_weight(self)
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

impl FromRow for FieldTexts {
    fn read(row: &Row, first: usize, _: Option<&[String]>) -> Result<Self> {
        // Without fields there is no text.
        let text: Option<String> = row.get(first)?;
        Ok(Self(text.unwrap_or_default()))
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
fn document_of(text: &str, fields: &[String]) -> Result<Document> {
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
