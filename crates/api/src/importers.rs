//! `/v2/repositories/<repo>/importers/` (pulp2/importers#operations).

use pith_engine::Error;
use pith_pulp::importers::document;

use crate::http::{Answer, Call};

/// The importer of a repository, as a list.
pub(crate) async fn list(call: Call) -> Result<Answer, Error> {
    Answer::json(&call.pulp.importer_list(call.param(0)).await?)
}

/// Queues the task that gives a repository an importer; the one that it has makes way, for whoever may change that.
pub(crate) async fn create(mut call: Call) -> Result<Answer, Error> {
    let body = call.object();
    let repo = call.param(0);
    for importer in call.pulp.importer_list(repo).await? {
        let id = importer["id"].as_str().unwrap_or_default();
        call.permit_replacing(&format!("/repositories/{repo}/importers/"), id)?;
    }
    Answer::queued(call.pulp.importer_add(repo, &body).await?)
}

/// One importer.
pub(crate) async fn read(call: Call) -> Result<Answer, Error> {
    let pulp = &call.pulp;
    let importer = pulp.importer_require(call.param(0), call.param(1)).await?;
    Answer::json(&document(&pulp.engine.registry, &importer))
}

/// Queues the task that changes an importer.
pub(crate) async fn update(mut call: Call) -> Result<Answer, Error> {
    let body = call.object();
    let task = call
        .pulp
        .importer_update(call.param(0), call.param(1), &body);
    Answer::queued(task.await?)
}

/// Queues the task that removes an importer.
pub(crate) async fn delete(call: Call) -> Result<Answer, Error> {
    let task = call.pulp.importer_remove(call.param(0), call.param(1));
    Answer::queued(task.await?)
}
