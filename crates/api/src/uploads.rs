//! `/v2/content/uploads/` (pulp2/uploads#requests).

use pith_core::error::PulpError;
use pith_engine::Error;
use serde_json::json;

use crate::http::{Answer, Call, drain};

/// The ids of all uploads of whoever asks.
pub(crate) async fn list(call: Call) -> Result<Answer, Error> {
    let ids = call.pulp.uploads_of(call.principal()?).await?;
    Answer::json(&json!({ "upload_ids": ids }))
}

/// Starts an upload.
pub(crate) async fn create(call: Call) -> Result<Answer, Error> {
    let id = call.pulp.upload_start(call.principal()?).await?;
    Answer::created(&json!({
        "upload_id": id,
        "_href": format!("/pulp/api/v2/content/uploads/{id}/"),
    }))
}

/// Writes bytes at an offset.
pub(crate) async fn write(mut call: Call) -> Result<Answer, Error> {
    let data = call.raw().into_data_stream();
    let offset: u64 = call
        .param(1)
        .trim()
        .parse()
        .map_err(|_| PulpError::invalid_value(&["offset"]))?;
    let (pulp, place) = (&call.pulp, (call.param(0), offset));
    let (rest, written) = pulp.upload_write(call.principal()?, place, data).await;
    if let (Some(rest), Err(_)) = (rest, &written) {
        drain(rest).await;
    }
    written.map(|()| Answer::null())
}

/// Forgets an upload, whether or not there was one.
pub(crate) async fn delete(call: Call) -> Result<Answer, Error> {
    let id = call.param(0);
    call.pulp.upload_forget(call.principal()?, id).await?;
    Ok(Answer::null())
}
