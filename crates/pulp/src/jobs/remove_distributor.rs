//! Removing a distributor.

use async_trait::async_trait;
use pith_core::task::{Resource, tag};
use pith_engine::error::missing;
use pith_engine::run::withdraw::withdraw_exports;
use pith_engine::{Done, Error, Job, Run};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Remove a distributor and what it serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RemoveDistributor {
    /// The repository.
    pub repo_id: String,
    /// The distributor.
    pub distributor_id: String,
}

#[async_trait]
impl Job for RemoveDistributor {
    type Needs = ();

    const KIND: &'static str = "remove_distributor";
    const TASK_TYPE: &'static str = "pulp.server.tasks.repository.distributor_delete";

    fn tags(&self) -> Vec<String> {
        vec![
            tag::repository(&self.repo_id),
            tag::distributor(&self.distributor_id),
            tag::action("remove_distributor"),
        ]
    }

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::repository(&self.repo_id)]
    }

    async fn run(self, run: Run, (): ()) -> Result<Done, Error> {
        let Self {
            repo_id,
            distributor_id,
        } = self;
        let found = run.store.distributor_get(&repo_id, &distributor_id).await?;
        let error = withdraw_exports(&run, found.as_slice()).await;
        let last = run.last().await?;
        let removed = last.distributor_remove(&repo_id, &distributor_id).await?;
        if !removed {
            let what = [
                ("repo_id", json!(repo_id)),
                ("distributor_id", json!(distributor_id)),
            ];
            return Err(missing(&what));
        }
        let done = Done {
            error,
            ..Done::default()
        };
        run.finish(last, done).await
    }
}
