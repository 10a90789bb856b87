//! The coded errors of a sync (pulp2/rpm-errors#codes). Texts name the URL, which Pulp's often did not.

use pith_content::ContentError;
use pith_core::ErrorDetail;

use crate::metadata::MetadataError;

/// RPM1004: metadata could not be retrieved.
#[must_use]
pub fn retrieving(reason: &str) -> ContentError {
    ContentError::coded(
        ErrorDetail::new("RPM1004", format!("Error retrieving metadata: {reason}"))
            .with("reason", reason),
    )
}

/// RPM1005: there is no feed.
#[must_use]
pub fn no_feed() -> ContentError {
    ContentError::coded(ErrorDetail::new(
        "RPM1005",
        "Unable to sync a repository that has no feed.",
    ))
}

/// RPM1006: repomd.xml is no repomd.xml.
#[must_use]
pub fn unparsable(url: &str, error: &MetadataError) -> ContentError {
    ContentError::coded(
        ErrorDetail::new(
            "RPM1006",
            format!("Could not parse repository metadata: {url} {error}"),
        )
        .with("url", url),
    )
}

/// RPM1015: the metadata contradicts itself or the format.
#[must_use]
pub fn malformed(reason: &str) -> ContentError {
    ContentError::coded(
        ErrorDetail::new("RPM1015", format!("Malformed repository: {reason}"))
            .with("reason", reason),
    )
}

/// RPM1015 for a document at `url`.
#[must_use]
pub fn malformed_document(url: &str, error: &MetadataError) -> ContentError {
    malformed(&format!("{url} {error}"))
}
