//! The ways in which a plugin's work can fail.

use pith_core::error::{ErrorDetail, PulpError};
use serde_json::Value;

use crate::fetch::FetchFailure;

/// Why a sync, publish or upload did not succeed. The engine turns it into history and task error; in every case the
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
    /// Anything else; becomes PLP0000 with this text.
    #[error("{0}")]
    Other(String),
}

impl ContentError {
    /// A coded error.
    #[must_use]
    pub fn coded(detail: ErrorDetail) -> Self {
        Self::Coded(Box::new(detail))
    }

    /// Any other error by its text.
    pub fn other(error: impl std::fmt::Display) -> Self {
        Self::Other(error.to_string())
    }
}

impl From<std::io::Error> for ContentError {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.to_string())
    }
}

impl From<ContentError> for PulpError {
    fn from(error: ContentError) -> Self {
        match error {
            ContentError::Coded(detail) => Self::coded(*detail),
            other => Self::execution(other.to_string()),
        }
    }
}
