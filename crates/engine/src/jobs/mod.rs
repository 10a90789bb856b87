//! The jobs that need nothing but the engine: about content, and the housekeeping.

mod delete_orphans;
mod download_repository;
mod import_upload;
mod publish;
mod publish_group;
mod reap_expired_documents;
mod refresh_content_source;
mod refresh_content_sources;
mod sync;

use pith_core::error::printed;
use serde_json::Value;

pub use delete_orphans::{DeleteOrphans, Orphans};
pub use download_repository::DownloadRepository;
pub use import_upload::ImportUpload;
pub use publish::PublishRepository;
pub use publish_group::PublishGroup;
pub use reap_expired_documents::ReapExpiredDocuments;
pub use refresh_content_source::RefreshContentSource;
pub use refresh_content_sources::RefreshContentSources;
pub use sync::SyncRepository;

/// An id as a tag shows it, whatever JSON the client gave for it.
fn text(id: &Value) -> String {
    id.as_str().map_or_else(|| printed(id), str::to_owned)
}
