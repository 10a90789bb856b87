//! Giving a repository an importer.

use async_trait::async_trait;
use pith_core::task::{Resource, tag};
use pith_core::{Document, ObjectId};
use pith_engine::error::missing;
use pith_engine::{Done, Error, Job, Run};
use pith_store::{Importer, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::plugins::{keep_promises, with_result};
use crate::importers;

/// Give a repository an importer, replacing the one it has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetImporter {
    /// The repository.
    pub repo_id: String,
    /// The importer type.
    pub importer_type_id: String,
    /// Its configuration.
    pub config: Document,
}

#[async_trait]
impl Job for SetImporter {
    type Needs = ();

    const KIND: &'static str = "set_importer";
    const TASK_TYPE: &'static str = "pulp.server.managers.repo.importer.set_importer";

    fn tags(&self) -> Vec<String> {
        vec![tag::repository(&self.repo_id), tag::action("add_importer")]
    }

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::repository(&self.repo_id)]
    }

    async fn run(self, run: Run, (): ()) -> Result<Done, Error> {
        let Self {
            repo_id,
            importer_type_id,
            config,
        } = self;
        let engine = &run.engine;
        let now = engine.clock.now();
        let config = importers::prepared_config(engine, &importer_type_id, config, None)?;
        let importer = Importer {
            repo_id: repo_id.clone(),
            oid: ObjectId::new(now),
            type_id: importer_type_id,
            config,
            scratchpad: None,
            last_sync: None,
            last_updated: now,
            last_override: None,
        };
        keep_promises(&run, &repo_id).await?;
        let last = run.last().await?;
        last.importer_set(&importer)
            .await
            .map_err(|error| match error {
                StoreError::Missing { .. } => missing(&[("repository", json!(repo_id))]),
                other => other.into(),
            })?;
        let document = importers::document(&engine.registry, &importer);
        with_result(&run, last, document).await
    }
}
