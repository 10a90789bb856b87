//! Working out what concerns the consumers of repositories.

use std::sync::Arc;

use async_trait::async_trait;
use pith_core::task::{Resource, tag};
use pith_engine::{Done, Error, Job, Run};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Pulp;

/// Work out what concerns the consumers of some repositories.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegenerateApplicability {
    /// The choice of repositories: criteria as the client gave them.
    pub repo_criteria: Value,
}

#[async_trait]
impl Job for RegenerateApplicability {
    type Needs = Arc<Pulp>;

    const KIND: &'static str = "regenerate_applicability";
    const TASK_TYPE: &'static str =
        "pulp.server.managers.consumer.applicability.regenerate_applicability_for_repos";

    fn tags(&self) -> Vec<String> {
        vec![tag::action("content_applicability_regeneration")]
    }

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::applicability()]
    }

    async fn run(self, _run: Run, pulp: Arc<Pulp>) -> Result<Done, Error> {
        pulp.applicability_of_repositories(&self.repo_criteria)
            .await?;
        Ok(Done::default())
    }
}
