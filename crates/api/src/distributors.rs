//! `/v2/repositories/<repo>/distributors/` and `/v2/distributors/` (reference: platform-api §4.4).

use pith_core::error::PulpError;
use pith_engine::distributors::document;

use crate::http::{Answer, Call};
use crate::search;

/// The distributors of a repository.
pub(crate) async fn list(call: Call) -> Result<Answer, PulpError> {
    Answer::json(&call.engine.distributor_list(call.param(0)).await?)
}

/// Gives a repository a distributor, at once.
pub(crate) async fn create(mut call: Call) -> Result<Answer, PulpError> {
    let body = call.object();
    Answer::created(&call.engine.distributor_create(call.param(0), &body).await?)
}

/// One distributor.
pub(crate) async fn read(call: Call) -> Result<Answer, PulpError> {
    let (repo, id) = (call.param(0), call.param(1));
    call.engine.repository_require(repo).await?;
    let distributor = call.engine.distributor_require(repo, id).await?;
    Answer::json(&document(&call.engine.registry, &distributor))
}

/// Queues the task that changes a distributor.
pub(crate) async fn update(mut call: Call) -> Result<Answer, PulpError> {
    let body = call.object();
    let task = call
        .engine
        .distributor_update(call.param(0), call.param(1), &body);
    Answer::queued(task.await?)
}

/// Queues the task that removes a distributor.
pub(crate) async fn delete(call: Call) -> Result<Answer, PulpError> {
    let task = call.engine.distributor_remove(call.param(0), call.param(1));
    Answer::queued(task.await?)
}

/// Searches the distributors of all repositories, with the criteria in the query.
pub(crate) async fn search_get(call: Call) -> Result<Answer, PulpError> {
    let criteria = search::plain_query(call.query(), &[])?;
    Answer::json(&call.engine.distributor_search(&criteria).await?)
}

/// Searches the distributors of all repositories, with the criteria in the body.
pub(crate) async fn search_post(mut call: Call) -> Result<Answer, PulpError> {
    let criteria = search::plain_body(&mut call.object())?;
    Answer::json(&call.engine.distributor_search(&criteria).await?)
}
