//! `/v2/repositories/<repo>/actions/` (pulp2/sync-and-publish, pulp2/uploads#import).

use pith_core::error::PulpError;
use pith_engine::Error;
use pith_pulp::error::is_missing;
use pith_pulp::jobs::{DownloadRepository, ImportUpload, PublishRepository, SyncRepository};
use serde_json::Value;

use crate::http::{Answer, Call};

/// Queues a sync.
pub(crate) async fn sync(mut call: Call) -> Result<Answer, Error> {
    let mut body = call.object();
    let repo_id = call.param(0).to_owned();
    call.pulp.repository_require(&repo_id).await?;
    let override_config = body.remove("override_config").unwrap_or_default();
    let job = SyncRepository {
        repo_id,
        override_config,
    };
    Answer::queued(call.pulp.engine.enqueue(job).await?)
}

/// Queues a publish; whether there is such a distributor is found by the task.
pub(crate) async fn publish(mut call: Call) -> Result<Answer, Error> {
    let mut body = call.object();
    let repo_id = call.param(0).to_owned();
    call.pulp.repository_require(&repo_id).await?;
    let distributor_id = match body.remove("id") {
        None | Some(Value::Null) => return Err(PulpError::missing_value(&["id"]).into()),
        Some(id) => id,
    };
    let job = PublishRepository {
        repo_id,
        distributor_id,
        override_config: body.remove("override_config").unwrap_or_default(),
    };
    Answer::queued(call.pulp.engine.enqueue(job).await?)
}

/// Queues the download of what the repository does not have.
pub(crate) async fn download(mut call: Call) -> Result<Answer, Error> {
    let body = call.object();
    let repo_id = call.param(0).to_owned();
    call.pulp.repository_require(&repo_id).await?;
    let verify_all_units = match body.get("verify_all_units") {
        None => false,
        Some(Value::Bool(verify)) => *verify,
        Some(other) => {
            return Err(PulpError::wrong_type("verify_all_units", "boolean", other).into());
        }
    };
    let job = DownloadRepository {
        repo_id,
        verify_all_units,
    };
    Answer::queued(call.pulp.engine.enqueue(job).await?)
}

/// Queues the import of an upload; whether repository and upload exist is found by the task.
pub(crate) async fn import_upload(mut call: Call) -> Result<Answer, Error> {
    let mut body = call.object();
    let mut required = |key: &str| {
        body.remove(key)
            .ok_or_else(|| PulpError::missing_value(&[key]))
    };
    let upload_id = required("upload_id")?;
    let unit_type_id = required("unit_type_id")?;
    let unit_key = required("unit_key")?;
    // What is somebody else's is as good as not there, and the task finds that out as it does of what nobody has.
    let who = call.principal()?;
    let permitted = call.pulp.upload_permit_value(who, &upload_id).await;
    let upload_id = match permitted {
        Ok(()) => upload_id,
        Err(error) if is_missing(&error) => Value::Null,
        Err(error) => return Err(error),
    };
    let job = ImportUpload {
        repo_id: call.param(0).to_owned(),
        upload_id,
        unit_type_id,
        unit_key,
        unit_metadata: body.remove("unit_metadata").unwrap_or_default(),
        override_config: body.remove("override_config").unwrap_or_default(),
    };
    Answer::queued(call.pulp.engine.enqueue(job).await?)
}
