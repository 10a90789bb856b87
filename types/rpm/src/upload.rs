//! Uploads (reference: rpm §8).

use pith_content::ContentError;
use pith_content::upload::{Upload, UploadContext, UploadReport};

/// Makes units of an upload.
///
/// # Errors
/// What the person did wrong, or what the context fails with.
pub async fn run(_ctx: &dyn UploadContext, upload: Upload) -> Result<UploadReport, ContentError> {
    Err(ContentError::other(format!(
        "{} is not a supported type for upload",
        upload.type_id
    )))
}
