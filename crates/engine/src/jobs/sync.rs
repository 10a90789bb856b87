//! Mirroring the feed of a repository's importer.

use async_trait::async_trait;
use pith_core::task::{Resource, tag};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::attempt::{Done, Run};
use crate::error::Error;
use crate::job::Job;
use crate::run::{EntryDocument, sync};

/// Mirror the feed of a repository's importer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SyncRepository {
    /// The repository.
    pub repo_id: String,
    /// Override of the importer's configuration; any JSON, checked by the run.
    #[serde(default)]
    pub override_config: Value,
}

#[async_trait]
impl Job for SyncRepository {
    type Needs = EntryDocument;

    const KIND: &'static str = "sync";
    const TASK_TYPE: &'static str = "pulp.server.managers.repo.sync.sync";
    const ON_FEEDS: bool = true;
    const ADDS: bool = true;

    fn tags(&self) -> Vec<String> {
        vec![tag::repository(&self.repo_id), tag::action("sync")]
    }

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::repository(&self.repo_id)]
    }

    async fn run(self, run: Run, document_of: EntryDocument) -> Result<Done, Error> {
        sync::run(run, self, document_of).await
    }
}
