//! Reading again what one alternate content source has.

use async_trait::async_trait;
use pith_core::task::{Resource, tag};
use serde::{Deserialize, Serialize};

use crate::attempt::{Done, Run};
use crate::error::Error;
use crate::job::Job;
use crate::run::refresh_sources;

/// Read again what one alternate content source has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshContentSource {
    /// Its id.
    pub source_id: String,
}

#[async_trait]
impl Job for RefreshContentSource {
    type Needs = ();

    const KIND: &'static str = "refresh_content_source";
    const TASK_TYPE: &'static str = "pulp.server.tasks.content.refresh_content_source";
    const ON_FEEDS: bool = true;
    const ADDS: bool = true;

    /// The sources come after the action.
    fn tags(&self) -> Vec<String> {
        vec![
            tag::action("refresh_content_source"),
            tag::content_source(&self.source_id),
        ]
    }

    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn run(self, run: Run, (): ()) -> Result<Done, Error> {
        refresh_sources::run(run, "Refresh Content Source", vec![self.source_id]).await
    }
}
