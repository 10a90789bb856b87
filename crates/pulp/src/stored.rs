//! The size of what is stored in pieces and listed as a whole: settings and notes. A request may add to them, so what has come
//! together counts, not what one request brings: listings and checks read those of many repositories at once.

use pith_core::error::PulpError;
use pith_core::{Document, json_weight};

use serde_json::Value;

/// The memory that one document may take, in bytes as [`json_weight`] counts them: settings, notes.
pub const MOST: usize = 4 * 1024 * 1024;
/// The memory that the settings of all distributors of a repository, or of a group, may take together.
pub(crate) const MOST_TOGETHER: usize = 2 * MOST;

/// Refuses a document that takes more than [`MOST`].
///
/// # Errors
/// 400.
pub(crate) fn require_fits(what: &str, document: &Document) -> Result<(), PulpError> {
    require(what, MOST, weight(document))
}

/// Refuses settings that take more than [`MOST`], or more than [`MOST_TOGETHER`] with those that stay beside them.
///
/// # Errors
/// 400.
pub(crate) fn require_fit_together<'a>(
    document: &Document,
    beside: impl Iterator<Item = &'a Document>,
) -> Result<(), PulpError> {
    require_fits("The configuration", document)?;
    let together = beside.map(weight).sum::<usize>() + weight(document);
    require(
        "The configuration of all distributors",
        MOST_TOGETHER,
        together,
    )
}

fn weight(document: &Document) -> usize {
    json_weight(Value::Object(document.clone()).to_string().as_bytes())
}

fn require(what: &str, most: usize, weight: usize) -> Result<(), PulpError> {
    if weight <= most {
        return Ok(());
    }
    let most = most / (1024 * 1024);
    Err(PulpError::data(format!(
        "{what} would take more than {most} MiB of memory: take out what is not needed"
    )))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn long(bytes: usize) -> Document {
        Document::from_iter([("note".to_owned(), json!("x".repeat(bytes)))])
    }

    #[test]
    fn what_has_come_together_counts() {
        let half = long(MOST / 2);
        assert!(require_fits("It", &half).is_ok());
        assert!(require_fits("It", &long(MOST + 1)).is_err());
        let beside = [half.clone(), half.clone(), half.clone()];
        assert!(require_fit_together(&half, beside.iter().take(2)).is_ok());
        let refused = require_fit_together(&half, beside.iter().chain([&half])).unwrap_err();
        assert_eq!(refused.status, 400);
    }
}
