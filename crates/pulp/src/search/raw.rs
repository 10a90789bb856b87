//! Units on their way to the wire as the text that the database has, when nothing inside them changes: reading a
//! document of some KB into a tree and writing it again would cost more than everything else of a listing.

use std::fmt;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use pith_content::json_text;
use pith_core::Document;
use pith_engine::Error;
use pith_engine::parts::named;
use pith_store::{RawDocument, StreamedUnit, Unit};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use super::listed::Names;
use super::units::{DocumentStream, Search, Shown};
use crate::present;

/// Bytes of a document of usual size.
const USUAL: usize = 16 * 1024;

impl Search {
    /// Tells whether units of the answer have all their fields and the database alone decides which they are.
    pub(super) fn passes_through(&self) -> bool {
        self.unit_fields.is_none() && !self.include_repos
    }

    /// The answer, when [`Search::passes_through`] and the window goes along to the database.
    pub(super) fn run_raw(self) -> Result<DocumentStream, Error> {
        let needs = self.shown_needs();
        let window = Some((self.skip, self.limit));
        let units = self.ask(
            &self.type_ids,
            &needs,
            &self.unit_sort,
            None,
            window,
            pith_store::Store::units_raw_stream,
        )?;
        let search = Arc::new(self);
        let show = move |batch: Vec<StreamedUnit<RawDocument>>| {
            let search = Arc::clone(&search);
            async move {
                let names = search.names_for(&batch).await?;
                let shown = batch.into_iter().map(|unit| search.show_raw(unit, names));
                shown.collect()
            }
        };
        Ok(units.map_err(Error::from).and_then(show).boxed())
    }

    fn show_raw(
        &self,
        streamed: StreamedUnit<RawDocument>,
        names: Option<&Names>,
    ) -> Result<Shown, Error> {
        let association = self.association_document(&streamed);
        let broken = |error: serde_json::Error| Error::fault(error);
        let StreamedUnit { unit, parts, .. } = streamed;
        let text = unit.doc.0;
        let outline: Outline = serde_json::from_str(&text).map_err(broken)?;
        let unit = Unit {
            id: unit.id,
            type_id: unit.type_id,
            doc: Document::new(),
            blob: unit.blob,
            size: unit.size,
            downloaded: unit.downloaded,
            last_updated: unit.last_updated,
        };
        let registry = &self.engine.registry;
        let kind = registry.unit_type(&unit.type_id);
        let presented = kind.map_or(&[][..], |kind| kind.presented);
        let mut beside = present::unit_beside(registry, unit.clone(), &outline.plain);
        let taken = |key: &str| {
            outline.plain.contains_key(key) || outline.other.iter().any(|other| other == key)
        };
        let off = self.off(&unit.type_id, &outline.plain, names);
        if text.len() <= 2
            || off.is_some()
            || beside.keys().any(|key| taken(key))
            || presented.iter().any(|one| taken(one.field))
        {
            // Something that is shown in another form is stored as well: worked out field by field.
            let mut doc: Document = serde_json::from_str(&text).map_err(broken)?;
            doc.extend(off.map(|flag| (flag.to_owned(), Value::Bool(false))));
            let unit = present::unit_document(registry, Unit { doc, ..unit }, parts, true);
            return Ok(Shown::Document(self.show(association, unit)));
        }
        if self.repo.is_none() {
            let href = present::unit_href(&unit.type_id, &unit.id.to_string());
            present::for_content_api(&mut beside);
            beside.insert("_href".to_owned(), Value::String(href));
        }
        // Parts make several times as much of a usual unit; a large one grows as it needs.
        let mut shown = Vec::with_capacity(text.len() + 3 * text.len().min(USUAL));
        if self.repo.is_some() {
            json_text::push(&mut shown, &self.cut_association(association));
            shown.pop();
            shown.extend_from_slice(b",\"metadata\":");
        }
        shown.extend_from_slice(
            text.trim_end()
                .strip_suffix('}')
                .unwrap_or_default()
                .as_bytes(),
        );
        json_text::push_members(&mut shown, &beside);
        if let Some(kind) = kind.filter(|_| !parts.is_empty()) {
            kind.rules.present_text(&named(parts), &mut shown);
        }
        shown.push(b'}');
        if self.repo.is_some() {
            shown.push(b'}');
        }
        let shown = String::from_utf8(shown);
        let shown = shown.map_err(Error::fault)?;
        Ok(Shown::Text(shown))
    }
}

/// The plain fields of a document, and the names of the others.
#[derive(Debug, Default)]
struct Outline {
    plain: Document,
    other: Vec<String>,
}

impl<'de> Deserialize<'de> for Outline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OutlineVisitor)
    }
}

struct OutlineVisitor;

impl<'de> Visitor<'de> for OutlineVisitor {
    type Value = Outline;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outline, A::Error> {
        let mut outline = Outline::default();
        while let Some((name, Plain(value))) = map.next_entry::<String, Plain>()? {
            match value {
                Some(value) => drop(outline.plain.insert(name, value)),
                None => outline.other.push(name),
            }
        }
        Ok(outline)
    }
}

/// A plain value; `None` for a list or an object, which is passed over.
struct Plain(Option<Value>);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Plain;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Plain, E> {
        Ok(Plain(Some(Value::Bool(value))))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Plain, E> {
        Ok(Plain(Some(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Plain, E> {
        Ok(Plain(Some(value.into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Plain, E> {
        Ok(Plain(Some(
            Number::from_f64(value).map_or(Value::Null, Value::Number),
        )))
    }

    fn visit_str<E>(self, value: &str) -> Result<Plain, E> {
        Ok(Plain(Some(Value::String(value.to_owned()))))
    }

    fn visit_unit<E>(self) -> Result<Plain, E> {
        Ok(Plain(Some(Value::Null)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Plain, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Plain(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Plain, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Plain(None))
    }
}
