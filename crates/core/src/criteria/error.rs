//! Reasons why criteria cannot be used.

use serde_json::Value;

use crate::error::{ErrorDetail, PulpError};

/// The reason why criteria cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CriteriaError {
    /// The properties that have the wrong shape.
    #[error("these properties of the criteria cannot be used: {0:?}")]
    Invalid(Vec<String>),
    /// A filter that has the right shape but asks for something that does not exist or is not allowed.
    #[error("{0}")]
    Filter(String),
}

impl CriteriaError {
    pub(super) fn invalid(name: &str) -> Self {
        Self::Invalid(vec![name.to_owned()])
    }
}

impl From<CriteriaError> for PulpError {
    /// 400 PLP0015 with the properties named; for a filter that cannot run, `criteria` with the reason as sub-error.
    fn from(error: CriteriaError) -> Self {
        match error {
            CriteriaError::Invalid(names) => {
                Self::invalid_values(&names.into_iter().map(Value::from).collect::<Vec<_>>())
            }
            CriteriaError::Filter(reason) => {
                let mut error = Self::invalid_value(&["criteria"]);
                error
                    .detail
                    .sub_errors
                    .push(ErrorDetail::new("PLP0000", reason));
                error
            }
        }
    }
}

/// The error of a filter.
pub(super) fn refused(reason: impl Into<String>) -> CriteriaError {
    CriteriaError::Filter(reason.into())
}
