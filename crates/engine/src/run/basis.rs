//! Everything that a run makes its result from. It is kept beside the result: while all of it stays as it was, another run
//! would come to the same, and only then is one skipped.

use pith_content::{Config, Distributor, Importer};
use pith_core::{Document, Sha256};
use pith_store::{ContentState, KeyRecord, Repository};
use serde_json::{Value, json};

/// The part of a basis that names the key that signed, where one did.
pub(super) const SIGNED_BY: &str = "signed_by";

/// The part of a basis that is a digest of the settings.
pub(super) const CONFIG: &str = "config";

/// Everything that a publication is made from. `key` signs it.
pub(super) fn of_publication(
    repo: &Repository,
    content: ContentState,
    distributor: &dyn Distributor,
    config: &Config,
    key: Option<&KeyRecord>,
) -> Document {
    let mut basis = basis([
        ("version", json!(content.version)),
        ("changes", json!(content.changes)),
        ("scratchpad", digest(&repo.scratchpad)),
        (CONFIG, settings(config)),
        ("type", json!(distributor.descriptor().id)),
        ("format", json!(distributor.format())),
    ]);
    if let Some(key) = key {
        basis.insert(SIGNED_BY.to_owned(), json!(key.fingerprint));
        // The same key may say something else of itself, such as a later end.
        let public = Sha256::of(key.public.as_bytes()).to_string();
        basis.insert("public_key".to_owned(), json!(public));
    }
    basis
}

/// All that a repository is filled from, beside the feed itself: `version` is that of its content after the sync, so that
/// what was taken out or added since is looked at again.
pub(super) fn of_sync(version: i64, importer: &dyn Importer, config: &Config) -> Document {
    basis([
        ("version", json!(version)),
        (CONFIG, settings(config)),
        ("type", json!(importer.descriptor().id)),
        ("format", json!(importer.format())),
    ])
}

fn basis<const N: usize>(parts: [(&str, Value); N]) -> Document {
    let parts = parts.map(|(name, value)| (name.to_owned(), value));
    parts.into_iter().collect()
}

/// The effective settings; `force_full` says how to do it, and not what comes of it.
pub(super) fn settings(config: &Config) -> Value {
    let mut settings = config.document().clone();
    settings.remove("force_full");
    digest(&settings)
}

/// A digest instead of the document itself: settings hold secrets. Keys are sorted in documents, so that equal ones have
/// equal texts.
fn digest(document: &Document) -> Value {
    let text = Value::Object(document.clone()).to_string();
    json!(Sha256::of(text.as_bytes()).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(stored: Value, overriding: Value) -> Config {
        let document = |value| serde_json::from_value(value).unwrap();
        Config::with_override(document(stored), document(overriding))
    }

    #[test]
    fn settings_are_compared_by_their_effect() {
        let stored = settings(&config(json!({"a": 1, "b": [2]}), json!({})));
        let overridden = settings(&config(json!({"b": [1]}), json!({"b": [2], "a": 1})));
        assert_eq!(stored, overridden);
        let forced = settings(&config(
            json!({"a": 1, "b": [2]}),
            json!({"force_full": true}),
        ));
        assert_eq!(stored, forced);
        let other = settings(&config(json!({"a": 1, "b": [2]}), json!({"a": 2})));
        assert_ne!(stored, other);
    }
}
