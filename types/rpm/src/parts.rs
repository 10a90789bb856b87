//! The makings of units: their documents, and the names of the parts beside them.

use pith_content::unit::WantedUnit;
use pith_core::Document;
use serde::Serialize;
use serde_json::Value;

/// The part with the primary snippet.
pub const PRIMARY: &str = "primary";
/// The part with the filelists snippet.
pub const FILELISTS: &str = "filelists";
/// The part with the other snippet.
pub const OTHER: &str = "other";
/// The part with the package lists of an advisory.
pub const PKGLIST: &str = "pkglist";
/// The part with the text of a module document.
pub const YAML: &str = "document";

/// A value as a document; empty when it is no object.
pub(crate) fn document(value: impl Serialize) -> Document {
    match serde_json::to_value(value) {
        Ok(Value::Object(map)) => map,
        _ => Document::new(),
    }
}

/// A unit that has nothing but its document.
pub(crate) fn metadata_only(type_id: &'static str, doc: Document) -> WantedUnit {
    WantedUnit::new(type_id, doc).replacing()
}
