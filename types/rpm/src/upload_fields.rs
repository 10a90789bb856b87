//! Fields that clients may send with the file of an upload: keys that count are used or must agree, others are refused
//! (pulp2/rpm-upload).

use pith_core::Document;
use serde_json::Value;

use crate::learned::CHECKSUMS;
use crate::type_ids::{DRPM, ERRATUM, MODULEMD, MODULEMD_DEFAULTS, RPM, SRPM};
use crate::types::unit_type;

/// Fields that every unit has; clients that send a unit back as they got it send them too.
const EVERY_UNIT: &[&str] = &[
    "_id",
    "_ns",
    "_content_type_id",
    "_last_updated",
    "_storage_path",
    "_href",
    "children",
    "downloaded",
];

/// The fields that Pulp wants of a yum_repo_metadata_file; the others are made.
const CHECKED: &[&str] = &["checksum", "checksum_type"];

/// The fields that units of a type can have.
fn known(type_id: &str) -> &'static [&'static str] {
    unit_type(type_id)
        .and_then(|kind| kind.known)
        .unwrap_or_default()
}

/// Puts the names on the wire in place of those that Pulp stored fields by, which clients may send too.
pub(crate) fn rename(type_id: &str, given: &mut Document) {
    let key = unit_type(type_id).map_or(&[][..], |kind| kind.key);
    let renamed = key.iter().map(|field| (field.stored, field.name));
    let from = (type_id == ERRATUM).then_some(("errata_from", "from"));
    for (stored, name) in renamed.chain(from).filter(|(stored, name)| stored != name) {
        if let Some(value) = given.remove(stored) {
            given.entry(name).or_insert(value);
        }
    }
}

/// Checks the keys of `unit_key` and `unit_metadata` together, before anything is stored.
///
/// # Errors
/// The words for the person: a field that units of the type do not have, or another repository's id.
pub(crate) fn check(type_id: &str, repo_id: &str, given: &Document) -> Result<(), String> {
    // Modules are all in their document, and a package's other keys were passed over in Pulp too.
    if matches!(type_id, RPM | SRPM | DRPM | MODULEMD | MODULEMD_DEFAULTS) {
        return Ok(());
    }
    let known = known(type_id);
    for (name, value) in given {
        let name = name.as_str();
        if name == "repo_id" && known.contains(&name) && value.as_str() != Some(repo_id) {
            return Err(format!(
                "the unit is for the repository {value}, and the upload for {repo_id}"
            ));
        }
        if ![known, EVERY_UNIT, CHECKED].concat().contains(&name) {
            return Err(format!("units of type {type_id} have no field '{name}'"));
        }
    }
    Ok(())
}

/// Makes sure that what a client says of a package is what its file says.
///
/// # Errors
/// The words for the person, naming the field.
pub(crate) fn agree(type_id: &str, given: &Document, document: &Document) -> Result<(), String> {
    let known = known(type_id);
    for (name, value) in given
        .iter()
        .filter(|(name, _)| known.contains(&name.as_str()))
    {
        let own = document.get(name).unwrap_or(&Value::Null);
        // Who sends a unit back need not know all digests.
        let some_of = |given: &Document, own: &Document| {
            given
                .iter()
                .all(|(kind, digest)| own.get(kind).is_some_and(|own| text(own) == text(digest)))
        };
        let agrees = match (name == CHECKSUMS, value, own) {
            (true, Value::Object(given), Value::Object(own)) => some_of(given, own),
            _ => text(own) == text(value),
        };
        if !agrees {
            return Err(format!(
                "'{name}' cannot be set to {value}: the file says {own}"
            ));
        }
    }
    Ok(())
}

/// The value as text: clients send numbers as digits, and leave texts empty that are not there.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::type_ids::{GROUP, METADATA_FILE};

    fn document(value: Value) -> Document {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_field_that_the_type_does_not_have_is_refused_by_name() {
        let group = json!({"id": "g", "repo_id": "r", "name": "G", "_content_type_id": GROUP});
        assert_eq!(check(GROUP, "r", &document(group)), Ok(()));
        let error = check(GROUP, "r", &document(json!({"id": "g", "colour": 1}))).unwrap_err();
        assert!(error.contains("'colour'"), "{error}");
        let error = check(GROUP, "r", &document(json!({"repo_id": "other"}))).unwrap_err();
        assert!(error.contains("other"), "{error}");
        let file =
            json!({"data_type": "x", "repo_id": "r", "checksum": "c", "checksum_type": null});
        assert_eq!(check(METADATA_FILE, "r", &document(file)), Ok(()));
    }

    #[test]
    fn stored_names_stand_for_those_on_the_wire() {
        let mut given = document(json!({"errata_id": "x", "errata_from": "f", "title": "t"}));
        rename(ERRATUM, &mut given);
        assert_eq!(
            given,
            document(json!({"id": "x", "from": "f", "title": "t"}))
        );
    }

    #[test]
    fn what_is_said_of_a_package_must_be_what_its_file_says() {
        let own = document(json!({
            "name": "bear", "epoch": "0", "size": 5, "checksums": {"md5": "00", "sha1": "11"},
        }));
        for agreed in [
            json!({"name": "bear", "epoch": 0, "size": "5", "unknown": "x"}),
            json!({"signing_key": ""}),
            json!({"checksums": {"md5": "00"}}),
        ] {
            assert_eq!(agree(RPM, &document(agreed), &own), Ok(()));
        }
        for (other, named) in [
            (json!({"name": "wolf"}), "'name'"),
            (json!({"checksums": {"md5": "01"}}), "'checksums'"),
            (json!({"requires": [{"name": "x"}]}), "'requires'"),
        ] {
            let error = agree(RPM, &document(other), &own).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
