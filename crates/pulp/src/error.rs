//! The one place that says what clients are told of errors of the layers below: status, code and text. `docs/errors.md` is its
//! table.

use pith_content::ContentError;
use pith_core::error::PulpError;
use pith_engine::Error;
use pith_engine::error::Outage;
use pith_store::StoreError;

/// An error as a request is answered with it. Faults and outages, which only who runs the server can mend, are logged with all they
/// say.
pub fn wire(error: impl Into<Error>) -> PulpError {
    let error = error.into();
    let told = told(&error);
    let cause: &dyn std::error::Error = &error;
    match error.outage() {
        Some(outage) => tracing::error!(error = cause, "{outage} does not work"),
        None if told.status == 500 => tracing::error!(error = cause, "a request failed"),
        None => {}
    }
    told
}

/// An error as clients are told of it, in an answer or at the end of a task.
#[must_use]
pub fn told(error: &Error) -> PulpError {
    match error {
        Error::Refused(refused) => refused.clone(),
        Error::Store(error) => of_store(error),
        Error::Blobs(error) => of_blobs(error),
        Error::Content(ContentError::Coded(detail)) => PulpError::coded((**detail).clone()),
        Error::Cancelled | Error::Fetch(_) | Error::Content(_) | Error::Fault(_) => {
            PulpError::execution(error.to_string())
        }
    }
}

/// The kinds that a caller can act on keep their meaning; anything else is a fault.
fn of_store(error: &StoreError) -> PulpError {
    match error {
        StoreError::Duplicate { id, .. } => PulpError::duplicate(id),
        StoreError::Missing { what, id } => PulpError::missing_resource(&[(what, id)]),
        StoreError::Conflict { .. } => PulpError::data(error.to_string()),
        StoreError::NoMemory => PulpError::unavailable(error.to_string()),
        full if full.is_full() => PulpError::no_room(format!(
            "the disk of the database is full: make room, or delete repositories and orphans ({full})"
        )),
        away if away.is_away() => unavailable(Outage::Database, away),
        other => PulpError::execution(other.to_string()),
    }
}

fn unavailable(what: Outage, error: &dyn std::error::Error) -> PulpError {
    PulpError::unavailable(format!(
        "{what} does not work at the moment; try again later ({error})"
    ))
}

/// A client's error is one that it sent wrong.
fn of_blobs(error: &pith_blobs::Error) -> PulpError {
    use pith_blobs::Error;
    match error {
        Error::UploadTooLarge { .. } => PulpError {
            status: 413,
            ..PulpError::data(error.to_string())
        },
        Error::Incoming(_) => PulpError::data(error.to_string()),
        Error::NoUpload(id) => PulpError::missing_resource(&[("upload_request", &id.to_string())]),
        _ if error.is_full() => PulpError::no_room(error.to_string()),
        _ if error.is_away() => unavailable(Outage::FileStore, error),
        _ => PulpError::execution(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_can_act_on_keeps_its_status() {
        let missing = StoreError::Missing {
            what: "repository",
            id: "zoo".to_owned(),
        };
        for (error, status, code) in [
            (Error::Store(missing), 404, "PLP0009"),
            (Error::Store(StoreError::NoMemory), 503, "PLP0000"),
            (Error::fault("odd"), 500, "PLP0000"),
            (Error::Cancelled, 500, "PLP0000"),
        ] {
            let told = told(&error);
            assert_eq!((told.status, told.code()), (status, code), "{error:?}");
        }
    }
}
