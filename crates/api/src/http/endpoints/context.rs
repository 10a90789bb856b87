//! The platform as endpoints of content types see it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::response::Response;
use futures::StreamExt;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Uri};
use parking_lot::Mutex;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pith_content::ContentType;
use pith_content::repository::{RepoInfo, Units};
use pith_content::routes::{
    Answer, AnswerBody, BodyStream, Import, Refusal, RouteContext, TaskEnd, UploadId, Who,
};
use pith_content::unit::Select;
use pith_core::error::PulpError;
use pith_core::task::TaskState;
use pith_core::{Clock, RelativePath, TaskId};
use pith_engine::turns::Turn;
use pith_engine::{Caller, Error, Job, OwnJob};
use pith_pulp::auth::Principal;
use pith_pulp::error::{is_for_operators, told};
use pith_pulp::jobs::{ImportUpload, PublishRepository};
use pith_store::{Task, reading};
use serde_json::{Value, json};

use super::PublishedContent;
use crate::http::call::unauthenticated;
use crate::http::dispatch::{drain, permit};
use crate::http::shared::Shared;

/// The longest wait for a task.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pauses between two looks at a task: the first, and the longest.
const LOOKS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Everything in a path but what needs no escape.
const IN_A_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// One request.
pub(super) struct EndpointContext {
    pub(super) shared: Arc<Shared>,
    pub(super) family: Arc<dyn ContentType>,
    pub(super) published: Arc<dyn PublishedContent>,
    pub(super) who: Who,
    pub(super) principal: Option<Principal>,
    /// The head, with the headers that published content is asked with.
    pub(super) head: Parts,
    /// The turn of the request, until it needs none.
    pub(super) turn: Mutex<Option<Turn<Caller>>>,
    /// Tasks that the request has queued.
    pub(super) queued: Mutex<HashSet<TaskId>>,
}

impl EndpointContext {
    /// Returns the caller, if they may do what this operation of the REST API does.
    fn permit(&self, method: &str, path: &str) -> Result<&Principal, Refusal> {
        let principal = self.principal.as_ref().ok_or_else(unauthenticated)?;
        let matched = self.shared.matcher.find(path);
        let route = matched.as_ref().and_then(|matched| matched.route(method));
        let route = route.ok_or_else(|| Refusal::failed(format!("no operation at {path}")))?;
        permit(principal, route, path)?;
        Ok(principal)
    }

    /// Returns the caller as [`Self::permit`] does, for an operation on a repository, which must be of the family.
    async fn permit_on(&self, repo_id: &str, method: &str, operation: &str) -> Result<(), Refusal> {
        let missing = || Refusal::not_found(format!("there is no repository '{repo_id}'"));
        if repo_id.is_empty() || repo_id.contains('/') {
            return Err(missing());
        }
        self.permit(method, &format!("/repositories/{repo_id}/{operation}"))?;
        let importer = self.shared.pulp.engine.store.importer_get(repo_id).await;
        let importer = importer.map_err(refused)?.ok_or_else(missing)?;
        let of_family = self.family.importers();
        let mut of_family = of_family.iter().map(|own| own.descriptor().id);
        match of_family.any(|own| own == importer.type_id) {
            true => Ok(()),
            false => Err(missing()),
        }
    }

    /// Queues a job of the platform, which this request may wait for.
    async fn enqueue(&self, job: impl Job) -> Result<TaskId, Refusal> {
        let task = self.shared.pulp.engine.enqueue(job).await;
        task.map_err(refused).inspect(|task| self.note(*task))
    }

    /// Notes a task that this request has queued.
    fn note(&self, task: TaskId) {
        self.queued.lock().insert(task);
    }

    async fn respond(
        &self,
        path: &RelativePath,
        method: Method,
        headers: HeaderMap,
    ) -> Result<Response, Refusal> {
        if !(self.family.roots().iter()).any(|root| root.holds(path.as_str())) {
            return Err(Refusal::failed(format!(
                "'{path}' is below no root of the family"
            )));
        }
        let path = format!("/{}", utf8_percent_encode(path.as_str(), IN_A_PATH));
        let mut request = http::Request::new(()).into_parts().0;
        request.method = method;
        request.uri = path.parse::<Uri>().map_err(Refusal::failed)?;
        request.headers = headers;
        request.extensions = self.head.extensions.clone();
        Ok(self.published.respond(&request).await)
    }
}

#[async_trait]
impl RouteContext for EndpointContext {
    fn who(&self) -> &Who {
        &self.who
    }

    fn clock(&self) -> &dyn Clock {
        &*self.shared.pulp.engine.clock
    }

    async fn serve(&self, path: &RelativePath) -> Result<Answer, Refusal> {
        let method = match self.head.method {
            Method::HEAD => Method::HEAD,
            _ => Method::GET,
        };
        let answer = self
            .respond(path, method, self.head.headers.clone())
            .await?;
        // Files are sent within bounds of their own, however long that takes.
        drop(self.turn.lock().take());
        let (head, body) = answer.into_parts();
        let pieces = body.into_data_stream();
        let pieces = pieces.map(|piece| piece.map_err(std::io::Error::other));
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: AnswerBody::Stream(pieces.boxed()),
        })
    }

    async fn read(&self, path: &RelativePath, most: usize) -> Result<Option<Bytes>, Refusal> {
        let answer = self.respond(path, Method::GET, HeaderMap::new()).await?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            other => return Err(Refusal::new(other, format!("'{path}' cannot be read"))),
        }
        reading::count(most.min(length(&answer))).map_err(refused)?;
        let read = axum::body::to_bytes(answer.into_body(), most).await;
        read.map(Some).map_err(Refusal::failed)
    }

    async fn repository(&self, repo_id: &str) -> Result<RepoInfo, Refusal> {
        self.permit_on(repo_id, "GET", "").await?;
        let repo = self.shared.pulp.repository_require(repo_id).await;
        let repo = repo.map_err(refused)?;
        Ok(RepoInfo {
            id: repo.id,
            notes: repo.notes,
            scratchpad: repo.scratchpad,
        })
    }

    async fn units(&self, repo_id: &str, select: Select) -> Result<Units<'static>, Refusal> {
        self.permit_on(repo_id, "POST", "search/units/").await?;
        let units = self.shared.pulp.engine.units(repo_id, &select);
        units.map_err(refused)
    }

    async fn upload_open(&self) -> Result<UploadId, Refusal> {
        let who = self.permit("POST", "/content/uploads/")?;
        let id = self.shared.pulp.upload_start(who).await.map_err(refused)?;
        Ok(id.to_string())
    }

    async fn upload_write(
        &self,
        upload: &str,
        offset: u64,
        bytes: BodyStream,
    ) -> Result<u64, Refusal> {
        let path = format!("/content/uploads/{}/{offset}/", one_segment(upload)?);
        let who = self.permit("PUT", &path)?;
        let pulp = &self.shared.pulp;
        let (rest, written) = pulp.upload_write(who, (upload, offset), bytes).await;
        if let (Some(rest), Err(_)) = (rest, &written) {
            drain(rest).await;
        }
        written.map_err(refused)?;
        pulp.upload_size(who, upload).await.map_err(refused)
    }

    async fn upload_size(&self, upload: &str) -> Result<u64, Refusal> {
        let who = self.permit("GET", "/content/uploads/")?;
        let size = self.shared.pulp.upload_size(who, upload).await;
        size.map_err(refused)
    }

    async fn upload_forget(&self, upload: &str) -> Result<(), Refusal> {
        let path = format!("/content/uploads/{}/", one_segment(upload)?);
        let who = self.permit("DELETE", &path)?;
        let forgotten = self.shared.pulp.upload_forget(who, upload).await;
        forgotten.map_err(refused)
    }

    async fn import(&self, repo_id: &str, import: Import) -> Result<TaskId, Refusal> {
        self.permit_on(repo_id, "POST", "actions/import_upload/")
            .await?;
        let principal = self.principal.as_ref().ok_or_else(unauthenticated)?;
        let pulp = &self.shared.pulp;
        let permitted = pulp.upload_permit(principal, &import.upload).await;
        permitted.map_err(refused)?;
        self.enqueue(ImportUpload {
            repo_id: repo_id.to_owned(),
            upload_id: json!(import.upload),
            unit_type_id: json!(import.type_id),
            unit_key: Value::Object(import.key),
            unit_metadata: Value::Object(import.metadata),
            override_config: Value::Null,
        })
        .await
    }

    async fn publish(&self, repo_id: &str, distributor_id: &str) -> Result<TaskId, Refusal> {
        self.permit_on(repo_id, "POST", "actions/publish/").await?;
        self.enqueue(PublishRepository {
            repo_id: repo_id.to_owned(),
            distributor_id: json!(distributor_id),
            override_config: Value::Null,
        })
        .await
    }

    async fn queue(&self, job: &str, args: Value) -> Result<TaskId, Refusal> {
        let job = OwnJob::read(&*self.family, job, args).map_err(refused)?;
        for repo_id in job.repositories() {
            for operation in ["actions/import_upload/", "actions/unassociate/"] {
                self.permit_on(&repo_id, "POST", operation).await?;
            }
        }
        let task = self.shared.pulp.engine.enqueue_own(&job).await;
        task.map_err(refused).inspect(|task| self.note(*task))
    }

    async fn ended(&self, task: TaskId, patience: Duration) -> Result<Option<TaskEnd>, Refusal> {
        if !self.queued.lock().contains(&task) {
            self.permit("GET", &format!("/tasks/{task}/"))?;
        }
        // Whoever waits keeps nobody from being served.
        drop(self.turn.lock().take());
        let store = &self.shared.pulp.engine.store;
        let wait = async {
            let mut pause = LOOKS.0;
            loop {
                let found = store.task_get(task).await.map_err(refused)?;
                let found = found.ok_or_else(|| Refusal::not_found("there is no such task"))?;
                if found.state.is_complete() {
                    return Ok(end_of(found));
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LOOKS.1);
            }
        };
        match tokio::time::timeout(patience.min(PATIENCE), wait).await {
            Ok(ended) => ended.map(Some),
            Err(_) => Ok(None),
        }
    }
}

/// The refusal of what the platform could not do, with the failure where those who run the server must hear of it.
pub(super) fn refused(error: impl Into<Error>) -> Refusal {
    let error = error.into();
    let refusal = Refusal::from(told(&error));
    match is_for_operators(&error) {
        true => refusal.caused_by(error),
        false => refusal,
    }
}

fn end_of(task: Task) -> TaskEnd {
    let error = task
        .error
        .as_ref()
        .and_then(|error| error["description"].as_str());
    TaskEnd {
        is_well: task.state == TaskState::Finished,
        error: error.map(str::to_owned),
        result: task.result,
    }
}

/// An id that is one segment of a path, as all ids are that the server gave out.
fn one_segment(id: &str) -> Result<&str, PulpError> {
    match id.is_empty() || id.contains('/') {
        true => Err(PulpError::missing_resource(&[("upload_request", id)])),
        false => Ok(id),
    }
}

fn length(answer: &Response) -> usize {
    let length = answer.headers().get(http::header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    length.unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_failure_that_those_who_run_the_server_must_hear_of() {
        let fault = refused(Error::fault("the disk broke"));
        let cause = fault.cause().unwrap().to_string();
        assert_eq!(
            (fault.status.as_u16(), cause.as_str()),
            (500, "the disk broke")
        );
        let busy = refused(PulpError::unavailable("others are served first"));
        assert_eq!((busy.status.as_u16(), busy.cause().is_none()), (503, true));
    }
}
