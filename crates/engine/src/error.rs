//! The ways in which work fails, each with its source. What becomes of them on the wire is said in `pith-pulp`
//! (`crates/pulp/src/error.rs`); `docs/errors.md` has both in one table.

use std::io::{self, ErrorKind};

use pith_content::error::BoxError;
use pith_content::fetch::{FetchFailure, FetchFailureKind};
use pith_content::{ContentError, Problems};
use pith_core::criteria::CriteriaError;
use pith_core::error::{ErrorDetail, PulpError};
use pith_store::StoreError;

/// A result of the engine.
pub type Result<T> = std::result::Result<T, Error>;

/// A part of what pith runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// The database.
    Database,
    /// The disk or the object store that has the files.
    FileStore,
}

impl std::fmt::Display for Outage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Database => "the database",
            Self::FileStore => "the file store",
        })
    }
}

/// The reason why the engine did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody cancelled the task.
    #[error("cancelled")]
    Cancelled,
    /// Refused with a code, for what the request says or for what it is about.
    #[error(transparent)]
    Refused(#[from] PulpError),
    /// A content type refuses a configuration.
    #[error(transparent)]
    Invalid(#[from] Problems),
    /// The database failed, or what it has stands against it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file store failed, or is full.
    #[error(transparent)]
    Blobs(#[from] pith_blobs::Error),
    /// Something could not be fetched that the work cannot do without.
    #[error(transparent)]
    Fetch(FetchFailure),
    /// A content type failed, or reports that it did.
    #[error(transparent)]
    Content(ContentError),
    /// A fault of pith, of the machine, or of what it runs on.
    #[error(transparent)]
    Fault(BoxError),
}

impl Error {
    /// A fault: its cause, or a text where there is none.
    pub fn fault(error: impl Into<BoxError>) -> Self {
        Self::Fault(error.into())
    }

    /// The part of what pith runs on that does not work at the moment, when that is why.
    #[must_use]
    pub fn outage(&self) -> Option<Outage> {
        match self {
            Self::Store(error) if error.is_away() => Some(Outage::Database),
            Self::Blobs(error) if error.is_away() => Some(Outage::FileStore),
            _ => None,
        }
    }

    /// Tells whether the same work may go well later though nobody changes what was asked: what failed was a disk without room, a
    /// database or a server that was away or had too much to do.
    #[must_use]
    pub fn is_worth_repeating(&self) -> bool {
        match self {
            Self::Store(StoreError::NoMemory) => true,
            Self::Store(error) => error.is_full() || error.is_away(),
            Self::Blobs(error) => error.is_full() || error.is_away(),
            Self::Fetch(failure) => is_passing(failure),
            Self::Refused(refused) => matches!(refused.status, 429 | 503 | 507),
            Self::Content(ContentError::Other(source)) | Self::Fault(source) => is_full(&**source),
            Self::Cancelled | Self::Invalid(_) | Self::Content(_) => false,
        }
    }
}

/// Tells whether a disk without room is among the causes.
fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|cause| {
        let cause = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        matches!(
            cause,
            Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
        )
    })
}

/// Tells whether the same download may go well next time.
fn is_passing(failure: &FetchFailure) -> bool {
    match failure.kind {
        FetchFailureKind::Unreachable | FetchFailureKind::Ours => true,
        FetchFailureKind::Status => {
            (failure.status).is_some_and(|status| matches!(status, 408 | 429 | 500..))
        }
        _ => false,
    }
}

impl From<CriteriaError> for Error {
    fn from(error: CriteriaError) -> Self {
        PulpError::from(error).into()
    }
}

/// Brings an error that a context handed to a content type back as what it was.
impl From<ContentError> for Error {
    fn from(error: ContentError) -> Self {
        match error {
            ContentError::Cancelled => Self::Cancelled,
            ContentError::Fetch(failure) => Self::Fetch(failure),
            ContentError::Platform(source) => match source.downcast::<Self>() {
                Ok(error) => *error,
                Err(source) => Self::Content(ContentError::Platform(source)),
            },
            error => Self::Content(error),
        }
    }
}

impl From<Error> for ContentError {
    fn from(error: Error) -> Self {
        match error {
            Error::Cancelled => Self::Cancelled,
            Error::Fetch(failure) => Self::Fetch(failure),
            Error::Content(error) => error,
            error => Self::Platform(Box::new(error)),
        }
    }
}

/// A failure of the layers below as a content type sees it.
pub(crate) fn platform(error: impl Into<Error>) -> ContentError {
    error.into().into()
}

/// PLP0009 as a task shows it: the missing thing by one name and value of any JSON type.
#[must_use]
pub fn missing(resources: &[(&str, serde_json::Value)]) -> Error {
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
    let refused = PulpError {
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
    };
    refused.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_context_failed_with_comes_back_from_a_content_type_as_it_was() {
        let gone = || StoreError::Missing {
            what: "unit",
            id: "1".to_owned(),
        };
        let through = Error::from(platform(gone()));
        assert!(
            matches!(&through, Error::Store(StoreError::Missing { .. })),
            "{through:?}"
        );
        assert_eq!(through.to_string(), gone().to_string());
        assert!(matches!(
            Error::from(platform(Error::Cancelled)),
            Error::Cancelled
        ));
        let other = Error::from(ContentError::other("odd"));
        assert!(matches!(other, Error::Content(_)), "{other:?}");
    }

    #[test]
    fn work_is_worth_repeating_when_what_failed_may_pass() {
        let fetched = |kind, status| {
            Error::Fetch(FetchFailure {
                url: String::new(),
                status,
                message: String::new(),
                kind,
            })
        };
        for passing in [
            fetched(FetchFailureKind::Unreachable, None),
            fetched(FetchFailureKind::Status, Some(503)),
            fetched(FetchFailureKind::Status, Some(429)),
            Error::Refused(PulpError::no_room("full")),
            Error::Store(StoreError::Moved("pith.db".to_owned())),
            Error::fault(io::Error::from(ErrorKind::StorageFull)),
            Error::from(ContentError::from(io::Error::from(
                ErrorKind::QuotaExceeded,
            ))),
        ] {
            assert!(passing.is_worth_repeating(), "{passing:?}");
        }
        for lasting in [
            fetched(FetchFailureKind::NotFound, Some(404)),
            fetched(FetchFailureKind::Status, Some(403)),
            Error::Refused(PulpError::data("no")),
            Error::Cancelled,
            Error::fault("odd"),
        ] {
            assert!(!lasting.is_worth_repeating(), "{lasting:?}");
        }
    }
}
