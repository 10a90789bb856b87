//! Content units as the store takes and gives them, and the question for some of them.

use pith_core::{Document, Sha256, Timestamp, UnitId};
use serde_json::Value;

use crate::Result;
use crate::criteria_sql::UnitFilter;
use crate::value::Row;

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
