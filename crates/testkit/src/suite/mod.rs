//! Samples of the types for the suite that each of them passes (`crates/pith/src/suite.rs`): what an upstream of the type has, and
//! what clients find where it was mirrored. A new type is a file here and a line in [`samples`].

mod file;
mod notes;
mod python;
mod rpm;

use std::collections::BTreeMap;

use pith_core::{Document, Sha256};
use serde_json::{Value, json};

/// The samples of all types that the suite is run over.
#[must_use]
pub fn samples() -> Vec<&'static dyn Sample> {
    vec![&file::Isos, &python::Wheels, &rpm::Packages, &notes::Texts]
}

/// Files by their paths.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The state of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edition {
    /// The state at the beginning.
    First,
    /// A later one: a file of the first one has other bytes under its name, and one has come.
    Second,
}

/// A file that a document promises, below the mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// The path.
    pub path: String,
    /// The digest, when the document tells it.
    pub sha256: Option<Sha256>,
}

/// An upload that becomes one unit.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The type of the unit.
    pub type_id: &'static str,
    /// The key that the client gives.
    pub key: Document,
    /// The file.
    pub bytes: Vec<u8>,
}

/// A small upstream of a type, and what becomes of it.
pub trait Sample: Send + Sync {
    /// The family, as [`pith_content::ContentType::name`] says it.
    fn family(&self) -> &'static str;

    /// The type of the importer.
    fn importer(&self) -> &'static str;

    /// The type of the distributor.
    fn distributor(&self) -> &'static str;

    /// Settings of the importer beside its feed. With them the repository has what the feed has.
    fn importer_config(&self) -> Document {
        Document::new()
    }

    /// Settings by which an importer leaves files at the feed until somebody asks for them; `None` where the type has no such thing.
    fn deferring(&self) -> Option<Document> {
        Some(document(&json!({ "download_policy": "on_demand" })))
    }

    /// Settings of the distributor that serve the repository over HTTP, below [`Sample::mount`].
    fn distributor_config(&self, _repo_id: &str) -> Document {
        Document::new()
    }

    /// Everything that the upstream has, below its folder.
    fn upstream(&self, edition: Edition) -> Files;

    /// The path below the server at which a repository is served, with a slash at its end.
    fn mount(&self, repo_id: &str) -> String;

    /// The files of units that are served after a publish of this edition, below the mount.
    fn served(&self, edition: Edition) -> Files;

    /// The path of the document that says what is current, below the mount.
    fn entry(&self) -> &'static str;

    /// Everything that such a document promises.
    fn promised(&self, entry: &str) -> Vec<Promise>;

    /// An upload.
    fn upload(&self) -> Upload;
}

/// An object as a document.
pub(crate) fn document(value: &Value) -> Document {
    value.as_object().cloned().unwrap_or_default()
}
