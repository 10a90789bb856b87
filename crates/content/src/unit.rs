//! Units as types hand them over and get them back.

use bytes::Bytes;
use pith_core::digest::Hashed;
use pith_core::{Digest, Document, Sha256, Timestamp, UnitId, document_weight};
use serde_json::Value;
use url::Url;

use crate::UnitType;

/// The values of a unit's key, in the order of [`UnitType::key`].
#[derive(Debug, Clone, PartialEq)]
pub struct UnitKey(pub Vec<(&'static str, Value)>);

/// A document that lacks a field of its unit key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the unit key of type {type_id} needs the field '{field}'")]
pub struct MissingKeyField {
    /// The type.
    pub type_id: &'static str,
    /// The field that is not there.
    pub field: &'static str,
}

impl UnitKey {
    /// Takes the key's fields out of a unit's document.
    ///
    /// # Errors
    /// [`MissingKeyField`] when one is absent or null.
    pub fn of(kind: &UnitType, doc: &Document) -> Result<Self, MissingKeyField> {
        let field = |name: &'static str| match doc.get(name) {
            None | Some(Value::Null) => Err(MissingKeyField {
                type_id: kind.id,
                field: name,
            }),
            Some(value) => Ok((name, value.clone())),
        };
        kind.key
            .iter()
            .map(|k| field(k.name))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The SHA-256 over field names and values, fields sorted by their stored name: the digest that names the unit's
    /// folder in Pulp's storage (pulp2/units#storage-paths), and our unique index.
    #[must_use]
    pub fn digest(&self, kind: &UnitType) -> Sha256 {
        let mut fields: Vec<(&str, &Value)> = self
            .0
            .iter()
            .zip(kind.key)
            .map(|((_, value), field)| (field.stored, value))
            .collect();
        fields.sort_unstable_by_key(|(name, _)| *name);
        let mut text = String::new();
        for (name, value) in fields {
            text.push_str(name);
            match value {
                Value::String(s) => text.push_str(s),
                Value::Null => text.push_str("None"),
                other => text.push_str(&other.to_string()),
            }
        }
        Sha256::of(text.as_bytes())
    }

    /// The key as a document.
    #[must_use]
    pub fn to_document(&self) -> Document {
        self.0
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }
}

/// A large piece of a unit kept beside its document.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its name within the unit, such as `primary`.
    pub name: &'static str,
    /// The bytes as given by the type: stored as they are, the type chooses the encoding.
    pub data: Bytes,
}

/// A unit that a repository should have after a sync or an upload.
#[derive(Debug, Clone)]
pub struct WantedUnit {
    /// Its type.
    pub type_id: &'static str,
    /// The document that the REST API shows, without the `_` fields and without presented fields.
    pub doc: Document,
    /// Large pieces beside the document.
    pub parts: Vec<Part>,
    /// The source of its file, for types with files.
    pub source: Option<Source>,
    /// The fate of a unit of the same key that the repository has.
    pub existing: Existing,
}

impl WantedUnit {
    /// A unit that is its document and nothing else. Where the repository has one of its key, that one stays.
    #[must_use]
    pub fn new(type_id: &'static str, doc: Document) -> Self {
        Self {
            type_id,
            doc,
            parts: Vec::new(),
            source: None,
            existing: Existing::Keep,
        }
    }

    /// The same with a file.
    #[must_use]
    pub fn with_file(self, source: impl Into<Source>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }

    /// The same, to come in the place of the one that the repository has.
    #[must_use]
    pub fn replacing(self) -> Self {
        Self {
            existing: Existing::Replace,
            ..self
        }
    }

    /// The memory that it takes, in bytes, roughly.
    #[must_use]
    pub fn weight(&self) -> usize {
        let parts = self.parts.iter().map(|part| part.data.len());
        BASE_WEIGHT + parts.sum::<usize>() + document_weight(&self.doc)
    }
}

/// The weight of a unit with nothing in it.
const BASE_WEIGHT: usize = 1024;

/// The ways to go on when the repository has a unit of the same key of which something else is said. What other repositories
/// have is theirs and stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// The repository keeps it as it is.
    #[default]
    Keep,
    /// The wanted one comes in its place, after [`crate::UnitRules::merge`].
    Replace,
}

/// The source of the bytes of a unit.
#[derive(Debug, Clone)]
pub enum Source {
    /// Download them.
    Download {
        /// Their URLs, mirrors in order, as [`crate::base::Base::join`] gives them.
        urls: Vec<Url>,
        /// The size they must have.
        size: Option<u64>,
        /// The digests they must have; the strongest decides.
        digests: Vec<Digest>,
        /// The number of leading bytes that the observer's `inspect` wants to see.
        head: usize,
    },
    /// They are in the blob store already.
    Blob {
        /// Their name.
        sha256: Sha256,
        /// Their size.
        size: u64,
    },
}

impl Source {
    /// A download that is all that matters of a file: nobody asks for its beginning.
    #[must_use]
    pub fn download(urls: Vec<Url>, size: Option<u64>, digests: Vec<Digest>) -> Self {
        Self::Download {
            urls,
            size,
            digests,
            head: 0,
        }
    }
}

/// A file that was stored.
impl From<&Hashed> for Source {
    fn from(stored: &Hashed) -> Self {
        Self::Blob {
            sha256: stored.sha256,
            size: stored.size,
        }
    }
}

/// The text of a field; `None` where there is none.
#[must_use]
pub fn text<'a>(doc: &'a Document, field: &str) -> Option<&'a str> {
    doc.get(field).and_then(Value::as_str)
}

/// A unit of a repository, as streamed to a type, with its document as `D`: see [`crate::outline::Outline`] for another one.
#[derive(Debug, Clone)]
pub struct RepoUnit<D = Document> {
    /// Its identity.
    pub id: UnitId,
    /// The document, or those of its fields that were asked for.
    pub doc: D,
    /// Its file, when it has one here.
    pub blob: Option<Sha256>,
    /// The digest that its file will have, when it is not here and the digest is known.
    pub promised: Option<Sha256>,
    /// The size of its file.
    pub size: Option<u64>,
    /// Is true when its file is here.
    pub downloaded: bool,
    /// The time at which the unit came into the repository, the same for all that came together; `None` outside of repositories.
    pub added: Option<Timestamp>,
    /// The time at which the association was last made or refreshed.
    pub updated: Timestamp,
    /// The time at which the unit itself last changed: its document or its parts. What was worked out about it
    /// ([`crate::publish::PublishContext::learn`]) and a file that arrives are no change.
    pub changed: Timestamp,
    /// The parts asked for, in that order; `None` where the unit has no such part.
    pub parts: Vec<Option<Bytes>>,
}

impl RepoUnit {
    /// The text of a field of its document; `None` where there is none.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&str> {
        text(&self.doc, field)
    }
}

impl<D> RepoUnit<D> {
    /// The same with another document.
    #[must_use]
    pub fn with_doc<E>(self, doc: E) -> RepoUnit<E> {
        RepoUnit {
            id: self.id,
            doc,
            blob: self.blob,
            promised: self.promised,
            size: self.size,
            downloaded: self.downloaded,
            added: self.added,
            updated: self.updated,
            changed: self.changed,
            parts: self.parts,
        }
    }
}

/// A choice of units to stream, and of what is read of each.
#[derive(Debug, Clone)]
pub struct Select {
    /// The type.
    pub type_id: &'static str,
    /// Only these fields of the documents; `None` for whole documents.
    pub fields: Option<&'static [&'static str]>,
    /// The parts to read.
    pub parts: &'static [&'static str],
    /// Sorted by these fields, then by id.
    pub sort: &'static [&'static str],
    /// Only units of which a field is one of some texts.
    pub only: Option<OneOf>,
}

/// A field of units, and texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOf {
    /// The field.
    pub field: &'static str,
    /// The texts.
    pub values: Vec<String>,
}

impl Select {
    /// Whole documents without parts, in the order of their ids.
    #[must_use]
    pub fn all(type_id: &'static str) -> Self {
        Self {
            type_id,
            fields: None,
            parts: &[],
            sort: &[],
            only: None,
        }
    }

    /// The most texts that a choice is narrowed to.
    pub const MOST_VALUES: usize = 200;

    /// Narrows the choice to units of which `field` is one of `values`, which the database finds by an index when the field is one of
    /// [`UnitType::indexed`]. Of more than [`Self::MOST_VALUES`] nothing is narrowed, because reading all is quicker then: a type looks
    /// at what comes all the same.
    #[must_use]
    pub fn narrow<T: Into<String>>(
        mut self,
        field: &'static str,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let values = values.into_iter().map(Into::into);
        let values: Vec<String> = values.take(Self::MOST_VALUES + 1).collect();
        let is_few = values.len() <= Self::MOST_VALUES;
        self.only = is_few.then_some(OneOf { field, values });
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::descriptor::KeyField;

    const ISO: UnitType = UnitType {
        id: "iso",
        key: &[
            KeyField::same("name"),
            KeyField::same("checksum"),
            KeyField::same("size"),
        ],
        ..UnitType::PLAIN
    };

    #[test]
    fn the_key_digest_is_over_names_and_values_in_sorted_order() {
        let doc: Document =
            serde_json::from_value(json!({"size": 3, "name": "a", "checksum": "ff"})).unwrap();
        let key = UnitKey::of(&ISO, &doc).unwrap();
        assert_eq!(key.digest(&ISO), Sha256::of(b"checksumffnameasize3"));
        assert_eq!(key.to_document(), doc);
        let short: Document =
            serde_json::from_value(json!({"name": "a", "checksum": null})).unwrap();
        assert_eq!(UnitKey::of(&ISO, &short).unwrap_err().field, "checksum");
    }

    #[test]
    fn a_choice_is_narrowed_to_few_values_alone() {
        let of = |count: usize| {
            let values = (0..count).map(|number| number.to_string());
            let only = Select::all("iso").narrow("name", values).only;
            only.map(|only| only.values.len())
        };
        assert_eq!(of(0), Some(0));
        assert_eq!(of(Select::MOST_VALUES), Some(Select::MOST_VALUES));
        assert_eq!(of(Select::MOST_VALUES + 1), None);
    }
}
