//! The rules of units of the rpm family that have any.

use pith_content::UnitRules;
use pith_content::rules::NamedParts;
use pith_content::unit::WantedUnit;
use pith_core::Document;
use pith_core::digest::Hashed;
use serde_json::{Value, json};

use crate::{advisories, learned, units};

/// The rules of what is a file of the rpm format, or a part of one.
#[derive(Debug)]
pub(crate) struct FileRules;

impl UnitRules for FileRules {
    fn learn(&self, head: &[u8], hashed: &Hashed) -> Document {
        learned::of_file(head, hashed)
    }
}

/// The rules of packages.
#[derive(Debug)]
pub(crate) struct PackageRules;

impl UnitRules for PackageRules {
    fn present(&self, doc: &mut Document, parts: NamedParts<'_>) {
        let mut text = b"{".to_vec();
        units::package_text(parts, &mut text);
        text.push(b'}');
        if text.get(1) == Some(&b',') {
            text.remove(1);
        }
        if let Ok(Value::Object(fields)) = serde_json::from_slice(&text) {
            doc.extend(fields);
        }
    }

    fn present_text(&self, parts: NamedParts<'_>, out: &mut Vec<u8>) {
        units::package_text(parts, out);
    }

    fn learn(&self, head: &[u8], hashed: &Hashed) -> Document {
        FileRules.learn(head, hashed)
    }

    fn merge(&self, _known: &Document, parts: NamedParts<'_>, wanted: &mut WantedUnit) {
        units::keep_parts(parts, wanted);
    }
}

/// The rules of advisories.
#[derive(Debug)]
pub(crate) struct AdvisoryRules;

impl UnitRules for AdvisoryRules {
    fn present(&self, doc: &mut Document, parts: NamedParts<'_>) {
        let list = pkglist(parts).map_or_else(|| json!([]), advisories::presented_pkglist);
        doc.insert("pkglist".to_owned(), list);
    }

    fn merge(&self, known: &Document, parts: NamedParts<'_>, wanted: &mut WantedUnit) {
        let lists = pkglist(parts).map(advisories::pkglists);
        advisories::merge(known, &lists.unwrap_or_default(), wanted);
    }
}

/// The part of an advisory with its packages.
fn pkglist<'a>(parts: NamedParts<'a>) -> Option<&'a [u8]> {
    let found = parts.iter().find(|(name, _)| name == crate::parts::PKGLIST);
    found.map(|(_, data)| data.as_slice())
}
