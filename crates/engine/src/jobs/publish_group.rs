//! Publishing a group of repositories.

use async_trait::async_trait;
use pith_core::task::{Resource, tag};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::text;
use crate::attempt::{Done, Run};
use crate::error::Error;
use crate::job::Job;
use crate::run::group;

/// Publish a group of repositories through one of its distributors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PublishGroup {
    /// The group.
    pub group_id: String,
    /// The distributor's id as the client gave it.
    pub distributor_id: Value,
    /// Override of the distributor's configuration; any JSON, checked by the run.
    #[serde(default)]
    pub override_config: Value,
}

#[async_trait]
impl Job for PublishGroup {
    type Needs = ();

    const KIND: &'static str = "publish_group";
    const TASK_TYPE: &'static str = "pulp.server.managers.repo.group.publish.publish";
    const ADDS: bool = true;

    fn tags(&self) -> Vec<String> {
        vec![
            tag::group(&self.group_id),
            tag::group_distributor(&text(&self.distributor_id)),
            tag::action("publish"),
        ]
    }

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::repository_group(&self.group_id)]
    }

    async fn run(self, run: Run, (): ()) -> Result<Done, Error> {
        group::run(run, self).await
    }
}
