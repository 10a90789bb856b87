//! The digests of a package's file that units keep in `checksums` (pulp2/rpm-units#packages).

use pith_content::unit::RepoUnit;
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Document};
use serde_json::Value;

use crate::metadata::header;
use crate::modular::IS_MODULAR;
use crate::type_ids::{DRPM, RPM, SRPM};

/// The field with the digests.
pub const CHECKSUMS: &str = "checksums";
/// The field with the key that signed the file.
pub const SIGNING_KEY: &str = "signing_key";
/// Fields of a package that are no part of its description, beside what is worked out of the file: where that was found, and
/// what the modules of a repository make of it.
pub const UNSAID: &[&str] = &[IS_MODULAR, "relativepath", "base_url"];
/// The digests that packages are known by, as in Pulp.
pub const USUAL: [Algorithm; 4] = [
    Algorithm::Md5,
    Algorithm::Sha1,
    Algorithm::Sha256,
    Algorithm::Sha512,
];

/// Tells whether units of the type are packages, of whose files something can be learned.
#[must_use]
pub fn is_package(type_id: &str) -> bool {
    matches!(type_id, RPM | SRPM | DRPM)
}

/// Facts that the file of a package tells: `head` is its beginning.
#[must_use]
pub fn of_file(head: &[u8], hashed: &Hashed) -> Document {
    let mut learned = Document::new();
    add_checksums(&mut learned, hashed);
    let key = header::facts(head).and_then(|facts| facts.signing_key);
    learned.extend(key.map(|key| (SIGNING_KEY.to_owned(), key.into())));
    learned
}

/// Adds the digests of the file to those that the document has.
pub fn add_checksums(doc: &mut Document, hashed: &Hashed) {
    let known = doc
        .entry(CHECKSUMS)
        .or_insert_with(|| Document::new().into());
    if let Value::Object(known) = known {
        let all = hashed.all();
        known.extend(all.map(|(algorithm, hex)| (algorithm.name().to_owned(), hex.into())));
    }
}

/// The digest of `algorithm` that a document has of its file.
#[must_use]
pub fn checksum(doc: &Document, algorithm: Algorithm) -> Option<&str> {
    let text = |field: &str| doc.get(field).and_then(Value::as_str);
    let name = algorithm.name();
    let own = || text("checksum").filter(|_| text("checksumtype") == Some(name));
    let kept = doc.get(CHECKSUMS).and_then(|all| all.get(name));
    kept.and_then(Value::as_str).or_else(own)
}

/// The digest of `algorithm` of a unit's file, when it is known.
#[must_use]
pub fn known_checksum(unit: &RepoUnit, algorithm: Algorithm) -> Option<String> {
    let named = || {
        let file = unit.blob.filter(|_| algorithm == Algorithm::Sha256);
        file.map(|blob| blob.to_string())
    };
    checksum(&unit.doc, algorithm)
        .map(str::to_owned)
        .or_else(named)
}
