//! The answer's form of units that were found. Units that are shown whole pass as the text that the database has, when nothing
//! inside them changes: reading a document of some KB into a tree and writing it again would cost more than everything else of a
//! listing.

use pith_content::json_text;
use pith_core::Document;
use pith_core::clock::iso;
use pith_core::criteria::project;
use pith_engine::Error;
use pith_engine::parts::named;
use pith_store::{RawDocument, StreamedUnit};
use serde_json::{Value, json};

use super::raw::Split;
use super::units::{Names, Search, Shown};
use crate::present;

/// Bytes of a document of usual size.
const USUAL: usize = 16 * 1024;

impl Search {
    pub(super) fn association_document<D>(&self, streamed: &StreamedUnit<D>) -> Document {
        let Some(repo) = &self.repo else {
            return Document::new();
        };
        let mut association = Document::new();
        let mut put = |key: &str, value: Value| association.insert(key.to_owned(), value);
        if let Some(oid) = &streamed.association {
            put("_id", oid.to_json());
        }
        put("repo_id", json!(repo));
        put("unit_id", json!(streamed.unit.id));
        put("unit_type_id", json!(streamed.unit.type_id));
        put("created", json!(streamed.created.map(iso)));
        put("updated", json!(streamed.updated.map(iso)));
        association
    }

    /// The answer's form of a unit that was found: the association around it, or what the content API shows.
    pub(super) fn show(&self, association: Document, unit: Document) -> Document {
        let always = &["_id", "_content_type_id"];
        if self.repo.is_some() {
            let mut shown = self.cut_association(association);
            let unit = self.cut(unit, always);
            shown.insert("metadata".to_owned(), Value::Object(unit));
            return shown;
        }
        let text = |key: &str| unit.get(key).and_then(Value::as_str).unwrap_or_default();
        let href = present::unit_href(text("_content_type_id"), text("_id"));
        let mut shown = self.cut(unit, always);
        present::for_content_api(&mut shown);
        shown.insert("_href".to_owned(), Value::String(href));
        shown
    }

    /// Does what [`Search::show`] does with all fields, for a unit as the database has it.
    pub(super) fn show_stored(
        &self,
        streamed: StreamedUnit<RawDocument>,
        names: Option<&Names>,
    ) -> Result<Shown, Error> {
        let association = self.association_document(&streamed);
        let StreamedUnit { unit, parts, .. } = streamed;
        let (unit, RawDocument(text)) = unit.replace_doc(());
        let broken = |error: serde_json::Error| Error::fault(error);
        let split: Split = serde_json::from_str(&text).map_err(broken)?;
        let registry = &self.engine.registry;
        let mut beside = present::unit_beside(registry, &unit, &split.plain, true);
        let kind = registry.unit_type(&unit.type_id);
        let presented = kind.map_or(&[][..], |kind| kind.presented);
        let off = self.off(&unit.type_id, &split.plain, names);
        let changes = beside.keys().any(|name| split.has(name))
            || presented.iter().any(|one| split.has(one.field));
        if text.len() <= 2 || off.is_some() || changes {
            // Something that is shown in another form is stored as well: worked out field by field.
            let mut doc: Document = serde_json::from_str(&text).map_err(broken)?;
            doc.extend(off.map(|flag| (flag.to_owned(), Value::Bool(false))));
            let (unit, ()) = unit.replace_doc(doc);
            let unit = present::unit_document(registry, unit, parts, true);
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
        let open = text.trim_end().strip_suffix('}').unwrap_or_default();
        shown.extend_from_slice(open.as_bytes());
        json_text::push_members(&mut shown, &beside);
        if let Some(kind) = kind.filter(|_| !parts.is_empty()) {
            kind.rules.present_text(&named(parts), &mut shown);
        }
        shown.push(b'}');
        if self.repo.is_some() {
            shown.push(b'}');
        }
        String::from_utf8(shown)
            .map(Shown::Text)
            .map_err(Error::fault)
    }

    /// The association with the fields that were asked for.
    fn cut_association(&self, mut association: Document) -> Document {
        if let Some(fields) = &self.association_fields {
            association.retain(|key, _| {
                matches!(key.as_str(), "_id" | "unit_id" | "unit_type_id") || fields.contains(key)
            });
        }
        association
    }

    fn cut(&self, mut unit: Document, always: &[&str]) -> Document {
        let Some(fields) = &self.unit_fields else {
            return unit;
        };
        let plain = fields
            .iter()
            .all(|field| !field.contains('.') && self.on_the_wire(field) == field);
        if plain {
            unit.retain(|key, _| always.contains(&key.as_str()) || fields.contains(key));
            return unit;
        }
        let mut cut = project(&unit, fields);
        for key in always {
            if let Some(value) = unit.remove(*key) {
                cut.insert((*key).to_owned(), value);
            }
        }
        for field in fields {
            let wire = self.on_the_wire(field);
            if wire != field
                && let Some(value) = unit.get(wire)
            {
                cut.insert(field.clone(), value.clone());
            }
        }
        cut
    }
}
