//! Distributors of repositories: their documents and the rules of their configuration (reference: platform-api §4.1,
//! §4.4).

use pith_content::Config;
use pith_content::publish::OtherDistributor;
use pith_core::Document;
use pith_core::clock::iso;
use pith_core::error::PulpError;
use pith_store::Distributor;
use serde_json::{Value, json};

use crate::Engine;
use crate::error::from_store;

/// A distributor as the API shows it.
#[must_use]
pub fn document(distributor: &Distributor) -> Value {
    let href = format!(
        "/pulp/api/v2/repositories/{}/distributors/{}/",
        distributor.repo_id, distributor.id
    );
    json!({
        "_id": distributor.oid.to_json(),
        "_ns": "repo_distributors",
        "_href": href,
        "id": distributor.id,
        "distributor_type_id": distributor.type_id,
        "repo_id": distributor.repo_id,
        "config": distributor.config,
        "auto_publish": distributor.auto_publish,
        "last_publish": distributor.last_publish.map(iso),
        "last_updated": iso(distributor.last_updated),
        "last_override_config": {},
        "scratchpad": distributor.scratchpad,
    })
}

/// Checks a configuration that somebody wants to store for a distributor of type `type_id` in `repo_id`.
///
/// # Errors
/// PLP0015 for an unknown type; the distributor's own message when it refuses.
pub async fn check_config(
    engine: &Engine,
    repo_id: &str,
    type_id: &str,
    config: &Document,
) -> Result<(), PulpError> {
    let plugin = engine.registry.distributor(type_id);
    let plugin = plugin.ok_or_else(|| PulpError::invalid_value(&["distributor_type_id"]))?;
    let others = engine
        .store
        .distributor_list(None)
        .await
        .map_err(from_store)?;
    let others: Vec<OtherDistributor> = others
        .into_iter()
        .filter(|other| other.type_id == type_id && other.repo_id != repo_id)
        .map(|other| OtherDistributor {
            repo_id: other.repo_id,
            id: other.id,
            config: Config::new(other.config),
        })
        .collect();
    plugin
        .validate(repo_id, &Config::new(config.clone()), &others)
        .map_err(PulpError::data)
}
