//! Errors of the layers below, as Pulp's.

use pith_core::error::{ErrorDetail, PulpError};
use pith_store::StoreError;

/// Turns a failure of the store into the error people see. The kinds a caller can act on keep their meaning; anything
/// else is a server fault, logged here with all it says.
pub fn from_store(error: StoreError) -> PulpError {
    match error {
        StoreError::Duplicate { id, .. } => PulpError::duplicate(&id),
        StoreError::Missing { what, id } => PulpError::missing_resource(&[(what, &id)]),
        StoreError::Conflict { .. } => PulpError::data(error.to_string()),
        StoreError::NoMemory => PulpError::unavailable(error.to_string()),
        full if full.is_full() => PulpError::no_room(format!(
            "the disk of the database is full: make room, or delete repositories and orphans ({full})"
        )),
        away if away.is_away() => {
            tracing::error!(error = %away, "the database does not work");
            PulpError::unavailable(format!(
                "the database does not work at the moment; try again later ({away})"
            ))
        }
        other => {
            tracing::error!(error = %other, "the database failed");
            PulpError::execution(other.to_string())
        }
    }
}

/// Turns a failure of the blob store into the error people see. What a client sent wrong is a client's error.
pub fn from_blobs(error: &pith_blobs::Error) -> PulpError {
    use pith_blobs::Error;
    match error {
        Error::UploadTooLarge { .. } => {
            let mut refused = PulpError::data(error.to_string());
            refused.status = 413;
            return refused;
        }
        Error::Incoming(_) => return PulpError::data(error.to_string()),
        Error::NoUpload(id) => {
            return PulpError::missing_resource(&[("upload_request", &id.to_string())]);
        }
        _ if error.is_full() => return PulpError::no_room(error.to_string()),
        _ if error.is_away() => {
            tracing::error!(%error, "the file store does not work");
            return PulpError::unavailable(format!(
                "the file store does not work at the moment; try again later ({error})"
            ));
        }
        _ => {}
    }
    tracing::error!(%error, "the blob store failed");
    PulpError::execution(error.to_string())
}

/// PLP0009 as a task shows it: the missing thing by one name and value of any JSON type.
#[must_use]
pub fn missing(resources: &[(&str, serde_json::Value)]) -> PulpError {
    let text: Vec<String> = resources
        .iter()
        .map(|(kind, id)| match id {
            serde_json::Value::String(id) => format!("{kind}={id}"),
            other => format!("{kind}={}", pith_core::error::printed(other)),
        })
        .collect();
    let map: pith_core::Document = resources
        .iter()
        .map(|(kind, id)| ((*kind).to_owned(), id.clone()))
        .collect();
    PulpError {
        status: 404,
        detail: Box::new(
            ErrorDetail::new(
                "PLP0009",
                format!("Missing resource(s): {}", text.join(", ")),
            )
            .with("resources", map.clone()),
        ),
        extra: serde_json::json!({ "resources": map })
            .as_object()
            .cloned()
            .unwrap_or_default(),
    }
}
