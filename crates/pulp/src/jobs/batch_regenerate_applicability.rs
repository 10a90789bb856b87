//! A part of working out what concerns the consumers of a repository.

use std::sync::Arc;

use async_trait::async_trait;
use pith_core::task::Resource;
use pith_engine::{Done, Error, Job, Run};
use serde::{Deserialize, Serialize};

use crate::Pulp;

/// Work out what concerns some consumers of one repository: a part of [`super::RegenerateApplicability`]'s work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchRegenerateApplicability {
    /// The repository.
    pub repo_id: String,
    /// Hashes of sets of consumer profiles.
    pub profile_sets: Vec<String>,
}

#[async_trait]
impl Job for BatchRegenerateApplicability {
    type Needs = Arc<Pulp>;

    const KIND: &'static str = "batch_regenerate_applicability";
    const TASK_TYPE: &'static str =
        "pulp.server.managers.consumer.applicability.batch_regenerate_applicability";

    fn tags(&self) -> Vec<String> {
        Vec::new()
    }

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn run(self, _run: Run, pulp: Arc<Pulp>) -> Result<Done, Error> {
        pulp.applicability_of_profiles(&self.repo_id, &self.profile_sets)
            .await?;
        Ok(Done::default())
    }
}
