//! Reasons why a file that is not here cannot be had.

use pith_fetch::{ErrorKind, FetchError};

/// The reason why a file that is not here cannot be had either.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// Nobody knows where it is, or the upstream does not have it any more.
    #[error("there is no source for it; sync its repository again: {0}")]
    NotFound(String),
    /// The upstream fails, refuses, or has something else.
    #[error("its upstream does not have it as promised: {0}")]
    BadUpstream(String),
    /// The upstream asks to come back later.
    #[error("its upstream is busy: {0}")]
    Busy(String),
    /// The upstream does not answer in time.
    #[error("its upstream does not answer in time: {0}")]
    Timeout(String),
    /// The file cannot be kept: there is no room, or the disk fails.
    #[error("it cannot be stored here: {0}")]
    Unstored(String),
    /// Something of our own failed.
    #[error("it cannot be fetched: {0}")]
    Internal(String),
}

impl Unavailable {
    /// The status of an answer that cannot be given.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::NotFound(_) => 404,
            Self::BadUpstream(_) => 502,
            Self::Busy(_) | Self::Unstored(_) => 503,
            Self::Timeout(_) => 504,
            Self::Internal(_) => 500,
        }
    }

    /// The same with what explains it.
    pub(super) fn because(self, why: &str) -> Self {
        let told = |text: String| format!("{text} ({why})");
        match self {
            Self::NotFound(text) => Self::NotFound(told(text)),
            Self::BadUpstream(text) => Self::BadUpstream(told(text)),
            Self::Busy(text) => Self::Busy(told(text)),
            Self::Timeout(text) => Self::Timeout(told(text)),
            other => other,
        }
    }

    pub(super) fn internal(error: impl std::fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<FetchError> for Unavailable {
    fn from(error: FetchError) -> Self {
        let text = error.to_string();
        match error.kind {
            ErrorKind::NotFound { .. } => Self::NotFound(text),
            ErrorKind::Status { status: 429 | 503 } => Self::Busy(text),
            ErrorKind::Timeout
            | ErrorKind::Stalled
            | ErrorKind::TooLong { .. }
            | ErrorKind::Status { status: 504 } => Self::Timeout(text),
            ErrorKind::Io => Self::Unstored(text),
            ErrorKind::Cancelled => Self::Internal(text),
            _ => Self::BadUpstream(text),
        }
    }
}
