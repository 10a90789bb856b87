//! The texts of packages, and the entries of their files.

use std::borrow::Cow;

use pith_content::outline::Fields;
use pith_content::publish::Entry;
use pith_content::unit::{self, RepoUnit};
use pith_core::Document;

/// The text of a field.
pub fn text<'a>(unit: &'a RepoUnit, field: &str) -> &'a str {
    unit.text(field).unwrap_or_default()
}

/// The entry of a unit's file.
pub fn entry<D>(unit: &RepoUnit<D>) -> Entry {
    unit.entry(unit.size.unwrap_or(0))
}

/// The fields of a package, whether they were read or are still text.
pub trait Texts {
    /// A text; empty where there is none.
    fn text(&self, field: &str) -> Cow<'_, str>;
}

impl Texts for Document {
    fn text(&self, field: &str) -> Cow<'_, str> {
        unit::text(self, field).unwrap_or_default().into()
    }
}

impl Texts for Fields {
    fn text(&self, field: &str) -> Cow<'_, str> {
        self.text(field)
    }
}
