//! Removing a repository's importer.

use async_trait::async_trait;
use pith_core::task::{Resource, tag};
use pith_engine::{Done, Error, Job, Run};
use serde::{Deserialize, Serialize};

use super::plugins::{keep_promises, present_importer};

/// Remove a repository's importer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RemoveImporter {
    /// The repository.
    pub repo_id: String,
    /// The importer.
    pub importer_id: String,
}

#[async_trait]
impl Job for RemoveImporter {
    type Needs = ();

    const KIND: &'static str = "remove_importer";
    const TASK_TYPE: &'static str = "pulp.server.managers.repo.importer.remove_importer";

    fn tags(&self) -> Vec<String> {
        vec![
            tag::repository(&self.repo_id),
            tag::importer(&self.importer_id),
            tag::action("delete_importer"),
        ]
    }

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::repository(&self.repo_id)]
    }

    async fn run(self, run: Run, (): ()) -> Result<Done, Error> {
        let Self {
            repo_id,
            importer_id,
        } = self;
        keep_promises(&run, &repo_id).await?;
        let last = run.last().await?;
        present_importer(&last, &repo_id, &importer_id).await?;
        last.importer_remove(&repo_id).await?;
        run.finish(last, Done::default()).await
    }
}
