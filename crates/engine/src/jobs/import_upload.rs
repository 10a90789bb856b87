//! Making units of an upload.

use async_trait::async_trait;
use pith_core::task::{Resource, tag};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::attempt::{Done, Run};
use crate::error::Error;
use crate::job::Job;
use crate::run::upload;

/// Make units of an upload. All but the repository is as the client sent it: any JSON, checked by the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportUpload {
    /// The repository.
    pub repo_id: String,
    /// The upload.
    pub upload_id: Value,
    /// The type of the unit.
    pub unit_type_id: Value,
    /// Its key.
    pub unit_key: Value,
    /// Fields of the unit beside its key.
    pub unit_metadata: Value,
    /// Override of the importer's configuration.
    #[serde(default)]
    pub override_config: Value,
}

#[async_trait]
impl Job for ImportUpload {
    type Needs = ();

    const KIND: &'static str = "import_upload";
    const TASK_TYPE: &'static str = "pulp.server.managers.content.upload.import_uploaded_unit";
    const ADDS: bool = true;

    fn tags(&self) -> Vec<String> {
        vec![tag::repository(&self.repo_id), tag::action("import_upload")]
    }

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::repository(&self.repo_id)]
    }

    async fn run(self, run: Run, (): ()) -> Result<Done, Error> {
        upload::run(run, self).await
    }
}
