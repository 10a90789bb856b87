//! Changing a distributor.

use async_trait::async_trait;
use pith_content::Config;
use pith_core::Document;
use pith_core::error::PulpError;
use pith_core::task::{Resource, tag};
use pith_engine::error::missing;
use pith_engine::masks::{merged, without_masks};
use pith_engine::{Done, Error, Job, Run};
use pith_store::DistributorSettings;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::plugins::with_result;
use crate::distributors;

/// Change a distributor: keys of its configuration, and `auto_publish`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpdateDistributor {
    /// The repository.
    pub repo_id: String,
    /// The distributor.
    pub distributor_id: String,
    /// Keys to set; null removes one. Any JSON, checked by the run.
    pub config: Value,
    /// `auto_publish` in here is set too. Any JSON, checked by the run.
    pub delta: Value,
}

#[async_trait]
impl Job for UpdateDistributor {
    type Needs = ();

    const KIND: &'static str = "update_distributor";
    const TASK_TYPE: &'static str = "pulp.server.tasks.repository.distributor_update";

    fn tags(&self) -> Vec<String> {
        vec![
            tag::repository(&self.repo_id),
            tag::distributor(&self.distributor_id),
            tag::action("update_distributor"),
        ]
    }

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::repository(&self.repo_id)]
    }

    async fn run(self, run: Run, (): ()) -> Result<Done, Error> {
        let Self {
            repo_id,
            distributor_id,
            config,
            delta,
        } = self;
        let gone = || {
            missing(&[
                ("repo_id", json!(repo_id)),
                ("distributor_id", json!(distributor_id)),
            ])
        };
        let config = match config {
            Value::Null => Document::new(),
            Value::Object(map) => map,
            other => {
                return Err(PulpError::wrong_type("distributor_config", "dict", &other).into());
            }
        };
        let registry = &run.engine.registry;
        // As the settings are now; if somebody changes them meanwhile, the transaction looks at the guard itself.
        let present = run.store.distributor_get(&repo_id, &distributor_id).await;
        let before = present?.ok_or_else(gone)?;
        let wanted = merged_config(&before.config, config.clone());
        let readable = distributors::check_guard(registry, &before.type_id, &wanted).await?;
        let last = run.last().await?;
        last.distributors_lock().await?;
        let present = last.distributor_get(&repo_id, &distributor_id).await?;
        let distributor = present.ok_or_else(gone)?;
        let auto_publish = match delta.get("auto_publish") {
            None | Some(Value::Null) => None,
            Some(Value::Bool(flag)) => Some(*flag),
            Some(_) => return Err(PulpError::invalid_value(&["auto_publish"]).into()),
        };
        let merged = merged_config(&distributor.config, config);
        let type_id = &distributor.type_id;
        let engine = &run.engine;
        let subject = (repo_id.as_str(), distributor_id.as_str());
        distributors::require_room(&last, subject, &merged).await?;
        let before = Some(&distributor.config);
        distributors::require_sent_path(registry, &last, subject, &merged, before).await?;
        let checked =
            distributors::check_config(engine, &last, &repo_id, type_id, &merged, readable);
        let guard = checked.await?;
        distributors::check_grants(engine, &last, type_id, &merged, before).await?;
        let settings = DistributorSettings {
            config: &merged,
            guard,
        };
        let updated = last
            .distributor_update(&repo_id, &distributor_id, Some(settings), auto_publish)
            .await?;
        with_result(&run, last, distributors::document(registry, &updated)).await
    }
}

/// The settings of a distributor after a change.
fn merged_config(before: &Document, changes: Document) -> Document {
    let changes = without_masks(before, changes);
    let merged = merged(before.clone(), changes);
    Config::new(merged).document().clone()
}
