//! Downloading the files of a repository that are not here.

use async_trait::async_trait;
use pith_core::task::{Resource, tag};
use serde::{Deserialize, Serialize};

use crate::attempt::{Done, Run};
use crate::error::Error;
use crate::job::Job;
use crate::run::download_repository;

/// Download the files of a repository that are not here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownloadRepository {
    /// The repository.
    pub repo_id: String,
    /// Is true when files that are here are hashed again, and those that are broken downloaded.
    #[serde(default)]
    pub verify_all_units: bool,
}

#[async_trait]
impl Job for DownloadRepository {
    type Needs = ();

    const KIND: &'static str = "download_repository";
    const TASK_TYPE: &'static str = "pulp.server.controllers.repository.download_repo";
    const ON_FEEDS: bool = true;
    const ADDS: bool = true;

    fn tags(&self) -> Vec<String> {
        vec![tag::repository(&self.repo_id), tag::action("download")]
    }

    /// Returns nothing: downloads change no content and may run beside a sync.
    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    async fn run(self, run: Run, (): ()) -> Result<Done, Error> {
        download_repository::run(run, self).await
    }
}
