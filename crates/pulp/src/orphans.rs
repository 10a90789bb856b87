//! Looking at units that no repository has (pulp2/orphans).

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use pith_content::UnitType;
use pith_core::error::PulpError;
use pith_core::{Document, UnitId};
use pith_engine::Error;
use serde_json::{Value, json};

use crate::Pulp;

/// The path of orphans of a type on the wire.
fn href(type_id: &str) -> String {
    format!("/pulp/api/v2/content/orphans/{type_id}/")
}

/// Returns what the listing of orphans shows of one: id, type, key by its stored names, and where it is.
fn shown(kind: &UnitType, id: UnitId, doc: &Document) -> Document {
    let mut out = Document::new();
    for field in kind.key {
        let value = doc.get(field.name).cloned().unwrap_or_default();
        out.insert(field.stored.to_owned(), value);
    }
    out.insert("_id".to_owned(), json!(id));
    out.insert("_content_type_id".to_owned(), json!(kind.id));
    let href = format!("{}{id}/", href(kind.id));
    out.insert("_href".to_owned(), Value::String(href));
    out
}

impl Pulp {
    /// Returns how many orphans there are of every known type.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn orphan_counts(&self) -> Result<Document, Error> {
        let counts = self.engine.store.units_orphans_count().await?;
        let entry = |kind: &UnitType| {
            let count = counts.get(kind.id).copied().unwrap_or(0);
            let entry = json!({ "count": count, "_href": href(kind.id) });
            (kind.id.to_owned(), entry)
        };
        Ok(self.engine.registry.shown_types().map(entry).collect())
    }

    /// The orphans of a type, in batches.
    ///
    /// # Errors
    /// 404 for an unknown type; items are errors when the database fails on the way.
    pub fn orphans_of_type(
        &self,
        type_id: &str,
    ) -> Result<BoxStream<'static, Result<Vec<Document>, Error>>, Error> {
        let kind = self.orphan_type(type_id)?;
        let units = self.engine.store.units_orphans_stream(Some(kind.id));
        let show = move |batch: Vec<pith_store::Unit>| {
            let each = batch.iter().map(|unit| shown(kind, unit.id, &unit.doc));
            each.collect()
        };
        Ok(units.map_err(Error::from).map_ok(show).boxed())
    }

    /// The unit type `type_id`.
    ///
    /// # Errors
    /// 404 when there is none.
    pub fn orphan_type(&self, type_id: &str) -> Result<&'static UnitType, Error> {
        let missing = || Error::from(PulpError::missing_resource(&[("content_type_id", type_id)]));
        self.engine.registry.unit_type(type_id).ok_or_else(missing)
    }

    /// Makes sure that the unit is an orphan.
    ///
    /// # Errors
    /// 404 when it is not, or there is no such unit or type.
    pub async fn orphan_require(&self, type_id: &str, unit_id: &str) -> Result<UnitId, Error> {
        let missing = || {
            Error::from(PulpError::missing_resource(&[
                ("content_unit", unit_id),
                ("content_type", type_id),
            ]))
        };
        let id: UnitId = unit_id.parse().map_err(|_| missing())?;
        let found = self.engine.store.unit_is_orphan(type_id, id).await;
        found?.then_some(id).ok_or_else(missing)
    }
}
