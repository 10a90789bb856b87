//! The platform as an endpoint sees it.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use pith_core::{Clock, Document, RelativePath, TaskId};
use serde_json::Value;

use super::{Answer, BodyStream, Refusal, Who};
use crate::repository::{RepoInfo, Units};
use crate::unit::Select;

/// The id of an upload.
pub type UploadId = String;

/// An upload that is to become units of a repository, by [`crate::Importer::upload`] in a task.
#[derive(Debug, Clone, Default)]
pub struct Import {
    /// The upload; empty for units without a file.
    pub upload: UploadId,
    /// The type of the unit.
    pub type_id: String,
    /// Its key.
    pub key: Document,
    /// Fields beside the key.
    pub metadata: Document,
}

/// The end of a task.
#[derive(Debug, Clone)]
pub struct TaskEnd {
    /// Is true when it did what it was to do.
    pub is_well: bool,
    /// Its result.
    pub result: Value,
    /// The reason why it failed, for people.
    pub error: Option<String>,
}

/// The platform as an endpoint sees it, for one request.
///
/// Repositories are those of the family; of others, and of what there is not, it is told 404. Each method asks for the right that
/// the operation of the REST API asks for which does the same, and refuses whoever has it not: 401 to nobody, 403 to others.
#[async_trait]
pub trait RouteContext: Send + Sync {
    /// The sender of the request.
    fn who(&self) -> &Who;

    /// Time.
    fn clock(&self) -> &dyn Clock;

    /// The answer that a `GET` (or `HEAD`) of this path below a root of the family gets from what is published: with guards, and
    /// with the conditions and ranges of the request.
    async fn serve(&self, path: &RelativePath) -> Result<Answer, Refusal>;

    /// The bytes that are published at a path below a root of the family, as far as whoever asks may read them; `None` when there
    /// is nothing.
    ///
    /// # Errors
    /// When there are more than `most` of them.
    async fn read(&self, path: &RelativePath, most: usize) -> Result<Option<Bytes>, Refusal>;

    /// A repository.
    async fn repository(&self, repo_id: &str) -> Result<RepoInfo, Refusal>;

    /// Streams the units of a repository in batches.
    async fn units(&self, repo_id: &str, select: Select) -> Result<Units<'static>, Refusal>;

    /// Opens an upload, which is whoever asks' own and counts as theirs.
    async fn upload_open(&self) -> Result<UploadId, Refusal>;

    /// Writes bytes from `offset` on; answers the size of the upload then.
    async fn upload_write(
        &self,
        upload: &str,
        offset: u64,
        bytes: BodyStream,
    ) -> Result<u64, Refusal>;

    /// The size of an upload.
    async fn upload_size(&self, upload: &str) -> Result<u64, Refusal>;

    /// Forgets an upload, whether or not there is one.
    async fn upload_forget(&self, upload: &str) -> Result<(), Refusal>;

    /// Queues the import of an upload: a task that stages units and commits a version of the repository.
    async fn import(&self, repo_id: &str, import: Import) -> Result<TaskId, Refusal>;

    /// Queues a publish.
    async fn publish(&self, repo_id: &str, distributor_id: &str) -> Result<TaskId, Refusal>;

    /// Queues the job that the family calls `job` ([`crate::ContentType::jobs`]), with these arguments. Whoever asks must have the right
    /// to add units to each of its repositories and to remove them.
    ///
    /// # Errors
    /// 400 for arguments that the job does not take.
    async fn queue(&self, job: &str, args: Value) -> Result<TaskId, Refusal>;

    /// Waits for a task that this request has queued, or that whoever asks may read, at most so long as `patience` and as the platform lets requests wait; `None` when it goes on.
    async fn ended(&self, task: TaskId, patience: Duration) -> Result<Option<TaskEnd>, Refusal>;
}
