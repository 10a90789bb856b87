//! Reading again what all alternate content sources have.

use async_trait::async_trait;
use pith_core::task::{Resource, tag};
use serde::{Deserialize, Serialize};

use crate::attempt::{Done, Run};
use crate::error::Error;
use crate::job::Job;
use crate::run::refresh_sources;

/// Read again what all alternate content sources have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshContentSources {
    /// Their ids, as they were when somebody asked.
    pub source_ids: Vec<String>,
}

#[async_trait]
impl Job for RefreshContentSources {
    type Needs = ();

    const KIND: &'static str = "refresh_content_sources";
    const TASK_TYPE: &'static str = "pulp.server.tasks.content.refresh_content_sources";
    const ON_FEEDS: bool = true;
    const ADDS: bool = true;

    /// The sources come after the action.
    fn tags(&self) -> Vec<String> {
        let sources = self.source_ids.iter().map(|id| tag::content_source(id));
        let action = tag::action("refresh_all_content_sources");
        std::iter::once(action).chain(sources).collect()
    }

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn run(self, run: Run, (): ()) -> Result<Done, Error> {
        refresh_sources::run(run, "Refresh Content Sources", self.source_ids).await
    }
}
