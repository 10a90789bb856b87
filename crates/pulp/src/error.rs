//! The one place that says what clients are told of errors of the layers below: status, code and text. `docs/errors.md` is its
//! table.

use pith_content::{ContentError, Problem, Problems};
use pith_core::error::{ErrorDetail, PulpError};
use pith_engine::Error;
use pith_engine::error::Outage;
use pith_store::StoreError;

/// An error as clients are told of it, in an answer or at the end of a task.
#[must_use]
pub fn told(error: &Error) -> PulpError {
    match error {
        Error::Refused(refused) => refused.clone(),
        Error::Invalid(problems) => of_problems(problems),
        Error::Store(error) => of_store(error),
        Error::Blobs(error) => of_blobs(error),
        Error::Content(ContentError::Coded(detail)) => PulpError::coded((**detail).clone()),
        Error::Cancelled | Error::Fetch(_) | Error::Content(_) | Error::Fault(_) => {
            PulpError::execution(error.to_string())
        }
    }
}

/// Tells whether something that was named is not there.
#[must_use]
pub fn is_missing(error: &Error) -> bool {
    told(error).status == 404
}

/// Tells whether those who run the server must hear of it: a fault, a full disk, or a part that does not work. Other answers with
/// 503 mean that others are served first; they are not logged, so that a flood of requests is no flood of log lines.
#[must_use]
pub fn is_for_operators(error: &Error) -> bool {
    let status = told(error).status;
    error.outage().is_some() || (status >= 500 && status != 503)
}

/// Problems that clients know by their codes are told one by one, others by the text alone.
fn of_problems(problems: &Problems) -> PulpError {
    if !problems.is_coded() {
        return PulpError::data(problems.to_string());
    }
    let mut detail = ErrorDetail::new("PLP1000", "A validation error occurred.");
    detail.sub_errors = problems.all().iter().map(Problem::detail).collect();
    PulpError::validation(detail)
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
    use pith_content::Wording;
    use serde_json::json;

    use super::*;

    #[test]
    fn problems_are_told_by_their_codes_where_one_has_a_code() {
        let plain = Problem::new("a", "no a");
        let coded = Problem::coded("DKR1004", "b", "no b");
        let refused = |problems| {
            let problems = Problems::check(problems, Wording::Lines).unwrap_err();
            told(&problems.into())
        };
        let error = refused(vec![plain.clone(), Problem::new("c", "no c")]);
        assert_eq!((error.status, error.code()), (400, "PLP0000"));
        assert_eq!(error.extra["args"], json!(["no a\nno c"]));
        assert!(error.detail.sub_errors.is_empty());
        let error = refused(vec![plain, coded]);
        assert_eq!((error.status, error.code()), (400, "PLP1000"));
        let codes = error.detail.sub_errors.iter().map(|sub| sub.code.as_str());
        assert_eq!(codes.collect::<Vec<_>>(), ["PLP0000", "DKR1004"]);
        assert_eq!(error.detail.sub_errors[1].data["field"], "b");
    }

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
