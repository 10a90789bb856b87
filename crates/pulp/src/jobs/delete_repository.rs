//! Removing a repository.

use async_trait::async_trait;
use pith_core::task::{Resource, tag};
use pith_engine::error::missing;
use pith_engine::run::withdraw::withdraw_exports;
use pith_engine::{Done, Error, Job, Run};
use pith_store::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::plugins::keep_promises;

/// Remove a repository with all that hangs on it. Its units stay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeleteRepository {
    /// The repository.
    pub repo_id: String,
}

#[async_trait]
impl Job for DeleteRepository {
    type Needs = ();

    const KIND: &'static str = "delete_repository";
    const TASK_TYPE: &'static str = "pulp.server.tasks.repository.delete";

    fn tags(&self) -> Vec<String> {
        vec![tag::repository(&self.repo_id), tag::action("delete")]
    }

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::repository(&self.repo_id)]
    }

    async fn run(self, run: Run, (): ()) -> Result<Done, Error> {
        let Self { repo_id } = self;
        keep_promises(&run, &repo_id).await?;
        let repos = [repo_id.clone()];
        let distributors = run.store.distributor_list(Some(&repos)).await?;
        let error = withdraw_exports(&run, &distributors).await;
        let last = run.last().await?;
        last.repository_delete(&repo_id)
            .await
            .map_err(|error| match error {
                StoreError::Missing { .. } => missing(&[("repo_id", json!(repo_id))]),
                other => other.into(),
            })?;
        let done = Done {
            error,
            ..Done::default()
        };
        run.finish(last, done).await
    }
}
