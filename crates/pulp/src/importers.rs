//! Importers of repositories: documents, configurations, and the calls that change them
//! (pulp2/importers#documents, pulp2/importers#operations).

use percent_encoding::percent_decode_str;
use pith_content::Config;
use pith_core::clock::iso;
use pith_core::error::{ErrorDetail, PulpError, printed};
use pith_core::{Document, TaskId};
use pith_engine::masks::{shown, without_masks};
use pith_engine::secrets::require_given;
use pith_engine::{Engine, Error, Registry};
use pith_store::Importer;
use serde_json::{Value, json};

use crate::Pulp;
use crate::jobs::{RemoveImporter, SetImporter, UpdateImporter};

/// The importer as the API shows it.
#[must_use]
pub fn document(registry: &Registry, importer: &Importer) -> Value {
    let descriptor = registry
        .importer(&importer.type_id)
        .map(|plugin| plugin.descriptor());
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
        "config": shown(&importer.config, descriptor),
        "scratchpad": importer.scratchpad,
        "last_sync": importer.last_sync.map(iso),
        "last_updated": iso(importer.last_updated),
        "last_override_config": {},
    })
}

/// Makes `config` what is stored for an importer of `type_id` in place of `stored`: without nulls, with the credentials of the
/// feed's URL in settings of their own, and checked by the type and by the server's settings.
///
/// # Errors
/// PLP1008 for an unknown type, 400 with the type's words for a configuration it refuses, 400 for a feed that is not allowed.
pub(crate) fn prepared_config(
    engine: &Engine,
    type_id: &str,
    mut config: Document,
    stored: Option<&Document>,
) -> Result<Document, Error> {
    let importer = engine
        .registry
        .importer(type_id)
        .ok_or_else(|| unknown_type(&json!(type_id)))?;
    config.retain(|_, value| !value.is_null());
    split_feed(&mut config);
    let config = Config::new(config);
    importer.validate(&config)?;
    engine.require_feed(config.document(), stored)?;
    if let Some(stored) = stored {
        require_given(stored, config.document())?;
    }
    Ok(config.document().clone())
}

fn unknown_type(type_id: &Value) -> Error {
    let shown = match type_id {
        Value::String(text) => text.clone(),
        other => printed(other),
    };
    let detail = ErrorDetail::new(
        "PLP1008",
        format!("The importer type {shown} does not exist"),
    )
    .with("importer_type_id", type_id.clone());
    PulpError::validation(detail).into()
}

/// Moves `user:password@` of the feed into `basic_auth_username` and `basic_auth_password`, percent-decoded.
fn split_feed(config: &mut Document) {
    let Some(feed) = config.get("feed").and_then(Value::as_str) else {
        return;
    };
    let Some((scheme, rest)) = feed.split_once("://") else {
        return;
    };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(authority_end);
    let Some((credentials, host)) = authority.rsplit_once('@') else {
        return;
    };
    let plain = format!("{scheme}://{host}{path}");
    let decoded = |text: &str| json!(percent_decode_str(text).decode_utf8_lossy());
    let (username, password) = match credentials.split_once(':') {
        Some((username, password)) => (decoded(username), Some(decoded(password))),
        None => (decoded(credentials), None),
    };
    config.insert("feed".to_owned(), json!(plain));
    config.insert("basic_auth_username".to_owned(), username);
    if let Some(password) = password {
        config.insert("basic_auth_password".to_owned(), password);
    }
}

/// Reads the type and the configuration of an importer that somebody wants.
///
/// # Errors
/// PLP1008 for an unknown type, 400 naming `importer_config` when it is no object, or the refusal of the type or the server.
pub(crate) fn wanted(
    engine: &Engine,
    type_id: Option<&Value>,
    config: Option<&Value>,
) -> Result<(String, Document), Error> {
    let type_id = type_id.unwrap_or(&Value::Null);
    let known = type_id
        .as_str()
        .filter(|type_id| engine.registry.importer(type_id).is_some())
        .ok_or_else(|| unknown_type(type_id))?;
    let config = match config {
        None | Some(Value::Null) => Document::new(),
        Some(Value::Object(config)) => config.clone(),
        Some(_) => return Err(PulpError::invalid_value(&["importer_config"]).into()),
    };
    Ok((
        known.to_owned(),
        prepared_config(engine, known, config, None)?,
    ))
}

impl Pulp {
    /// The importers of a repository; none for a repository that is not there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn importer_list(&self, repo_id: &str) -> Result<Vec<Value>, Error> {
        let importer = self.engine.store.importer_get(repo_id).await?;
        Ok(importer
            .iter()
            .map(|importer| document(&self.engine.registry, importer))
            .collect())
    }

    /// The importer `importer_id` of a repository.
    ///
    /// # Errors
    /// 404 naming the repository, or the importer.
    pub async fn importer_require(
        &self,
        repo_id: &str,
        importer_id: &str,
    ) -> Result<Importer, Error> {
        if let Some(importer) = self.engine.store.importer_get(repo_id).await?
            && importer.type_id == importer_id
        {
            return Ok(importer);
        }
        self.repository_require(repo_id).await?;
        Err(PulpError::missing_resource(&[("importer_id", importer_id)]).into())
    }

    /// Queues the task that gives a repository an importer. `body` is the request.
    ///
    /// # Errors
    /// 404 for the repository, and see [`wanted`].
    pub async fn importer_add(&self, repo_id: &str, body: &Document) -> Result<TaskId, Error> {
        self.repository_require(repo_id).await?;
        let (importer_type_id, config) = wanted(
            &self.engine,
            body.get("importer_type_id"),
            body.get("importer_config"),
        )?;
        self.engine
            .enqueue(SetImporter {
                repo_id: repo_id.to_owned(),
                importer_type_id,
                config,
            })
            .await
    }

    /// Queues the task that changes an importer's configuration; the task checks it. `body` is the request.
    ///
    /// # Errors
    /// 404 for repository or importer, 400 when `importer_config` is missing or no object.
    pub async fn importer_update(
        &self,
        repo_id: &str,
        importer_id: &str,
        body: &Document,
    ) -> Result<TaskId, Error> {
        let importer = self.importer_require(repo_id, importer_id).await?;
        let changes = match body.get("importer_config") {
            None | Some(Value::Null) => {
                return Err(PulpError::missing_value(&["importer_config"]).into());
            }
            Some(Value::Object(changes)) => changes.clone(),
            Some(_) => return Err(PulpError::invalid_value(&["importer_config"]).into()),
        };
        self.engine
            .enqueue(UpdateImporter {
                repo_id: repo_id.to_owned(),
                importer_id: importer_id.to_owned(),
                config: without_masks(&importer.config, changes),
            })
            .await
    }

    /// Queues the task that removes an importer.
    ///
    /// # Errors
    /// 404 for repository or importer.
    pub async fn importer_remove(&self, repo_id: &str, importer_id: &str) -> Result<TaskId, Error> {
        self.importer_require(repo_id, importer_id).await?;
        self.engine
            .enqueue(RemoveImporter {
                repo_id: repo_id.to_owned(),
                importer_id: importer_id.to_owned(),
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(feed: &str) -> Value {
        let mut config = Document::from_iter([("feed".to_owned(), json!(feed))]);
        split_feed(&mut config);
        Value::Object(config)
    }

    #[test]
    fn credentials_leave_the_feed_url_decoded() {
        assert_eq!(
            split("https://u:p%40w@example.com/repo/"),
            json!({"feed": "https://example.com/repo/", "basic_auth_username": "u", "basic_auth_password": "p@w"})
        );
        assert_eq!(
            split("http://a@b/@/?x=@"),
            json!({"feed": "http://b/@/?x=@", "basic_auth_username": "a"})
        );
        for plain in ["http://b/a@c", "not a url", "file:///x@y/"] {
            assert_eq!(split(plain), json!({"feed": plain}));
        }
    }
}
