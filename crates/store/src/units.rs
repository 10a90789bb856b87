//! Content units of every type.

use std::collections::HashMap;

use pith_core::{Sha256, Timestamp, UnitId};
use serde_json::Value;

use crate::backend::Backend;
use crate::blobs;
use crate::dialect::{CHUNK, Sql, plain_name, sql, top_level};
use crate::field::Field;
use crate::migrate::lock_schema;
use crate::unit::{COLUMNS, FieldTexts, Part, RawDocument, StreamedUnit, Unit, UnitQuery, unit};
use crate::unit_query::{Plan, index_name};
use crate::unit_save;
use crate::unit_stream;
use crate::{BatchStream, Result, Store};

/// The field in which clients say something of a unit.
pub(crate) const USER_METADATA: &str = "pulp_user_metadata";

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
fn index_script(backend: Backend, type_id: &str, field: &Field) -> String {
    let index = index_name(type_id, field);
    let on = field.index_on(backend);
    let index =
        format!("CREATE INDEX IF NOT EXISTS \"{index}\" ON units {on} WHERE type_id = '{type_id}'");
    match backend {
        Backend::Sqlite => index,
        // A hash index tells the planner nothing about its values: one set of statistics serves all types.
        Backend::Postgres => format!(
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
        let mut query = Sql::new(self.backend(), "SELECT ");
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
                self.backend(),
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
            let mut query = Sql::new(self.backend(), text);
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
        let path = top_level(self.backend(), USER_METADATA)?;
        let mut query = Sql::new(self.backend(), "UPDATE units SET doc = jsonb_set(doc, ");
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
        let path = top_level(self.backend(), field)?;
        let mut tx = self.begin().await?;
        for (id, value) in values {
            let mut query = Sql::new(self.backend(), "UPDATE units SET doc = jsonb_set(doc, ");
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
                self.backend(),
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
            let text = index_script(self.backend(), type_id, &field);
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
        let text = match self.backend() {
            // Looks at a part of large tables, and only where statistics are wanting.
            Backend::Sqlite => "PRAGMA optimize",
            Backend::Postgres => "ANALYZE",
        };
        self.execute(sql(text)).await.map(drop)
    }
}
