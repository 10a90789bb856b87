//! `/v2/repositories/<repo>/actions/` (pulp2/sync-and-publish, pulp2/uploads#import).

use pith_core::error::PulpError;
use pith_engine::Error;
use pith_pulp::error::is_missing;
use pith_pulp::jobs::{DownloadRepository, ImportUpload, PublishRepository, SyncRepository};
use serde_json::Value;

use crate::http::{Call, Object, OptionalObject, Queued, Segments};
use crate::operation::Shape::One;
use crate::operation::{EXECUTE, REPORT, RestRoute, UPDATE, operation};

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Post "/repositories/<repo>/actions/download/", EXECUTE, download, "Download the files of units that are not here yet.", [], One("DownloadRequest") => REPORT),
    operation!(Post "/repositories/<repo>/actions/import_upload/", UPDATE, import_upload, "Make a unit of an upload.", [], One("ImportUpload") => REPORT),
    operation!(Post "/repositories/<repo>/actions/publish/", EXECUTE, publish, "Publish a repository through one of its distributors.", [], One("PublishRequest") => REPORT),
    operation!(Post "/repositories/<repo>/actions/sync/", EXECUTE, sync, "Mirror the feed of a repository's importer.", [], One("Override") => REPORT),
];

/// Queues a sync.
pub(crate) async fn sync(
    call: Call,
    Segments([repo]): Segments<1>,
    OptionalObject(mut body): OptionalObject,
) -> Result<Queued, Error> {
    let repo_id = call.repository(repo).await?;
    let override_config = body.remove("override_config").unwrap_or_default();
    let job = SyncRepository {
        repo_id,
        override_config,
    };
    call.queue(job).await
}

/// Queues a publish; whether there is such a distributor is found by the task.
pub(crate) async fn publish(
    call: Call,
    Segments([repo]): Segments<1>,
    Object(mut body): Object,
) -> Result<Queued, Error> {
    let repo_id = call.repository(repo).await?;
    let distributor_id = match body.remove("id") {
        None | Some(Value::Null) => return Err(PulpError::missing_value(&["id"]).into()),
        Some(id) => id,
    };
    let job = PublishRepository {
        repo_id,
        distributor_id,
        override_config: body.remove("override_config").unwrap_or_default(),
    };
    call.queue(job).await
}

/// Queues the download of what the repository does not have.
pub(crate) async fn download(
    call: Call,
    Segments([repo]): Segments<1>,
    OptionalObject(body): OptionalObject,
) -> Result<Queued, Error> {
    let repo_id = call.repository(repo).await?;
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
    call.queue(job).await
}

/// Queues the import of an upload; whether repository and upload exist is found by the task.
pub(crate) async fn import_upload(
    call: Call,
    Segments([repo]): Segments<1>,
    Object(mut body): Object,
) -> Result<Queued, Error> {
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
        repo_id: repo,
        upload_id,
        unit_type_id,
        unit_key,
        unit_metadata: body.remove("unit_metadata").unwrap_or_default(),
        override_config: body.remove("override_config").unwrap_or_default(),
    };
    call.queue(job).await
}
