//! Changing the configuration of a repository's importer.

use async_trait::async_trait;
use pith_core::Document;
use pith_core::task::{Resource, tag};
use pith_engine::masks::merged;
use pith_engine::{Done, Error, Job, Run};
use pith_store::{RepositoryChange, StoreError};
use serde::{Deserialize, Serialize};

use super::plugins::{no_importer, present_importer, with_result};
use crate::{importers, stored};

/// Change the configuration of a repository's importer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpdateImporter {
    /// The repository.
    pub repo_id: String,
    /// The importer.
    pub importer_id: String,
    /// Keys to set; null removes one.
    pub config: Document,
}

#[async_trait]
impl Job for UpdateImporter {
    type Needs = ();

    const KIND: &'static str = "update_importer";
    const TASK_TYPE: &'static str = "pulp.server.managers.repo.importer.update_importer_config";

    fn tags(&self) -> Vec<String> {
        vec![
            tag::repository(&self.repo_id),
            tag::importer(&self.importer_id),
            tag::action("update_importer"),
        ]
    }

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::repository(&self.repo_id)]
    }

    async fn run(self, run: Run, (): ()) -> Result<Done, Error> {
        let Self {
            repo_id,
            importer_id,
            config,
        } = self;
        let engine = &run.engine;
        let last = run.last().await?;
        // With nobody in between: a change of the repository may change its importer too, and is no task.
        let changed = last.repository_change(&repo_id, |_, importer| {
            let importer = importer.filter(|importer| importer.type_id == importer_id);
            let importer = importer.ok_or_else(|| no_importer(&repo_id, &importer_id))?;
            let merged = merged(importer.config.clone(), config);
            stored::require_fits("The configuration", &merged)?;
            let stored = Some(&importer.config);
            let prepared = importers::prepared_config(engine, &importer_id, merged, stored)?;
            Ok::<_, Error>(RepositoryChange {
                importer_config: Some(prepared),
                ..RepositoryChange::default()
            })
        });
        match changed.await {
            Ok(decided) => decided.map(drop)?,
            Err(StoreError::Missing { .. }) => {
                return Err(no_importer(&repo_id, &importer_id));
            }
            Err(error) => return Err(error.into()),
        }
        let importer = present_importer(&last, &repo_id, &importer_id).await?;
        let document = importers::document(&engine.registry, &importer);
        with_result(&run, last, document).await
    }
}
