//! `/v2/content/uploads/` (pulp2/uploads#requests).

use pith_core::error::PulpError;
use pith_engine::Error;
use serde::Serialize;
use serde_json::json;

use crate::http::{Call, Created, Done, Json, OptionalJson, Raw, Segments, drain};
use crate::operation::Shape::{Any, Bytes, Null, One};
use crate::operation::{CREATE, DELETE, NONE, READ, RestRoute, UPDATE, operation};

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Get "/content/uploads/", READ, list, "List the uploads.", [], NONE => One("Uploads")),
    operation!(Post "/content/uploads/", CREATE, create, "Begin an upload.", [], Any => One("Upload")),
    operation!(Delete "/content/uploads/<upload>/", DELETE, delete, "Delete an upload.", [], NONE => Null),
    operation!(Put "/content/uploads/<upload>/<offset>/", UPDATE, write, "Write bytes of an upload from an offset on.", [], Bytes => Null),
];

/// The ids of all uploads of whoever asks.
pub(crate) async fn list(call: Call) -> Result<Json<impl Serialize>, Error> {
    let ids = call.pulp.uploads_of(call.principal()?).await?;
    Ok(Json(json!({ "upload_ids": ids })))
}

/// Starts an upload.
pub(crate) async fn create(call: Call, OptionalJson(_): OptionalJson) -> Result<Created, Error> {
    let id = call.pulp.upload_start(call.principal()?).await?;
    Ok(Created(json!({
        "upload_id": id,
        "_href": format!("/pulp/api/v2/content/uploads/{id}/"),
    })))
}

/// Writes bytes at an offset.
pub(crate) async fn write(
    call: Call,
    Segments([upload, offset]): Segments<2>,
    Raw(body): Raw,
) -> Result<Done, Error> {
    let data = body.into_data_stream();
    let offset = offset.trim().parse();
    let offset: u64 = offset.map_err(|_| PulpError::invalid_value(&["offset"]))?;
    let (pulp, place) = (&call.pulp, (upload.as_str(), offset));
    let (rest, written) = pulp.upload_write(call.principal()?, place, data).await;
    if let (Some(rest), Err(_)) = (rest, &written) {
        drain(rest).await;
    }
    written.map(|()| Done)
}

/// Forgets an upload, whether or not there was one.
pub(crate) async fn delete(call: Call, Segments([upload]): Segments<1>) -> Result<Done, Error> {
    call.pulp.upload_forget(call.principal()?, &upload).await?;
    Ok(Done)
}
