//! `/v2/repo_groups/` (pulp2/groups).

use pith_core::Document;
use pith_core::criteria::Criteria;
use pith_engine::Error;
use pith_pulp::group_distributors::distributor_document;
use pith_pulp::groups::document;
use serde_json::{Value, json};

use crate::http::{Answer, Call};
use crate::routes::refuse_shadowing;
use crate::search;

/// Every group; what the query says does not count.
pub(crate) async fn list(call: Call) -> Result<Answer, Error> {
    Answer::json(&call.pulp.group_list().await?)
}

/// Makes a group.
pub(crate) async fn create(mut call: Call) -> Result<Answer, Error> {
    let body = call.object();
    refuse_shadowing("/repo_groups/", &body, "id")?;
    Answer::created(&call.pulp.group_create(&body, call.principal()?).await?)
}

/// One group.
pub(crate) async fn read(call: Call) -> Result<Answer, Error> {
    Answer::json(&document(&call.pulp.group_require(call.param(0)).await?))
}

/// Changes a group; the body is the change.
pub(crate) async fn update(mut call: Call) -> Result<Answer, Error> {
    let body = call.object();
    Answer::json(&call.pulp.group_update(call.param(0), body).await?)
}

/// Deletes a group.
pub(crate) async fn delete(call: Call) -> Result<Answer, Error> {
    call.pulp.group_delete(call.param(0)).await?;
    Ok(Answer::null())
}

/// Searches, with the criteria in the query.
pub(crate) async fn search_get(call: Call) -> Result<Answer, Error> {
    let criteria = search::plain_query(call.query(), &[])?;
    Answer::json(&call.pulp.group_search(&criteria).await?)
}

/// Searches, with the criteria in the body.
pub(crate) async fn search_post(mut call: Call) -> Result<Answer, Error> {
    let criteria = search::plain_body(&mut call.object())?;
    Answer::json(&call.pulp.group_search(&criteria).await?)
}

/// The criteria for repositories in a body; without them every repository is meant.
fn repositories(mut body: Document) -> Result<Criteria, Error> {
    let criteria: Value = body.remove("criteria").unwrap_or_else(|| json!({}));
    Ok(Criteria::parse(&criteria)?)
}

/// Adds repositories to a group.
pub(crate) async fn associate(mut call: Call) -> Result<Answer, Error> {
    let criteria = repositories(call.object())?;
    let after = call
        .pulp
        .group_associate(call.param(0), &criteria, call.principal()?)
        .await?;
    Answer::json(&after)
}

/// Takes repositories out of a group.
pub(crate) async fn unassociate(mut call: Call) -> Result<Answer, Error> {
    let criteria = repositories(call.object())?;
    let left = call
        .pulp
        .group_unassociate(call.param(0), &criteria, call.principal()?)
        .await?;
    Answer::json(&left)
}

/// Queues the publish of a group.
pub(crate) async fn publish(mut call: Call) -> Result<Answer, Error> {
    let body = call.object();
    Answer::queued(call.pulp.group_publish(call.param(0), body).await?)
}

/// The distributors of a group.
pub(crate) async fn distributors(call: Call) -> Result<Answer, Error> {
    let found = call.pulp.group_distributor_list(call.param(0)).await?;
    Answer::json(&found)
}

/// Gives a group a distributor; one of the same id makes way, for whoever may change it.
pub(crate) async fn create_distributor(mut call: Call) -> Result<Answer, Error> {
    let body = call.object();
    let group = call.param(0);
    if let Some(id) = body.get("distributor_id").and_then(Value::as_str)
        && (call.pulp.group_distributor_require(group, id).await).is_ok()
    {
        call.permit_replacing(&format!("/repo_groups/{group}/distributors/"), id)?;
    }
    let made = call.pulp.group_distributor_create(group, &body);
    Answer::created(&made.await?)
}

/// One distributor of a group.
pub(crate) async fn read_distributor(call: Call) -> Result<Answer, Error> {
    let (group, id) = (call.param(0), call.param(1));
    let found = call.pulp.group_distributor_require(group, id).await?;
    Answer::json(&distributor_document(&found))
}

/// Changes the configuration of a distributor, at once.
pub(crate) async fn update_distributor(mut call: Call) -> Result<Answer, Error> {
    let body = call.object();
    let (group, id) = (call.param(0), call.param(1));
    let updated = call.pulp.group_distributor_update(group, id, &body);
    Answer::json(&updated.await?)
}

/// Removes a distributor. `force` in the body would pass over a plugin's failure to clean up; ours have nothing to
/// clean up that could fail.
pub(crate) async fn delete_distributor(call: Call) -> Result<Answer, Error> {
    let (group, id) = (call.param(0), call.param(1));
    call.pulp.group_distributor_remove(group, id).await?;
    Ok(Answer::null())
}
