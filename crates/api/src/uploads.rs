//! `/v2/content/uploads/` (reference: platform-api §5.5).

use pith_core::error::PulpError;
use pith_engine::error::{from_blobs, from_store};
use pith_store::{StoreError, Upload};
use serde_json::json;
use uuid::Uuid;

use crate::http::{Answer, Call, drain};

/// Largest upload, in bytes: what keeps one wrong offset from filling a disk.
const MAX_UPLOAD: u64 = 1 << 40;

/// The ids of all uploads.
pub(crate) async fn list(call: Call) -> Result<Answer, PulpError> {
    let uploads = call.engine.store.uploads_list().await.map_err(from_store)?;
    let ids: Vec<Uuid> = uploads.iter().map(|upload| upload.id).collect();
    Answer::json(&json!({ "upload_ids": ids }))
}

/// Starts an upload.
pub(crate) async fn create(call: Call) -> Result<Answer, PulpError> {
    let id = Uuid::new_v4();
    let upload = Upload {
        id,
        created: call.engine.clock.now(),
        size: 0,
    };
    let uploads = call.engine.blobs.uploads();
    uploads.create(id).await.map_err(|e| from_blobs(&e))?;
    if let Err(error) = call.engine.store.upload_create(&upload).await {
        // Nobody was told of it, and nothing else would take it away.
        let _ = uploads.delete(id).await;
        return Err(from_store(error));
    }
    Answer::created(&json!({
        "upload_id": id,
        "_href": format!("/pulp/api/v2/content/uploads/{id}/"),
    }))
}

/// Writes bytes at an offset.
pub(crate) async fn write(mut call: Call) -> Result<Answer, PulpError> {
    let mut data = call.raw().into_data_stream();
    let offset: u64 = call
        .param(1)
        .trim()
        .parse()
        .map_err(|_| PulpError::invalid_value(&["offset"]))?;
    let missing = || PulpError::missing_resource(&[("upload_request", call.param(0))]);
    let id: Uuid = call.param(0).parse().map_err(|_| missing())?;
    let known = call.engine.store.upload_get(id).await.map_err(from_store)?;
    known.ok_or_else(missing)?;
    let uploads = call.engine.blobs.uploads();
    let written = uploads.write_at(id, offset, &mut data, MAX_UPLOAD).await;
    let written = match written {
        Ok(written) => written,
        Err(error) => {
            drain(data).await;
            return Err(from_blobs(&error));
        }
    };
    let size = i64::try_from(offset.saturating_add(written)).unwrap_or(i64::MAX);
    match call.engine.store.upload_set_size(id, size).await {
        Ok(()) => Ok(Answer::null()),
        Err(StoreError::Missing { .. }) => Err(missing()),
        Err(error) => Err(from_store(error)),
    }
}

/// Forgets an upload, whether or not there was one.
pub(crate) async fn delete(call: Call) -> Result<Answer, PulpError> {
    if let Ok(id) = call.param(0).parse::<Uuid>() {
        call.engine
            .store
            .upload_delete(id)
            .await
            .map_err(from_store)?;
        let uploads = call.engine.blobs.uploads();
        uploads.delete(id).await.map_err(|e| from_blobs(&e))?;
    }
    Ok(Answer::null())
}
