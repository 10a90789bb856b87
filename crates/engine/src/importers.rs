//! Importers of repositories: their documents and the rules of their configuration (reference: platform-api §4.1, §4.3).

use pith_content::Config;
use pith_core::Document;
use pith_core::clock::iso;
use pith_core::error::{ErrorDetail, PulpError};
use pith_store::Importer;
use serde_json::{Value, json};

use crate::Registry;

/// What stands in the place of a secret.
pub const MASK: &str = "*****";

/// An importer as the API shows it.
#[must_use]
pub fn document(registry: &Registry, importer: &Importer) -> Value {
    let href = format!(
        "/pulp/api/v2/repositories/{}/importers/{}/",
        importer.repo_id, importer.type_id
    );
    json!({
        "_id": importer.oid.to_json(),
        "_ns": "repo_importers",
        "_href": href,
        "id": importer.type_id,
        "importer_type_id": importer.type_id,
        "repo_id": importer.repo_id,
        "config": masked(registry, &importer.type_id, &importer.config),
        "scratchpad": importer.scratchpad,
        "last_sync": importer.last_sync.map(iso),
        "last_updated": iso(importer.last_updated),
        "last_override_config": {},
    })
}

/// A configuration whose secrets are masked. Keys are not secret to Pulp; to us they are.
fn masked(registry: &Registry, type_id: &str, config: &Document) -> Document {
    let secrets: Vec<&str> = registry
        .importer(type_id)
        .map(|importer| {
            importer
                .descriptor()
                .settings
                .iter()
                .filter(|s| s.secret)
                .map(|s| s.name)
                .collect()
        })
        .unwrap_or_default();
    let mut shown = config.clone();
    for (key, value) in &mut shown {
        if secrets.contains(&key.as_str()) && !value.is_null() {
            *value = json!(MASK);
        }
    }
    shown
}

/// Checks a configuration that somebody wants to store, and brings it into the form that is stored: without nulls, and
/// with credentials in the feed's URL moved to their own keys.
///
/// # Errors
/// PLP1008 for an unknown type; the importer's own message when it refuses.
pub fn prepared_config(
    registry: &Registry,
    type_id: &str,
    config: Document,
) -> Result<Document, PulpError> {
    let importer = registry
        .importer(type_id)
        .ok_or_else(|| unknown_type(&json!(type_id)))?;
    let mut config = config;
    config.retain(|_, value| !value.is_null());
    move_credentials(&mut config);
    importer
        .validate(&Config::new(config.clone()))
        .map_err(PulpError::data)?;
    Ok(config)
}

/// PLP1008.
#[must_use]
pub fn unknown_type(type_id: &Value) -> PulpError {
    let shown = match type_id {
        Value::String(text) => text.clone(),
        other => pith_core::error::printed(other),
    };
    let detail = ErrorDetail::new(
        "PLP1008",
        format!("The importer type {shown} does not exist"),
    );
    PulpError::validation(detail.with("importer_type_id", type_id.clone()))
}

/// Moves `user:password@` out of the feed.
fn move_credentials(config: &mut Document) {
    let Some(feed) = config.get("feed").and_then(Value::as_str) else {
        return;
    };
    let Ok(mut url) = url::Url::parse(feed) else {
        return;
    };
    if url.username().is_empty() && url.password().is_none() {
        return;
    }
    let decoded = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8_lossy()
            .into_owned()
    };
    let username = decoded(url.username());
    let password = decoded(url.password().unwrap_or_default());
    if url.set_username("").is_err() || url.set_password(None).is_err() {
        return;
    }
    config.insert("feed".to_owned(), json!(url.as_str()));
    config.insert("basic_auth_username".to_owned(), json!(username));
    config.insert("basic_auth_password".to_owned(), json!(password));
}
