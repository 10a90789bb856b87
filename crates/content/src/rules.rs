//! Behaviour of unit types that must be code: their [`UnitRules`], and flags that depend on a whole repository.

use std::collections::HashSet;
use std::fmt;

use pith_core::Document;
use pith_core::digest::Hashed;

use crate::json_text;
use crate::publish::ReadSeek;
use crate::unit::{Select, WantedUnit};

/// Parts of a unit by name, as they are stored.
pub type NamedParts<'a> = &'a [(String, Vec<u8>)];

/// The behaviour of the units of one type, for what [`crate::UnitType`] cannot say as data.
pub trait UnitRules: fmt::Debug + Send + Sync {
    /// Completes a stored document to what the REST API shows: adds the [`crate::UnitType::presented`] fields, as far as their
    /// parts exist.
    fn present(&self, _doc: &mut Document, _parts: NamedParts<'_>) {}

    /// Writes what [`UnitRules::present`] adds, as JSON text: appends `,"name":value` for each field. A type whose parts are large
    /// writes it straight from them; listings show thousands of units.
    fn present_text(&self, parts: NamedParts<'_>, out: &mut Vec<u8>) {
        let mut doc = Document::new();
        self.present(&mut doc, parts);
        json_text::push_members(out, &doc);
    }

    /// The [`crate::UnitType::learned`] fields of a unit whose file came on its own, after the sync: `head` is its beginning,
    /// `hashed` has the digests that were worked out. (A sync or an upload tells these fields itself.)
    fn learn(&self, _head: &[u8], _hashed: &Hashed) -> Document {
        Document::new()
    }

    /// Reads the [`crate::UnitType::learned`] fields out of the whole file of a unit; they go into its document. Called for types
    /// that say [`crate::Inspected::Whole`], for each file that comes, by sync, upload or later, on a thread that may block.
    /// `file` is at its start, `hashed` has its [`crate::UnitType::digests`].
    ///
    /// # Errors
    /// The reason why it is no file of such a unit, which is refused then.
    fn inspect(&self, _file: &mut dyn ReadSeek, _hashed: &Hashed) -> Result<Document, String> {
        Ok(Document::new())
    }

    /// Merges a unit of the repository into one of the same key that is handed over with [`crate::unit::Existing::Replace`] and
    /// says something else: `wanted` is changed to what the repository is to have. `parts` holds all parts of the known unit.
    /// Most types replace.
    fn merge(&self, _known: &Document, _parts: NamedParts<'_>, _wanted: &mut WantedUnit) {}
}

/// The rules of units that are their documents and nothing else.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

impl UnitRules for Plain {}

/// A flag that is true of units which other units of the same repository list. The stored document has the flag for every unit
/// that may be listed somewhere.
#[derive(Debug)]
pub struct Listed {
    /// The field.
    pub flag: &'static str,
    /// Selects the units that list others, and what of them must be read.
    pub by: fn() -> Select,
    /// Adds the names that such a unit lists.
    pub names: fn(&Document, &mut HashSet<String>),
    /// The name of a unit of which the key fields are known.
    pub name: fn(&Document) -> String,
}
