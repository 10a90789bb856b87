//! Taking units out of a repository.

use std::sync::Arc;

use async_trait::async_trait;
use pith_core::task::{Resource, tag};
use pith_engine::run::copy;
use pith_engine::{Done, Error, Job, Run};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Pulp;
use crate::search::Selected;

/// Take units out of a repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unassociate {
    /// The repository.
    pub repo_id: String,
    /// The choice of units: unit association criteria as the client gave them, checked before.
    pub criteria: Value,
}

#[async_trait]
impl Job for Unassociate {
    type Needs = Arc<Pulp>;

    const KIND: &'static str = "unassociate";
    const TASK_TYPE: &'static str =
        "pulp.server.managers.repo.unit_association.unassociate_by_criteria";

    fn tags(&self) -> Vec<String> {
        vec![tag::repository(&self.repo_id), tag::action("unassociate")]
    }

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::repository(&self.repo_id)]
    }

    async fn run(self, run: Run, pulp: Arc<Pulp>) -> Result<Done, Error> {
        let selected = Selected {
            pulp: &pulp,
            criteria: self.criteria,
        };
        copy::unassociate(run, self.repo_id, &selected).await
    }
}
