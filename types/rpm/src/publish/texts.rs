//! The texts of packages, and the entries of their files.

use std::borrow::Cow;

use pith_content::outline::Fields;
use pith_content::publish::Entry;
use pith_content::unit::RepoUnit;
use pith_core::Document;
use serde_json::Value;

/// The text of a field.
pub fn text<'a>(unit: &'a RepoUnit, field: &str) -> &'a str {
    unit.doc.get(field).and_then(Value::as_str).unwrap_or("")
}

/// The entry of a unit's file.
pub fn entry<D>(unit: &RepoUnit<D>) -> Entry {
    let size = unit.size.unwrap_or(0);
    match unit.blob {
        Some(sha256) => Entry::Blob { sha256, size },
        None => Entry::Deferred {
            unit: unit.id,
            sha256: unit.promised,
            size,
        },
    }
}

/// The fields of a package, whether they were read or are still text.
pub trait Texts {
    /// A text; empty where there is none.
    fn text(&self, field: &str) -> Cow<'_, str>;
}

impl Texts for Document {
    fn text(&self, field: &str) -> Cow<'_, str> {
        self.get(field).and_then(Value::as_str).unwrap_or("").into()
    }
}

impl Texts for Fields {
    fn text(&self, field: &str) -> Cow<'_, str> {
        self.text(field)
    }
}
