//! Content units of every type.

use std::collections::HashMap;

use pith_core::{Document, Sha256, Timestamp, UnitId};
use serde_json::Value;

use crate::blobs;
use crate::criteria_sql::UnitFilter;
use crate::dialect::{CHUNK, Sql, plain_name, sql, top_level};
use crate::field::Field;
use crate::migrate::lock_schema;
use crate::store::Engine;
use crate::unit_query::{Plan, index_name};
use crate::unit_save;
use crate::unit_stream;
use crate::value::Row;
use crate::{BatchStream, Result, Store};

/// The field in which clients say something of a unit.
pub(crate) const USER_METADATA: &str = "pulp_user_metadata";

/// Rows per batch of a stream.
pub(crate) const PAGE: u64 = CHUNK as u64;

/// A unit as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit<D = Document> {
    /// `_id` on the wire.
    pub id: UnitId,
    /// Its type.
    pub type_id: String,
    /// The document that the REST API shows.
    pub doc: D,
    /// Its file, when it is known.
    pub blob: Option<Sha256>,
    /// Bytes of the file.
    pub size: Option<i64>,
    /// Is true when the file is here (true for units without a file).
    pub downloaded: bool,
    /// Last change of the document.
    pub last_updated: Timestamp,
}

impl<D> Unit<D> {
    /// The same with another document, and the document that it had.
    pub fn replace_doc<E>(self, doc: E) -> (Unit<E>, D) {
        let unit = Unit {
            id: self.id,
            type_id: self.type_id,
            doc,
            blob: self.blob,
            size: self.size,
            downloaded: self.downloaded,
            last_updated: self.last_updated,
        };
        (unit, self.doc)
    }
}

/// A unit to save.
#[derive(Debug, Clone, PartialEq)]
pub struct NewUnit {
    /// Its type.
    pub type_id: String,
    /// SHA-256 of the unit key in canonical form.
    pub key_digest: Sha256,
    /// Digest of what is said of the unit; unique in type, key and site.
    pub said: Sha256,
    /// The site that its file comes from: units of one site share files. All zero when it was uploaded or there is none.
    pub site: Sha256,
    /// The document that the REST API shows.
    pub doc: Document,
    /// Its file, when it is here or its digest is known. Recorded in `blobs` when `downloaded`.
    pub blob: Option<Sha256>,
    /// Bytes of the file.
    pub size: Option<i64>,
    /// Is true when the file is here (true for units without a file).
    pub downloaded: bool,
    /// Big parts, kept beside the document: name and bytes (compressed by the caller).
    pub parts: Vec<(String, Vec<u8>)>,
}

/// The fate of one [`NewUnit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedUnit {
    /// The id, new or old.
    pub id: UnitId,
    /// Is true when the unit was not there before.
    pub new: bool,
    /// Is true when no other unit of its type has its key.
    pub lone: bool,
}

/// A unit that is there already, as far as a task must know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownUnit {
    /// Its id.
    pub id: UnitId,
    /// Digest of what is said of it.
    pub said: Sha256,
    /// The site that its file comes from.
    pub site: Sha256,
    /// Is true when the repository will have it as things stand: it has it now, or the task has staged it.
    pub own: bool,
    /// Its file, when it is known.
    pub blob: Option<Sha256>,
    /// Bytes of the file.
    pub size: Option<i64>,
    /// Is true when the file is here.
    pub downloaded: bool,
}

/// One big part of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name, for example `filelists`.
    pub name: String,
    /// Its bytes, as the caller compressed them.
    pub data: Vec<u8>,
}

/// A document as the database prints it: JSON text, unread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawDocument(pub String);

/// Fields of a document as the database prints them: a line of JSON text for each that was asked for, empty where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldTexts(pub String);

/// A unit on its way through a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamedUnit<D = Document> {
    /// The unit; `doc` holds only the asked fields when [`UnitQuery::fields`] names some.
    pub unit: Unit<D>,
    /// The time at which the association was made; `None` unless a repository was asked for.
    pub created: Option<Timestamp>,
    /// The time at which the association was last refreshed; `None` unless a repository was asked for.
    pub updated: Option<Timestamp>,
    /// `_id` of the association.
    pub association: Option<pith_core::ObjectId>,
    /// The parts asked for, of those it has.
    pub parts: Vec<Part>,
}

/// A question for units: which of them, in which order, how much of each.
#[derive(Debug, Clone, Default)]
pub struct UnitQuery<'a> {
    /// The types; none means every type.
    pub type_ids: Vec<&'a str>,
    /// Only what this repository has now.
    pub repo: Option<&'a str>,
    /// Field (dots lead into objects) and the values of which it must equal one; all pairs must hold. Values are text,
    /// numbers, booleans or null (null also matches a missing field). Kinds do not mix: text `"3"` is not number `3`.
    pub equals: Vec<(&'a str, Vec<Value>)>,
    /// The part of a filter that the database decides.
    pub filter: Option<&'a UnitFilter>,
    /// Only these.
    pub ids: Option<Vec<UnitId>>,
    /// Fields to sort by, each with whether to descend. Missing comes first, then numbers and booleans, then text by
    /// bytes; equal ones by type and id. None means by type and id.
    pub sort: Vec<(&'a str, bool)>,
    /// The most units.
    pub limit: Option<u64>,
    /// Leave out this many from the start.
    pub skip: u64,
    /// Parts to bring along.
    pub parts: Vec<&'a str>,
    /// Fields of the document to bring; `None` is all of it. Top level only.
    pub fields: Option<Vec<&'a str>>,
}

/// The columns of a [`Unit`], in the order of `unit`.
pub(crate) const COLUMNS: &str = "id, type_id, blob, size, downloaded, last_updated, json(doc)";

pub(crate) fn unit(row: &Row) -> Result<Unit> {
    Ok(Unit {
        id: row.get(0)?,
        type_id: row.get(1)?,
        blob: row.get(2)?,
        size: row.get(3)?,
        downloaded: row.get(4)?,
        last_updated: row.get(5)?,
        doc: row.get(6)?,
    })
}

/// The value of `last_updated` after a change: later than before, whatever the clock says, because what was made of the unit is
/// kept by that time.
pub(crate) fn moved_on(query: &mut Sql, now: Timestamp) {
    query
        .push("CASE WHEN last_updated < ")
        .bind(now)
        .push(" THEN ")
        .bind(now)
        .push(" ELSE last_updated + 1 END");
}

/// Returns what makes a field of a type quick to look up.
fn index_script(engine: Engine, type_id: &str, field: &Field) -> String {
    let index = index_name(type_id, field);
    let on = field.index_on(engine);
    let index =
        format!("CREATE INDEX IF NOT EXISTS \"{index}\" ON units {on} WHERE type_id = '{type_id}'");
    match engine {
        Engine::Sqlite => index,
        // A hash index tells the planner nothing about its values: one set of statistics serves all types.
        Engine::Postgres => format!(
            "{index}; CREATE STATISTICS IF NOT EXISTS \"unit_field_{}\" ON ({}) FROM units",
            field.flat(),
            field.json("doc")
        ),
    }
}

impl Store {
    /// One unit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unit_get(&self, type_id: &str, id: UnitId) -> Result<Option<Unit>> {
        let mut query = Sql::new(self.engine(), "SELECT ");
        query
            .push(COLUMNS)
            .push(" FROM units WHERE id = ")
            .bind(id)
            .push(" AND type_id = ")
            .bind(type_id);
        self.optional(query.build())
            .await?
            .as_ref()
            .map(unit)
            .transpose()
    }

    /// The named parts of these units, of those they have.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unit_parts(
        &self,
        ids: &[UnitId],
        parts: &[&str],
    ) -> Result<HashMap<UnitId, Vec<Part>>> {
        let mut found: HashMap<UnitId, Vec<Part>> = HashMap::new();
        if parts.is_empty() {
            return Ok(found);
        }
        for chunk in ids.chunks(CHUNK) {
            let mut query = Sql::new(
                self.engine(),
                "SELECT unit_id, part, data FROM unit_parts WHERE ",
            );
            query
                .bind_in("unit_id", chunk.iter().copied())
                .push(" AND ")
                .bind_in("part", parts.iter().copied());
            for row in self.all(query.build()).await? {
                found.entry(row.get(0)?).or_default().push(Part {
                    name: row.get(1)?,
                    data: row.get(2)?,
                });
            }
        }
        Ok(found)
    }

    /// Notes that the file of the unit is here. When it is another than the one expected, the repositories that have the
    /// unit know that their content changed.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such unit.
    pub async fn unit_set_blob(&self, id: UnitId, blob: Sha256, size: i64) -> Result<()> {
        let mut tx = self.begin().await?;
        unit_save::set_file(&mut tx.inner, id, (blob, size), self.now()).await?;
        blobs::record(&mut tx.inner, vec![(blob, size)], self.now()).await?;
        tx.commit().await
    }

    /// Returns all parts of these units.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn units_every_part(&self, ids: &[UnitId]) -> Result<HashMap<UnitId, Vec<Part>>> {
        let mut found: HashMap<UnitId, Vec<Part>> = HashMap::new();
        for chunk in ids.chunks(CHUNK) {
            let text = "SELECT unit_id, part, data FROM unit_parts WHERE ";
            let mut query = Sql::new(self.engine(), text);
            query.bind_in("unit_id", chunk.iter().copied());
            for row in self.all(query.build()).await? {
                found.entry(row.get(0)?).or_default().push(Part {
                    name: row.get(1)?,
                    data: row.get(2)?,
                });
            }
        }
        Ok(found)
    }

    /// Replaces `pulp_user_metadata` in the document. `last_updated` moves on, to now.
    ///
    /// # Errors
    /// [`crate::StoreError::Missing`] when there is no such unit.
    pub async fn unit_set_user_metadata(
        &self,
        type_id: &str,
        id: UnitId,
        metadata: &Value,
    ) -> Result<()> {
        let path = top_level(self.engine(), USER_METADATA)?;
        let mut query = Sql::new(self.engine(), "UPDATE units SET doc = jsonb_set(doc, ");
        query
            .push(&path)
            .push(", jsonb(")
            .bind(metadata)
            .push(")), last_updated = ");
        moved_on(&mut query, self.now());
        query
            .push(" WHERE id = ")
            .bind(id)
            .push(" AND type_id = ")
            .bind(type_id);
        self.execute_one(query.build(), "unit", id).await
    }

    /// Sets one field in the documents of these units, in one transaction. `last_updated` stays: this is for what was
    /// worked out about a unit, not for what somebody changed.
    ///
    /// # Errors
    /// [`crate::StoreError::BadName`] when the field has an impossible name.
    pub async fn units_set_field(
        &self,
        type_id: &str,
        field: &str,
        values: &[(UnitId, Value)],
    ) -> Result<()> {
        let path = top_level(self.engine(), field)?;
        let mut tx = self.begin().await?;
        for (id, value) in values {
            let mut query = Sql::new(self.engine(), "UPDATE units SET doc = jsonb_set(doc, ");
            query
                .push(&path)
                .push(", jsonb(")
                .bind(value)
                .push(")) WHERE id = ")
                .bind(*id);
            query.push(" AND type_id = ").bind(type_id);
            tx.inner.execute(query.build()).await?;
        }
        tx.commit().await
    }

    /// The repositories that have each unit now; units in none are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unit_memberships(&self, ids: &[UnitId]) -> Result<HashMap<UnitId, Vec<String>>> {
        let mut found: HashMap<UnitId, Vec<String>> = HashMap::new();
        for chunk in ids.chunks(CHUNK) {
            let mut query = Sql::new(
                self.engine(),
                "SELECT unit_id, repo_id FROM repo_units WHERE removed_in IS NULL AND ",
            );
            query
                .bind_in("unit_id", chunk.iter().copied())
                .push(" ORDER BY repo_id");
            for row in self.all(query.build()).await? {
                found.entry(row.get(0)?).or_default().push(row.get(1)?);
            }
        }
        Ok(found)
    }

    /// The units that `query` describes, in its order.
    ///
    /// # Errors
    /// [`crate::StoreError::BadName`] when a field or type has an impossible name; items are errors when the database
    /// fails on the way.
    pub fn units_stream(&self, query: &UnitQuery<'_>) -> Result<BatchStream<StreamedUnit>> {
        Ok(unit_stream::stream(self.clone(), Plan::new(query, None)?))
    }

    /// Does what [`Store::units_stream`] does, with whole documents as text; [`UnitQuery::fields`] is left aside.
    ///
    /// # Errors
    /// As [`Store::units_stream`].
    pub fn units_raw_stream(
        &self,
        query: &UnitQuery<'_>,
    ) -> Result<BatchStream<StreamedUnit<RawDocument>>> {
        let query = UnitQuery {
            fields: None,
            ..query.clone()
        };
        Ok(unit_stream::stream(self.clone(), Plan::new(&query, None)?))
    }

    /// Does what [`Store::units_stream`] does, with the fields as text; those of [`UnitQuery::fields`], of which there is one.
    ///
    /// # Errors
    /// As [`Store::units_stream`].
    pub fn units_fields_stream(
        &self,
        query: &UnitQuery<'_>,
    ) -> Result<BatchStream<StreamedUnit<FieldTexts>>> {
        Ok(unit_stream::stream(self.clone(), Plan::new(query, None)?))
    }

    /// Returns how many units `query` describes, its limit and skip left aside.
    ///
    /// # Errors
    /// As [`Store::units_stream`].
    pub async fn units_count(&self, query: &UnitQuery<'_>) -> Result<i64> {
        unit_stream::count(self, &Plan::new(query, None)?).await
    }

    /// Makes look-ups by these (type, field) pairs cost the same however many units there are. Call it at start.
    ///
    /// # Errors
    /// [`crate::StoreError::BadName`] when a name is impossible.
    pub async fn ensure_unit_indexes(&self, fields: &[(&str, &str)]) -> Result<()> {
        for (type_id, path) in fields {
            let (type_id, field) = (plain_name(type_id)?, Field::new(path)?);
            let text = index_script(self.engine(), type_id, &field);
            let mut tx = self.begin().await?;
            lock_schema(&mut tx.inner).await?;
            tx.inner.script(text).await?;
            tx.commit().await?;
            let mut indexed = self
                .inner
                .indexed
                .write()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            indexed.insert((type_id.to_owned(), (*path).to_owned()));
        }
        Ok(())
    }
}

impl Store {
    /// Refreshes the statistics that the database plans with. Worth calling after large changes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn analyze(&self) -> Result<()> {
        let text = match self.engine() {
            // Looks at a part of large tables, and only where statistics are wanting.
            Engine::Sqlite => "PRAGMA optimize",
            Engine::Postgres => "ANALYZE",
        };
        self.execute(sql(text)).await.map(drop)
    }
}
