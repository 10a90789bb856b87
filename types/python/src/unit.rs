//! The unit type `python_package`: a file of a project (pulp2/python#unit).

use pith_content::UnitRules;
use pith_content::descriptor::{Inspected, KeyField, StorageName, UnitType};
use pith_content::publish::ReadSeek;
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Digest, Document};
use serde_json::json;

use crate::archive;
use crate::metadata::Metadata;
use crate::names::{FileName, ProjectName};

/// The unit type.
pub const PACKAGE: UnitType = UnitType {
    id: "python_package",
    display_name: "Python Package",
    description: "Python Package",
    key: &[KeyField::same("filename")],
    search_indexes: r#"["name", "version"]"#,
    indexed: &["filename", "name"],
    file_backed: true,
    storage_name: StorageName::Field("filename"),
    known: Some(&[
        "filename",
        "name",
        "version",
        "packagetype",
        "author",
        "summary",
        "md5_digest",
        "sha256_digest",
        "sha512_digest",
        "path",
        "size",
        "requires_python",
        "yanked",
        "_checksum",
        "_checksum_type",
    ]),
    in_results: &["name", "version"],
    learned: &[
        "_checksum",
        "_checksum_type",
        "author",
        "summary",
        "requires_python",
    ],
    // Where a file was found is no fact about it, and its digests tell of its size.
    unsaid: &["path", "size"],
    inspected: Inspected::Whole,
    digests: &[Algorithm::Sha512],
    rules: &PackageRules,
    ..UnitType::PLAIN
};

/// Facts that files tell.
#[derive(Debug)]
struct PackageRules;

impl UnitRules for PackageRules {
    /// A file that tells nothing is one all the same: mirrors have what indexes have. Uploads are read more strictly.
    fn inspect(&self, file: &mut dyn ReadSeek, hashed: &Hashed) -> Result<Document, String> {
        let mut told = Document::new();
        let sha512 = hashed
            .all()
            .find(|(algorithm, _)| *algorithm == Algorithm::Sha512);
        if let Some((_, hex)) = sha512 {
            told.insert("_checksum".to_owned(), json!(hex));
            told.insert("_checksum_type".to_owned(), json!("sha512"));
        }
        if let Ok(metadata) = archive::metadata(file) {
            told.extend(described(metadata));
        }
        Ok(told)
    }
}

/// The fields that metadata tells beside name and version.
pub(crate) fn described(metadata: Metadata) -> Document {
    let fields = [
        ("author", metadata.author),
        ("summary", metadata.summary),
        ("requires_python", metadata.requires_python),
    ];
    let told = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
    told.collect()
}

/// The document of a file, as far as name and version go.
pub(crate) fn document(file: &FileName, project: &ProjectName, version: &str) -> Document {
    let fields = [
        ("filename", file.as_str()),
        ("name", project.spelled()),
        ("version", version),
        ("packagetype", file.kind().name()),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), json!(value)));
    fields.into_iter().collect()
}

/// Says a digest in a document, when its algorithm has a field.
pub(crate) fn say_digest(doc: &mut Document, digest: &Digest) {
    let field = match digest.algorithm() {
        Algorithm::Md5 => "md5_digest",
        Algorithm::Sha256 => "sha256_digest",
        Algorithm::Sha512 => "sha512_digest",
        Algorithm::Sha1 | Algorithm::Sha224 | Algorithm::Sha384 => return,
    };
    doc.insert(field.to_owned(), json!(digest.hex()));
}
