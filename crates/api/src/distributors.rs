//! `/v2/repositories/<repo>/distributors/` and `/v2/distributors/` (pulp2/distributors#operations).

use pith_engine::Error;
use pith_pulp::distributors::document;
use serde_json::Value;

use crate::http::{Answer, Call};
use crate::search;

/// The distributors of a repository.
pub(crate) async fn list(call: Call) -> Result<Answer, Error> {
    Answer::json(&call.pulp.distributor_list(call.param(0)).await?)
}

/// Gives a repository a distributor, at once; one of the same id makes way, for whoever may change it.
pub(crate) async fn create(mut call: Call) -> Result<Answer, Error> {
    let body = call.object();
    let repo = call.param(0);
    if let Some(id) = body.get("distributor_id").and_then(Value::as_str)
        && call.pulp.distributor_require(repo, id).await.is_ok()
    {
        call.permit_replacing(&format!("/repositories/{repo}/distributors/"), id)?;
    }
    Answer::created(&call.pulp.distributor_create(repo, &body).await?)
}

/// One distributor.
pub(crate) async fn read(call: Call) -> Result<Answer, Error> {
    let (repo, id) = (call.param(0), call.param(1));
    call.pulp.repository_require(repo).await?;
    let distributor = call.pulp.distributor_require(repo, id).await?;
    Answer::json(&document(&call.pulp.engine.registry, &distributor))
}

/// Queues the task that changes a distributor.
pub(crate) async fn update(mut call: Call) -> Result<Answer, Error> {
    let body = call.object();
    let task = call
        .pulp
        .distributor_update(call.param(0), call.param(1), &body);
    Answer::queued(task.await?)
}

/// Queues the task that removes a distributor.
pub(crate) async fn delete(call: Call) -> Result<Answer, Error> {
    let task = call.pulp.distributor_remove(call.param(0), call.param(1));
    Answer::queued(task.await?)
}

/// Searches the distributors of all repositories, with the criteria in the query.
pub(crate) async fn search_get(call: Call) -> Result<Answer, Error> {
    let criteria = search::plain_query(call.query(), &[])?;
    Answer::json(&call.pulp.distributor_search(&criteria).await?)
}

/// Searches the distributors of all repositories, with the criteria in the body.
pub(crate) async fn search_post(mut call: Call) -> Result<Answer, Error> {
    let criteria = search::plain_body(&mut call.object())?;
    Answer::json(&call.pulp.distributor_search(&criteria).await?)
}
