//! The ways in which a plugin's work can fail.

use pith_core::digest::DigestError;
use pith_core::error::ErrorDetail;
use pith_core::path::UnsafePath;
use serde_json::Value;

use crate::fetch::FetchFailure;
use crate::problem::Problems;
use crate::sync::NoFeed;
use crate::unit::MissingKeyField;

/// An error of any type, which keeps its own cause.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The reason why a sync, publish or upload did not succeed. The engine turns it into history and task error; in every case the
/// repository stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// An error with a code of its own, such as RPM1004.
    #[error("{}", .0.description)]
    Coded(Box<ErrorDetail>),
    /// The plugin ran to its end and reports that it failed: history `failed`, PLP0000
    /// `Importer indicated a failed response` (or PLP0034, PLP0047). `summary` and `details` go into the history.
    #[error("{message}")]
    Failed {
        /// The failure, for people and logs.
        message: String,
        /// `summary` of the history entry.
        summary: Value,
        /// `details` of the history entry.
        details: Value,
    },
    /// The task was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// A download that the plugin could not do without.
    #[error(transparent)]
    Fetch(#[from] FetchFailure),
    /// The platform failed below a context. It finds its own error again in here; a type passes it on.
    #[error(transparent)]
    Platform(BoxError),
    /// Anything else, a text or a cause; becomes PLP0000 with its text.
    #[error(transparent)]
    Other(BoxError),
}

impl ContentError {
    /// A coded error.
    #[must_use]
    pub fn coded(detail: ErrorDetail) -> Self {
        Self::Coded(Box::new(detail))
    }

    /// The refusal of what a client gave, in words that clients are shown as the summary too.
    #[must_use]
    pub fn refused(message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Failed {
            summary: Value::String(message.clone()),
            message,
            details: Value::Null,
        }
    }

    /// Any other error: a cause, or a text where there is none.
    pub fn other(error: impl Into<BoxError>) -> Self {
        Self::Other(error.into())
    }
}

/// Errors that are told as they are.
macro_rules! told_as_they_are {
    ($($error:ty),*) => {
        $(impl From<$error> for ContentError {
            fn from(error: $error) -> Self {
                Self::other(error)
            }
        })*
    };
}

told_as_they_are!(
    std::io::Error,
    Problems,
    UnsafePath,
    DigestError,
    MissingKeyField
);

impl From<&NoFeed> for ContentError {
    fn from(error: &NoFeed) -> Self {
        Self::other(error.clone())
    }
}
