//! Publishing a repository.

use async_trait::async_trait;
use pith_core::task::{Resource, tag};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::attempt::{Done, Run};
use crate::error::Error;
use crate::job::Job;
use crate::run::{EntryDocument, publish};

/// Publish a repository through one of its distributors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PublishRepository {
    /// The repository.
    pub repo_id: String,
    /// The distributor's id as the client gave it.
    pub distributor_id: Value,
    /// Override of the distributor's configuration; any JSON, checked by the run.
    #[serde(default)]
    pub override_config: Value,
}

#[async_trait]
impl Job for PublishRepository {
    type Needs = EntryDocument;

    const KIND: &'static str = "publish";
    const TASK_TYPE: &'static str = "pulp.server.managers.repo.publish.publish";
    const ADDS: bool = true;

    fn tags(&self) -> Vec<String> {
        vec![tag::repository(&self.repo_id), tag::action("publish")]
    }

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::repository(&self.repo_id)]
    }

    async fn run(self, run: Run, document_of: EntryDocument) -> Result<Done, Error> {
        publish::run(run, self, document_of).await
    }
}
